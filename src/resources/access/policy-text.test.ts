import { expect, it } from 'vitest';
import { entries, field, isLike, isObject, list, parse } from './policy-text.ts';

it.each([
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['**', 'abc', true],
  ['abc', 'abc', true],
  ['abc', 'abd', false],
  ['abc', 'abcd', false],
  ['abcd', 'abc', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['?', '', false],
  ['a*', 'a', true],
  ['a*c', 'abbbc', true],
  ['a*c', 'abbb', false],
  ['a*bc', 'abxbc', true],
  ['*a*b', 'xaxxbxb', true],
  ['*a*b', 'xaxx', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*?', 'a', false],
  ['a*?', 'ab', true],
  ['sts:Assume*', 'sts:AssumeRole', true],
  // What was asked for may hold a star itself.
  ['*b', 'a*b', true],
])('the pattern "%s" and "%s" fit: %s', (pattern, text, fits) => {
  expect(isLike(pattern, text)).toBe(fits);
});

it('a document is read plain or URL-encoded, and what is neither is nothing', () => {
  const document = { Statement: [{ Effect: 'Allow', Resource: '100%' }] };
  expect(parse(`\n ${JSON.stringify(document)}`)).toEqual(document);
  expect(parse(encodeURIComponent(JSON.stringify(document)))).toEqual(document);
  for (const text of ['', '{', '%', '%7B', 'text']) expect(parse(text)).toBeUndefined();
});

it('one thing stands for a list of one, and nothing for none', () => {
  expect(list('a')).toEqual(['a']);
  expect(list(['a', 'b'])).toEqual(['a', 'b']);
  expect(list(undefined)).toEqual([]);
});

it('what is no object has no fields', () => {
  expect(isObject({})).toBe(true);
  expect(field({ a: 1 }, 'a')).toBe(1);
  expect(entries({ a: 1 })).toEqual([['a', 1]]);
  for (const value of [null, undefined, 'text', 7, ['a']]) {
    expect(isObject(value)).toBe(false);
    expect(field(value, 'length')).toBeUndefined();
    expect(entries(value)).toEqual([]);
  }
});
