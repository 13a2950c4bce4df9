// A bound on how many things happen at once, first come first served.

export interface Slots {
  /** Waits for a free slot; answers how to give it back. Rejects with the signal's reason when that is aborted first. */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  // A set keeps the order of arrival, and a caller that gives up can leave from the middle.
  const waiting = new Set<() => void>();

  const release = () => {
    const [next] = waiting;
    if (next === undefined) {
      free += 1;
      return;
    }
    waiting.delete(next);
    next();
  };

  const once = () => {
    let held = true;
    return () => {
      if (held) release();
      held = false;
    };
  };

  return {
    take: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        if (free > 0) {
          free -= 1;
          resolve(once());
          return;
        }
        const leave = () => {
          waiting.delete(enter);
          reject(signal.reason);
        };
        const enter = () => {
          signal.removeEventListener('abort', leave);
          resolve(once());
        };
        waiting.add(enter);
        signal.addEventListener('abort', leave, { once: true });
      }),
  };
}
