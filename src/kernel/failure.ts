// What can go wrong, in closed kinds, and what each kind means for the next try.
import type { Reason } from '../api/conditions.ts';

export type FailureKind =
  | 'invalid' // what was declared cannot be: a person must change it
  | 'denied' // somebody refused us a right
  | 'missing' // something that should be there is not
  | 'conflict' // it belongs to somebody else, or changed under our hands
  | 'throttled'
  | 'unavailable'
  | 'unexpected';

export interface Retry {
  /** Whether time alone cannot mend it: kstatus's Stalled. */
  readonly needsPerson: boolean;
  /** First and longest wait in milliseconds; doubled from one try to the next. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/** One row a kind, so that a new kind without a row does not compile. A resync may come sooner than the wait. */
export const retryTable: { readonly [K in FailureKind]: Retry } = {
  invalid: { needsPerson: true, firstMs: 30_000, longestMs: 300_000 },
  denied: { needsPerson: false, firstMs: 15_000, longestMs: 300_000 },
  missing: { needsPerson: false, firstMs: 10_000, longestMs: 120_000 },
  conflict: { needsPerson: true, firstMs: 10_000, longestMs: 300_000 },
  throttled: { needsPerson: false, firstMs: 2_000, longestMs: 60_000 },
  unavailable: { needsPerson: false, firstMs: 1_000, longestMs: 60_000 },
  unexpected: { needsPerson: false, firstMs: 5_000, longestMs: 300_000 },
};

/**
 * A foreseen failure. `message` is shown to users (status, events): it names the object and the next step, and holds no
 * secret and no bytes chosen by a remote side. `cause` goes to the log only.
 */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly reason: Reason;
  /** What a remote side asked us to wait, if it did. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: FailureKind,
    reason: Reason,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whatever was thrown, as a Failure. The unforeseen gets a fixed message, so that nothing unforeseen reaches a status. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof Error && outOfTime.has(thrown.name)) {
    const message = 'The pass ran out of time; the operator looks again.';
    return new Failure('unavailable', 'Progressing', message, { cause: thrown });
  }
  return new Failure(
    'unexpected',
    'InternalError',
    'An unexpected error; the operator log has the details.',
    {
      cause: thrown,
    },
  );
}

/** Names of what signals are aborted with when time runs out. */
const outOfTime: ReadonlySet<string> = new Set(['DeadlineExceeded', 'TimeoutError', 'AbortError']);
