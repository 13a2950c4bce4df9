// When to look at an object again.
import { type Failure, retryTable } from '../kernel/failure.ts';

export interface NextLook {
  /** Milliseconds; undefined: when something happens. */
  readonly afterMs: number | undefined;
}

export const whenSomethingHappens: NextLook = { afterMs: undefined };

/**
 * The soonest of: the resync, and each failure's own wait, which doubles with every failed pass in a row up to the
 * longest of its kind.
 */
export function nextLook(input: {
  readonly resyncMs: number;
  readonly failures: readonly Failure[];
  readonly failedPasses: number;
  /** Waits that are already scaled. */
  readonly others: readonly (number | undefined)[];
  readonly timeScale: number;
}): NextLook {
  const retries = input.failures.map((failure) => waitFor(failure, input.failedPasses));
  const others = input.others.filter((wait) => wait !== undefined);
  const own = Math.min(input.resyncMs, ...retries) * input.timeScale;
  return { afterMs: Math.ceil(Math.min(own, ...others)) };
}

function waitFor({ kind, reason, retryAfterMs }: Failure, failedPasses: number): number {
  // Nothing failed where a turn had not come yet: whoever waits longer each time would be overtaken by all others.
  if (kind === 'throttled' && reason === 'Progressing' && retryAfterMs !== undefined) return retryAfterMs;
  const { firstMs, longestMs } = retryTable[kind];
  const doubled = Math.min(longestMs, firstMs * 2 ** Math.min(failedPasses, 20));
  return Math.max(doubled, retryAfterMs ?? 0);
}

/**
 * Until the next resync, unscaled. All databases of one interval look at the same moment, and so share what is asked of AWS;
 * all users of a database do, and so are one question to it. Users come after their database, each database's at a moment
 * of its own, so that not everybody comes due at once.
 */
export function untilResync(
  resync: { readonly intervalSeconds: number },
  { now, timeScale, of }: { readonly now: number; readonly timeScale: number; readonly of?: string },
): number {
  const intervalMs = resync.intervalSeconds * 1000 * timeScale;
  const after = of === undefined ? 0 : Math.floor(intervalMs * (0.01 + 0.04 * spreadOf(of)));
  return untilShared(intervalMs, now - after) / timeScale;
}

/** Until the next whole multiple of the interval. A moment that is nearly over counts as this one: timers may come early. */
export function untilShared(intervalMs: number, now: number): number {
  const left = intervalMs - (now % intervalMs);
  return left < intervalMs / 10 ? left + intervalMs : left;
}

/** 0 to 1, always the same for the same text (FNV-1a). */
export function spreadOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash / 2 ** 32;
}
