// Who leads goes to work on what the cluster is now, and not on what it was while another led.
import { beforeEach, expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import { readConfig } from '../config.ts';
import { defaultTiming } from '../controller/timing.ts';
import { createLog } from '../ops/log.ts';
import { KubeError } from '../systems/kubernetes/kube-error.ts';
import type { KubeObject } from '../controller/object.ts';
import type { KubeTransport } from '../systems/kubernetes/transport.ts';
import { createLeading, type Leading } from './leading.ts';

/** Leases as the API server keeps them. */
function leaseServer(): { readonly transport: KubeTransport; readonly lists: () => number } {
  const stored = new Map<string, KubeObject>();
  let version = 0;
  let lists = 0;
  const answer = (path: string, method: string, body: unknown): unknown => {
    if (method === 'GET' && path.endsWith('/leases')) {
      lists += 1;
      return { metadata: { resourceVersion: String(version) }, items: [...stored.values()] };
    }
    const sent = body as KubeObject | undefined;
    const place = method === 'POST' ? `${path}/${sent?.metadata.name}` : path;
    const before = stored.get(place);
    if (sent === undefined) {
      if (before === undefined) throw new KubeError('none', { status: 404, reason: 'NotFound' });
      return before;
    }
    if (before?.metadata.resourceVersion !== sent.metadata.resourceVersion) {
      throw new KubeError('changed', { status: 409, reason: 'Conflict' });
    }
    version += 1;
    const after = { ...sent, metadata: { ...sent.metadata, uid: 'u', resourceVersion: String(version) } };
    stored.set(place, after);
    return after;
  };
  const request: KubeTransport['request'] = async ({ path, method, body }) => ({
    status: 200,
    headers: {},
    body: answer(path, method, body),
  });
  return { transport: { request } as KubeTransport, lists: () => lists };
}

interface Replica {
  readonly leading: Leading;
  readonly done: string[];
  /** Ends the look at the cluster that runs. */
  readonly seen: () => void;
  readonly stop: () => Promise<void>;
}

let server: ReturnType<typeof leaseServer>;
let clock: FakeClock;

beforeEach(() => {
  server = leaseServer();
  clock = createFakeClock();
});

async function replica(identity: string, namespace = 'iamdb-system'): Promise<Replica> {
  const done: string[] = [];
  let look = Promise.withResolvers<void>();
  const stopping = new AbortController();
  const leading = createLeading({
    config: readConfig([`--namespace=${namespace}`, '--operator-id=test'], {}),
    timing: defaultTiming,
    log: createLog('silent'),
    clock,
    report: () => {},
    onLost: () => done.push('lost'),
  });
  leading.start({
    transport: server.transport,
    operatorID: 'test',
    identity,
    refresh: async () => {
      done.push('looks');
      look = Promise.withResolvers();
      await look.promise;
    },
    begin: () => done.push('begins'),
    signal: stopping.signal,
  });
  await clock.settle();
  return {
    leading,
    done,
    seen: () => look.resolve(),
    stop: async () => {
      stopping.abort(new Error('stopped'));
      await leading.stop();
    },
  };
}

test('who leads at once goes to work on what was just looked at', async () => {
  const { leading, done } = await replica('first');
  await clock.advance(100);
  expect(done).toEqual(['begins']);
  expect([leading.isLeader(), leading.whyWaiting()]).toEqual([true, undefined]);
});

test('who has waited for the Lease looks at everything anew, and does nothing before it has', async () => {
  const first = await replica('first');
  const { leading, done, seen } = await replica('second');
  await clock.advance(60_000);
  expect([done, leading.whyWaiting()]).toEqual([[], undefined]);
  await first.stop();
  await clock.advance(10_000);
  expect(done).toEqual(['looks']);
  expect([leading.isLeader(), leading.whyWaiting()]).toEqual([false, 'it looks at the cluster anew']);
  seen();
  await clock.settle();
  expect(done).toEqual(['looks', 'begins']);
  expect(leading.isLeader()).toBe(true);
});

test('and so does who has waited for another installation, which goes before it for two minutes more', async () => {
  const first = await replica('first');
  const { leading, done, seen } = await replica('second', 'elsewhere');
  await clock.advance(60_000);
  expect(done).toEqual([]);
  expect(leading.whyWaiting()).toContain('the only installation of its operator id');
  await first.stop();
  await clock.advance(115_000);
  expect(done).toEqual([]);
  await clock.advance(15_000);
  expect(done).toEqual(['looks']);
  seen();
  await clock.settle();
  expect(done).toEqual(['looks', 'begins']);
});

test('a replica of the installation that works begins after one look at the others', async () => {
  const first = await replica('first');
  const other = await replica('other', 'elsewhere');
  await clock.advance(10_000);
  await first.stop();
  const before = server.lists();
  const second = await replica('second');
  await clock.settle();
  expect(second.done).toEqual(['begins']);
  expect(server.lists() - before).toBe(1);
  await clock.advance(300_000);
  expect(other.done).toEqual([]);
});

test('one that is stopped while it looks does not begin', async () => {
  const first = await replica('first');
  const second = await replica('second');
  await clock.advance(10_000);
  await first.stop();
  await clock.advance(10_000);
  expect(second.done).toEqual(['looks']);
  await second.stop();
  second.seen();
  await clock.settle();
  expect(second.done).toEqual(['looks']);
});
