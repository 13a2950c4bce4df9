// Passes: serial per key, bounded in time, and contained whatever they do.
import { beforeEach, expect, test } from 'vitest';
import { createController, type Controller } from './controller.ts';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import type { Incident } from './incident.ts';
import type { PassResult, Reconcile } from './workers.ts';

let clock: FakeClock;
let incidents: Incident[];
let results: string[];

beforeEach(() => {
  clock = createFakeClock();
  incidents = [];
  results = [];
});

function start(reconcile: Reconcile, concurrency = 1): Controller {
  const controller = createController({
    reconcile,
    concurrency,
    timing: {
      queue: { backoff: { baseMs: 100, maxMs: 1_000 } },
      pass: { deadlineMs: 1_000, overrunMs: 500 },
    },
    clock,
    random: () => 0,
    report: (incident) => incidents.push(incident),
    reconcileMetrics: { reconciled: (result) => results.push(result), activeWorkers: () => {} },
  });
  controller.start();
  return controller;
}

/** A reconcile whose passes end when the test says so. */
function held() {
  const passes: { readonly key: string; readonly signal: AbortSignal; readonly end: () => void }[] = [];
  const reconcile: Reconcile = (key, signal) =>
    new Promise<PassResult>((resolve) => {
      passes.push({ key, signal, end: () => resolve({}) });
    });
  return { passes, reconcile };
}

test('nothing is worked on before the start, and nothing is lost', async () => {
  const seen: string[] = [];
  const controller = createController({
    reconcile: async (key) => {
      seen.push(key);
      return {};
    },
    concurrency: 1,
    timing: { queue: { backoff: { baseMs: 1, maxMs: 1 } }, pass: { deadlineMs: 1, overrunMs: 1 } },
    clock,
    random: () => 0,
    report: () => {},
  });
  controller.queue.add('team/a');
  await clock.advance(10_000);
  expect(seen).toEqual([]);
  controller.start();
  await clock.settle();
  expect(seen).toEqual(['team/a']);
});

test('a pass that throws is reported and comes again with growing waits', async () => {
  const at: number[] = [];
  const { queue } = start(async () => {
    at.push(clock.now());
    if (at.length < 4) throw new Error('broken');
    return {};
  });
  queue.add('team/a');
  await clock.advance(10_000);
  expect(at).toEqual([0, 100, 300, 700]);
  expect(incidents.map(({ what, waitMs }) => [what, waitMs])).toEqual([
    ['pass-threw', 100],
    ['pass-threw', 200],
    ['pass-threw', 400],
  ]);
  expect(results).toEqual(['error', 'error', 'error', 'success']);
});

test('a pass says when to look again; a good one ends the row of failures', async () => {
  const at: number[] = [];
  const answers: PassResult[] = [
    { retry: true },
    { retry: true, requeueAfterMs: 900 },
    { requeueAfterMs: 5_000 },
    { retry: true },
    {},
  ];
  const { queue } = start(async () => {
    at.push(clock.now());
    return answers.shift() ?? {};
  });
  queue.add('team/a');
  await clock.advance(60_000);
  expect(at).toEqual([0, 100, 1_000, 6_000, 6_100]);
  expect(results).toEqual(['requeue', 'requeue', 'requeue_after', 'requeue', 'success']);
});

test('a pass that asks for a retry may say why, and counts as no error', async () => {
  const because = new Error('the API server does not answer');
  const answers: PassResult[] = [
    { retry: true, because },
    { retry: true, because, requeueAfterMs: 900 },
  ];
  const { queue } = start(async () => await Promise.resolve(answers.shift() ?? {}));
  queue.add('team/a');
  await clock.advance(60_000);
  expect(incidents).toEqual([
    { what: 'pass-failed', subject: 'team/a', error: because, waitMs: 100 },
    { what: 'pass-failed', subject: 'team/a', error: because, waitMs: 900 },
  ]);
  expect(results).toEqual(['requeue', 'requeue', 'success']);
});

test('different keys run side by side up to the number of workers, one key never with itself', async () => {
  const { passes, reconcile } = held();
  const { queue } = start(reconcile, 2);
  for (const key of ['team/a', 'team/b', 'team/c']) queue.add(key);
  await clock.settle();
  queue.add('team/a');
  await clock.settle();
  expect(passes.map(({ key }) => key)).toEqual(['team/a', 'team/b']);
  passes[0]?.end();
  await clock.settle();
  passes[1]?.end();
  await clock.settle();
  expect(passes.map(({ key }) => key)).toEqual(['team/a', 'team/b', 'team/c', 'team/a']);
});

test('the signal of a pass is aborted at its deadline', async () => {
  const { passes, reconcile } = held();
  const { queue } = start(reconcile);
  queue.add('team/a');
  await clock.advance(999);
  expect(passes[0]?.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(passes[0]?.signal.reason).toMatchObject({ name: 'DeadlineExceeded' });
});

test('a pass that ignores its deadline loses its worker, but its key stays locked until it ends', async () => {
  const { passes, reconcile } = held();
  const { queue } = start(reconcile);
  queue.add('team/stuck');
  await clock.settle();
  queue.add('team/stuck');
  queue.add('team/next');
  await clock.advance(1_500);
  expect(passes.map(({ key }) => key)).toEqual(['team/stuck', 'team/next']);
  expect(incidents).toEqual([{ what: 'pass-overran', subject: 'team/stuck' }]);
  passes[1]?.end();
  await clock.settle();
  expect(passes).toHaveLength(2);
  passes[0]?.end();
  await clock.settle();
  expect(passes.map(({ key }) => key)).toEqual(['team/stuck', 'team/next', 'team/stuck']);
});

test('stop lets running passes end and begins no other', async () => {
  const { passes, reconcile } = held();
  const controller = start(reconcile);
  controller.queue.add('team/a');
  controller.queue.add('team/b');
  await clock.settle();
  const stopped = controller.stop({ drainMs: 2_000 });
  await clock.advance(500);
  expect(passes[0]?.signal.aborted).toBe(false);
  passes[0]?.end();
  expect(await stopped).toBe('drained');
  expect(passes).toHaveLength(1);
  expect(clock.timers()).toBe(0);
});

test('stop aborts what does not end in time, and gives up on what ignores even that', async () => {
  const { passes, reconcile } = held();
  const controller = start(reconcile);
  controller.queue.add('team/a');
  await clock.settle();
  const stopped = controller.stop({ drainMs: 200 });
  await clock.advance(200);
  expect(passes[0]?.signal.aborted).toBe(true);
  await clock.advance(500);
  expect(await stopped).toBe('abandoned');
});
