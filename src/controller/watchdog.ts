// Notices a stream that has gone silent, which a half-open connection does without any error.
import { onAbort } from './abort.ts';
import type { Cancel, Clock } from './clock.ts';

export interface Watchdog {
  /** Aborted on silence, or together with the parent. */
  readonly signal: AbortSignal;
  heard(): void;
  isSilent(): boolean;
  end(): void;
}

/** Bites when `heard` was not called for `ms`. */
export function startWatchdog(clock: Clock, ms: number, parent: AbortSignal): Watchdog {
  const controller = new AbortController();
  const release = onAbort(parent, () => controller.abort(parent.reason));
  let silent = false;
  let lastHeard = clock.now();
  let cancel: Cancel | undefined;

  // The timer is set anew when it fires, not for each event: events may come by the thousand.
  const look = () => {
    const rest = lastHeard + ms - clock.now();
    if (rest > 0) {
      cancel = clock.after(rest, look);
      return;
    }
    silent = true;
    controller.abort(new Error(`silent for ${Math.round(ms)} ms`));
  };
  look();

  return {
    signal: controller.signal,
    heard: () => {
      lastHeard = clock.now();
    },
    isSilent: () => silent,
    end: () => {
      cancel?.();
      release();
    },
  };
}
