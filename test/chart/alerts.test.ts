// The alerts, judged by Prometheus' own promtool: each fires when it should, after the time it says, and is quiet otherwise.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { alerts } from '../../tools/generate/alerts.ts';
import { findPromtool, type FoundPromtool } from './find-promtool.ts';
import { helm, type Manifest, manifestOf, noHelm } from './helm.ts';

let found: FoundPromtool = { missing: 'nobody looked for promtool' };

const folder = mkdtempSync(join(tmpdir(), 'iamdb-alerts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What promtool says where it refuses; nothing where all is well. */
async function promtool(...args: readonly string[]): Promise<string> {
  if ('missing' in found) throw new Error(found.missing);
  const { path } = found;
  return await new Promise((done) => {
    execFile(path, args, { timeout: 60_000 }, (error, stdout, stderr) =>
      done(error === null ? '' : `${stdout}${stderr}`),
    );
  });
}

interface Rule {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
const groupsOf = (manifest: Manifest) =>
  (manifest['spec'] as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }).groups;
const rendered = async (values: Readonly<Record<string, unknown>> = {}) =>
  groupsOf(manifestOf(await helm.render({ prometheusRule: { enabled: true, ...values } }), 'PrometheusRule'));

/** Values by minute, as promtool writes them; `when` the alert is asked for. */
interface Case {
  readonly series: Readonly<Record<string, string>>;
  readonly when: string;
  /** Labels of the alerts that fire then, besides severity; none: it is quiet. */
  readonly fires: readonly Readonly<Record<string, string>>[];
}

const pod = 'namespace="iamdb-system",pod="operator-1"';
const ns = { namespace: 'iamdb-system' };
const days = (count: number) => String(count * 86_400);
const condition = (labels: string, values: string) => ({ [`iamdb_conditions{${labels},${pod}}`]: values });

const cases: Readonly<Record<string, readonly Case[]>> = {
  IamdbOperatorAbsent: [
    { series: { up: '1x30' }, when: '11m', fires: [{}] },
    { series: { [`iamdb_build_info{${pod}}`]: '1x30' }, when: '11m', fires: [] },
  ],
  IamdbNoLeader: [
    {
      series: { [`leader_election_master_status{name="iamdb-operator",${pod}}`]: '0x30' },
      when: '6m',
      fires: [ns],
    },
    {
      series: {
        [`leader_election_master_status{name="iamdb-operator",${pod}}`]: '0x30',
        'leader_election_master_status{name="iamdb-operator",namespace="iamdb-system",pod="operator-2"}':
          '1x30',
      },
      when: '6m',
      fires: [],
    },
  ],
  IamdbDatabaseNotReady: [
    {
      series: condition('kind="IamDatabase",type="Ready",status="False",reason="TargetNotFound"', '2x30'),
      when: '16m',
      fires: [{ ...ns, reason: 'TargetNotFound' }],
    },
    {
      series: condition('kind="IamDatabase",type="Ready",status="False",reason="Suspended"', '2x30'),
      when: '16m',
      fires: [],
    },
  ],
  IamdbUserNotReady: [
    {
      series: condition('kind="IamDatabaseUser",type="Ready",status="False",reason="RoleNotFound"', '1x60'),
      when: '31m',
      fires: [{ ...ns, reason: 'RoleNotFound' }],
    },
    {
      series: condition('kind="IamDatabaseUser",type="Ready",status="False",reason="RoleNotFound"', '1x60'),
      when: '20m',
      fires: [],
    },
    {
      series: condition(
        'kind="IamDatabaseUser",type="Ready",status="False",reason="GroupNotAllowed"',
        '1x60',
      ),
      when: '31m',
      fires: [],
    },
  ],
  IamdbAccessProofFails: [
    {
      series: condition(
        'kind="IamDatabaseUser",type="AccessVerified",status="False",reason="TokenRefused"',
        '3x30',
      ),
      when: '16m',
      fires: [{ ...ns, reason: 'TokenRefused' }],
    },
    {
      series: condition(
        'kind="IamDatabaseUser",type="AccessVerified",status="Unknown",reason="Waiting"',
        '3x30',
      ),
      when: '16m',
      fires: [],
    },
  ],
  IamdbMassRevocationHeld: [
    {
      series: condition(
        'kind="IamDatabaseUser",type="Allowed",status="False",reason="MassRevocationHeld"',
        '40x5',
      ),
      when: '1m',
      fires: [ns],
    },
    {
      series: condition('kind="IamDatabaseUser",type="Allowed",status="True",reason="Admitted"', '40x5'),
      when: '1m',
      fires: [],
    },
  ],
  IamdbPassThrows: [
    {
      series: { [`controller_runtime_reconcile_errors_total{controller="sweep",${pod}}`]: '0 0 1x20' },
      when: '5m',
      fires: [{ ...ns, controller: 'sweep' }],
    },
    {
      series: {
        [`controller_runtime_reconcile_errors_total{controller="sweep",${pod}}`]: '1x20',
        [`controller_runtime_reconcile_errors_total{controller="somebody-elses",${pod}}`]: '0+1x20',
      },
      when: '5m',
      fires: [],
    },
  ],
  IamdbPassesFail: [
    {
      series: {
        [`controller_runtime_reconcile_total{controller="iamdatabaseuser",result="requeue",${pod}}`]:
          '0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4',
      },
      when: '52m',
      fires: [{ ...ns, controller: 'iamdatabaseuser' }],
    },
    {
      series: {
        [`controller_runtime_reconcile_total{controller="iamdatabaseuser",result="requeue",${pod}}`]:
          '0x20 1x20 2x30',
        [`controller_runtime_reconcile_total{controller="iamdatabaseuser",result="success",${pod}}`]:
          '0+9x60',
      },
      when: '52m',
      fires: [],
    },
  ],
  IamdbPassHangs: [
    {
      series: {
        [`workqueue_longest_running_processor_seconds{name="iamdatabaseuser",${pod}}`]: '0+60x20',
      },
      when: '12m',
      fires: [{ ...ns, name: 'iamdatabaseuser' }],
    },
    {
      series: { [`workqueue_longest_running_processor_seconds{name="iamdatabaseuser",${pod}}`]: '60x20' },
      when: '12m',
      fires: [],
    },
  ],
  IamdbQueueNeverEmpty: [
    {
      series: { [`workqueue_depth{name="iamdatabaseuser",${pod}}`]: '900x60' },
      when: '50m',
      fires: [{ ...ns, pod: 'operator-1', name: 'iamdatabaseuser' }],
    },
    {
      series: { [`workqueue_depth{name="iamdatabaseuser",${pod}}`]: '900x20 0 900x30' },
      when: '50m',
      fires: [],
    },
  ],
  IamdbAwsDenied: [
    {
      series: {
        [`iamdb_aws_calls_total{service="iam",operation="CreatePolicy",outcome="denied",${pod}}`]: '0+1x60',
      },
      when: '30m',
      fires: [{ ...ns, service: 'iam', operation: 'CreatePolicy' }],
    },
    {
      series: {
        [`iamdb_aws_calls_total{service="iam",operation="CreatePolicy",outcome="denied",${pod}}`]: '0 1x60',
      },
      when: '40m',
      fires: [],
    },
  ],
  IamdbAwsThrottled: [share('iamdb_aws_calls_total{service="iam",operation="GetRole"', 'throttled', 2, true)],
  IamdbAwsUnavailable: [
    share('iamdb_aws_calls_total{service="iam",operation="GetRole"', 'unavailable', 20, true),
    share('iamdb_aws_calls_total{service="iam",operation="GetRole"', 'unavailable', 2, false),
  ],
  IamdbSqlFails: [
    {
      series: {
        [`iamdb_sql_round_trips_total{kind="read",outcome="ok",${pod}}`]: '0+10x60',
        [`iamdb_sql_round_trips_total{kind="read",outcome="failed",${pod}}`]: '0+5x60',
      },
      when: '30m',
      fires: [ns],
    },
    {
      series: {
        [`iamdb_sql_round_trips_total{kind="read",outcome="ok",${pod}}`]: '0+10x60',
        [`iamdb_sql_round_trips_total{kind="write",outcome="refused",${pod}}`]: '0+5x60',
      },
      when: '30m',
      fires: [],
    },
  ],
  IamdbIamQuotaNearlyUsed: [
    {
      series: {
        [`iamdb_iam_quota_used{quota="policies",${pod}}`]: '1400x60',
        [`iamdb_iam_quota_limit{quota="policies",${pod}}`]: '1500x60',
        [`iamdb_iam_quota_used{quota="attached_policies_per_role",${pod}}`]: '3x60',
        [`iamdb_iam_quota_limit{quota="attached_policies_per_role",${pod}}`]: '10x60',
      },
      when: '31m',
      fires: [{ ...ns, pod: 'operator-1', quota: 'policies' }],
    },
  ],
  IamdbCertificateAuthorityEndsSoon: [
    {
      series: {
        [`iamdb_ca_earliest_expiry_timestamp_seconds{region="eu-west-1",${pod}}`]: `${days(89)}x120`,
        [`iamdb_ca_earliest_expiry_timestamp_seconds{region="us-east-1",${pod}}`]: `${days(91)}x120`,
      },
      when: '61m',
      fires: [{ ...ns, pod: 'operator-1', region: 'eu-west-1' }],
    },
  ],
  IamdbAccessWithoutUser: [
    {
      series: {
        [`iamdb_policy_arns_without_user{account="own",${pod}}`]: '2x120',
        [`iamdb_policy_arns_without_user{account="444455556666",${pod}}`]: '0x120',
      },
      when: '61m',
      fires: [{ ...ns, account: 'own' }],
    },
    { series: { [`iamdb_policy_arns_without_user{account="own",${pod}}`]: '2x120' }, when: '59m', fires: [] },
  ],
  IamdbTrustBundleStale: [
    {
      series: {
        [`iamdb_ca_bundle_fetched_timestamp_seconds{region="eu-west-1",${pod}}`]: `-${days(4)}x120`,
        [`iamdb_ca_bundle_fetched_timestamp_seconds{region="us-east-1",${pod}}`]: `-${days(1)}x120`,
      },
      when: '61m',
      fires: [{ ...ns, pod: 'operator-1', region: 'eu-west-1' }],
    },
  ],
};

/** Ten good calls a minute beside so many of that outcome. */
function share(series: string, outcome: string, bad: number, isTold: boolean): Case {
  return {
    series: {
      [`${series},outcome="ok",${pod}}`]: '0+10x60',
      [`${series},outcome="${outcome}",${pod}}`]: `0+${bad}x60`,
    },
    when: '30m',
    fires: isTold ? [{ ...ns, service: 'iam' }] : [],
  };
}

/** Longer than its build may take: what cannot be had is a reason to skip, and a hook that is late would be a failure. */
const patience = 40 * 60_000;

describe.skipIf(noHelm)('an alert', () => {
  beforeAll(async () => {
    found = await findPromtool((text) => console.error(text));
    if ('missing' in found) console.error(`tests of the alerts are skipped: ${found.missing}`);
  }, patience);

  it('has a case in which it fires, and each case is of an alert', () => {
    expect(Object.keys(cases).toSorted()).toEqual(Object.keys(alerts).toSorted());
    for (const some of Object.values(cases)) expect(some.some(({ fires }) => fires.length > 0)).toBe(true);
  });

  it('is a rule as Prometheus takes it', async ({ skip }) => {
    if ('missing' in found) skip(found.missing);
    const file = join(folder, 'rules.yaml');
    writeFileSync(file, stringify({ groups: await rendered() }));
    expect(await promtool('check', 'rules', '--lint=all', '--lint-fatal', file)).toBe('');
  });

  it.for(Object.entries(cases).flatMap(([name, some]) => some.map((one) => [name, one.when, one] as const)))(
    '%s at %s is as it should be',
    async ([name, when, { series, fires }], { skip }) => {
      if ('missing' in found) skip(found.missing);
      const groups = await rendered();
      const rule = groups.flatMap(({ rules }) => rules).find(({ alert }) => alert === name);
      const file = join(folder, `${name}.yaml`);
      writeFileSync(join(folder, 'rules.yaml'), stringify({ groups }));
      const said = (labels: Readonly<Record<string, string>>) =>
        Object.fromEntries(
          Object.entries(rule?.annotations ?? {}).map(([key, text]) => [
            key,
            text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? ''),
          ]),
        );
      const test = {
        interval: '1m',
        input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
        alert_rule_test: [
          {
            eval_time: when,
            alertname: name,
            exp_alerts: fires.map((labels) => ({
              exp_labels: { severity: alerts[name]?.severity, ...labels },
              exp_annotations: said(labels),
            })),
          },
        ],
      };
      writeFileSync(
        file,
        stringify({ rule_files: ['rules.yaml'], evaluation_interval: '1m', tests: [test] }),
      );
      expect(await promtool('test', 'rules', file)).toBe('');
    },
  );
});

describe.skipIf(noHelm)('the PrometheusRule', () => {
  it('links each alert to its runbook', async () => {
    const [group] = await rendered({ runbookURL: 'https://wiki.example.com/alerts' });
    expect(group?.rules.map(({ alert, annotations }) => [alert, annotations['runbook_url']])).toEqual(
      Object.keys(alerts).map((name) => [name, `https://wiki.example.com/alerts#${name.toLowerCase()}`]),
    );
  });

  it('links nowhere where no page is named', async () => {
    const [group] = await rendered();
    expect(group?.rules.filter(({ annotations }) => 'runbook_url' in annotations)).toEqual([]);
  });

  it('leaves out what is not wanted, and takes in what is added', async () => {
    const own = { alert: 'Own', expr: 'vector(1)' };
    const [group] = await rendered({ without: ['IamdbUserNotReady'], extraRules: [own] });
    const names = Object.keys(alerts).filter((name) => name !== 'IamdbUserNotReady');
    expect(group?.rules.map(({ alert }) => alert)).toEqual([...names, 'Own']);
  });
});
