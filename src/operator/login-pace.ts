// How often users may be logged in for proof at one server: a login costs it a TLS handshake and a token check.
import { type Clock, pause } from '../controller/clock.ts';
import { createTurns, type Turns } from '../controller/turns.ts';

/** Does it when it is its turn; or answers when to come again, because the turn is too far away to wait for. */
export type LoginPace = <T>(
  server: string,
  logIn: () => Promise<T>,
  signal: AbortSignal,
) => Promise<T | { readonly comeAgainMs: number }>;

/** Of a pass's time: one that waits longer would keep its user's status, and its end, waiting too. */
const waitShare = 1 / 6;
const atOnce = 8;
/** Whoever found only busy places; those who have come before are served by then. */
const busyMs = 1_000;

interface Line {
  readonly turns: Turns;
  nextAt: number;
  /** Of those who were sent away: each is told a time of its own, so that they come as they can be served. */
  laterAt: number;
}

/** `perSecond` 0: as fast as they end, which is a limit still. */
export function createLoginPace(perSecond: number, clock: Clock, passDeadlineMs: number): LoginPace {
  const longestWaitMs = passDeadlineMs * waitShare;
  const everyMs = perSecond === 0 ? 0 : 1_000 / perSecond;
  const lines = new Map<string, Line>();

  const lineOf = (server: string): Line => {
    const known = lines.get(server);
    if (known !== undefined) return known;
    const turns = createTurns({ places: atOnce, longestMs: longestWaitMs, clock });
    const line = { turns, nextAt: 0, laterAt: 0 };
    lines.set(server, line);
    return line;
  };

  return async (server, logIn, signal) => {
    const line = lineOf(server);
    const now = clock.now();
    const turn = Math.max(now, line.nextAt);
    if (turn - now > longestWaitMs) {
      line.laterAt = Math.max(turn, line.laterAt) + everyMs;
      return { comeAgainMs: line.laterAt - now };
    }
    line.nextAt = turn + everyMs;
    if (turn > now) await pause(clock, turn - now, signal);
    const leave = await line.turns.take('', signal);
    if (leave === undefined) return { comeAgainMs: busyMs };
    try {
      return await logIn();
    } finally {
      leave();
    }
  };
}
