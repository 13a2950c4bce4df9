// The transport against an API server that behaves and misbehaves.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type FakeApiServer,
  type Fault,
  startFakeApiServer,
} from '../../../test/builders/fake-api-server.ts';
import { loadKubeConfig } from './kube-config.ts';
import { KubeError } from './kube-error.ts';
import { objectsOf } from './objects.ts';
import { kinds } from './resource.ts';
import { connect, type ConnectOptions, type KubeTransport, type RequestRecord } from './transport.ts';

let server: FakeApiServer;
const opened: KubeTransport[] = [];
const never = new AbortController().signal;
const ada = { namespace: 'team', name: 'ada' };

beforeEach(async () => {
  server = await startFakeApiServer();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((transport) => transport.destroy()));
  await server.close();
});

function users(options: Partial<ConnectOptions> = {}) {
  const transport = connect({ kubeConfig: server.kubeConfig, userAgent: 'test', ...options });
  opened.push(transport);
  return objectsOf(transport, kinds.iamDatabaseUser);
}

const slowDown = (after: string): Fault => ({
  do: 'answer',
  status: 429,
  headers: { 'retry-after': after },
});

const errorOf = async (promise: Promise<unknown>): Promise<KubeError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof KubeError) return error;
  throw new Error('no KubeError was thrown', { cause: error });
};

test('two hundred requests at once use at most eight sockets', async () => {
  server.put('ada');
  const objects = users();
  const answers = await Promise.all(Array.from({ length: 200 }, () => objects.get(ada, never)));
  expect(answers.every((answer) => answer?.metadata.name === 'ada')).toBe(true);
  expect(server.requests).toHaveLength(200);
  expect(server.sockets.total()).toBeLessThanOrEqual(8);
});

test('what does not exist is undefined, and gone already when it shall be deleted', async () => {
  const objects = users();
  expect(await objects.get(ada, never)).toBeUndefined();
  expect(await objects.delete(ada, { signal: never })).toBe('absent');
});

test('a deletion names the one object that is meant', async () => {
  server.put('ada');
  expect(await users().delete(ada, { signal: never, uid: 'uid-1', resourceVersion: '101' })).toBe('deleted');
  expect(JSON.parse(server.requests[0]?.body ?? '')).toMatchObject({
    preconditions: { uid: 'uid-1', resourceVersion: '101' },
  });
});

test('each way to write uses its own method, path and content type', async () => {
  server.put('ada');
  const objects = users();
  await objects.create({ metadata: { ...ada, name: 'bob' } }, { signal: never });
  await objects.replace({ metadata: ada }, { signal: never, fieldManager: 'us' });
  await objects.mergePatch(ada, { spec: {} }, { signal: never });
  await objects.patchStatus(ada, { status: {} }, { signal: never });
  const one = '/apis/iamdb.dev/v1alpha1/namespaces/team/iamdatabaseusers';
  expect(
    server.requests.map(({ method, path, query, headers }) => [
      method,
      path,
      query.toString(),
      headers['content-type'],
    ]),
  ).toEqual([
    ['POST', one, '', 'application/json'],
    ['PUT', `${one}/ada`, 'fieldManager=us', 'application/json'],
    ['PATCH', `${one}/ada`, '', 'application/merge-patch+json'],
    ['PATCH', `${one}/ada/status`, '', 'application/merge-patch+json'],
  ]);
});

test('a name that is a piece of a path stays one name', async () => {
  const objects = users();
  await objects.get({ namespace: 'team', name: '../secrets/x' }, never);
  expect(server.requests[0]?.path).toBe(
    '/apis/iamdb.dev/v1alpha1/namespaces/team/iamdatabaseusers/..%2Fsecrets%2Fx',
  );
  await expect(objects.get({ namespace: '..', name: 'x' }, never)).rejects.toThrow(/not a name/);
});

test('an error carries what the API server said', async () => {
  const body = {
    kind: 'Status',
    code: 422,
    reason: 'Invalid',
    message: 'spec.username is too long',
    details: {
      name: 'ada',
      causes: [{ field: 'spec.username', reason: 'FieldValueTooLong', message: 'too long' }],
    },
  };
  server.fault(() => true, { do: 'answer', status: 422, body: JSON.stringify(body) });
  const error = await errorOf(users().mergePatch(ada, {}, { signal: never }));
  expect(error).toMatchObject({
    status: 422,
    reason: 'Invalid',
    message: 'spec.username is too long',
    details: { name: 'ada', causes: [{ field: 'spec.username' }] },
  });
});

test('a page of a proxy in between is never quoted', async () => {
  server.fault(() => true, { do: 'answer', status: 502, body: '<html>secret of the proxy</html>' });
  const error = await errorOf(users().get(ada, never));
  expect(error.message).toBe('the API server answered with status 502');
  expect(error.status).toBe(502);
});

test('a read that is asked to wait is tried once more after Retry-After, and only once', async () => {
  server.put('ada');
  const objects = users();
  server.fault(() => true, slowDown('0.05'));
  expect((await objects.get(ada, never))?.metadata.name).toBe('ada');
  server.fault(() => true, slowDown('0.05'));
  server.fault(() => true, slowDown('0.05'));
  const error = await errorOf(objects.get(ada, never));
  expect(error).toMatchObject({ status: 429, retryAfterSeconds: 0.05 });
  expect(server.requests).toHaveLength(4);
});

test('a write that is asked to wait is not repeated, and a read not beyond its time', async () => {
  const objects = users({ timeoutMs: 500 });
  server.fault(() => true, slowDown('0.01'));
  expect(await errorOf(objects.mergePatch(ada, {}, { signal: never }))).toMatchObject({
    status: 429,
    retryAfterSeconds: 0.01,
  });
  server.fault(() => true, slowDown('7'));
  expect((await errorOf(objects.get(ada, never))).status).toBe(429);
  expect(server.requests).toHaveLength(2);
});

test('no answer in time, and a reset, are errors without a status, and the next request works', async () => {
  server.put('ada');
  const objects = users({ timeoutMs: 150 });
  server.fault(() => true, { do: 'hang' });
  expect(await errorOf(objects.get(ada, never))).toMatchObject({ status: 0, reason: 'Timeout' });
  server.fault(() => true, { do: 'reset' });
  expect(await errorOf(objects.mergePatch(ada, {}, { signal: never }))).toMatchObject({
    status: 0,
    reason: 'ConnectionFailed',
  });
  expect((await objects.get(ada, never))?.metadata.name).toBe('ada');
});

test('a caller that gives up gets its own reason back', async () => {
  server.fault(() => true, { do: 'hang' });
  const caller = new AbortController();
  const pending = users().get(ada, caller.signal);
  await vi.waitFor(() => expect(server.requests).toHaveLength(1), { timeout: 10_000 });
  const reason = new Error('the pass is over');
  caller.abort(reason);
  await expect(pending).rejects.toBe(reason);
});

test('a process that lost the lease sends no write, while reads and the lease itself go on', async () => {
  server.put('ada');
  const beforeWrite = vi.fn<() => void>(() => {
    throw new Error('not the leader');
  });
  const objects = users({ beforeWrite });
  await expect(objects.mergePatch(ada, {}, { signal: never })).rejects.toThrow('not the leader');
  await expect(objects.delete(ada, { signal: never })).rejects.toThrow('not the leader');
  expect(await objects.get(ada, never)).toBeDefined();
  const transport = connect({ kubeConfig: server.kubeConfig, userAgent: 'test', beforeWrite });
  opened.push(transport);
  await objectsOf(transport, kinds.iamDatabaseUser, 'lease').mergePatch(ada, {}, { signal: never });
  expect(server.requests.map(({ method }) => method)).toEqual(['GET', 'PATCH']);
});

test('leadership is asked for when a connection is free, not when the write began to wait for one', async () => {
  server.put('ada');
  let leading = true;
  const objects = users({
    poolSizes: { requests: 1, watches: 1 },
    beforeWrite: () => {
      if (!leading) throw new Error('not the leader');
    },
  });
  const first = new AbortController();
  server.fault(() => true, { do: 'hang' });
  const blocking = objects.get(ada, first.signal);
  await vi.waitFor(() => expect(server.requests).toHaveLength(1), { timeout: 10_000 });
  const waiting = objects.mergePatch(ada, {}, { signal: never });
  leading = false;
  first.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('not the leader');
  await expect(blocking).rejects.toThrow('left');
  expect(server.requests).toHaveLength(1);
});

test('leadership is asked for again once the connection is open', async () => {
  server.put('ada');
  let asked = 0;
  const objects = users({
    beforeWrite: () => {
      asked += 1;
      // Lost while the connection was being opened.
      if (asked === 2) throw new Error('not the leader');
    },
  });
  await expect(objects.mergePatch(ada, {}, { signal: never })).rejects.toThrow('not the leader');
  expect(server.requests).toEqual([]);
  await objects.mergePatch(ada, {}, { signal: never });
  expect(server.requests.map(({ method }) => method)).toEqual(['PATCH']);
});

test('a waiting lease request is not held up by a pile of other requests', async () => {
  const transport = connect({
    kubeConfig: server.kubeConfig,
    userAgent: 'test',
    poolSizes: { requests: 1, watches: 1 },
  });
  opened.push(transport);
  server.put('ada');
  server.fault(() => true, { do: 'hang' });
  const pile = new AbortController();
  const blocking = objectsOf(transport, kinds.iamDatabaseUser).get(ada, pile.signal);
  await vi.waitFor(() => expect(server.requests).toHaveLength(1), { timeout: 10_000 });
  expect(await objectsOf(transport, kinds.iamDatabaseUser, 'lease').get(ada, never)).toBeDefined();
  pile.abort(new Error('left'));
  await expect(blocking).rejects.toThrow('left');
});

test('each request is counted with its resource, status and duration', async () => {
  const records: RequestRecord[] = [];
  const objects = users({ onRequest: (record) => records.push(record) });
  server.put('ada');
  await objects.get(ada, never);
  await objects.get({ ...ada, name: 'bob' }, never);
  server.fault(() => true, { do: 'reset' });
  await errorOf(objects.patchStatus(ada, {}, { signal: never }));
  expect(records.map(({ method, resource, status }) => [method, resource, status])).toEqual([
    ['GET', 'iamdatabaseusers', 200],
    ['GET', 'iamdatabaseusers', 404],
    ['PATCH', 'iamdatabaseusers/status', 0],
  ]);
  expect(records.every(({ durationMs }) => durationMs > 0)).toBe(true);
});

test('a token file is read again after a 401, and the refused request is repeated once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kube-'));
  try {
    const tokenFile = join(folder, 'token');
    const path = join(folder, 'config');
    writeFileSync(tokenFile, 'old-token\n');
    const { server: url = '' } = server.kubeConfig.getCurrentCluster() ?? {};
    writeFileSync(
      path,
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'u', user: { tokenFile: 'token' } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      }),
    );
    server.put('ada');
    const objects = users({ kubeConfig: loadKubeConfig({ from: 'file', path }) });
    await objects.get(ada, never);
    writeFileSync(tokenFile, 'new-token\n');
    server.fault(({ headers }) => headers.authorization === 'Bearer old-token', {
      do: 'answer',
      status: 401,
    });
    expect(await objects.get(ada, never)).toBeDefined();
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer old-token',
      'Bearer old-token',
      'Bearer new-token',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a 401 with the same credentials is told, not repeated', async () => {
  server.fault(() => true, { do: 'answer', status: 401 });
  expect((await errorOf(users().get(ada, never))).status).toBe(401);
  expect(server.requests).toHaveLength(1);
});
