// The workers: take a key, run a pass over it under a deadline, and settle when the key comes next.
import { startDeadline } from './abort.ts';
import type { Clock } from './clock.ts';
import type { Report } from './incident.ts';
import type { PassTiming } from './timing.ts';
import type { Taken, WorkQueue } from './work-queue.ts';

export interface PassResult {
  /** Look again after this. With `retry` it is the least wait. */
  readonly requeueAfterMs?: number;
  /** Look again with the key's growing back-off. */
  readonly retry?: boolean;
  /** Of a retry: what went wrong, for the log. */
  readonly because?: Error;
}

/** One pass. The signal is aborted at the pass's deadline and when the workers are stopped for good. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<PassResult>;

/** Named as controller-runtime names its metrics. */
export interface ReconcileMetrics {
  reconciled(result: 'success' | 'error' | 'requeue' | 'requeue_after', seconds: number): void;
  activeWorkers(count: number): void;
}

export interface WorkersOptions {
  readonly queue: WorkQueue;
  readonly count: number;
  readonly reconcile: Reconcile;
  readonly timing: PassTiming;
  readonly clock: Clock;
  readonly report: Report;
  readonly metrics?: ReconcileMetrics;
}

export interface Workers {
  /**
   * Hands out no more keys, gives running passes `drainMs` to end by themselves, then aborts them and waits the overrun
   * time. 'abandoned' means that some pass did not even react to that. After a lost lease use 0.
   */
  stop(options: { readonly drainMs: number }): Promise<'drained' | 'abandoned'>;
}

export function startWorkers(options: WorkersOptions): Workers {
  const { queue, count, reconcile, timing, clock, report, metrics } = options;
  const stopping = new AbortController();
  let active = 0;

  const settle = ({ key, priority }: Taken, result: PassResult) => {
    if (result.retry === true) {
      const waitMs = queue.retry(key, { priority, atLeastMs: result.requeueAfterMs ?? 0 });
      if (result.because !== undefined) {
        report({ what: 'pass-failed', subject: key, error: result.because, waitMs });
      }
      return 'requeue';
    }
    queue.forget(key);
    if (result.requeueAfterMs === undefined) return 'success';
    queue.add(key, { priority: 'resync', afterMs: result.requeueAfterMs });
    return 'requeue_after';
  };

  /** Never rejects: whatever a pass throws is reported and becomes a retry. */
  const pass = async (taken: Taken, signal: AbortSignal) => {
    const startedAt = clock.now();
    const seconds = () => (clock.now() - startedAt) / 1000;
    try {
      const result = await reconcile(taken.key, signal);
      metrics?.reconciled(settle(taken, result), seconds());
    } catch (error) {
      const waitMs = queue.retry(taken.key, { priority: taken.priority });
      report({ what: 'pass-threw', subject: taken.key, error, waitMs });
      metrics?.reconciled('error', seconds());
    }
    // Only now: until the pass has really ended nobody else may work on its key.
    queue.done(taken.key);
  };

  const passWithin = async (taken: Taken) => {
    const deadline = startDeadline(clock, timing.deadlineMs, stopping.signal);
    const overrun = Promise.withResolvers<void>();
    const cancelOverrun = clock.after(timing.deadlineMs + timing.overrunMs, () => {
      report({ what: 'pass-overran', subject: taken.key });
      overrun.resolve();
    });
    const ended = pass(taken, deadline.signal);
    await Promise.race([ended, overrun.promise]);
    cancelOverrun();
    deadline.end();
  };

  const work = async () => {
    for (let taken = await queue.next(); taken !== undefined; taken = await queue.next()) {
      active += 1;
      metrics?.activeWorkers(active);
      await passWithin(taken);
      active -= 1;
      metrics?.activeWorkers(active);
    }
  };

  for (let index = 0; index < count; index += 1) void work();

  return {
    stop: async ({ drainMs }) => {
      const drained = queue.shutdown().then(() => 'drained' as const);
      const giveUp = Promise.withResolvers<'abandoned'>();
      const cancels = [
        clock.after(drainMs, () => stopping.abort(new Error('the workers are stopping'))),
        clock.after(drainMs + timing.overrunMs, () => giveUp.resolve('abandoned')),
      ];
      const outcome = await Promise.race([drained, giveUp.promise]);
      for (const cancel of cancels) cancel();
      return outcome;
    },
  };
}
