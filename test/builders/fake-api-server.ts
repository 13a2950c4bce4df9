// A small API server for tests: lists in pages, watches with history, and misbehaves on demand.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';

export interface FakeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly managedFields?: readonly unknown[];
  };
  readonly [field: string]: unknown;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What happens to one request instead of an ordinary answer. */
export type Fault =
  | {
      readonly do: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  | { readonly do: 'reset' }
  | { readonly do: 'hang' };

interface Event {
  readonly type: string;
  readonly version: number;
  readonly object: FakeObject;
}

export interface FakeApiServer {
  readonly kubeConfig: KubeConfig;
  readonly requests: SeenRequest[];
  /** Puts an object there or changes it, as somebody else would; answers it as stored. */
  put(name: string, fields?: Record<string, unknown>): FakeObject;
  remove(name: string): void;
  objects(): readonly FakeObject[];
  /** The next matching request meets this fault; faults queue up. */
  fault(matches: (request: SeenRequest) => boolean, fault: Fault): void;
  /** Forgets the history: watches from older versions get 410. */
  compact(): void;
  watches: {
    count(): number;
    bookmark(): void;
    /** Writes this line into each open watch. */
    send(line: string): void;
    /** Open watches hear nothing more, and no end either. */
    silence(): void;
    /** TCP reset. */
    reset(): void;
    /** An orderly end. */
    end(): void;
  };
  sockets: { open(): number; most(): number; total(): number };
  close(): Promise<void>;
}

const collection = '/apis/iamdb.dev/v1alpha1/namespaces/team/iamdatabaseusers';

export const isWatch = ({ query }: SeenRequest) => query.get('watch') === 'true';
export const isList = (request: SeenRequest) =>
  request.method === 'GET' && request.path.endsWith('iamdatabaseusers') && !isWatch(request);

export async function startFakeApiServer(): Promise<FakeApiServer> {
  let version = 100;
  let oldest = 0;
  let uids = 0;
  const stored = new Map<string, FakeObject>();
  const history: Event[] = [];
  const requests: SeenRequest[] = [];
  const faults: { readonly matches: (request: SeenRequest) => boolean; readonly fault: Fault }[] = [];
  const watches = new Set<ServerResponse>();
  const silenced = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  let [most, total] = [0, 0];

  const publish = (type: string, object: FakeObject) => {
    const event = { type, version, object };
    history.push(event);
    for (const watch of watches) if (!silenced.has(watch)) watch.write(lineOf(event));
  };

  const put = (name: string, fields: Record<string, unknown> = {}): FakeObject => {
    version += 1;
    const before = stored.get(name);
    if (before === undefined) uids += 1;
    const object: FakeObject = {
      apiVersion: 'iamdb.dev/v1alpha1',
      kind: 'IamDatabaseUser',
      ...fields,
      metadata: {
        name,
        namespace: 'team',
        uid: before?.metadata.uid ?? `uid-${uids}`,
        resourceVersion: String(version),
        managedFields: [{ manager: 'test' }],
      },
    };
    stored.set(name, object);
    publish(before === undefined ? 'ADDED' : 'MODIFIED', object);
    return object;
  };

  const remove = (name: string) => {
    const before = stored.get(name);
    if (before === undefined) return;
    version += 1;
    stored.delete(name);
    publish('DELETED', { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } });
  };

  const list = ({ query }: SeenRequest, response: ServerResponse) => {
    const [start = 0, at = version] = query.get('continue')?.split('@').map(Number) ?? [];
    if (at < oldest) {
      answer(response, 410, status(410, 'Expired'));
      return;
    }
    const all = [...stored.values()];
    const end = start + Number(query.get('limit') ?? all.length);
    const metadata = {
      resourceVersion: String(at),
      ...(end < all.length ? { continue: `${end}@${at}` } : {}),
    };
    answer(response, 200, { kind: 'List', metadata, items: all.slice(start, end) });
  };

  const watch = ({ query }: SeenRequest, response: ServerResponse) => {
    const from = Number(query.get('resourceVersion'));
    if (from < oldest) {
      answer(response, 410, status(410, 'Expired'));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const event of history) if (event.version > from) response.write(lineOf(event));
    watches.add(response);
    response.on('close', () => watches.delete(response));
  };

  const serve = (request: SeenRequest, response: ServerResponse) => {
    const position = faults.findIndex(({ matches }) => matches(request));
    const [met] = position === -1 ? [] : faults.splice(position, 1);
    if (met !== undefined) {
      misbehave(met.fault, response);
      return;
    }
    if (isWatch(request)) {
      watch(request, response);
      return;
    }
    if (isList(request)) {
      list(request, response);
      return;
    }
    const name = request.path.slice(collection.length + 1);
    const object = stored.get(name);
    if (request.method === 'GET') {
      answer(response, object === undefined ? 404 : 200, object ?? status(404, 'NotFound'));
      return;
    }
    if (request.method === 'DELETE') {
      remove(name);
      answer(response, object === undefined ? 404 : 200, object ?? status(404, 'NotFound'));
      return;
    }
    const { metadata, ...fields } = JSON.parse(request.body) as { metadata?: { name?: string } };
    answer(response, 200, put(metadata?.name ?? name, fields));
  };

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://fake');
      const request = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(request);
      serve(request, response);
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    total += 1;
    most = Math.max(most, sockets.size);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: 'fake', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'tester', token: 'a-token' },
  );

  return {
    kubeConfig,
    requests,
    put,
    remove,
    objects: () => [...stored.values()],
    fault: (matches, fault) => {
      faults.push({ matches, fault });
    },
    compact: () => {
      history.length = 0;
      oldest = version;
    },
    watches: {
      count: () => watches.size,
      bookmark: () => {
        const object = { kind: 'IamDatabaseUser', metadata: { resourceVersion: String(version) } };
        for (const open of watches) open.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
      },
      send: (line) => {
        for (const open of watches) open.write(`${line}\n`);
      },
      silence: () => {
        for (const open of watches) silenced.add(open);
      },
      reset: () => {
        for (const open of watches) open.socket?.resetAndDestroy();
      },
      end: () => {
        for (const open of watches) open.end();
      },
    },
    sockets: { open: () => sockets.size, most: () => most, total: () => total },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function misbehave(fault: Fault, response: ServerResponse) {
  if (fault.do === 'hang') return;
  if (fault.do === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  response.writeHead(fault.status, fault.headers);
  response.end(fault.body ?? JSON.stringify(status(fault.status, `Http${fault.status}`)));
}

function status(code: number, reason: string): object {
  return { kind: 'Status', code, reason, message: `the fake says ${reason}` };
}

function answer(response: ServerResponse, code: number, body: object) {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function lineOf({ type, object }: Event): string {
  return `${JSON.stringify({ type, object })}\n`;
}
