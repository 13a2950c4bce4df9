/**
 * Stands between one client and the API server: relays everything, remembers what it wrote, and fails what it is told to.
 * Plain HTTP on a free loopback port, so that no certificate stands between a test and a broken answer.
 */
import { type ClientRequest, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Kube } from './kube.ts';

export interface KubeWrite {
  readonly method: string;
  /** With the query. */
  readonly path: string;
}

export interface KubeNotification {
  /** As the API server wrote it. */
  readonly line: string;
  /** Of whom it is for. */
  readonly authorization: string | undefined;
}

/** A status is answered instead of asking the API server; the others break the connection, or hold the answer back. */
export type KubeFault = 409 | 403 | 404 | 429 | 500 | 503 | 'reset' | 'resetAfterEffect' | 'slow';

/**
 * What happens to one notification of a watch: never told, told twice, told after the next one, told again after the next
 * one; or the stream ends before it, or falls silent, or says that its version is too old (410).
 */
export type WatchFault = 'lost' | 'twice' | 'late' | 'stale' | 'cut' | 'silent' | 'expired';

export interface Armed {
  /** Whether it struck. */
  wasHit(): boolean;
  lift(): void;
}

export interface KubeRelay {
  readonly url: string;
  /** All that were asked for, in their order, whatever came of them. */
  readonly writes: readonly KubeWrite[];
  /** Fails the write that comes after `after` others of those that match. */
  failWrite(fault: {
    readonly matches: (write: KubeWrite) => boolean;
    readonly after: number;
    readonly how: KubeFault;
  }): Armed;
  /** Tells each line of each watch; call what is answered to be told no more. */
  onNotification(tell: (line: string) => void): () => void;
  /** The same of notifications. */
  failWatch(fault: {
    readonly matches: (notification: KubeNotification) => boolean;
    readonly after: number;
    readonly how: WatchFault;
  }): Armed;
  stop(): Promise<void>;
}

interface Waiting<Subject, How> {
  readonly matches: (subject: Subject) => boolean;
  left: number;
  readonly how: How;
  struck: boolean;
}

/** Longer than anybody waits for a healthy API server, shorter than a request may take. */
const slowMs = 3_000;

export async function startKubeRelay(kube: Pick<Kube, 'url' | 'caPem'>): Promise<KubeRelay> {
  const upstream = new URL(kube.url);
  const agent = new Agent({ ca: kube.caPem, keepAlive: true });
  const writes: KubeWrite[] = [];
  const failing = {
    writes: new Set<Waiting<KubeWrite, KubeFault>>(),
    watches: new Set<Waiting<KubeNotification, WatchFault>>(),
  };
  const listeners = new Set<(line: string) => void>();
  const sockets = new Set<Socket>();

  const ask = (incoming: IncomingMessage): ClientRequest => {
    const { method, url, headers } = incoming;
    const asked = request({
      agent,
      host: upstream.hostname,
      port: upstream.port,
      method,
      path: url,
      headers: { ...headers, host: upstream.host },
    });
    incoming.pipe(asked);
    return asked;
  };

  const relayWrite = (incoming: IncomingMessage, response: ServerResponse) => {
    const write = { method: incoming.method ?? '', path: incoming.url ?? '' };
    writes.push(write);
    const how = strike(failing.writes, write);
    if (typeof how === 'number') {
      incoming.resume();
      response.writeHead(how, {
        'content-type': 'application/json',
        ...(how === 429 ? { 'retry-after': '1' } : {}),
      });
      response.end(JSON.stringify(statusOf(how)));
      return;
    }
    if (how === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    relay(incoming, response, (answer) => {
      if (how === 'resetAfterEffect') {
        answer.resume();
        answer.once('end', () => incoming.socket.resetAndDestroy());
        return;
      }
      if (how === 'slow') setTimeout(() => pass(answer, response), slowMs);
      else pass(answer, response);
    });
  };

  const relay = (
    incoming: IncomingMessage,
    response: ServerResponse,
    answered: (answer: IncomingMessage) => void,
  ) => {
    const asked = ask(incoming);
    asked.once('response', (answer) => {
      // Either side's end is the other's as well.
      answer.on('error', () => incoming.socket.destroy());
      answered(answer);
    });
    asked.on('error', () => incoming.socket.destroy());
    response.once('close', () => asked.destroy());
  };

  const relayWatch = (incoming: IncomingMessage, response: ServerResponse) =>
    relay(incoming, response, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      const lines = createInterface({ input: answer });
      lines.on('error', () => response.destroy());
      const say = (line: string) => response.write(`${line}\n`);
      const afterTheNext: string[] = [];
      let isOver = false;
      const endWith = (last: string) => {
        isOver = true;
        response.end(last);
        answer.destroy();
      };
      lines.on('line', (line) => {
        if (isOver) return;
        for (const tell of listeners) tell(line);
        const held = afterTheNext.splice(0);
        const how = strike(failing.watches, { line, authorization: incoming.headers.authorization });
        if (how === 'cut') endWith('');
        else if (how === 'expired') endWith(`${tooOld}\n`);
        else if (how === 'silent') isOver = true;
        if (isOver) return;
        if (how !== 'lost' && how !== 'late') say(line);
        if (how === 'twice') say(line);
        for (const one of held) say(one);
        if (how === 'late' || how === 'stale') afterTheNext.push(line);
      });
      // What is held back for a next one that never comes is only late.
      lines.once('close', () => {
        if (!isOver) response.end(afterTheNext.map((line) => `${line}\n`).join(''));
      });
    });

  const server = createServer((incoming, response) => {
    if (incoming.method !== 'GET') relayWrite(incoming, response);
    else if (incoming.url?.includes('watch=') === true) relayWatch(incoming, response);
    else relay(incoming, response, (answer) => pass(answer, response));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    writes,
    onNotification: (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    failWrite: (fault) => arm(failing.writes, fault),
    failWatch: (fault) => arm(failing.watches, fault),
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      agent.destroy();
    },
  };
}

function pass(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  answer.pipe(response);
}

function arm<Subject, How>(
  all: Set<Waiting<Subject, How>>,
  { matches, after, how }: { matches: (subject: Subject) => boolean; after: number; how: How },
): Armed {
  const one = { matches, left: after, how, struck: false };
  all.add(one);
  return { wasHit: () => one.struck, lift: () => all.delete(one) };
}

function strike<Subject, How>(all: Set<Waiting<Subject, How>>, subject: Subject): How | undefined {
  for (const one of all) {
    if (!one.matches(subject) || one.left-- > 0) continue;
    one.struck = true;
    all.delete(one);
    return one.how;
  }
  return undefined;
}

const reasons: Readonly<Record<number, string>> = {
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

const statusOf = (code: number) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'a fault of the test bed',
  reason: reasons[code],
  code,
});

const tooOld = JSON.stringify({
  type: 'ERROR',
  object: { ...statusOf(410), reason: 'Expired', message: 'too old resource version' },
});
