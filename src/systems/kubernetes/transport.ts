// Requests to the API server over few, kept connections, with time-outs, typed errors and a check before each write.
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { startTimeout } from './call-timeout.ts';
import { jsonLines } from './json-lines.ts';
import { credentialsOf, type Identity } from './kube-config.ts';
import { errorFromAnswer, type KubeError, noAnswer } from './kube-error.ts';
import { type Lane, openPools, type Pools, type PoolSizes } from './pools.ts';
import { createSlots, type Slots } from './slots.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubeRequest {
  readonly method: Method;
  /** Absolute and already escaped, as `pathOf` makes it. */
  readonly path: string;
  /** For metrics and for `beforeWrite`: plural and subresource, `configmaps` or `iamdatabases/status`. */
  readonly resource: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Asks for PartialObjectMetadata: the server sends nothing but metadata. */
  readonly metadataOnly?: boolean;
  readonly signal: AbortSignal;
  /** For all of it, waiting for a connection included. Default 30 s. */
  readonly timeoutMs?: number;
  /** `lease` has a connection of its own and skips `beforeWrite`, which asks the lease itself. Default `requests`. */
  readonly lane?: 'requests' | 'lease';
}

export interface KubeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Parsed JSON, undefined if there was none. */
  readonly body: unknown;
}

export type WatchRequest = Pick<KubeRequest, 'path' | 'resource' | 'query' | 'metadataOnly' | 'signal'>;

export interface KubeTransport {
  /** Host and port, for metrics. */
  readonly host: string;
  connected(): number;
  /** Throws KubeError for every answer above 299 and for none; the signal's reason if that was aborted. */
  request(request: KubeRequest): Promise<KubeAnswer>;
  /** The parsed lines of a streaming answer. Throws as `request` does; ends when the server ends it. */
  watch(request: WatchRequest): AsyncIterable<unknown>;
  /** Lets running requests end. Stop the watches first. */
  close(): Promise<void>;
  /** Cuts all connections. */
  destroy(): Promise<void>;
}

export interface RequestRecord {
  readonly method: Method;
  readonly resource: string;
  /** 0 when no answer came. */
  readonly status: number;
  readonly durationMs: number;
}

export interface ConnectOptions {
  readonly kubeConfig: KubeConfig;
  readonly userAgent: string;
  /** Called for each answer or failure, with a watch at its first answer. Must not throw. */
  readonly onRequest?: (record: RequestRecord) => void;
  /**
   * Called before each write once a connection is free for it, and again when that is open and nothing is left but to
   * send; what it throws reaches the caller, and nothing is sent. This is where leadership is checked.
   */
  readonly beforeWrite?: (write: {
    readonly method: Method;
    readonly resource: string;
    readonly path: string;
  }) => void;
  readonly poolSizes?: PoolSizes;
  /** Of a request that names none, and until a watch begins. Default 30 s. */
  readonly timeoutMs?: number;
}

const acceptedOf = ({ metadataOnly }: Pick<KubeRequest, 'metadataOnly'>, as: string) =>
  metadataOnly === true ? `application/json;as=${as};g=meta.k8s.io;v=v1` : 'application/json';

const REQUEST_MS = 30_000;
/** etcd holds an object to 1.5 MiB; escaping may double it. */
const LONGEST_WATCH_LINE = 4 * 1024 * 1024;

export function connect(options: ConnectOptions): KubeTransport {
  const { kubeConfig, poolSizes = { requests: 8, watches: 16 } } = options;
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig names no cluster for its current context');
  const server = new URL(cluster.server);
  const basePath = server.pathname.replace(/\/$/, '');
  const proxyUrl = cluster.proxyUrl === undefined || cluster.proxyUrl === '' ? undefined : cluster.proxyUrl;
  const credentials = credentialsOf(kubeConfig, () => performance.now());
  // As many slots as connections, so that what follows a free slot follows without waiting.
  const slots: Record<'requests' | 'lease', Slots> = {
    requests: createSlots(poolSizes.requests),
    lease: createSlots(1),
  };
  let pools: { readonly opened: Pools; readonly tlsVersion: string } | undefined;

  /** The lane's connections; new ones once the client certificate or the trusted roots are others. */
  const dispatcherFor = (lane: Lane, identity: Identity): Dispatcher => {
    if (pools?.tlsVersion !== identity.tlsVersion) {
      // Errors while the old ones wind down concern nobody: their requests have been told already.
      pools?.opened.close().catch(() => {});
      const opened = openPools(server.origin, identity, poolSizes, proxyUrl);
      pools = { opened, tlsVersion: identity.tlsVersion };
    }
    return pools.opened.lane(lane);
  };

  const send = async (request: KubeRequest, signal: AbortSignal, identity: Identity): Promise<KubeAnswer> => {
    const { method, resource, path, lane = 'requests' } = request;
    const release = await slots[lane].take(signal);
    const startedAt = performance.now();
    let status = 0;
    try {
      const isWrite = method !== 'GET' && lane !== 'lease';
      const mayWrite = () => options.beforeWrite?.({ method, resource, path });
      if (isWrite) mayWrite();
      const connections = dispatcherFor(lane, identity);
      const dispatcher = isWrite ? connections.compose(onceMore(mayWrite)) : connections;
      const answer = await dispatcher.request({
        origin: server.origin,
        path: basePath + path + queryString(request.query),
        method,
        headers: {
          ...identity.headers,
          accept: acceptedOf(request, 'PartialObjectMetadataList'),
          'user-agent': options.userAgent,
          ...(request.body === undefined
            ? {}
            : { 'content-type': request.contentType ?? 'application/json' }),
        },
        body: request.body === undefined ? null : JSON.stringify(request.body),
        signal,
      });
      const text = await answer.body.text();
      status = answer.statusCode;
      return { status, headers: answer.headers, body: parseBody(status, text) };
    } finally {
      release();
      options.onRequest?.({ method, resource, status, durationMs: performance.now() - startedAt });
    }
  };

  /** Once more after a 401 if the credentials have changed meanwhile: a refused request has had no effect. */
  const sendAuthenticated = async (request: KubeRequest, signal: AbortSignal): Promise<KubeAnswer> => {
    const identity = await credentials.current();
    const answer = await send(request, signal, identity);
    if (answer.status !== 401) return answer;
    credentials.forget();
    const fresh = await credentials.current();
    const isSame = JSON.stringify(fresh.headers) === JSON.stringify(identity.headers);
    return isSame && fresh.tlsVersion === identity.tlsVersion ? answer : send(request, signal, fresh);
  };

  const request = async (wanted: KubeRequest): Promise<KubeAnswer> => {
    const timeoutMs = wanted.timeoutMs ?? options.timeoutMs ?? REQUEST_MS;
    const deadline = startTimeout(timeoutMs, wanted.signal);
    try {
      const answer = await sendAuthenticated(wanted, deadline.signal);
      if (answer.status < 300) return answer;
      const error = asError(answer);
      // One short wait that the server itself asked for spares a read's whole pass; more tries, and all tries of a
      // write, are left to the work queue, whose growing delays an overloaded server needs.
      const waitMs = (error.retryAfterSeconds ?? 1) * 1000;
      if (wanted.method !== 'GET' || error.status !== 429 || waitMs >= deadline.remainingMs()) throw error;
      await deadline.pause(waitMs);
      const second = await sendAuthenticated(wanted, deadline.signal);
      if (second.status < 300) return second;
      throw asError(second);
    } catch (error) {
      throw deadline.explain(error);
    } finally {
      deadline.end();
    }
  };

  async function* watch(wanted: WatchRequest): AsyncGenerator<unknown, void, undefined> {
    const start = startTimeout(options.timeoutMs ?? REQUEST_MS, wanted.signal);
    const startedAt = performance.now();
    let status = 0;
    const note = () =>
      options.onRequest?.({
        method: 'GET',
        resource: wanted.resource,
        status,
        durationMs: performance.now() - startedAt,
      });
    try {
      let body: Dispatcher.ResponseData['body'];
      try {
        const identity = await credentials.current();
        const answer = await dispatcherFor('watches', identity).request({
          origin: server.origin,
          path: basePath + wanted.path + queryString(wanted.query),
          method: 'GET',
          headers: {
            ...identity.headers,
            accept: acceptedOf(wanted, 'PartialObjectMetadata'),
            'user-agent': options.userAgent,
          },
          signal: start.signal,
        });
        status = answer.statusCode;
        body = answer.body;
        if (status > 299) {
          if (status === 401) credentials.forget();
          const text = await body.text();
          throw asError({ status, headers: answer.headers, body: parseBody(status, text) });
        }
      } finally {
        note();
      }
      // From here on the stream may take as long as it likes; only the caller's signal still counts.
      start.disarm();
      yield* jsonLines(body, LONGEST_WATCH_LINE);
    } catch (error) {
      throw start.explain(error);
    } finally {
      start.end();
    }
  }

  return {
    host: server.host,
    connected: () => pools?.opened.connected() ?? 0,
    request,
    watch,
    close: async () => {
      await pools?.opened.close();
    },
    destroy: async () => {
      await pools?.opened.destroy();
    },
  };
}

/** Asks again when the connection is open, with nothing in between but the sending: opening one takes seconds at worst. */
const onceMore =
  (mayWrite: () => void): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (request, handler) =>
    dispatch(request, {
      onRequestStart: (controller, context) => {
        try {
          mayWrite();
        } catch (error) {
          controller.abort(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        handler.onRequestStart?.(controller, context);
      },
      onRequestUpgrade: (...told) => handler.onRequestUpgrade?.(...told),
      onResponseStarted: () => handler.onResponseStarted?.(),
      onResponseStart: (...told) => handler.onResponseStart?.(...told),
      onResponseData: (...told) => handler.onResponseData?.(...told),
      onResponseEnd: (...told) => handler.onResponseEnd?.(...told),
      onResponseError: (...told) => handler.onResponseError?.(...told),
    });

function asError({ status, headers, body }: KubeAnswer): KubeError {
  const retryAfter = headers['retry-after'];
  return errorFromAnswer(status, body, typeof retryAfter === 'string' ? retryAfter : undefined);
}

function parseBody(status: number, text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // A proxy's page beside an error status: the status says enough.
    if (status > 299) return undefined;
    throw noAnswer('the API server sent an answer that is not JSON', 'MalformedAnswer', cause);
  }
}

function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
