// A clock for tests: time stands still until the test moves it.
import type { Clock } from '../../src/controller/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time on, firing each timer at its own moment and letting promises settle in between. */
  advance(ms: number): Promise<void>;
  /** Moves time on as a paused process sees it: no timer has fired yet. */
  jump(ms: number): void;
  /** Lets everything that is ready to run do so without moving time. */
  settle(): Promise<void>;
  /** How many timers are waiting. */
  timers(): number;
}

/** After this everything that waited on settled promises has run. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export function createFakeClock(wallAtStart = Date.UTC(2026, 0, 1)): FakeClock {
  let now = 0;
  let serial = 0;
  const timers = new Map<number, { due: number; run: () => void }>();

  const nextDue = (until: number) => {
    let found: [number, { due: number; run: () => void }] | undefined;
    for (const entry of timers) {
      if (entry[1].due <= until && (found === undefined || entry[1].due < found[1].due)) found = entry;
    }
    return found;
  };

  return {
    now: () => now,
    wall: () => wallAtStart + now,
    after: (ms, run) => {
      serial += 1;
      const id = serial;
      timers.set(id, { due: now + Math.max(ms, 0), run });
      return () => {
        timers.delete(id);
      };
    },
    advance: async (ms) => {
      const until = now + ms;
      await settle();
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        const [id, timer] = due;
        timers.delete(id);
        now = Math.max(now, timer.due);
        timer.run();
        await settle();
      }
      now = Math.max(now, until);
    },
    jump: (ms) => {
      now += ms;
    },
    settle,
    timers: () => timers.size,
  };
}
