// How fast we may call: a token bucket that halves its rate when AWS asks to slow down and recovers slowly.
import type { Clock } from './clock.ts';

export interface BucketSettings {
  readonly perSecond: number;
  /** Calls that may be made at once after a rest. */
  readonly burst: number;
}

export interface TokenBucket {
  /** Waits for its turn, first come, first served. Rejects with the signal's reason when it is aborted. */
  take(signal: AbortSignal): Promise<void>;
  /** AWS throttled a call. */
  slowDown(): void;
}

export const unlimited: TokenBucket = { take: async () => {}, slowDown: () => {} };

/** Never slower than this share of the full rate. */
const floorShare = 1 / 16;
/** After each such time without throttling a tenth of the full rate comes back. */
const recoveryMs = 5_000;
/** Answers to calls of one burst count as one request to slow down. */
const oneRequestMs = 500;

export function createTokenBucket({ perSecond, burst }: BucketSettings, clock: Clock): TokenBucket {
  let rate = perSecond;
  let tokens = burst;
  let filledAt = clock.now();
  let steadySince = clock.now();
  let slowedAt = Number.NEGATIVE_INFINITY;
  let turn: Promise<void> = Promise.resolve();

  const fill = (): void => {
    const now = clock.now();
    const steps = Math.floor((now - steadySince) / recoveryMs);
    if (steps > 0) {
      rate = Math.min(perSecond, rate + (steps * perSecond) / 10);
      steadySince += steps * recoveryMs;
    }
    tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * rate);
    filledAt = now;
  };

  const takeNext = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    fill();
    for (let missing = 1 - tokens; missing > 0; missing = 1 - tokens) {
      await clock.sleep(Math.ceil((missing / rate) * 1000), signal);
      fill();
    }
    tokens -= 1;
  };

  return {
    take: (signal) => {
      const mine = turn.then(() => takeNext(signal));
      // Whoever gives up must not take the others along.
      turn = mine.catch(() => {});
      return abortable(mine, signal);
    },
    slowDown: () => {
      const now = clock.now();
      fill();
      steadySince = now;
      tokens = Math.min(tokens, 0);
      if (now - slowedAt < oneRequestMs) return;
      slowedAt = now;
      rate = Math.max(perSecond * floorShare, rate / 2);
    },
  };
}

/** Answers the abort at once, although the turn in the queue is only passed on later. */
function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
