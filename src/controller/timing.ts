// Every wait of the controller core in milliseconds, in one value, so that a test run can scale them together.
import { scaledLimit } from '../kernel/limit.ts';
import type { Backoff } from './backoff.ts';

export interface ReflectorTiming {
  /** A watch that brings nothing, not even a bookmark, for so long is taken for half open and cut. */
  readonly watchdogMs: number;
  /** How long the server is asked to keep a watch, give or take a tenth. */
  readonly watchMs: number;
  /** A full list at least so often, because an event may have been lost without a trace. */
  readonly relistMs: number;
  readonly backoff: Backoff;
}

export interface PassTiming {
  /** After this the pass's signal is aborted. */
  readonly deadlineMs: number;
  /** A pass that still runs so long after its signal was aborted no longer occupies its worker. */
  readonly overrunMs: number;
}

export interface LeaseTiming {
  readonly durationMs: number;
  /** So long after the last renewal a lease still says that those who hold it work: the next of them is expected until then. */
  readonly handOverMs: number;
  /** A leader that could not renew for so long stops. Must be less than the duration. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

export interface EventTiming {
  /** The same event within this window is counted, not sent again. */
  readonly windowMs: number;
  readonly attemptMs: number;
  readonly backoff: Backoff;
}

export interface Timing {
  readonly reflector: ReflectorTiming;
  readonly queue: { readonly backoff: Backoff };
  readonly pass: PassTiming;
  readonly lease: LeaseTiming;
  readonly events: EventTiming;
}

/** Watch figures fit kube-apiserver, which sends a bookmark each minute; the lease's are client-go's defaults. */
export const defaultTiming: Timing = {
  reflector: {
    watchdogMs: 90_000,
    watchMs: 290_000,
    relistMs: 900_000,
    backoff: { baseMs: 800, maxMs: 30_000 },
  },
  queue: { backoff: { baseMs: 250, maxMs: 300_000 } },
  pass: { deadlineMs: 120_000, overrunMs: 10_000 },
  lease: { durationMs: 15_000, handOverMs: 120_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
  events: { windowMs: 600_000, attemptMs: 10_000, backoff: { baseMs: 1_000, maxMs: 10_000 } },
};

/** The same timing with every wait multiplied by `factor`; limits as `scaledLimit` says. */
export function scaleTiming(timing: Timing, factor: number): Timing {
  const backoff = ({ baseMs, maxMs }: Backoff): Backoff => ({
    baseMs: baseMs * factor,
    maxMs: maxMs * factor,
  });
  const { reflector, queue, pass, lease, events } = timing;
  return {
    reflector: {
      watchdogMs: reflector.watchdogMs * factor,
      watchMs: reflector.watchMs * factor,
      relistMs: reflector.relistMs * factor,
      backoff: backoff(reflector.backoff),
    },
    queue: { backoff: backoff(queue.backoff) },
    pass: { deadlineMs: scaledLimit(pass.deadlineMs, factor), overrunMs: pass.overrunMs * factor },
    lease: {
      durationMs: lease.durationMs * factor,
      handOverMs: lease.handOverMs * factor,
      renewDeadlineMs: lease.renewDeadlineMs * factor,
      retryMs: lease.retryMs * factor,
    },
    events: {
      windowMs: events.windowMs * factor,
      attemptMs: scaledLimit(events.attemptMs, factor),
      backoff: backoff(events.backoff),
    },
  };
}
