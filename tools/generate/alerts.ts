// The alerts, as one table: the chart's PrometheusRule and their reference page are made from it.
import { yaml } from './crds.ts';

interface Alert {
  readonly expr: string;
  /** How long it has to hold. */
  readonly for: string;
  /** critical: somebody's access is broken or about to be; warning: look within a day. */
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  /** What it means, and what to do. */
  readonly remedy: string;
}

// These names are shared with every operator built on controller-runtime.
const ours = 'iamdatabase|iamdatabaseuser|sweep';
/** What people chose, or what the owner of the object is told in its status and has to mend. */
const ownersOwn =
  'Planned|Expired|Suspended|NamespaceNotAllowed|UsernameNotAllowed|GroupNotAllowed|PrincipalNotAllowed|DatabaseNotAllowed|TooManyUsers|Conflict|DatabaseNotFound';

const look =
  'kubectl get iamdb,iamdbu -A -o wide shows which; each says in its status what is wrong and what to do (docs/reference/conditions.md).';

export const alerts: Readonly<Record<string, Alert>> = {
  IamdbOperatorAbsent: {
    expr: 'absent(iamdb_build_info)',
    for: '10m',
    severity: 'critical',
    summary: 'No replica of iamdb-operator is scraped.',
    remedy:
      'Access that works goes on working, but nothing new is granted, repaired or ended. See whether its pods run (kubectl -n iamdb-system get pods), and whether Prometheus selects the ServiceMonitor.',
  },
  IamdbNoLeader: {
    expr: 'sum by (namespace) (leader_election_master_status{name="iamdb-operator"}) < 1',
    for: '5m',
    severity: 'critical',
    summary: 'No replica of iamdb-operator leads, so that nothing is done.',
    remedy:
      "The log tells why the Lease cannot be had (lease-attempt-failed): mostly a missing right, or an API server that does not answer. The Lease is iamdb-operator-<operator id> in the operator's namespace.",
  },
  IamdbDatabaseNotReady: {
    expr: `sum by (namespace, reason) (iamdb_conditions{kind="IamDatabase",type="Ready",status="False",reason!~"Planned|Suspended"}) > 0`,
    for: '15m',
    severity: 'critical',
    summary: 'Databases are not ready ({{ $labels.reason }}): their users are neither made nor repaired.',
    remedy: `The endpoint, the engine, IAM authentication or the admin's rights are not as needed. ${look}`,
  },
  IamdbUserNotReady: {
    expr: `sum by (namespace, reason) (iamdb_conditions{kind="IamDatabaseUser",type="Ready",status="False",reason!~"${ownersOwn}"}) > 0`,
    for: '30m',
    severity: 'warning',
    summary: 'Users are not ready ({{ $labels.reason }}).',
    remedy: `Mistakes in the declaration itself and what a person chose are left out here, as their owners are told. ${look}`,
  },
  IamdbAccessProofFails: {
    expr: 'sum by (namespace, reason) (iamdb_conditions{type="AccessVerified",status="False"}) > 0',
    for: '15m',
    severity: 'critical',
    summary: 'Users cannot log in ({{ $labels.reason }}): the proof, made as the workload makes it, fails.',
    remedy: `Applications that open a new connection fail in the same way. ${look}`,
  },
  IamdbMassRevocationHeld: {
    expr: 'sum by (namespace) (iamdb_conditions{reason="MassRevocationHeld"}) > 0',
    for: '0m',
    severity: 'critical',
    summary: 'One change would end the access of many users, and waits for a person.',
    remedy:
      'Somebody edited allow, or labels of a namespace. If it was meant, confirm it with the annotation that the message names; if not, take the edit back. Until then nobody loses anything.',
  },
  IamdbPassThrows: {
    expr: `sum by (namespace, controller) (increase(controller_runtime_reconcile_errors_total{controller=~"${ours}"}[15m])) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'Passes of {{ $labels.controller }} end with an error that nobody foresaw.',
    remedy:
      'A defect of the operator; it tries again. The log has the error (pass-threw) with the object: please report it.',
  },
  IamdbPassesFail: {
    // One that goes on failing comes again each five minutes; what changed under the operator's hands is done with at once.
    expr: `sum by (namespace, controller) (increase(controller_runtime_reconcile_total{controller=~"${ours}",result="requeue"}[15m])) > 2`,
    for: '30m',
    severity: 'warning',
    summary: 'Passes of {{ $labels.controller }} end before a status could tell why.',
    remedy:
      'The API server refuses what the operator writes, or does not answer. The log (pass-failed) names the object, the error and what to do.',
  },
  IamdbPassHangs: {
    expr: `max by (namespace, name) (workqueue_longest_running_processor_seconds{name=~"${ours}"}) > 300`,
    for: '5m',
    severity: 'warning',
    summary: 'A pass of {{ $labels.name }} has been running for more than five minutes.',
    remedy:
      'Passes have a deadline, so one that outlives it hangs: /debug/cpu tells where (--profiling-port). Restarting the pod is safe.',
  },
  IamdbQueueNeverEmpty: {
    expr: `min_over_time(workqueue_depth{name=~"${ours}"}[30m]) > 10`,
    for: '15m',
    severity: 'warning',
    summary: 'The queue of {{ $labels.name }} has not been empty for long: changes take effect late.',
    remedy:
      'Look at what is slow: iamdb_aws_call_duration_seconds, iamdb_sql_round_trip_duration_seconds, throttled calls. --workers and --iam-writes-per-second are the screws.',
  },
  IamdbAwsDenied: {
    expr: 'sum by (namespace, service, operation) (increase(iamdb_aws_calls_total{outcome="denied"}[15m])) > 0',
    for: '15m',
    severity: 'warning',
    summary: 'AWS denies the operator {{ $labels.service }}:{{ $labels.operation }}.',
    remedy:
      "Compare the operator's IAM policy with docs/reference/operator-policy.json, and look for boundaries, SCPs and the trust policies of workload roles (sts:AssumeRole and sts:TagSession).",
  },
  IamdbAwsThrottled: {
    expr: 'sum by (namespace, service) (rate(iamdb_aws_calls_total{outcome="throttled"}[15m])) > 0.1 * sum by (namespace, service) (rate(iamdb_aws_calls_total[15m]))',
    for: '15m',
    severity: 'warning',
    summary: 'AWS throttles more than a tenth of the calls to {{ $labels.service }}.',
    remedy:
      'The account shares its limits with everybody in it. Lower --iam-writes-per-second and --iam-reads-per-second, or find who else calls so often (CloudTrail).',
  },
  IamdbAwsUnavailable: {
    expr: 'sum by (namespace, service) (rate(iamdb_aws_calls_total{outcome="unavailable"}[15m])) > 0.5 * sum by (namespace, service) (rate(iamdb_aws_calls_total[15m]))',
    for: '15m',
    severity: 'warning',
    summary: 'Most calls to {{ $labels.service }} of AWS get no good answer.',
    remedy:
      'See whether the pod reaches the endpoint of its region (NetworkPolicy, proxy, VPC endpoint) and has credentials (IRSA, Pod Identity). Access that works goes on working.',
  },
  IamdbSqlFails: {
    expr: 'sum by (namespace) (rate(iamdb_sql_round_trips_total{outcome="failed"}[15m])) > 0.1 * sum by (namespace) (rate(iamdb_sql_round_trips_total[15m]))',
    for: '15m',
    severity: 'warning',
    summary: "More than a tenth of the admin's round trips lose their connection.",
    remedy:
      'A database that fails over, a connection limit that is reached, or a network that cuts idle connections. The log names the database.',
  },
  IamdbIamQuotaNearlyUsed: {
    expr: 'iamdb_iam_quota_used / iamdb_iam_quota_limit > 0.85',
    for: '30m',
    severity: 'warning',
    summary: 'The IAM quota of {{ $labels.quota }} is nearly used up.',
    remedy:
      'When it is reached, new users of that role or account get no policy; who has access keeps it. Ask AWS to raise it (Service Quotas), or spread users over more roles.',
  },
  IamdbAccessWithoutUser: {
    expr: 'max by (namespace, account) (iamdb_policy_arns_without_user) > 0',
    for: '1h',
    severity: 'warning',
    summary: 'Policies let in database users that no IamDatabaseUser stands for here.',
    remedy:
      'Another cluster, or one that watched other namespaces, wrote them under this operator id, and nobody took them over, so they are kept. The log names policy, role and user names; docs/how-to/new-cluster.md tells how to take them over or to end them.',
  },
  IamdbCertificateAuthorityEndsSoon: {
    expr: 'iamdb_ca_earliest_expiry_timestamp_seconds - time() < 90 * 86400',
    for: '1h',
    severity: 'warning',
    summary: 'A certificate authority of the trust bundle of {{ $labels.region }} ends within 90 days.',
    remedy:
      'Rotate the certificates of the databases that still use it (their CA is shown by aws rds describe-db-instances). New authorities reach the bundles by themselves; applications that read theirs only at start need a restart.',
  },
  IamdbTrustBundleStale: {
    expr: 'time() - iamdb_ca_bundle_fetched_timestamp_seconds > 3 * 86400',
    for: '1h',
    severity: 'warning',
    summary: 'The trust bundle of {{ $labels.region }} has not been fetched for three days.',
    remedy:
      'What is there serves on. Let the operator reach the trust store (NetworkPolicy, proxy), or set --trust-store-url to a mirror.',
  },
};

/** File name to text: the rules as the chart takes them in, and the page that their runbook links lead to. */
export function alertFiles(): Readonly<Record<string, string>> {
  const rules = Object.entries(alerts).map(([alert, { expr, for: held, severity, summary, remedy }]) => ({
    alert,
    expr,
    for: held,
    labels: { severity },
    annotations: { summary, description: remedy },
  }));
  const sections = Object.entries(alerts).map(
    ([alert, { expr, for: held, severity, summary, remedy }]) =>
      `## ${alert}\n\n${severity}, after ${held}. ${summary.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, '<$1>')}\n\n${remedy}\n\n\`\`\`promql\n${expr}\n\`\`\`\n`,
  );
  return {
    'charts/iamdb-operator/files/alerts.yaml': yaml(rules),
    'docs/reference/alerts.md': `<!-- Generated by npm run generate; do not edit. -->\n# Alerts\n\nInstalled with the chart's \`prometheusRule.enabled\`; with \`prometheusRule.runbookURL\`, the URL at which you publish this page, every alert links to its section. What the metrics mean: [metrics.md](metrics.md).\n\n${sections.join('\n')}`,
  };
}
