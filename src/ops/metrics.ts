// Prometheus metrics: controller-runtime's names where it has one, so that existing dashboards work.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { WorkQueueMetrics } from '../controller/work-queue.ts';
import type { ReconcileMetrics } from '../controller/workers.ts';
import type { RequestRecord } from '../systems/kubernetes/transport.ts';

export interface Metrics {
  readonly registry: Registry;
  kubeRequest(record: RequestRecord): void;
  awsCall(call: {
    readonly service: string;
    readonly operation: string;
    readonly status: number | undefined;
    readonly durationMs: number;
  }): void;
  proof(result: string): void;
  leading(isLeading: boolean): void;
  queue(name: string): WorkQueueMetrics;
  reconcile(controller: string, concurrency: number): ReconcileMetrics;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: readonly string[]) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, labelNames: readonly string[]) =>
    new Histogram({ name, help, labelNames, buckets: seconds, registers });

  const requests = counter('rest_client_requests_total', 'Requests to the API server', ['code', 'method']);
  const awsCalls = counter('iamdb_aws_calls_total', 'Calls to AWS', ['service', 'operation', 'status']);
  const awsSeconds = histogram('iamdb_aws_call_duration_seconds', 'Duration of calls to AWS', [
    'service',
    'operation',
  ]);
  const proofs = counter('iamdb_probes_total', 'Access proofs by result', ['result']);
  const leader = gauge('leader_election_master_status', 'Whether this process leads', ['name']);
  const depth = gauge('workqueue_depth', 'Keys waiting', ['name']);
  const adds = counter('workqueue_adds_total', 'Keys added', ['name']);
  const waits = histogram('workqueue_queue_duration_seconds', 'Wait before a pass', ['name']);
  const works = histogram('workqueue_work_duration_seconds', 'Duration of work on a key', ['name']);
  const retries = counter('workqueue_retries_total', 'Retries', ['name']);
  const passes = counter('controller_runtime_reconcile_total', 'Passes by result', ['controller', 'result']);
  const errors = counter('controller_runtime_reconcile_errors_total', 'Passes that threw', ['controller']);
  const passSeconds = histogram('controller_runtime_reconcile_time_seconds', 'Duration of a pass', [
    'controller',
  ]);
  const active = gauge('controller_runtime_active_workers', 'Passes running', ['controller']);
  const most = gauge('controller_runtime_max_concurrent_reconciles', 'Passes at most', ['controller']);

  return {
    registry,
    kubeRequest: ({ method, status }) => requests.inc({ code: String(status), method }),
    awsCall: ({ service, operation, status, durationMs }) => {
      awsCalls.inc({ service, operation, status: String(status ?? 'none') });
      awsSeconds.observe({ service, operation }, durationMs / 1000);
    },
    proof: (result) => proofs.inc({ result }),
    leading: (isLeading) => leader.set({ name: 'iamdb-operator' }, isLeading ? 1 : 0),
    queue: (name) => ({
      adds: () => adds.inc({ name }),
      depth: (keys) => depth.set({ name }, keys),
      queueDurationSeconds: (s) => waits.observe({ name }, s),
      workDurationSeconds: (s) => works.observe({ name }, s),
      retries: () => retries.inc({ name }),
    }),
    reconcile: (controller, concurrency) => {
      most.set({ controller }, concurrency);
      return {
        reconciled: (result, s) => {
          passes.inc({ controller, result });
          if (result === 'error') errors.inc({ controller });
          passSeconds.observe({ controller }, s);
        },
        activeWorkers: (count) => active.set({ controller }, count),
      };
    },
  };
}
