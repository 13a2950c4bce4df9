// Turns: a few go on at once, the others stand in line, some of them ahead, and nobody for long.
import { onAbort } from './abort.ts';
import type { Clock } from './clock.ts';

export interface Turns {
  /** Resolves when it is the key's turn, with what gives the place back; undefined after too long, or when aborted. */
  take(key: string, signal: AbortSignal): Promise<(() => void) | undefined>;
  /** Lets a key that stands in line, or is about to, ahead of all that were not let ahead. */
  hurry(key: string): void;
}

interface Waiter {
  readonly key: string;
  readonly turn: PromiseWithResolvers<(() => void) | undefined>;
}

export function createTurns(options: {
  readonly places: number;
  readonly longestMs: number;
  readonly clock: Clock;
}): Turns {
  const line: Waiter[] = [];
  const hurried = new Set<string>();
  let free = options.places;

  const giveBack = () => {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      free += 1;
      serve();
    };
  };

  const serve = () => {
    while (free > 0 && line.length > 0) {
      const ahead = line.findIndex(({ key }) => hurried.has(key));
      const [next] = line.splice(Math.max(0, ahead), 1);
      free -= 1;
      next?.turn.resolve(giveBack());
    }
  };

  return {
    hurry: (key) => {
      hurried.add(key);
    },
    take: async (key, signal) => {
      const waiter: Waiter = { key, turn: Promise.withResolvers() };
      const leave = () => {
        const place = line.indexOf(waiter);
        if (place < 0) return;
        line.splice(place, 1);
        waiter.turn.resolve(undefined);
      };
      line.push(waiter);
      serve();
      const cancel = options.clock.after(options.longestMs, leave);
      const release = onAbort(signal, leave);
      try {
        return await waiter.turn.promise;
      } finally {
        cancel();
        release();
        hurried.delete(key);
      }
    },
  };
}
