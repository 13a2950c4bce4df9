// The connections to the API server: three small pools that live as long as the client certificate.
import { type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { Identity } from './kube-config.ts';

/** Requests share a few sockets; the lease has its own, so that no pile of work can delay it; each watch occupies one. */
export type Lane = 'requests' | 'lease' | 'watches';

export interface Pools {
  lane(name: Lane): Dispatcher;
  /** How many are open; behind a proxy nobody knows. */
  connected(): number;
  /** Lets running requests end and frees the sockets. */
  close(): Promise<void>;
  /** Cuts everything at once. */
  destroy(): Promise<void>;
}

export interface PoolSizes {
  readonly requests: number;
  readonly watches: number;
}

/** Shorter than the 90 s after which the API server closes an idle connection, so that we are the first to. */
const KEEP_ALIVE_MS = 60_000;
/** Has to fit between a lease's renew deadline and its end, see `beforeWrite`. */
const CONNECT_MS = 5_000;
/** The largest answer is a page of 500 objects, which etcd holds to 1.5 MiB each but which are small in practice. */
const LARGEST_ANSWER = 128 * 1024 * 1024;

export function openPools(server: string, identity: Identity, sizes: PoolSizes, proxyUrl?: string): Pools {
  const open = (connections: number, more: Pool.Options): Dispatcher => {
    const options: Pool.Options = {
      connections,
      pipelining: 1,
      // One stream per connection: a half-open one can be cut without taking its neighbours with it.
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      ...more,
    };
    const connect = { keepAlive: true, keepAliveInitialDelay: 15_000, timeout: CONNECT_MS };
    if (proxyUrl === undefined)
      return new Pool(server, { ...options, connect: { ...identity.tls, ...connect } });
    return new ProxyAgent({ uri: proxyUrl, ...options, connect, requestTls: { ...identity.tls } });
  };
  // Time-outs of single requests are set by the transport; these are only a net below it.
  const bounded = { headersTimeout: 120_000, bodyTimeout: 120_000, maxResponseSize: LARGEST_ANSWER };
  const lanes: Record<Lane, Dispatcher> = {
    requests: open(sizes.requests, bounded),
    lease: open(1, bounded),
    watches: open(sizes.watches, { headersTimeout: 120_000, bodyTimeout: 0 }),
  };
  const all = Object.values(lanes);

  return {
    lane: (name) => lanes[name],
    connected: () =>
      all.reduce((sum, pool) => sum + (pool instanceof Pool ? (pool.stats.connected ?? 0) : 0), 0),
    close: async () => {
      await Promise.all(all.map((pool) => pool.close()));
    },
    destroy: async () => {
      await Promise.all(all.map((pool) => pool.destroy()));
    },
  };
}
