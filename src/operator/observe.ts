// What is looked up when metrics are scraped: the queues, the connections, who leads, and how the objects fare.
import type { Condition } from '../api/conditions.ts';
import type { WorkQueue } from '../controller/work-queue.ts';
import type { LabelsOf, Metrics } from '../ops/metrics.ts';
import type { KubeTransport } from '../systems/kubernetes/transport.ts';
import type { Caches } from './caches.ts';

type ConditionLabels = LabelsOf<'iamdb_conditions'>;

export function observe(options: {
  readonly metrics: Metrics;
  readonly caches: Pick<Caches, 'databases' | 'users'>;
  /** By the names of their controllers. */
  readonly queues: Readonly<Record<string, WorkQueue>>;
  readonly transport: Pick<KubeTransport, 'connected'>;
  readonly isLeader: () => boolean;
}): void {
  const { metrics, caches, queues, transport, isLeader } = options;
  metrics.set('iamdb_connections_open', { to: 'postgresql' }, 0);
  metrics.onScrape(() => {
    for (const [name, queue] of Object.entries(queues)) {
      metrics.set('workqueue_depth', { name }, queue.depth());
      metrics.set('workqueue_unfinished_work_seconds', { name }, queue.unfinishedWorkSeconds());
      metrics.set(
        'workqueue_longest_running_processor_seconds',
        { name },
        queue.longestRunningProcessorSeconds(),
      );
    }
    metrics.set('iamdb_connections_open', { to: 'apiserver' }, transport.connected());
    metrics.set('leader_election_master_status', { name: 'iamdb-operator' }, isLeader() ? 1 : 0);
    const objects = { IamDatabase: caches.databases.list(), IamDatabaseUser: caches.users.list() };
    // A standby would count the same objects again.
    const counted = isLeader() ? Object.entries(objects) : [];
    metrics.replace(
      'iamdb_objects',
      counted.map(([kind, all]) => [{ kind }, all.length]),
    );
    metrics.replace(
      'iamdb_conditions',
      counted.flatMap(([kind, all]) => countConditions(kind, all)),
    );
  });
}

interface WithConditions {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export function countConditions(
  kind: string,
  objects: readonly WithConditions[],
): readonly (readonly [labels: ConditionLabels, count: number])[] {
  const counts = new Map<string, { readonly labels: ConditionLabels; count: number }>();
  for (const { status } of objects) {
    for (const { type, status: is, reason } of status?.conditions ?? []) {
      const key = `${type} ${is} ${reason}`;
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { labels: { kind, type, status: is, reason }, count: 1 });
      else known.count += 1;
    }
  }
  return [...counts.values()].map(({ labels, count }) => [labels, count]);
}
