// The work queue under a clock that the test moves.
import { beforeEach, expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import { createWorkQueue, type Taken, type WorkQueue, type WorkQueueMetrics } from './work-queue.ts';

let clock: FakeClock;
let queue: WorkQueue;

const create = (metrics?: WorkQueueMetrics) =>
  createWorkQueue({
    clock,
    backoff: { baseMs: 100, maxMs: 1_000 },
    random: () => 0,
    ...(metrics === undefined ? {} : { metrics }),
  });

beforeEach(() => {
  clock = createFakeClock();
  queue = create();
});

/** Takes and finishes keys until the queue is empty. */
async function drain(limit = 1_000): Promise<string[]> {
  const keys: string[] = [];
  while (queue.depth() > 0 && keys.length < limit) {
    const taken = await queue.next();
    if (taken === undefined) break;
    keys.push(taken.key);
    queue.done(taken.key);
  }
  return keys;
}

/** The next key if one is ready now. */
async function ready(): Promise<Taken | undefined> {
  return queue.depth() === 0 ? undefined : queue.next();
}

test('a key that is asked for many times while it waits is handed out once', async () => {
  for (let count = 0; count < 5; count += 1) queue.add('team/a');
  expect(await drain()).toEqual(['team/a']);
});

test('a key asked for while it is worked on comes again when that ends, and never at the same time', async () => {
  queue.add('team/a');
  await queue.next();
  queue.add('team/a');
  queue.add('team/a');
  expect(queue.depth()).toBe(0);
  queue.done('team/a');
  expect(await drain()).toEqual(['team/a']);
});

test('a worker that waits is handed the next key as soon as there is one', async () => {
  const first = queue.next();
  const second = queue.next();
  queue.add('team/a');
  queue.add('team/b');
  expect([await first, await second].map((taken) => taken?.key)).toEqual(['team/a', 'team/b']);
});

test('deletions come before changed wishes, those before dependencies, resyncs and start-up', async () => {
  queue.add('team/startup', { priority: 'startup' });
  queue.add('team/resync', { priority: 'resync' });
  queue.add('team/dependency', { priority: 'dependency' });
  queue.add('team/spec');
  queue.add('team/deletion', { priority: 'deletion' });
  expect(await drain()).toEqual([
    'team/deletion',
    'team/spec',
    'team/dependency',
    'team/resync',
    'team/startup',
  ]);
});

test('a waiting key moves forward when it becomes urgent, and never back', async () => {
  queue.add('team/a', { priority: 'resync' });
  queue.add('team/b', { priority: 'resync' });
  queue.add('team/b', { priority: 'deletion' });
  queue.add('team/b', { priority: 'startup' });
  expect(await drain()).toEqual(['team/b', 'team/a']);
});

test('urgency asked for while a key is worked on counts when it comes again', async () => {
  queue.add('team/a', { priority: 'startup' });
  await queue.next();
  queue.add('team/a', { priority: 'resync' });
  queue.add('team/a', { priority: 'deletion' });
  queue.add('team/b');
  queue.done('team/a');
  expect(await queue.next()).toEqual({ key: 'team/a', priority: 'deletion' });
});

test('a namespace with a thousand users does not keep another one waiting', async () => {
  for (let count = 0; count < 1_000; count += 1) queue.add(`big/${count}`);
  queue.add('small/a');
  queue.add('small/b');
  expect((await drain(4)).filter((key) => key.startsWith('small/'))).toEqual(['small/a', 'small/b']);
});

test('a flood of urgent keys does not starve the rest for ever', async () => {
  queue.add('quiet/a', { priority: 'startup' });
  for (let count = 0; count < 100; count += 1) queue.add(`loud/${count}`, { priority: 'deletion' });
  expect(await drain(16)).toContain('quiet/a');
});

test('a delayed key comes when it is due; the earliest of several wishes counts', async () => {
  queue.add('team/a', { afterMs: 500 });
  queue.add('team/a', { afterMs: 200 });
  queue.add('team/a', { afterMs: 900 });
  queue.add('team/b', { afterMs: 300 });
  await clock.advance(199);
  expect(await ready()).toBeUndefined();
  await clock.advance(1);
  expect((await ready())?.key).toBe('team/a');
  await clock.advance(100);
  expect((await ready())?.key).toBe('team/b');
  queue.done('team/a');
  queue.done('team/b');
  await clock.advance(10_000);
  expect(await ready()).toBeUndefined();
});

test('a pass that begins replaces the look that was planned for later', async () => {
  queue.add('team/a', { afterMs: 1_000, priority: 'resync' });
  queue.add('team/a');
  expect(await drain()).toEqual(['team/a']);
  await clock.advance(5_000);
  expect(await ready()).toBeUndefined();
});

test('a look planned while a pass is running is kept', async () => {
  queue.add('team/a');
  await queue.next();
  queue.add('team/a', { afterMs: 1_000 });
  queue.done('team/a');
  await clock.advance(1_000);
  expect((await ready())?.key).toBe('team/a');
});

test('failures in a row wait longer and longer up to the maximum, each key for itself', () => {
  expect([1, 2, 3, 4, 5].map(() => queue.retry('team/a'))).toEqual([100, 200, 400, 800, 1_000]);
  expect(queue.retry('team/b')).toBe(100);
  queue.forget('team/a');
  expect(queue.retry('team/a')).toBe(100);
  expect(queue.retry('team/c', { atLeastMs: 700 })).toBe(700);
});

test('what failed comes again after its wait, unless something new comes first', async () => {
  queue.retry('team/a');
  await clock.advance(99);
  expect(await ready()).toBeUndefined();
  queue.add('team/a');
  expect((await ready())?.key).toBe('team/a');
});

test('shutdown hands out nothing more and waits for what is being worked on', async () => {
  queue.add('team/a');
  queue.add('team/b');
  await queue.next();
  const waiting = [queue.next().then((taken) => taken?.key)];
  queue.add('team/c', { afterMs: 10 });
  expect(await waiting[0]).toBe('team/b');
  const idle = queue.next();
  let drained = false;
  const shutDown = async () => {
    await queue.shutdown();
    drained = true;
  };
  const shutdown = shutDown();
  expect(await idle).toBeUndefined();
  queue.add('team/d');
  expect(await queue.next()).toBeUndefined();
  queue.done('team/a');
  await clock.settle();
  expect(drained).toBe(false);
  queue.done('team/b');
  await shutdown;
  expect(clock.timers()).toBe(0);
});

test('the metrics tell how long keys waited and were worked on', async () => {
  const told: string[] = [];
  queue = create({
    adds: () => told.push('add'),
    depth: (keys) => told.push(`depth ${keys}`),
    queueDurationSeconds: (seconds) => told.push(`waited ${seconds}`),
    workDurationSeconds: (seconds) => told.push(`worked ${seconds}`),
    retries: () => told.push('retry'),
  });
  queue.add('team/a');
  queue.add('team/a');
  await clock.advance(2_000);
  await queue.next();
  await clock.advance(3_000);
  expect(queue.unfinishedWorkSeconds()).toBe(3);
  expect(queue.longestRunningProcessorSeconds()).toBe(3);
  queue.retry('team/a');
  queue.done('team/a');
  expect(told).toEqual(['add', 'depth 1', 'waited 2', 'depth 0', 'retry', 'worked 3']);
});

test('ten thousand delayed keys come in the order in which they are due', async () => {
  const delays = Array.from({ length: 10_000 }, (_, index) => ((index * 7_919) % 10_000) + 1);
  for (const afterMs of delays) queue.add(`team/${afterMs}`, { afterMs });
  for (const afterMs of delays) queue.add(`team/${afterMs}`, { afterMs: afterMs / 2 });
  clock.jump(10_000);
  await clock.advance(0);
  const order = await drain(20_000);
  expect(order).toHaveLength(10_000);
  expect(order.slice(0, 3)).toEqual(['team/1', 'team/2', 'team/3']);
  expect(order.at(-1)).toBe('team/10000');
});
