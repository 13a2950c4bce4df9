// A controller: a work queue and the workers that empty it, once they are allowed to.
import type { Clock } from './clock.ts';
import type { Report } from './incident.ts';
import type { Timing } from './timing.ts';
import { createWorkQueue, type WorkQueue, type WorkQueueMetrics } from './work-queue.ts';
import { type Reconcile, type ReconcileMetrics, startWorkers, type Workers } from './workers.ts';

export interface Controller {
  /** Watch handlers and dependencies put keys here at any time; before `start` they wait. */
  readonly queue: WorkQueue;
  /** Begins to work: when the stores are synced and the lease is held. A second call changes nothing. */
  start(): void;
  /** See `Workers.stop`; a controller does not start again. */
  stop(options: { readonly drainMs: number }): Promise<'drained' | 'abandoned'>;
}

export interface ControllerOptions {
  readonly reconcile: Reconcile;
  /** How many passes may run at once, each over another key. */
  readonly concurrency: number;
  readonly timing: Pick<Timing, 'queue' | 'pass'>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly report: Report;
  readonly groupOf?: (key: string) => string;
  readonly queueMetrics?: WorkQueueMetrics;
  readonly reconcileMetrics?: ReconcileMetrics;
}

export function createController(options: ControllerOptions): Controller {
  const { reconcile, concurrency, timing, clock, random, report } = options;
  const queue = createWorkQueue({
    clock,
    random,
    backoff: timing.queue.backoff,
    ...(options.groupOf === undefined ? {} : { groupOf: options.groupOf }),
    ...(options.queueMetrics === undefined ? {} : { metrics: options.queueMetrics }),
  });
  let workers: Workers | undefined;
  let stopped = false;

  return {
    queue,
    start: () => {
      if (stopped) return;
      workers ??= startWorkers({
        queue,
        count: concurrency,
        reconcile,
        timing: timing.pass,
        clock,
        report,
        ...(options.reconcileMetrics === undefined ? {} : { metrics: options.reconcileMetrics }),
      });
    },
    stop: async (how) => {
      stopped = true;
      if (workers !== undefined) return workers.stop(how);
      await queue.shutdown();
      return 'drained';
    },
  };
}
