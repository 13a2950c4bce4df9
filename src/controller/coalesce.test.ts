// Shared runs and gathered questions.
import { beforeEach, expect, test } from 'vitest';
import { batch } from './batch.ts';
import { coalesce } from './coalesce.ts';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';

const never = new AbortController().signal;
let clock: FakeClock;

beforeEach(() => {
  clock = createFakeClock();
});

interface Run {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly end: (result: number) => void;
  readonly fail: (error: Error) => void;
}

function sharing() {
  const runs: Run[] = [];
  const ask = coalesce<number>({
    run: (key, signal) =>
      new Promise((resolve, reject) => {
        runs.push({ key, signal, end: resolve, fail: reject });
      }),
    deadlineMs: 1_000,
    clock,
  });
  return { runs, ask };
}

test('callers of the same moment share one run', async () => {
  const { runs, ask } = sharing();
  const answers = [ask('k', never), ask('k', never), ask('k', never)];
  await clock.settle();
  expect(runs).toHaveLength(1);
  runs[0]?.end(1);
  expect(await Promise.all(answers)).toEqual([1, 1, 1]);
});

test('who asks while a run is going on gets one that began afterwards, together with all the others', async () => {
  const { runs, ask } = sharing();
  const early = ask('k', never);
  await clock.settle();
  const late = [ask('k', never), ask('k', never)];
  await clock.settle();
  expect(runs).toHaveLength(1);
  runs[0]?.end(1);
  await clock.settle();
  expect(runs).toHaveLength(2);
  const latest = ask('k', never);
  runs[1]?.end(2);
  await clock.settle();
  runs[2]?.end(3);
  expect([await early, await Promise.all(late), await latest]).toEqual([1, [2, 2], 3]);
});

test('runs over the same key never overlap, over different keys they do', async () => {
  let [running, most] = [0, 0];
  const ask = coalesce<void>({
    run: async () => {
      running += 1;
      most = Math.max(most, running);
      await clock.settle();
      running -= 1;
    },
    deadlineMs: 1_000,
    clock,
  });
  const all: Promise<void>[] = [];
  for (let count = 0; count < 20; count += 1) {
    all.push(ask('k', never));
    await clock.settle();
  }
  await Promise.all(all);
  expect(most).toBe(1);
  await Promise.all([ask('k', never), ask('l', never)]);
  expect(most).toBe(2);
});

test('a run that fails fails its callers only; those who came later get their own run', async () => {
  const { runs, ask } = sharing();
  const early = ask('k', never);
  await clock.settle();
  const late = ask('k', never);
  runs[0]?.fail(new Error('broken'));
  await expect(early).rejects.toThrow('broken');
  await clock.settle();
  runs[1]?.end(2);
  expect(await late).toBe(2);
});

test('one caller that leaves does not disturb the others; when the last one leaves the run is aborted', async () => {
  const { runs, ask } = sharing();
  const [first, second] = [new AbortController(), new AbortController()];
  const answers = [ask('k', first.signal), ask('k', second.signal)];
  await clock.settle();
  first.abort(new Error('first left'));
  await expect(answers[0]).rejects.toThrow('first left');
  expect(runs[0]?.signal.aborted).toBe(false);
  second.abort(new Error('second left'));
  await expect(answers[1]).rejects.toThrow('second left');
  expect(runs[0]?.signal.aborted).toBe(true);
});

test('a run that nobody waits for any more is not begun, and does not stand in the way of a new caller', async () => {
  const { runs, ask } = sharing();
  const early = ask('k', never);
  await clock.settle();
  const leaver = new AbortController();
  const left = ask('k', leaver.signal);
  leaver.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  const late = ask('k', never);
  runs[0]?.end(1);
  await early;
  await clock.settle();
  expect(runs).toHaveLength(2);
  runs[1]?.end(2);
  expect(await late).toBe(2);
});

test('a run is aborted at its deadline', async () => {
  const { runs, ask } = sharing();
  const answer = ask('k', never);
  await clock.advance(1_000);
  expect(runs[0]?.signal.aborted).toBe(true);
  runs[0]?.end(1);
  await answer;
  expect(clock.timers()).toBe(0);
});

function gathering(maxKeys = 100) {
  const calls: (readonly string[])[] = [];
  const ask = batch<string>({
    ask: async (keys) => {
      calls.push(keys);
      if (keys.includes('bad')) throw new Error('broken');
      return new Map(keys.filter((key) => key !== 'unknown').map((key) => [key, `answer ${key}`]));
    },
    windowMs: 5,
    maxKeys,
    deadlineMs: 1_000,
    clock,
  });
  return { calls, ask };
}

test('questions within the window go out as one, each key once', async () => {
  const { calls, ask } = gathering();
  const answers = [ask('a', never), ask('b', never)];
  await clock.advance(4);
  answers.push(ask('a', never), ask('unknown', never));
  await clock.advance(1);
  expect(await Promise.all(answers)).toEqual(['answer a', 'answer b', 'answer a', undefined]);
  expect(calls).toEqual([['a', 'b', 'unknown']]);
});

test('a question after the call began is part of the next one', async () => {
  const { calls, ask } = gathering();
  const first = ask('a', never);
  await clock.advance(5);
  const second = ask('a', never);
  await clock.advance(5);
  await Promise.all([first, second]);
  expect(calls).toEqual([['a'], ['a']]);
});

test('a full batch does not wait', async () => {
  const { calls, ask } = gathering(2);
  const answers = [ask('a', never), ask('b', never), ask('c', never)];
  await clock.settle();
  expect(calls).toEqual([['a', 'b']]);
  await clock.advance(5);
  await Promise.all(answers);
  expect(calls).toEqual([['a', 'b'], ['c']]);
  expect(clock.timers()).toBe(0);
});

test('a failed call fails all who asked, and nobody else', async () => {
  const { ask } = gathering();
  const answers = [ask('a', never), ask('bad', never)];
  const settled = Promise.allSettled(answers);
  await clock.advance(5);
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = ask('a', never);
  await clock.advance(5);
  expect(await next).toBe('answer a');
});

test('a caller that leaves a batch gets its reason, the others their answer', async () => {
  const { ask } = gathering();
  const leaver = new AbortController();
  const left = ask('a', leaver.signal);
  const stayed = ask('a', never);
  leaver.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  await clock.advance(5);
  expect(await stayed).toBe('answer a');
});
