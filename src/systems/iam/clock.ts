// The time as the IAM adapter sees it, so that tests can hold it still.
import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds that only grow; they do not say what day it is. */
  now(): number;
  /** Rejects with the signal's reason when it is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal });
  },
};
