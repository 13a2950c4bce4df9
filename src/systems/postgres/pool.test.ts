import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createPool, type Pool } from './pool.ts';

interface Connection {
  readonly n: number;
}

let opened: Connection[];
let closed: Connection[];
let opening: PromiseWithResolvers<void>[];
let pool: Pool<Connection>;
const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
  opened = [];
  closed = [];
  opening = [];
  pool = createPool<Connection>({
    size: 2,
    idleMs: 60_000,
    open: async () => {
      const turn = Promise.withResolvers<void>();
      opening.push(turn);
      await turn.promise;
      const connection = { n: opened.length + 1 };
      opened.push(connection);
      return connection;
    },
    close: (connection) => closed.push(connection),
    closed: () => new Error('closing'),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets the connections that are being opened come up. */
const comeUp = async () => {
  for (const turn of opening.splice(0)) turn.resolve();
  await vi.advanceTimersByTimeAsync(0);
};
const acquired = async (): Promise<Connection> => {
  const connection = pool.acquire(never);
  await comeUp();
  return await connection;
};

it('opens what is needed and reuses what comes back', async () => {
  const first = await acquired();
  pool.release(first, 'whole');
  expect(await pool.acquire(never)).toBe(first);
  expect(opened).toHaveLength(1);
});

it('serves ahead of the others whoever asks for many', async () => {
  const connection = await acquired();
  await acquired();
  const order: string[] = [];
  const waiting = ([undefined, 'first'] as const).map(async (place) => {
    await pool.acquire(never, place);
    order.push(place ?? 'in line');
    pool.release(connection, 'whole');
  });
  pool.release(connection, 'whole');
  await Promise.all(waiting);
  expect(order).toEqual(['first', 'in line']);
});

it('opens no more than its size, and serves those who wait in their order', async () => {
  const [first, second] = [await acquired(), await acquired()];
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (turn) => {
    const connection = await pool.acquire(never);
    order.push(turn);
    pool.release(connection, 'whole');
  });
  expect(opening).toHaveLength(0);
  pool.release(second, 'whole');
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3]);
  pool.release(first, 'whole');
  expect(opened).toHaveLength(2);
});

it('closes a connection that nobody used for a minute', async () => {
  const connection = await acquired();
  pool.release(connection, 'whole');
  await vi.advanceTimersByTimeAsync(59_999);
  expect(closed).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(closed).toEqual([connection]);
});

it('closes a broken one, and opens another for who waits', async () => {
  const first = await acquired();
  await acquired();
  const waiting = pool.acquire(never);
  pool.release(first, 'broken');
  await comeUp();
  expect(await waiting).toEqual({ n: 3 });
  expect(closed).toEqual([first]);
});

it('fails all who wait when no connection can be opened, and tries again for the next', async () => {
  const waiting = [pool.acquire(never), pool.acquire(never), pool.acquire(never)].map(
    async (turn) => await turn.catch((error: unknown) => error),
  );
  const refused = new Error('refused');
  opening.splice(0).forEach((turn) => turn.reject(refused));
  expect(await Promise.all(waiting)).toEqual([refused, refused, refused]);
  expect(await acquired()).toEqual({ n: 1 });
});

it('lets one leave who waits no longer, and keeps the connection for the next', async () => {
  const leaving = new AbortController();
  const left = pool.acquire(leaving.signal).catch((error: unknown) => error);
  leaving.abort(new Error('out of time'));
  expect(await left).toEqual(new Error('out of time'));
  await comeUp();
  expect(await pool.acquire(never)).toEqual({ n: 1 });
  await expect(pool.acquire(leaving.signal)).rejects.toThrow('out of time');
});

it('uses nothing again that was connected before a renewal', async () => {
  const [idle, used] = [await acquired(), await acquired()];
  pool.release(idle, 'whole');
  pool.renew();
  expect(closed).toEqual([idle]);
  pool.release(used, 'whole');
  expect(closed).toEqual([idle, used]);
  expect(await acquired()).toEqual({ n: 3 });
});

it('never hands out a connection that ended while it was idle, or before it was ever used', async () => {
  const connection = await acquired();
  pool.release(connection, 'whole');
  pool.discard(connection);
  expect(closed).toEqual([connection]);
  expect(await acquired()).toEqual({ n: 2 });
});

it('closes when the last one in use has come back', async () => {
  const [idle, used] = [await acquired(), await acquired()];
  pool.release(idle, 'whole');
  let isClosed = false;
  const closing = (async () => {
    await pool.close();
    isClosed = true;
  })();
  await vi.advanceTimersByTimeAsync(0);
  expect(isClosed).toBe(false);
  await expect(pool.acquire(never)).rejects.toThrow('closing');
  pool.release(used, 'whole');
  await closing;
  expect(closed).toEqual([idle, used]);
});

it('does not keep a connection that comes up while it closes', async () => {
  const waiting = pool.acquire(never).catch((error: unknown) => error);
  const closing = pool.close();
  await comeUp();
  await closing;
  expect(await waiting).toEqual(new Error('closing'));
  expect(closed).toEqual(opened);
});
