// Deadlines and early leaving: the two things the core does with abort signals.
import type { Clock } from './clock.ts';

export interface Deadline {
  readonly signal: AbortSignal;
  /** Must be called when the work has ended, or the timer and the listener stay behind. */
  end(): void;
}

/** The reason of a signal that was aborted because time ran out. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/** A signal that is aborted after `ms`, or together with one of `parents`. */
export function startDeadline(clock: Clock, ms: number, ...parents: readonly AbortSignal[]): Deadline {
  const controller = new AbortController();
  const cancel = clock.after(ms, () => {
    controller.abort(new DeadlineExceeded(`not finished after ${Math.round(ms)} ms`));
  });
  const releases = parents.map((parent) => onAbort(parent, () => controller.abort(parent.reason)));
  return {
    signal: controller.signal,
    end: () => {
      cancel();
      for (const release of releases) release();
    },
  };
}

/** Calls `run` when the signal is aborted, at once if it is already; answers how to stop listening. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) {
    run();
    return () => {};
  }
  signal.addEventListener('abort', run, { once: true });
  return () => {
    signal.removeEventListener('abort', run);
  };
}

/** The abort's reason as an Error, whatever was passed to `abort()`. */
export function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason });
}

/** Waits for the promise, but not longer than until the signal is aborted; the promise itself goes on. */
export function leaveEarly<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>();
  const release = onAbort(signal, () => left.reject(abortError(signal)));
  return Promise.race([promise, left.promise]).finally(release);
}
