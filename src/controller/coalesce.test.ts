// Shared runs.
import { beforeEach, expect, test } from 'vitest';
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

function sharing(turns?: { enter(): Promise<(() => void) | undefined>; readonly noTurn: number }) {
  const runs: Run[] = [];
  const ask = coalesce<number>({
    ...(turns === undefined ? {} : { turns }),
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

test('who asks while a run stands in line is served by it, and its turn ends with it', async () => {
  const turn = Promise.withResolvers<() => void>();
  let left = 0;
  const { runs, ask } = sharing({ enter: () => turn.promise, noTurn: -1 });
  const early = ask('k', never);
  await clock.settle();
  const late = ask('k', never);
  await clock.settle();
  expect(runs).toHaveLength(0);
  turn.resolve(() => (left += 1));
  await clock.settle();
  expect(runs).toHaveLength(1);
  expect(left).toBe(0);
  runs[0]?.end(1);
  expect(await Promise.all([early, late])).toEqual([1, 1]);
  expect(left).toBe(1);
});

test('a run whose turn does not come is not begun, and all who asked are told', async () => {
  const { runs, ask } = sharing({ enter: () => Promise.resolve(undefined), noTurn: -1 });
  expect(await Promise.all([ask('k', never), ask('k', never)])).toEqual([-1, -1]);
  expect(runs).toHaveLength(0);
  expect(await ask('k', never)).toBe(-1);
});

test('a run that was left by all while it stood in line is not begun, and gives its turn back', async () => {
  const turn = Promise.withResolvers<() => void>();
  let left = 0;
  const { runs, ask } = sharing({ enter: () => turn.promise, noTurn: -1 });
  const caller = new AbortController();
  const asked = ask('k', caller.signal);
  await clock.settle();
  caller.abort();
  await expect(asked).rejects.toThrow('abort');
  turn.resolve(() => (left += 1));
  await clock.settle();
  expect(runs).toHaveLength(0);
  expect(left).toBe(1);
});
