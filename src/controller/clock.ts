// The clock that everything in the controller core lives by, so that tests can own time.

/** Ends a timer that has not fired yet; harmless afterwards. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds that only ever grow; for durations and deadlines. */
  now(): number;
  /** Milliseconds since 1970 as the machine believes them; for what people and other machines read. */
  wall(): number;
  /** Calls `run` once after `ms`, unless cancelled before. */
  after(ms: number, run: () => void): Cancel;
}

/** Node fires a timer at once when its delay does not fit into 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Waits `ms`, or until the signal is aborted; never rejects, so the caller looks at the signal itself. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = () => {
      cancel();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal.addEventListener('abort', finish);
  });
}
