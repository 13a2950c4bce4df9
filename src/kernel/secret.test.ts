import { format, inspect } from 'node:util';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.ts';

const password = 'hunter2-hunter2';
const secret = new Secret(password);

const logged = (value: object) => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(line) });
  log.info(value, 'a line');
  log.info({ nested: { value } }, '%s %j %o', value, value, value);
  return lines.join('');
};

describe('a secret', () => {
  it('is given where a driver asks for it', () => {
    expect(secret.reveal()).toBe(password);
  });

  const ways: readonly (readonly [string, (value: Secret<unknown>) => string])[] = [
    ['String()', (value) => String(value)],
    ['a template', (value) => `a ${value as unknown as string}`],
    ['concatenation', (value) => 'x' + value],
    ['JSON', (value) => JSON.stringify({ value, list: [value] })],
    ['a JSON key', (value) => JSON.stringify(Object.fromEntries([[String(value), 1]]))],
    ['inspect', (value) => inspect(value)],
    [
      'inspect of all there is',
      (value) => inspect({ deep: { deeper: [value] } }, { depth: null, showHidden: true }),
    ],
    [
      'inspect without custom printing',
      (value) => inspect(value, { customInspect: false, showHidden: true }),
    ],
    ['format', (value) => format('%s %j %o %O', value, value, value, value)],
    ['a list joined', (value) => [value, value].join(',')],
    ['its own properties', (value) => Reflect.ownKeys(value).map(String).join(' ')],
    ['a copy of it', (value) => inspect(Object.assign({}, value)) + inspect(structuredClone(value))],
    ['a log line', logged],
    [
      'the log line of an error that carries it',
      (value) => logged(new Error('failed', { cause: { value } })),
    ],
    ['toLocaleString', (value) => value.toLocaleString()],
  ];

  it.each(ways)('is not told by %s', (_way, print) => {
    for (const value of [secret, new Secret({ password }), new Secret([password])]) {
      expect(print(value)).not.toContain('hunter2');
    }
  });

  it.each(ways.slice(0, 6))('says that it is one: %s', (_way, print) => {
    expect(print(secret)).toContain('[redacted]');
  });
});
