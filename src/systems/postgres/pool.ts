// A few connections shared by many: opened when needed, reused, closed when idle.

export interface PoolOptions<C> {
  readonly size: number;
  /** A connection unused for so long is closed. */
  readonly idleMs: number;
  readonly open: (signal: AbortSignal) => Promise<C>;
  readonly close: (connection: C) => void;
  /** What those who wait are told once the pool is closed. */
  readonly closed: () => Error;
}

export interface Pool<C> {
  /** Rejects with the signal's reason once it is aborted, and with the error of opening a connection. */
  acquire(signal: AbortSignal, place?: 'first'): Promise<C>;
  /** Gives it back, to be used again unless it is broken. */
  release(connection: C, state: 'whole' | 'broken'): void;
  /** It ended by itself, or is not to be used by the next one. */
  discard(connection: C): void;
  /** Nothing that is connected now is used by the next one. */
  renew(): void;
  /** Idle ones at once, those in use when they come back; resolves after the last. */
  close(): Promise<void>;
}

interface Waiter<C> {
  readonly signal: AbortSignal;
  readonly turn: PromiseWithResolvers<C>;
}

/** First come, first served. When a connection cannot be opened all who wait fail with it: their own could not be either. */
export function createPool<C extends object>(options: PoolOptions<C>): Pool<C> {
  const idle = new Map<C, NodeJS.Timeout>();
  const used = new Set<C>();
  const discarded = new WeakSet<C>();
  const ending = new AbortController();
  const drained = Promise.withResolvers<void>();
  let waiters: Waiter<C>[] = [];
  let opening = 0;

  const rest = (connection: C) => {
    idle.set(connection, setTimeout(() => end(connection), options.idleMs).unref());
  };

  const end = (connection: C) => {
    clearTimeout(idle.get(connection));
    idle.delete(connection);
    options.close(connection);
  };

  const serve = () => {
    waiters = waiters.filter(({ signal }) => !signal.aborted);
    for (const [connection, timer] of [...idle].slice(0, waiters.length)) {
      clearTimeout(timer);
      idle.delete(connection);
      used.add(connection);
      waiters.shift()?.turn.resolve(connection);
    }
    while (waiters.length > opening && used.size + opening < options.size) void grow();
    if (ending.signal.aborted && used.size === 0 && opening === 0) drained.resolve();
  };

  /** Opens one for whoever comes first: the one for whom it was begun may have been served, or have left, by then. */
  const grow = async () => {
    opening += 1;
    try {
      const connection = await options.open(ending.signal);
      opening -= 1;
      if (ending.signal.aborted || discarded.has(connection)) options.close(connection);
      else rest(connection);
    } catch (error) {
      opening -= 1;
      for (const { turn } of waiters.splice(0)) turn.reject(error);
    }
    serve();
  };

  const discard = (connection: C) => {
    if (idle.has(connection)) end(connection);
    else discarded.add(connection);
  };

  return {
    async acquire(signal, place) {
      if (ending.signal.aborted) throw options.closed();
      signal.throwIfAborted();
      const turn = Promise.withResolvers<C>();
      const leave = () => turn.reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
      if (place === 'first') waiters.unshift({ signal, turn });
      else waiters.push({ signal, turn });
      serve();
      try {
        return await turn.promise;
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },

    release(connection, state) {
      if (!used.delete(connection)) return;
      if (state === 'broken' || discarded.has(connection) || ending.signal.aborted) options.close(connection);
      else rest(connection);
      serve();
    },

    discard,

    renew() {
      for (const connection of [...idle.keys(), ...used]) discard(connection);
    },

    async close() {
      ending.abort();
      for (const connection of idle.keys()) end(connection);
      for (const { turn } of waiters.splice(0)) turn.reject(options.closed());
      serve();
      await drained.promise;
    },
  };
}
