// The reflector over the real transport, against an API server that fails in every way it is known to.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../controller/clock.ts';
import type { Incident } from '../../controller/incident.ts';
import { createReflector, type Reflector } from '../../controller/reflector.ts';
import { type Change, createStore } from '../../controller/store.ts';
import type { ReflectorTiming } from '../../controller/timing.ts';
import {
  type FakeApiServer,
  isList,
  isWatch,
  startFakeApiServer,
} from '../../../test/builders/fake-api-server.ts';
import { listWatchOf } from './list-watch.ts';
import { kinds } from './resource.ts';
import { connect, type KubeTransport } from './transport.ts';

interface User {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly spec?: string;
}

const timing: ReflectorTiming = {
  watchdogMs: 10_000,
  watchMs: 20_000,
  relistMs: 60_000,
  backoff: { baseMs: 20, maxMs: 100 },
};

let server: FakeApiServer;
let transport: KubeTransport;
let reflector: Reflector | undefined;

beforeEach(async () => {
  server = await startFakeApiServer();
  transport = connect({ kubeConfig: server.kubeConfig, userAgent: 'test' });
});
afterEach(async () => {
  await reflector?.stop();
  await transport.destroy();
  await server.close();
});

interface Observed {
  readonly news: readonly string[];
  readonly incidents: readonly Incident[];
  readonly specs: () => Readonly<Record<string, unknown>>;
  readonly stored: () => readonly User[];
}

/** The watch is reset, and nothing of the change was heard on it before. */
function resetWithout(change: () => void): void {
  server.watches.silence();
  change();
  server.watches.reset();
}

async function observe(options: {
  readonly timing?: Partial<ReflectorTiming>;
  readonly pageSize?: number;
  readonly onChange?: (change: Change<User>) => void;
}): Promise<Observed> {
  const incidents: Incident[] = [];
  const news: string[] = [];
  const report = (incident: Incident) => incidents.push(incident);
  const store = createStore<User>({ indexes: {}, report });
  reflector = createReflector<User>({
    name: 'users',
    source: listWatchOf(transport, kinds.iamDatabaseUser),
    store,
    onChange: (change, initial) => {
      news.push(`${initial ? 'initially ' : ''}${change.kind} ${change.key} ${change.object.metadata.uid}`);
      options.onChange?.(change);
    },
    timing: { ...timing, ...options.timing },
    clock: systemClock,
    random: () => 0,
    report,
    ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
  });
  reflector.start();
  await reflector.whenSynced(AbortSignal.timeout(5_000));
  await watching();
  return {
    news,
    incidents,
    specs: () => Object.fromEntries(store.list().map(({ metadata, spec }) => [metadata.name, spec])),
    stored: () => store.list(),
  };
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });
const watching = () => until(() => expect(server.watches.count()).toBe(1));
const lists = () => server.requests.filter(isList);
const watchVersions = () => server.requests.filter(isWatch).map(({ query }) => query.get('resourceVersion'));
const waits = (incidents: readonly Incident[], what: Incident['what']) =>
  incidents.filter((incident) => incident.what === what).map(({ waitMs }) => waitMs);

test('everything is listed page by page, then followed', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(name, { spec: '1' });
  const { news, specs, stored } = await observe({ pageSize: 2 });
  expect(lists().map(({ query }) => query.get('limit'))).toEqual(['2', '2', '2']);
  expect(news).toHaveLength(5);
  server.put('b', { spec: '2' });
  server.remove('c');
  server.put('f', { spec: '1' });
  await until(() => expect(specs()).toEqual({ a: '1', b: '2', d: '1', e: '1', f: '1' }));
  expect(news.slice(5)).toEqual(['updated team/b uid-2', 'deleted team/c uid-3', 'added team/f uid-6']);
  expect(stored().some(({ metadata }) => 'managedFields' in metadata)).toBe(false);
});

test('the watch asks for bookmarks and goes on from the last one', async () => {
  server.put('a');
  await observe({});
  const watch = server.requests.find(isWatch);
  expect(watch?.query.get('allowWatchBookmarks')).toBe('true');
  expect(Number(watch?.query.get('timeoutSeconds'))).toBeGreaterThan(0);
  // Another kind of object moves the server's version on without an event for us.
  server.watches.send(JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '170' } } }));
  await until(() => {
    server.watches.end();
    expect(watchVersions()).toContain('170');
  });
});

test('a reset stream is taken up where it was, and nothing is missed', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  resetWithout(() => server.put('a', { spec: '2' }));
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(lists()).toHaveLength(1);
  expect(waits(incidents, 'watch-failed')).toEqual([20]);
});

test.each([
  [
    'as the status of a new watch',
    () => {
      server.watches.end();
      server.fault(isWatch, { do: 'answer', status: 410 });
    },
  ],
  [
    'as an event in mid-stream',
    () => {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
      server.watches.send(JSON.stringify({ type: 'ERROR', object }));
    },
  ],
])('an expired history, told %s, leads to a new list at once', async (_, expire) => {
  server.put('a', { spec: '1' });
  server.put('b', { spec: '1' });
  const { specs, incidents, news } = await observe({});
  // The bookmark keeps the closing of the first watch from being taken for one that ended at once.
  server.watches.bookmark();
  expire();
  server.watches.silence();
  server.put('a', { spec: '2' });
  server.remove('b');
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(lists()).toHaveLength(2);
  expect(waits(incidents, 'watch-expired')).toEqual([0]);
  expect(news.slice(2)).toEqual(['deleted team/b uid-2', 'updated team/a uid-1']);
});

test('an ERROR event of another kind is a failure like any other, and the watch goes on', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  const object = { kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd has no leader' };
  server.watches.send(JSON.stringify({ type: 'ERROR', object }));
  await until(() => expect(waits(incidents, 'watch-failed')).toEqual([20]));
  server.put('a', { spec: '2' });
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(lists()).toHaveLength(1);
});

test('429 is waited out as long as the server asks, whatever our own back-off is', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  server.fault(isWatch, { do: 'answer', status: 429, headers: { 'retry-after': '0.3' } });
  const askedAt = performance.now();
  resetWithout(() => server.put('a', { spec: '2' }));
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(performance.now() - askedAt).toBeGreaterThanOrEqual(300);
  expect(waits(incidents, 'watch-failed')).toEqual([20, 300]);
});

test('500s and refused connections are tried again for ever, with growing waits', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  for (let count = 0; count < 6; count += 1) {
    server.fault(isWatch, count % 2 === 0 ? { do: 'answer', status: 500 } : { do: 'reset' });
  }
  resetWithout(() => server.put('a', { spec: '2' }));
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(waits(incidents, 'watch-failed')).toEqual([20, 40, 80, 100, 100, 100, 100]);
});

test('a watch that ends at once, over and over, is no hot loop', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  for (let count = 0; count < 3; count += 1) server.fault(isWatch, { do: 'answer', status: 200, body: '' });
  resetWithout(() => server.put('a', { spec: '2' }));
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(waits(incidents, 'watch-failed')).toEqual([20, 40, 80, 100]);
});

test('a watch that works ends the row of failures', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  for (const spec of ['2', '3', '4']) {
    resetWithout(() => server.put('a', { spec }));
    await until(() => expect(specs()).toEqual({ a: spec }));
  }
  expect(waits(incidents, 'watch-failed')).toEqual([20, 20, 20]);
});

test('a server that has gone back in time, as a restored backup does, is listed anew', async () => {
  server.put('a', { spec: '1' });
  const { specs } = await observe({});
  const details = { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] };
  const body = JSON.stringify({
    kind: 'Status',
    code: 504,
    reason: 'Timeout',
    message: 'too large',
    details,
  });
  server.fault(isWatch, { do: 'answer', status: 504, body });
  resetWithout(() => server.put('a', { spec: '2' }));
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(lists()).toHaveLength(2);
});

test('a watch may last longer than a request', async () => {
  await transport.destroy();
  transport = connect({ kubeConfig: server.kubeConfig, userAgent: 'test', timeoutMs: 1_000 });
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  const begun = performance.now();
  await until(() => expect(performance.now() - begun).toBeGreaterThan(1_500));
  server.put('a', { spec: '2' });
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(incidents).toEqual([]);
});

test('the first list is tried until it succeeds', async () => {
  server.put('a', { spec: '1' });
  for (let count = 0; count < 3; count += 1) server.fault(isList, { do: 'answer', status: 503 });
  const { specs, incidents } = await observe({});
  expect(specs()).toEqual({ a: '1' });
  expect(waits(incidents, 'list-failed')).toEqual([20, 40, 80]);
});

test('a list whose pages expire half-way is read in one piece', async () => {
  for (const name of ['a', 'b', 'c']) server.put(name, { spec: '1' });
  server.fault((request) => isList(request) && request.query.has('continue'), { do: 'answer', status: 410 });
  const { specs } = await observe({ pageSize: 1 });
  expect(Object.keys(specs())).toEqual(['a', 'b', 'c']);
  expect(lists().at(-1)?.query.has('limit')).toBe(false);
});

test('a half-open stream is cut after the watchdog time and taken up again', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({ timing: { watchdogMs: 150 } });
  server.watches.silence();
  server.put('a', { spec: '2' });
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(incidents.map(({ what }) => what)).toContain('watch-silent');
  expect(lists()).toHaveLength(1);
  // The silent one was really closed, not just left behind.
  await watching();
});

test('who asks for a list hears of what a half-open watch did not tell', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents, news } = await observe({});
  server.watches.silence();
  server.put('a', { spec: '2' });
  server.put('b', { spec: '1' });
  await reflector?.refresh(AbortSignal.timeout(5_000));
  expect(specs()).toEqual({ a: '2', b: '1' });
  expect(news.slice(1)).toEqual(['updated team/a uid-1', 'added team/b uid-2']);
  // The half-open one was really closed, and the next one goes on from the list.
  await watching();
  server.put('a', { spec: '3' });
  await until(() => expect(specs()).toEqual({ a: '3', b: '1' }));
  expect(lists()).toHaveLength(2);
  expect(incidents).toEqual([]);
});

test('bookmarks alone keep a quiet stream alive', async () => {
  const { incidents } = await observe({ timing: { watchdogMs: 1_000 } });
  const begun = performance.now();
  await until(() => {
    server.watches.bookmark();
    expect(performance.now() - begun).toBeGreaterThan(1_500);
  });
  expect(incidents).toEqual([]);
});

test('an object that was deleted and made again in between is a deletion and an addition', async () => {
  server.put('a', { spec: 'old' });
  const { news, specs } = await observe({});
  server.compact();
  server.watches.silence();
  server.remove('a');
  server.put('a', { spec: 'new' });
  server.compact();
  server.watches.reset();
  await until(() => expect(specs()).toEqual({ a: 'new' }));
  expect(news).toEqual(['initially added team/a uid-1', 'deleted team/a uid-1', 'added team/a uid-2']);
});

test('a handler that throws is reported and changes nothing for the rest', async () => {
  server.put('a', { spec: '1' });
  server.put('b', { spec: '1' });
  const { specs, incidents } = await observe({
    onChange: ({ key }) => {
      if (key === 'team/a') throw new Error('bad handler');
    },
  });
  server.put('a', { spec: '2' });
  server.put('b', { spec: '2' });
  await until(() => expect(specs()).toEqual({ a: '2', b: '2' }));
  expect(incidents.map(({ what, subject }) => `${what} ${subject}`)).toEqual([
    'handler-threw team/a',
    'handler-threw team/a',
  ]);
});

test('an event older than what was seen is not believed; the truth is listed anew', async () => {
  const old = server.put('a', { spec: 'old' });
  server.put('a', { spec: 'new' });
  const { specs, incidents } = await observe({});
  server.watches.send(JSON.stringify({ type: 'MODIFIED', object: old }));
  await until(() => expect(lists()).toHaveLength(2));
  expect(specs()).toEqual({ a: 'new' });
  expect(incidents.map(({ what }) => what)).toEqual(['watch-out-of-order']);
});

test('an event that was lost without a trace is made up for by the periodic list', async () => {
  server.put('a', { spec: '1' });
  const { specs } = await observe({ timing: { relistMs: 400 } });
  server.watches.silence();
  server.put('a', { spec: '2' });
  server.compact();
  server.watches.send(JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '102' } } }));
  await until(() => expect(specs()).toEqual({ a: '2' }));
  expect(lists().length).toBeGreaterThan(1);
});

test('rubbish on the stream, and a line without end, are failures and nothing worse', async () => {
  server.put('a', { spec: '1' });
  const { specs, incidents } = await observe({});
  server.watches.send('{not json');
  await until(() => expect(watchVersions()).toHaveLength(2));
  await watching();
  server.watches.send(`"${'x'.repeat(5 * 1024 * 1024)}`);
  await until(() => expect(watchVersions()).toHaveLength(3));
  expect(waits(incidents, 'watch-failed')).toHaveLength(2);
  server.put('a', { spec: '2' });
  await until(() => expect(specs()).toEqual({ a: '2' }));
});

test('after stop nothing is open and nothing is asked', async () => {
  await observe({});
  await reflector?.stop();
  await until(() => expect(server.watches.count()).toBe(0));
  const asked = server.requests.length;
  server.put('a');
  await new Promise((resolve) => setImmediate(resolve));
  expect(server.requests).toHaveLength(asked);
});
