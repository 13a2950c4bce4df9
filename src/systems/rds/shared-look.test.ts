import { beforeEach, describe, expect, it } from 'vitest';
import { type SharedLook, sharedLook } from './shared-look.ts';

const { signal } = new AbortController();
let clock: number;
let look: SharedLook<string>;
beforeEach(() => {
  clock = 0;
  look = sharedLook({ keepMs: 1_000, timeoutMs: 60_000, now: () => clock });
});
const answer = (text: string) => () => Promise.resolve(text);

describe('a shared look', () => {
  it('is taken once for all who ask at about the same time', async () => {
    let looks = 0;
    const slow = async () => {
      looks++;
      await Promise.resolve();
      return 'one';
    };
    const answers = await Promise.all([1, 2, 3].map(() => look('a', slow, signal)));
    expect(answers.map(({ value, fresh }) => `${value} ${fresh}`)).toEqual([
      'one true',
      'one false',
      'one false',
    ]);
    expect(looks).toBe(1);
  });

  it('is good for as long as set, from when it was asked for', async () => {
    await look('a', answer('one'), signal);
    clock = 999;
    expect(await look('a', answer('two'), signal)).toEqual({ value: 'one', fresh: false });
    clock = 1_000;
    expect(await look('a', answer('two'), signal)).toEqual({ value: 'two', fresh: true });
  });

  it('is another one for another key', async () => {
    await look('a', answer('one'), signal);
    expect((await look('b', answer('two'), signal)).value).toBe('two');
  });

  it('is not kept when it failed', async () => {
    await expect(look('a', () => Promise.reject(new Error('down')), signal)).rejects.toThrow('down');
    expect((await look('a', answer('one'), signal)).value).toBe('one');
  });

  it('goes on for the others when one stops to wait', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const pass = new AbortController();
    let seen: AbortSignal | undefined;
    const first = look(
      'a',
      (until) => {
        seen = until;
        return promise;
      },
      pass.signal,
    );
    const second = look('a', answer('other'), signal);
    pass.abort(new Error('the pass is over'));
    await expect(first).rejects.toThrow('the pass is over');
    expect(seen?.aborted).toBe(false);
    resolve('one');
    expect((await second).value).toBe('one');
  });

  it('is not waited for at all by a pass that is over', async () => {
    const over = AbortSignal.abort(new Error('the pass is over'));
    await expect(look('a', answer('one'), over)).rejects.toThrow('the pass is over');
  });
});
