import { expect, it } from 'vitest';
import { block, identifier, literal } from './quote.ts';

it.each([
  ['Checkout', '"Checkout"'],
  ['a"b', '"a""b"'],
  ["o'brien", `"o'brien"`],
])('a name is quoted so that nothing in it ends it: %s', (name, sql) => {
  expect(identifier(name)).toBe(sql);
});

it.each([
  ['', "''"],
  ["o'brien", "'o''brien'"],
  ['a\\b', "E'a\\\\b'"],
  ["\\'", "E'\\\\'''"],
])('a text means the same whatever the server is set to: %s', (text, sql) => {
  expect(literal(text)).toBe(sql);
});

it('what PostgreSQL cannot have is no name and no text', () => {
  for (const name of ['', 'a\0b']) {
    expect(() => identifier(name)).toThrow('not a PostgreSQL identifier');
  }
  expect(() => literal('a\0b')).toThrow('not a PostgreSQL string');
});

it('statements that are run once stand in a block that they cannot end', () => {
  expect(block('  PERFORM 1;')).toBe('DO $iamdb$ BEGIN\n  PERFORM 1;\nEND $iamdb$;');
  expect(block("  PERFORM '$iamdb$';")).toBe("DO $iamdb1$ BEGIN\n  PERFORM '$iamdb$';\nEND $iamdb1$;");
});
