// How often users may be logged in for proof at one server: a login costs it a TLS handshake and a token check.
import { type Clock, pause } from '../controller/clock.ts';

/** Resolves when it is this login's turn; false if that is too far away to wait for. */
export type LoginPace = (server: string, signal: AbortSignal) => Promise<boolean>;

/** Longer than this nobody waits in a worker: others could not be looked at meanwhile. */
const longestWaitMs = 2_000;

/** `perSecond` 0 is no limit. */
export function createLoginPace(perSecond: number, clock: Clock): LoginPace {
  if (perSecond === 0) return () => Promise.resolve(true);
  const everyMs = 1_000 / perSecond;
  const nextAt = new Map<string, number>();
  return async (server, signal) => {
    const now = clock.now();
    const turn = Math.max(now, nextAt.get(server) ?? now);
    if (turn - now > longestWaitMs) return false;
    nextAt.set(server, turn + everyMs);
    if (turn > now) await pause(clock, turn - now, signal);
    return true;
  };
}
