// The Grafana dashboard: rows of panels, each a few queries, as one table.

interface Query {
  readonly expr: string;
  /** What a line is called; labels in double braces. */
  readonly legend: string;
}
interface Panel {
  readonly title: string;
  readonly queries: readonly Query[];
  readonly unit?: 's' | 'short' | 'ops' | 'percentunit' | 'dateTimeFromNow';
  readonly type?: 'timeseries' | 'stat';
}

// By namespace, because most names are shared with every operator built on controller-runtime.
const here = 'namespace=~"$namespace"';
const ours = `controller=~"iamdatabase|iamdatabaseuser|sweep",${here}`;
const queues = `name=~"iamdatabase|iamdatabaseuser|sweep",${here}`;
const p99 = (metric: string, by: string, labels = here) =>
  `histogram_quantile(0.99, sum by (${by}, le) (rate(${metric}_bucket{${labels}}[$__rate_interval])))`;
const rate = (metric: string, by: string, labels = here) =>
  `sum by (${by}) (rate(${metric}{${labels}}[$__rate_interval]))`;
const one = (expr: string, legend: string): readonly Query[] => [{ expr, legend }];

export const rows: Readonly<Record<string, readonly Panel[]>> = {
  'How the objects fare': [
    {
      title: 'Objects',
      type: 'stat',
      queries: one(`sum by (kind) (iamdb_objects{${here}})`, '{{kind}}'),
    },
    {
      title: 'Leader',
      type: 'stat',
      queries: one(`sum(leader_election_master_status{name="iamdb-operator",${here}})`, 'replicas that lead'),
    },
    {
      title: 'Version',
      type: 'stat',
      queries: one(`count by (version) (iamdb_build_info{${here}})`, '{{version}}'),
    },
    {
      title: 'Users by Ready',
      queries: one(
        `sum by (status, reason) (iamdb_conditions{kind="IamDatabaseUser",type="Ready",${here}})`,
        '{{status}} {{reason}}',
      ),
    },
    {
      title: 'Databases by Ready',
      queries: one(
        `sum by (status, reason) (iamdb_conditions{kind="IamDatabase",type="Ready",${here}})`,
        '{{status}} {{reason}}',
      ),
    },
    {
      title: 'Conditions that are False',
      queries: one(
        `sum by (kind, type, reason) (iamdb_conditions{status="False",${here}})`,
        '{{kind}} {{type}} {{reason}}',
      ),
    },
    { title: 'Access proofs', unit: 'ops', queries: one(rate('iamdb_probes_total', 'result'), '{{result}}') },
    { title: 'Failures', unit: 'ops', queries: one(rate('iamdb_failures_total', 'reason'), '{{reason}}') },
  ],
  Passes: [
    {
      title: 'Passes',
      unit: 'ops',
      queries: one(
        rate('controller_runtime_reconcile_total', 'controller, result', ours),
        '{{controller}} {{result}}',
      ),
    },
    {
      title: 'Duration of passes (p99)',
      unit: 's',
      queries: one(p99('controller_runtime_reconcile_time_seconds', 'controller', ours), '{{controller}}'),
    },
    {
      title: 'Waiting and running',
      queries: [
        { expr: `sum by (name) (workqueue_depth{${queues}})`, legend: '{{name}} waiting' },
        {
          expr: `sum by (controller) (controller_runtime_active_workers{${ours}})`,
          legend: '{{controller}} running',
        },
        {
          expr: `max by (controller) (controller_runtime_max_concurrent_reconciles{${ours}})`,
          legend: '{{controller}} at most',
        },
      ],
    },
    {
      title: 'Wait before a pass (p99)',
      unit: 's',
      queries: one(p99('workqueue_queue_duration_seconds', 'name', queues), '{{name}}'),
    },
    {
      title: 'Longest pass that runs',
      unit: 's',
      queries: one(`max by (name) (workqueue_longest_running_processor_seconds{${queues}})`, '{{name}}'),
    },
    {
      title: 'Wishes and retries',
      unit: 'ops',
      queries: [
        { expr: rate('workqueue_adds_total', 'name', queues), legend: '{{name}} wishes' },
        { expr: rate('workqueue_retries_total', 'name', queues), legend: '{{name}} retries' },
      ],
    },
  ],
  AWS: [
    {
      title: 'Calls',
      unit: 'ops',
      queries: one(rate('iamdb_aws_calls_total', 'service, operation'), '{{service}}:{{operation}}'),
    },
    {
      title: 'Calls that were not ok',
      unit: 'ops',
      queries: one(
        rate('iamdb_aws_calls_total', 'service, operation, outcome', `outcome!="ok",${here}`),
        '{{service}}:{{operation}} {{outcome}}',
      ),
    },
    {
      title: 'Duration of calls (p99)',
      unit: 's',
      queries: one(p99('iamdb_aws_call_duration_seconds', 'service, operation'), '{{service}}:{{operation}}'),
    },
    {
      title: 'IAM quotas used',
      unit: 'percentunit',
      queries: one(
        `max by (quota) (iamdb_iam_quota_used{${here}} / iamdb_iam_quota_limit{${here}})`,
        '{{quota}}',
      ),
    },
    {
      title: 'Database users let in that no object stands for',
      queries: one(`max by (account) (iamdb_policy_arns_without_user{${here}})`, '{{account}}'),
    },
  ],
  'PostgreSQL and the API server': [
    {
      title: 'SQL round trips',
      unit: 'ops',
      queries: one(rate('iamdb_sql_round_trips_total', 'kind, outcome'), '{{kind}} {{outcome}}'),
    },
    {
      title: 'SQL statements',
      unit: 'ops',
      queries: one(rate('iamdb_sql_statements_total', 'kind'), '{{kind}}'),
    },
    {
      title: 'Duration of round trips (p99)',
      unit: 's',
      queries: one(p99('iamdb_sql_round_trip_duration_seconds', 'kind'), '{{kind}}'),
    },
    { title: 'Connections', queries: one(`sum by (to) (iamdb_connections_open{${here}})`, 'to {{to}}') },
    {
      title: 'Requests to the API server',
      unit: 'ops',
      queries: one(
        // Every client of an API server has these: of the pods of this operator only.
        `sum by (method, code) (rate(rest_client_requests_total{${here}}[$__rate_interval]) and on (namespace, pod) iamdb_build_info)`,
        '{{method}} {{code}}',
      ),
    },
  ],
  Trust: [
    {
      title: 'First certificate authority to end',
      type: 'stat',
      unit: 'dateTimeFromNow',
      queries: one(
        `min by (region) (iamdb_ca_earliest_expiry_timestamp_seconds{${here}}) * 1000`,
        '{{region}}',
      ),
    },
    {
      title: 'Trust bundle fetched',
      type: 'stat',
      unit: 'dateTimeFromNow',
      queries: one(
        `max by (region) (iamdb_ca_bundle_fetched_timestamp_seconds{${here}}) * 1000`,
        '{{region}}',
      ),
    },
  ],
  Process: [
    {
      title: 'Memory',
      queries: one(
        `process_resident_memory_bytes{${here}} and on (namespace, pod) iamdb_build_info`,
        '{{pod}}',
      ),
    },
    {
      title: 'CPU',
      queries: one(
        `rate(process_cpu_seconds_total{${here}}[$__rate_interval]) and on (namespace, pod) iamdb_build_info`,
        '{{pod}}',
      ),
    },
    {
      title: 'Event loop lag (p99)',
      unit: 's',
      queries: one(
        `nodejs_eventloop_lag_p99_seconds{${here}} and on (namespace, pod) iamdb_build_info`,
        '{{pod}}',
      ),
    },
  ],
};

const datasource = { type: 'prometheus', uid: '${datasource}' };
const height = 8;
const perRow = 3;
const width = 24 / perRow;

/** File name to text. */
export function dashboardFiles(): Readonly<Record<string, string>> {
  const dashboard = {
    uid: 'iamdb-operator',
    title: 'iamdb-operator',
    tags: ['iamdb-operator'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [datasourceVariable, namespaceVariable] },
    panels: panels(),
  };
  return {
    'charts/iamdb-operator/dashboards/iamdb-operator.json': `${JSON.stringify(dashboard, null, 2)}\n`,
  };
}

const datasourceVariable = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
};
const namespaceVariable = {
  name: 'namespace',
  label: 'Namespace',
  type: 'query',
  datasource,
  query: { query: 'label_values(iamdb_build_info, namespace)', refId: 'namespace' },
  refresh: 2,
  includeAll: true,
  multi: true,
  // Where nothing sets the label, as in a scrape by hand, everything is shown.
  allValue: '.*',
  current: { text: 'All', value: '$__all' },
};

function panels(): readonly object[] {
  const all: object[] = [];
  let y = 0;
  for (const [title, row] of Object.entries(rows)) {
    all.push({ id: all.length + 1, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: 24, h: 1 } });
    y += 1;
    for (const [index, panel] of row.entries()) {
      const x = (index % perRow) * width;
      if (index > 0 && x === 0) y += height;
      all.push({ id: all.length + 1, ...drawn(panel), gridPos: { x, y, w: width, h: height } });
    }
    y += height;
  }
  return all;
}

const drawn = ({ title, queries, unit = 'short', type = 'timeseries' }: Panel): object => ({
  type,
  title,
  datasource,
  fieldConfig: { defaults: { unit }, overrides: [] },
  targets: queries.map(({ expr, legend }, index) => ({
    refId: String.fromCodePoint(65 + index),
    datasource,
    expr,
    legendFormat: legend,
    ...(type === 'stat' ? { instant: true } : {}),
  })),
});
