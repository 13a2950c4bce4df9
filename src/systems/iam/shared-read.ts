// One read that many wait for: who comes while one is running gets the next, and all of them the same one.
import type { Clock } from './clock.ts';

export interface Snapshot<T> {
  readonly value: T;
  readonly startedAt: number;
  readonly order: number;
}

export interface SharedRead<T> {
  /** A snapshot whose read began at `startedAt` or later, and after what has the order `after`. */
  get(startedAt: number, after: number, signal: AbortSignal): Promise<Snapshot<T>>;
}

/**
 * `read` is not given a caller's signal, for it belongs to all of them. `pause` comes before each read: who asks meanwhile
 * shares it. `nextOrder` numbers reads and whatever has to be told to be before or after them.
 */
export function createSharedRead<T>(of: {
  readonly read: () => Promise<T>;
  readonly pause: () => Promise<void>;
  readonly nextOrder: () => number;
  readonly clock: Clock;
}): SharedRead<T> {
  const { read, pause, nextOrder, clock } = of;
  let latest: Snapshot<T> | undefined;
  let running: { startedAt: number; order: number; answer: Promise<Snapshot<T>> } | undefined;
  let next: Promise<Snapshot<T>> | undefined;

  const start = (): Promise<Snapshot<T>> => {
    next = undefined;
    const begun = { startedAt: clock.now(), order: nextOrder() };
    const answer = read().then((value) => {
      latest = { value, ...begun };
      return latest;
    });
    running = { ...begun, answer };
    const ended = (): void => {
      running = undefined;
    };
    answer.then(ended, ended);
    return answer;
  };

  const afterRunning = async (): Promise<Snapshot<T>> => {
    await running?.answer.catch(() => {});
    await pause();
    return start();
  };

  return {
    get: (startedAt, after, signal) => {
      const fits = (one: { startedAt: number; order: number }): boolean =>
        one.startedAt >= startedAt && one.order > after;
      if (latest !== undefined && fits(latest)) return Promise.resolve(latest);
      if (running !== undefined && fits(running)) return orAborted(running.answer, signal);
      next ??= afterRunning();
      return orAborted(next, signal);
    },
  };
}

function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
