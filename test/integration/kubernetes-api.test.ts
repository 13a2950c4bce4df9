// The adapter against a real kube-apiserver of the test bed: what no stand-in can prove.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { findBinaries } from '../bed/binaries.ts';
import { createChildren } from '../bed/children.ts';
import { type Kube, startKube } from '../bed/kube.ts';
import { systemClock } from '../../src/controller/clock.ts';
import { createEventRecorder } from '../../src/controller/events.ts';
import type { Incident } from '../../src/controller/incident.ts';
import { createElection } from '../../src/controller/leader.ts';
import { createReflector } from '../../src/controller/reflector.ts';
import { createStore } from '../../src/controller/store.ts';
import { defaultTiming, scaleTiming } from '../../src/controller/timing.ts';
import { eventSink } from '../../src/systems/kubernetes/event-sink.ts';
import { loadKubeConfig } from '../../src/systems/kubernetes/kube-config.ts';
import { leasePort } from '../../src/systems/kubernetes/lease.ts';
import { trimServiceAccount } from '../../src/operator/service-accounts.ts';
import { listWatchOf, metadataListWatchOf } from '../../src/systems/kubernetes/list-watch.ts';
import { objectsOf } from '../../src/systems/kubernetes/objects.ts';
import { kinds } from '../../src/systems/kubernetes/resource.ts';
import { requestToken } from '../../src/systems/kubernetes/token-request.ts';
import { connect, type KubeTransport } from '../../src/systems/kubernetes/transport.ts';

interface ConfigMap {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly data?: Readonly<Record<string, string>>;
}

const children = createChildren();
const folder = mkdtempSync(join(tmpdir(), 'kube-adapter-'));
const never = new AbortController().signal;
const namespace = 'default';
const timing = scaleTiming(defaultTiming, 0.05);
let kube: Kube;
let transport: KubeTransport;

beforeAll(async () => {
  kube = await startKube({ binaries: await findBinaries({ progress: console.log }), children });
  const path = join(folder, 'kubeconfig');
  await kube.kubeconfig(path);
  transport = connect({ kubeConfig: loadKubeConfig({ from: 'file', path }), userAgent: 'iamdb-test' });
  // The API server is ready a moment before it has made its first namespaces.
  await vi.waitUntil(() => objectsOf(transport, kinds.namespace).get({ name: namespace }, never), {
    timeout: 20_000,
    interval: 100,
  });
}, 900_000);
afterAll(async () => {
  await transport.destroy();
  await children.stop();
  rmSync(folder, { recursive: true });
}, 30_000);

const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

test('objects are made, patched, refused and deleted as the adapter says', async () => {
  const configMaps = objectsOf<ConfigMap>(transport, kinds.configMap);
  const name = { namespace, name: 'ours' };
  const write = { signal: never, fieldManager: 'iamdb-operator' };
  const made = await configMaps.create({ metadata: name, data: { a: '1' } }, write);
  expect(made.data).toEqual({ a: '1' });
  await expect(configMaps.create({ metadata: name }, write)).rejects.toMatchObject({
    status: 409,
    reason: 'AlreadyExists',
  });
  const patched = await configMaps.mergePatch(name, { data: { b: '2' } }, write);
  expect(patched.data).toEqual({ a: '1', b: '2' });
  await expect(
    configMaps.replace({ metadata: { ...name, resourceVersion: made.metadata.resourceVersion } }, write),
  ).rejects.toMatchObject({ status: 409, reason: 'Conflict' });
  const another = '00000000-0000-0000-0000-000000000000';
  await expect(configMaps.delete(name, { signal: never, uid: another })).rejects.toMatchObject({
    status: 409,
  });
  const page = await configMaps.list({ namespace, fieldSelector: 'metadata.name=ours', signal: never });
  expect(page.items.map(({ kind }) => kind)).toEqual(['ConfigMap']);
  expect(await configMaps.delete(name, { signal: never, uid: made.metadata.uid })).toBe('deleted');
  expect(await configMaps.delete(name, { signal: never })).toBe('absent');
  expect(await configMaps.isThere(name, undefined, never)).toBe(false);
  expect(await configMaps.get(name, never)).toBeUndefined();
});

test('of ServiceAccounts nothing but metadata is sent, and only what is kept of it stays', async () => {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const body = (name: string, role?: string) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, annotations: { note: 'x', ...(role && { 'eks.amazonaws.com/role-arn': role }) } },
    secrets: [{ name: 'token' }],
  });
  await kube.request({ method: 'POST', path, body: body('listed', 'arn:one'), expect: 201 });
  const seen: unknown[] = [];
  const source = metadataListWatchOf(transport, kinds.serviceAccount, (object) => {
    seen.push(object);
    return trimServiceAccount(object);
  });
  const page = await source.list({ signal: never });
  const listed = page.items.find(({ metadata }) => metadata.name === 'listed');
  expect(listed?.roleARN).toBe('arn:one');
  await kube.request({ method: 'POST', path, body: body('watched', 'arn:two'), expect: 201 });
  const end = new AbortController();
  const { resourceVersion } = page;
  for await (const event of source.watch({ resourceVersion, timeoutSeconds: 20, signal: end.signal })) {
    if (event.type !== 'ADDED' || event.object.metadata.name !== 'watched') continue;
    expect(Object.keys(event.object).toSorted()).toEqual(['metadata', 'roleARN']);
    expect(Object.keys(event.object.metadata).toSorted()).toEqual([
      'name',
      'namespace',
      'resourceVersion',
      'uid',
    ]);
    expect(event.object.roleARN).toBe('arn:two');
    break;
  }
  expect(seen.length).toBeGreaterThan(1);
  expect(seen.filter((object) => JSON.stringify(object).includes('"secrets"'))).toEqual([]);
});

test('a reflector lives through a forgotten history, a restart and a recreated object', async () => {
  const incidents: Incident[] = [];
  const news: string[] = [];
  const report = (incident: Incident) => incidents.push(incident);
  const configMaps = objectsOf<ConfigMap>(transport, kinds.configMap);
  const labels = { 'test/watched': 'yes' };
  const put = async (name: string, a: string) =>
    (await configMaps.get({ namespace, name }, never)) === undefined
      ? configMaps.create({ metadata: { namespace, name, labels }, data: { a } }, { signal: never })
      : configMaps.mergePatch({ namespace, name }, { data: { a } }, { signal: never });
  for (const name of ['w1', 'w2', 'w3', 'w4', 'w5']) await put(name, '1');

  const store = createStore<ConfigMap>({ indexes: {}, report });
  const reflector = createReflector<ConfigMap>({
    name: 'configmaps',
    source: listWatchOf(transport, kinds.configMap, { namespace, labelSelector: 'test/watched=yes' }),
    store,
    onChange: ({ kind, object }) => news.push(`${kind} ${object.metadata.name}`),
    timing: { ...timing.reflector, watchdogMs: 90_000, relistMs: 900_000 },
    clock: systemClock,
    random: Math.random,
    report,
    pageSize: 2,
  });
  reflector.start();
  try {
    await reflector.whenSynced(AbortSignal.timeout(10_000));
    expect(store.size()).toBe(5);
    expect(store.list().some(({ metadata }) => 'managedFields' in metadata)).toBe(false);

    const valueOf = (name: string) => store.get(`${namespace}/${name}`)?.data?.['a'];
    await put('w1', '2');
    await until(() => expect(valueOf('w1')).toBe('2'));
    const { metadata } = await put('w2', '3');
    await configMaps.delete({ namespace, name: 'w2' }, { signal: never, uid: metadata.uid });
    await put('w2', '4');
    await until(() => expect(valueOf('w2')).toBe('4'));
    expect(news.filter((line) => line.endsWith('w2')).slice(-2)).toEqual(['deleted w2', 'added w2']);

    await kube.pause();
    await kube.resume();
    await kube.compact();
    await until(async () => {
      await put('w3', '5');
    });
    await until(() => expect(valueOf('w3')).toBe('5'));
    expect(incidents.some(({ what }) => what === 'handler-threw')).toBe(false);
  } finally {
    await reflector.stop();
  }
}, 60_000);

test('two processes share a lease, one after the other', async () => {
  const told: string[] = [];
  const candidate = (identity: string) =>
    createElection({
      lease: leasePort(transport, { namespace, name: 'iamdb-operator' }),
      name: 'iamdb-operator',
      identity,
      // As in production: a server that was just restarted is slow.
      timing: defaultTiming.lease,
      clock: systemClock,
      random: Math.random,
      onElected: () => told.push(`${identity} elected`),
      onLost: () => told.push(`${identity} lost`),
      report: () => {},
    });
  const first = candidate('first');
  first.start();
  await until(() => expect(told).toEqual(['first elected']));
  const second = candidate('second');
  second.start();
  await until(async () => {
    const lease = await objectsOf<LeaseObject>(transport, kinds.lease).get(
      { namespace, name: 'iamdb-operator' },
      never,
    );
    expect(lease?.spec?.renewTime).not.toBe(lease?.spec?.acquireTime);
  });
  expect([first.isLeader(), second.isLeader()]).toEqual([true, false]);
  await first.stop();
  await until(() => expect(told).toEqual(['first elected', 'second elected']));
  await second.stop();
}, 60_000);

interface LeaseObject extends ConfigMap {
  readonly spec?: { readonly renewTime?: string; readonly acquireTime?: string };
}

test('events are accepted, and repeated ones are counted', async () => {
  const incidents: Incident[] = [];
  const recorder = createEventRecorder({
    sink: eventSink(transport, { controller: 'iamdb.dev/operator', instance: 'test' }),
    timing: { ...timing.events, windowMs: 200, attemptMs: 10_000 },
    clock: systemClock,
    random: Math.random,
    report: (incident) => incidents.push(incident),
  });
  const occurrence = {
    regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'w1', uid: 'some-uid' },
    type: 'Warning',
    reason: 'RoleNotOurs',
    action: 'KeepRole',
    note: `first\nsecond ${'ä'.repeat(2_000)}`,
  } as const;
  for (let count = 0; count < 3; count += 1) recorder.record(occurrence);
  const events = objectsOf<EventObject>(transport, kinds.event);
  await until(async () => {
    const { items } = await events.list({ namespace, signal: never });
    const event = items.find(({ reason }) => reason === 'RoleNotOurs');
    expect(event?.series?.count).toBe(3);
    expect(event?.note).toMatch(/^first\\u\{000a\}second ä+\.\.\.$/);
  });
  await recorder.stop(1_000);
  expect(incidents).toEqual([]);
});

interface EventObject extends ConfigMap {
  readonly reason?: string;
  readonly note?: string;
  readonly series?: { readonly count?: number };
}

test('a token is requested for a ServiceAccount, and never printed', async () => {
  const accounts = objectsOf(transport, kinds.serviceAccount);
  await accounts.create({ metadata: { namespace, name: 'app' } }, { signal: never });
  const request = { namespace, audiences: ['sts.amazonaws.com'], expirationSeconds: 600 };
  const { token } = await requestToken(transport, { ...request, serviceAccount: 'app' }, never);
  expect(token.reveal().split('.')).toHaveLength(3);
  expect(JSON.stringify({ token })).not.toContain(token.reveal());
  await expect(
    requestToken(transport, { ...request, serviceAccount: 'nobody' }, never),
  ).rejects.toMatchObject({ status: 404 });
});

test('a thousand writes at once make at most ten TLS connections', async () => {
  let connections = 0;
  const { port, hostname } = new URL(kube.url);
  const counter = createServer((incoming) => {
    connections += 1;
    const outgoing = createConnection(Number(port), hostname);
    incoming.pipe(outgoing).pipe(incoming);
    for (const socket of [incoming, outgoing]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => counter.listen(0, '127.0.0.1', resolve));
  const { port: counted } = counter.address() as AddressInfo;
  const path = join(folder, 'counted');
  await kube.kubeconfig(path);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(`:${port}`, `:${counted}`));
  const through = connect({ kubeConfig: loadKubeConfig({ from: 'file', path }), userAgent: 'iamdb-test' });
  try {
    const configMaps = objectsOf<ConfigMap>(through, kinds.configMap);
    const names = Array.from({ length: 1_000 }, (_, index) => ({ namespace, name: `many-${index}` }));
    const created = await Promise.all(
      names.map((metadata) => configMaps.create({ metadata }, { signal: never, timeoutMs: 60_000 })),
    );
    expect(created).toHaveLength(1_000);
    expect(connections).toBeGreaterThan(0);
    expect(connections).toBeLessThanOrEqual(10);
  } finally {
    await through.destroy();
    counter.close();
  }
}, 90_000);
