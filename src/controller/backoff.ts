// How long to wait before the next try.

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * The wait after `failures` failures in a row (1 or more): doubling from the base up to the maximum, then shortened
 * by up to a quarter so that what failed together does not come back together. `random` is in [0, 1).
 */
export function backoffMs({ baseMs, maxMs }: Backoff, failures: number, random: number): number {
  const doublings = Math.min(Math.max(failures - 1, 0), 30);
  return Math.min(baseMs * 2 ** doublings, maxMs) * (1 - random / 4);
}
