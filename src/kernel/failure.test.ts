import { describe, expect, it } from 'vitest';
import { asFailure, Failure, retryTable } from './failure.ts';

describe('a failure', () => {
  it('keeps the cause for the log and out of its message', () => {
    const cause = new Error('a secret');
    const failure = new Failure('denied', 'AccessDenied', 'AWS refused.', { cause, retryAfterMs: 5 });
    expect(failure).toMatchObject({
      kind: 'denied',
      reason: 'AccessDenied',
      message: 'AWS refused.',
      retryAfterMs: 5,
    });
    expect(failure.cause).toBe(cause);
    expect(String(failure)).toBe('Failure: AWS refused.');
  });

  it('without a cause has none', () => {
    expect('cause' in new Failure('denied', 'AccessDenied', 'AWS refused.')).toBe(false);
  });

  it('stays itself, and everything else becomes one that says nothing', () => {
    const failure = new Failure('denied', 'AccessDenied', 'AWS refused.');
    expect(asFailure(failure)).toBe(failure);
    for (const thrown of [new Error('x'), new TypeError('y'), 'z', undefined, null, { message: 'x' }]) {
      expect(asFailure(thrown)).toMatchObject({ kind: 'unexpected', reason: 'InternalError' });
    }
  });
});

describe('time alone', () => {
  it.each([
    ['mends', ['denied', 'missing', 'throttled', 'unavailable', 'unexpected'], false],
    ['does not mend', ['invalid', 'conflict'], true],
  ] as const)('%s %j', (_sentence, kinds, needsPerson) => {
    for (const kind of kinds) expect(retryTable[kind].needsPerson).toBe(needsPerson);
  });
});
