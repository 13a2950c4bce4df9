// How fast IAM is called, and how one listing serves many: by a clock that the tests move.
import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { createSharedRead, type SharedRead } from './shared-read.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

const never = new AbortController().signal;

/** Sleeping moves the time at once. */
function jumpingClock(): Clock & { time: number } {
  const clock = {
    time: 0,
    now: () => clock.time,
    sleep: async (milliseconds: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      clock.time += milliseconds;
    },
  };
  return clock;
}

async function takeMany(bucket: TokenBucket, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await bucket.take(never);
}

describe('a token bucket', () => {
  test('lets a burst through at once, then keeps to its rate', async () => {
    const clock = jumpingClock();
    const bucket = createTokenBucket({ perSecond: 5, burst: 5 }, clock);
    await takeMany(bucket, 5);
    expect(clock.time).toBe(0);
    await takeMany(bucket, 50);
    expect(clock.time).toBeGreaterThanOrEqual(10_000);
    expect(clock.time).toBeLessThan(10_100);
  });

  test('halves its rate once per throttling, never below a sixteenth, and recovers slowly', async () => {
    const clock = jumpingClock();
    const bucket = createTokenBucket({ perSecond: 16, burst: 1 }, clock);
    const timeFor = async (count: number): Promise<number> => {
      const before = clock.time;
      await takeMany(bucket, count);
      return (clock.time - before) / count;
    };
    await timeFor(1);
    bucket.slowDown();
    // The rest of the same burst was refused by the same throttling.
    bucket.slowDown();
    expect(await timeFor(8)).toBeCloseTo(125, -1);
    for (let i = 0; i < 10; i++) {
      clock.time += 600;
      bucket.slowDown();
    }
    expect(await timeFor(2)).toBeCloseTo(1000, -1);
    clock.time += 60_000;
    await timeFor(2);
    expect(await timeFor(16)).toBeCloseTo(62.5, -1);
  });

  test('one that gives up waiting takes nobody along', async () => {
    const pending: (() => void)[] = [];
    let time = 0;
    const clock: Clock = {
      now: () => time,
      sleep: (milliseconds, signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          pending.push(() => {
            time += milliseconds;
            resolve();
          });
        }),
    };
    const bucket = createTokenBucket({ perSecond: 1, burst: 1 }, clock);
    await bucket.take(never);
    const impatient = new AbortController();
    const given = bucket.take(impatient.signal);
    const patient = bucket.take(never);
    await expect.poll(() => pending.length).toBe(1);
    impatient.abort(new Error('no time'));
    await expect(given).rejects.toThrow('no time');
    await expect.poll(() => pending.length).toBeGreaterThan(1);
    pending.at(-1)?.();
    await expect(patient).resolves.toBeUndefined();
  });
});

function shared(): {
  time: { now: number };
  answers: ((value: string | Error) => void)[];
  read: SharedRead<string>;
  mark: () => number;
} {
  const time = { now: 0 };
  const answers: ((value: string | Error) => void)[] = [];
  let order = 0;
  const mark = (): number => ++order;
  const read = createSharedRead({
    read: () =>
      new Promise<string>((resolve, reject) => {
        answers.push((value) => (value instanceof Error ? reject(value) : resolve(value)));
      }),
    pause: () => Promise.resolve(),
    nextOrder: mark,
    clock: { now: () => time.now, sleep: () => Promise.resolve() },
  });
  return { time, answers, read, mark };
}

describe('a shared read', () => {
  test('serves all who ask before it begins, and those content with its age', async () => {
    const { time, answers, read } = shared();
    const both = Promise.all([read.get(0, 0, never), read.get(0, 0, never)]);
    await expect.poll(() => answers.length).toBe(1);
    answers[0]?.('first');
    expect((await both).map(({ value }) => value)).toEqual(['first', 'first']);
    time.now = 500;
    expect((await read.get(0, 0, never)).value).toBe('first');
    expect(answers.length).toBe(1);
  });

  test('does not serve who asked after it began; those share the next', async () => {
    const { time, answers, read } = shared();
    const early = read.get(0, 0, never);
    await expect.poll(() => answers.length).toBe(1);
    time.now = 10;
    const late = Promise.all([read.get(10, 0, never), read.get(10, 0, never)]);
    answers[0]?.('old');
    expect((await early).value).toBe('old');
    await expect.poll(() => answers.length).toBe(2);
    answers[1]?.('new');
    expect((await late).map(({ value }) => value)).toEqual(['new', 'new']);
    expect(answers.length).toBe(2);
  });

  test('does not serve who wrote after it began, however young it is', async () => {
    const { answers, read, mark } = shared();
    const before = read.get(0, 0, never);
    await expect.poll(() => answers.length).toBe(1);
    const written = mark();
    const after = read.get(0, written, never);
    answers[0]?.('before the write');
    expect((await before).value).toBe('before the write');
    await expect.poll(() => answers.length).toBe(2);
    answers[1]?.('after the write');
    expect((await after).value).toBe('after the write');
  });

  test('that fails fails for all who wait for it, and the next one is made anew', async () => {
    const { answers, read } = shared();
    const failing = read.get(0, 0, never);
    await expect.poll(() => answers.length).toBe(1);
    answers[0]?.(new Error('down'));
    await expect(failing).rejects.toThrow('down');
    const again = read.get(0, 0, never);
    await expect.poll(() => answers.length).toBe(2);
    answers[1]?.('up');
    expect((await again).value).toBe('up');
  });

  test('goes on for the others when one gives up', async () => {
    const { answers, read } = shared();
    const impatient = new AbortController();
    const given = read.get(0, 0, impatient.signal);
    const other = read.get(0, 0, never);
    await expect.poll(() => answers.length).toBe(1);
    impatient.abort(new Error('no time'));
    await expect(given).rejects.toThrow('no time');
    answers[0]?.('there');
    expect((await other).value).toBe('there');
  });
});
