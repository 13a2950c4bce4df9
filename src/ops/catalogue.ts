// Every metric of the operator, as one table: metrics.ts makes them from it, docs/reference/metrics.md tells of them, and the chart's alerts and dashboard name no other.

interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Told by the replica that leads only, because only there it is known. */
  readonly leaderOnly?: true;
}

/** Where controller-runtime has a name for it, it is that one, so that existing dashboards work. */
export const catalogue = {
  iamdb_build_info: {
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; what runs here.',
  },
  iamdb_objects: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Objects of ours in the cluster.',
    leaderOnly: true,
  },
  iamdb_conditions: {
    type: 'gauge',
    labels: ['kind', 'type', 'status', 'reason'],
    help: 'Objects whose condition of that type has that status and reason.',
    leaderOnly: true,
  },
  iamdb_failures_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Failures that passes or parts of them ended with, by the reason that the status shows.',
  },
  iamdb_probes_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Access proofs by the reason of their verdict; Verified is the good one.',
  },
  iamdb_aws_calls_total: {
    type: 'counter',
    labels: ['service', 'operation', 'outcome'],
    help: 'Calls to AWS: ok, or what kind of failure it was: throttled, denied, unavailable, ...',
  },
  iamdb_aws_call_duration_seconds: {
    type: 'histogram',
    labels: ['service', 'operation'],
    help: 'Duration of calls to AWS.',
  },
  iamdb_iam_quota_used: {
    type: 'gauge',
    labels: ['account', 'quota'],
    help: 'What is used of an IAM quota: policies of the account (own, or that of spec.assumeRole of an IamDatabase), policies attached to the fullest role of those that were looked at today.',
    leaderOnly: true,
  },
  iamdb_iam_quota_limit: {
    type: 'gauge',
    labels: ['account', 'quota'],
    help: 'That quota itself.',
    leaderOnly: true,
  },
  iamdb_policy_arns_without_user: {
    type: 'gauge',
    labels: ['account'],
    help: 'Database users that policies of this operator id let in and that no IamDatabaseUser stands for here, as they were written by another cluster or for other namespaces: they are kept, and the log names them (own, or the account of spec.assumeRole).',
    leaderOnly: true,
  },
  iamdb_sql_round_trips_total: {
    type: 'counter',
    labels: ['kind', 'outcome'],
    help: "Round trips of the admin's sessions: read, write, or undo (a transaction that is given up); ok, refused by the server, or failed with the connection.",
  },
  iamdb_sql_statements_total: {
    type: 'counter',
    labels: ['kind'],
    help: 'Statements that were answered in those round trips.',
  },
  iamdb_sql_round_trip_duration_seconds: {
    type: 'histogram',
    labels: ['kind'],
    help: 'Duration of those round trips.',
  },
  iamdb_connections_open: {
    type: 'gauge',
    labels: ['to'],
    help: "Connections that are open: to postgresql (the admin's sessions) and to the apiserver.",
  },
  iamdb_ca_earliest_expiry_timestamp_seconds: {
    type: 'gauge',
    labels: ['region'],
    help: 'When the first certificate authority of the trust bundle ends, for each region of an IamDatabase.',
    leaderOnly: true,
  },
  iamdb_ca_bundle_fetched_timestamp_seconds: {
    type: 'gauge',
    labels: ['region'],
    help: 'When the trust bundle of a region was last fetched.',
    leaderOnly: true,
  },
  leader_election_master_status: {
    type: 'gauge',
    labels: ['name'],
    help: '1 where this replica leads, else 0.',
  },
  controller_runtime_reconcile_total: {
    type: 'counter',
    labels: ['controller', 'result'],
    help: 'Passes: success, requeue (failed, with back-off), requeue_after (looks again later), error (threw what nobody foresaw).',
  },
  controller_runtime_reconcile_errors_total: {
    type: 'counter',
    labels: ['controller'],
    help: 'Passes that threw what nobody foresaw, which none should.',
  },
  controller_runtime_reconcile_time_seconds: {
    type: 'histogram',
    labels: ['controller'],
    help: 'Duration of passes.',
  },
  controller_runtime_active_workers: {
    type: 'gauge',
    labels: ['controller'],
    help: 'Passes that run now.',
  },
  controller_runtime_max_concurrent_reconciles: {
    type: 'gauge',
    labels: ['controller'],
    help: 'Passes that may run at once.',
  },
  workqueue_depth: { type: 'gauge', labels: ['name'], help: 'Objects that wait for a pass.' },
  workqueue_adds_total: { type: 'counter', labels: ['name'], help: 'Objects put into the queue.' },
  workqueue_retries_total: { type: 'counter', labels: ['name'], help: 'Passes asked for after a failure.' },
  workqueue_queue_duration_seconds: {
    type: 'histogram',
    labels: ['name'],
    help: 'How long objects waited for their pass.',
  },
  workqueue_work_duration_seconds: {
    type: 'histogram',
    labels: ['name'],
    help: 'How long the work on an object took.',
  },
  workqueue_unfinished_work_seconds: {
    type: 'gauge',
    labels: ['name'],
    help: 'Seconds of work done that is not finished; one that grows is a pass that hangs.',
  },
  workqueue_longest_running_processor_seconds: {
    type: 'gauge',
    labels: ['name'],
    help: 'How long the longest pass has been running.',
  },
  rest_client_requests_total: {
    type: 'counter',
    labels: ['code', 'method', 'host'],
    help: 'Requests to the API server; code 0 where no answer came.',
  },
  rest_client_request_duration_seconds: {
    type: 'histogram',
    labels: ['verb', 'host'],
    help: 'Duration of requests to the API server; of a watch until it began.',
  },
} as const satisfies Record<string, Metric>;

export type Catalogue = typeof catalogue;
export type MetricName = keyof Catalogue;
