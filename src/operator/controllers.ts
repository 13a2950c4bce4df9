// The three controllers: databases, users, and the look at what nobody asks for any more.
import type { Config } from '../config.ts';
import { systemClock } from '../controller/clock.ts';
import { type Controller, createController } from '../controller/controller.ts';
import type { Report } from '../controller/incident.ts';
import type { Timing } from '../controller/timing.ts';
import type { Log } from '../ops/log.ts';
import { type Metrics, queueMetrics, reconcileMetrics } from '../ops/metrics.ts';
import { reconcileDatabase } from '../reconcile/database.ts';
import type { NextLook } from '../reconcile/next-look.ts';
import { reconcileUser } from '../reconcile/user.ts';
import type { World } from '../reconcile/world.ts';
import type { AwsSystems } from './aws.ts';
import type { Caches } from './caches.ts';
import { retryForeseen } from './foreseen.ts';
import { createSweeper } from './sweeper.ts';
import { tellWithoutUser } from './without-user.ts';

export interface Controllers {
  readonly databases: Controller;
  readonly users: Controller;
  readonly sweeps: Controller;
}

export function createControllers(options: {
  readonly config: Config;
  readonly world: World;
  readonly caches: Caches;
  readonly aws: AwsSystems;
  readonly timing: Timing;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly report: Report;
}): Controllers {
  const { config, world, caches, aws, timing, log, metrics, report } = options;
  const controllerOf = (
    name: string,
    reconcile: (key: string, signal: AbortSignal) => Promise<NextLook>,
    concurrency: number,
  ): Controller =>
    createController({
      reconcile: retryForeseen(
        log.passes(name, async (key, signal) => {
          const { afterMs } = await reconcile(key, signal);
          return afterMs === undefined ? {} : { requeueAfterMs: afterMs };
        }),
        ({ reason }) => metrics.add('iamdb_failures_total', { reason }),
      ),
      concurrency,
      timing,
      clock: systemClock,
      random: Math.random,
      report,
      queueMetrics: queueMetrics(metrics, name),
      reconcileMetrics: reconcileMetrics(metrics, name, concurrency),
    });
  const tell = tellWithoutUser({ log, metrics, scope: world.scope });
  const sweep = createSweeper({ world, caches, aws, tell, timeScale: config['time-scale'] });
  return {
    // A dead server takes ten seconds of a pass, and a dozen are not to hold up the others; what is asked of AWS is shared.
    databases: controllerOf('iamdatabase', (key, signal) => reconcileDatabase(key, world, signal), atOnce),
    users: controllerOf(
      'iamdatabaseuser',
      (key, signal) => reconcileUser(key, world, signal),
      config.workers,
    ),
    // What it takes away is access: a call that hangs is not to hold up the others.
    sweeps: controllerOf('sweep', sweep, atOnce),
  };
}

/** Passes that mostly wait, and hold little meanwhile. */
const atOnce = 16;
