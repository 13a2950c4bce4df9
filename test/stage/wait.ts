// Waiting for a condition with a deadline; never for a time.
import { setTimeout as pause } from 'node:timers/promises';

/** Asks until the answer is neither undefined nor false; throws what was last seen when the time is over. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  options: { readonly withinMs?: number; readonly everyMs?: number; readonly seen?: () => unknown } = {},
): Promise<T> {
  const { withinMs = 20_000, everyMs = 20, seen } = options;
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) {
      const last = seen === undefined ? '' : `; last seen: ${JSON.stringify(await seen())}`;
      throw new Error(`gave up waiting for ${what} after ${withinMs} ms${last}`);
    }
    await pause(everyMs);
  }
}
