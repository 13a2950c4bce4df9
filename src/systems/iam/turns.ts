// Whose turn it is to be read again although nothing speaks for a change: the oldest first, so many at once at most.
import type { Clock } from './clock.ts';

export interface ReadTurns {
  /** Whether one that was read at that time is read again, `all` having been read at these; the turn is taken then. */
  take(readAt: number, all: () => readonly number[]): boolean;
}

/** `everyMs`: from one turn to the next on average. `leastMs`: how old a read must be. */
export function createReadTurns(
  {
    everyMs,
    leastMs,
    atOnce,
  }: { readonly everyMs: number; readonly leastMs: number; readonly atOnce: number },
  clock: Pick<Clock, 'now'>,
): ReadTurns {
  let free = atOnce;
  let since = clock.now();
  return {
    take: (readAt, all) => {
      const now = clock.now();
      free = Math.min(atOnce, free + (now - since) / everyMs);
      since = now;
      if (free < 1 || now - readAt < leastMs) return false;
      if (all().filter((other) => other < readAt).length >= Math.floor(free)) return false;
      free -= 1;
      return true;
    },
  };
}
