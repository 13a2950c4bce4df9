// Prometheus metrics as the catalogue has them: written where something happens, or looked up when they are scraped.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { WorkQueueMetrics } from '../controller/work-queue.ts';
import type { ReconcileMetrics } from '../controller/workers.ts';
import type { RequestRecord } from '../systems/kubernetes/transport.ts';
import { type Catalogue, catalogue, type MetricName } from './catalogue.ts';

type Named<Type extends string> = {
  [N in MetricName]: Catalogue[N]['type'] extends Type ? N : never;
}[MetricName];
/** Exactly the labels that the catalogue has. */
export type LabelsOf<N extends MetricName> = Readonly<Record<Catalogue[N]['labels'][number], string>>;
export type Sample<N extends MetricName> = readonly [labels: LabelsOf<N>, value: number];

export interface Metrics {
  readonly contentType: string;
  /** What a scrape is answered with. */
  text(): Promise<string>;
  add<N extends Named<'counter'>>(name: N, labels: LabelsOf<N>, by?: number): void;
  set<N extends Named<'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** All that there is of it: what else was told before is gone. */
  replace<N extends Named<'gauge'>>(name: N, samples: readonly Sample<N>[]): void;
  observe<N extends Named<'histogram'>>(name: N, labels: LabelsOf<N>, seconds: number): void;
  /** Looks at each scrape; must be quick, and must not throw. */
  onScrape(look: () => void): void;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counters = new Map<MetricName, Counter>();
  const gauges = new Map<MetricName, Gauge>();
  const histograms = new Map<MetricName, Histogram>();
  const looks: (() => void)[] = [];

  for (const [key, { type, labels: labelNames, help }] of Object.entries(catalogue)) {
    const name = key as MetricName;
    if (type === 'counter') counters.set(name, new Counter({ name, help, labelNames, registers }));
    else if (type === 'gauge') gauges.set(name, new Gauge({ name, help, labelNames, registers }));
    else histograms.set(name, new Histogram({ name, help, labelNames, registers, buckets: seconds }));
  }

  return {
    contentType: registry.contentType,
    text: async () => {
      for (const look of looks) look();
      return await registry.metrics();
    },
    add: (name, labels, by = 1) => counters.get(name)?.inc(labels, by),
    set: (name, labels, value) => gauges.get(name)?.set(labels, value),
    replace: (name, samples) => {
      const gauge = gauges.get(name);
      gauge?.reset();
      for (const [labels, value] of samples) gauge?.set(labels, value);
    },
    observe: (name, labels, value) => histograms.get(name)?.observe(labels, value),
    onScrape: (look) => looks.push(look),
  };
}

// An increase is seen only of what began with 0.
export function queueMetrics({ add, set, observe }: Metrics, name: string): WorkQueueMetrics {
  add('workqueue_retries_total', { name }, 0);
  return {
    adds: () => add('workqueue_adds_total', { name }),
    depth: (keys) => set('workqueue_depth', { name }, keys),
    queueDurationSeconds: (s) => observe('workqueue_queue_duration_seconds', { name }, s),
    workDurationSeconds: (s) => observe('workqueue_work_duration_seconds', { name }, s),
    retries: () => add('workqueue_retries_total', { name }),
  };
}

export function reconcileMetrics(
  { add, set, observe }: Metrics,
  controller: string,
  concurrency: number,
): ReconcileMetrics {
  set('controller_runtime_max_concurrent_reconciles', { controller }, concurrency);
  add('controller_runtime_reconcile_errors_total', { controller }, 0);
  return {
    reconciled: (result, s) => {
      add('controller_runtime_reconcile_total', { controller, result });
      if (result === 'error') add('controller_runtime_reconcile_errors_total', { controller });
      observe('controller_runtime_reconcile_time_seconds', { controller }, s);
    },
    activeWorkers: (count) => set('controller_runtime_active_workers', { controller }, count),
  };
}

export const requestMetrics =
  ({ add, observe }: Metrics, host: string) =>
  ({ method, status, durationMs }: RequestRecord): void => {
    add('rest_client_requests_total', { code: String(status), method, host });
    observe('rest_client_request_duration_seconds', { verb: method, host }, durationMs / 1000);
  };

export const awsMetrics =
  ({ add, observe }: Metrics) =>
  (call: {
    readonly service: string;
    readonly operation: string;
    readonly outcome: string;
    readonly durationMs: number;
  }): void => {
    const { service, operation, outcome, durationMs } = call;
    add('iamdb_aws_calls_total', { service, operation, outcome });
    observe('iamdb_aws_call_duration_seconds', { service, operation }, durationMs / 1000);
  };

export const sqlMetrics =
  ({ add, observe }: Metrics) =>
  (trip: {
    readonly kind: 'read' | 'write' | 'undo';
    readonly outcome: 'ok' | 'refused' | 'failed';
    readonly statements: number;
    readonly durationMs: number;
  }): void => {
    const { kind, outcome, statements, durationMs } = trip;
    add('iamdb_sql_round_trips_total', { kind, outcome });
    add('iamdb_sql_statements_total', { kind }, statements);
    observe('iamdb_sql_round_trip_duration_seconds', { kind }, durationMs / 1000);
  };
