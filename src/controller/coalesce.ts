// Many callers, one run: everybody who asks for a key shares a run that began after he asked.
import { abortError, leaveEarly, startDeadline } from './abort.ts';
import type { Clock } from './clock.ts';

export interface CoalesceOptions<Result> {
  readonly run: (key: string, signal: AbortSignal) => Promise<Result>;
  /** After this a run's signal is aborted. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Where a run has to wait before it begins, with all who ask meanwhile; default: nowhere. */
  readonly turns?: Turns<Result>;
}

export interface Turns<Result> {
  /** Answers what ends the turn, or undefined if none came. */
  enter(key: string, signal: AbortSignal): Promise<(() => void) | undefined>;
  /** What all who asked are told then. */
  readonly noTurn: Result;
}

/**
 * Asks for a run over `key`. While one is running, everybody who asks waits for one further run, because the running one
 * may have read the world before the caller's wish was known. A caller whose signal is aborted leaves; the run goes on
 * for the others, and is aborted when the last one has left.
 */
export type Coalesced<Result> = (key: string, signal: AbortSignal) => Promise<Result>;

interface Run<Result> {
  readonly result: Promise<Result>;
  /** Aborted when nobody waits any more. */
  readonly deserted: AbortController;
  callers: number;
}

export function coalesce<Result>(options: CoalesceOptions<Result>): Coalesced<Result> {
  const { run, deadlineMs, clock, turns } = options;
  /** Per key the runs not ended yet: the one that is running, and the one that has not begun. */
  const running = new Map<string, Run<Result>>();
  const coming = new Map<string, Run<Result>>();

  const begin = async (key: string, self: Run<Result>): Promise<Result> => {
    await running.get(key)?.result.catch(() => {});
    const leave = turns === undefined ? () => {} : await turns.enter(key, self.deserted.signal);
    if (coming.get(key) === self) coming.delete(key);
    if (self.deserted.signal.aborted) {
      leave?.();
      throw abortError(self.deserted.signal);
    }
    if (leave === undefined && turns !== undefined) return turns.noTurn;
    running.set(key, self);
    const deadline = startDeadline(clock, deadlineMs, self.deserted.signal);
    try {
      return await run(key, deadline.signal);
    } finally {
      deadline.end();
      running.delete(key);
      leave?.();
    }
  };

  const join = (key: string): Run<Result> => {
    const present = coming.get(key);
    if (present !== undefined && !present.deserted.signal.aborted) return present;
    const created: Run<Result> = {
      // Not at once, so that callers of the same turn of the event loop share the run.
      result: Promise.resolve().then(() => begin(key, created)),
      deserted: new AbortController(),
      callers: 0,
    };
    coming.set(key, created);
    return created;
  };

  return async (key, signal) => {
    if (signal.aborted) throw abortError(signal);
    const joined = join(key);
    joined.callers += 1;
    try {
      return await leaveEarly(joined.result, signal);
    } finally {
      joined.callers -= 1;
      if (joined.callers === 0) joined.deserted.abort(new Error('nobody waits for this run any more'));
    }
  };
}
