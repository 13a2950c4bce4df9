// The time one call to the API server may take, and the words for it when it took longer.
import { KubeError, noAnswer } from './kube-error.ts';

export interface CallTimeout {
  readonly signal: AbortSignal;
  remainingMs(): number;
  /** Waits within the call; rejects when time runs out or the caller leaves. */
  pause(ms: number): Promise<void>;
  /** From now on only the caller's signal ends the call. */
  disarm(): void;
  /** What to throw for an error seen during the call: the caller's reason if it left, else always a known error. */
  explain(error: unknown): unknown;
  end(): void;
}

export function startTimeout(ms: number, caller: AbortSignal): CallTimeout {
  const controller = new AbortController();
  const endsAt = performance.now() + ms;
  let timedOut = false;
  const leave = () => controller.abort(caller.reason);
  if (caller.aborted) leave();
  else caller.addEventListener('abort', leave, { once: true });
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort(new Error('timed out'));
  }, ms);

  return {
    signal: controller.signal,
    remainingMs: () => endsAt - performance.now(),
    pause: (waitMs) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          clearTimeout(wait);
          controller.signal.removeEventListener('abort', cut);
          settle();
        };
        const cut = () => finish(() => reject(controller.signal.reason));
        const wait = setTimeout(() => finish(resolve), waitMs);
        controller.signal.addEventListener('abort', cut);
      }),
    disarm: () => {
      clearTimeout(timer);
    },
    explain: (error) => {
      if (caller.aborted) return caller.reason;
      if (timedOut) {
        return noAnswer(
          `the API server did not answer within ${Math.round(ms / 100) / 10} s`,
          'Timeout',
          error,
        );
      }
      return isNetworkError(error)
        ? noAnswer('the connection to the API server failed', 'ConnectionFailed', error)
        : error;
    },
    end: () => {
      clearTimeout(timer);
      caller.removeEventListener('abort', leave);
    },
  };
}

/** Errors of undici, of sockets and of TLS carry a code; errors of our own and of `beforeWrite` are passed on as they are. */
function isNetworkError(error: unknown): boolean {
  return error instanceof Error && !(error instanceof KubeError) && 'code' in error;
}
