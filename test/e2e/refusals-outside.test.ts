// AWS, the database server and the trust store refusing or failing: told, nothing that works is lost, and mended by itself.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultKind } from '../aws/faults.ts';
import { createRdsTrust } from '../bed/rds-trust.ts';
import { createWorkloadRole, operatorRoleARN, region } from '../stage/account.ts';
import { operatorNamespace } from '../stage/cluster.ts';
import { userManifest } from '../stage/scene.ts';
import { until } from '../stage/wait.ts';
import { bystander, type Refusals, rule, startRefusals } from './refusals.ts';

let t: Refusals;
/** Made at the start, as in its first minutes a refused token may only mean that IAM has not spread the policy. */
let denied: ReturnType<typeof userWithRole>;
beforeAll(async () => {
  t = await startRefusals();
  denied = userWithRole('denied');
  await t.scene.apply(denied.user);
});
afterAll(() => t.stage.stop());
afterEach(async () => {
  await t.expectBystander();
  await t.scene.untilReady(bystander);
});

const gate = () => t.stage.database.gate;
const postgres = () => t.stage.database.postgres;
const bundle = async () => await t.scene.configMap('payments', `rds-ca-${region}`);

/** A user whose IAM role nobody else uses, so that nothing about it is known yet. */
function userWithRole(name: string) {
  const principal = createWorkloadRole(t.stage.aws, `payments-${name}`);
  return { principal, user: userManifest(name, { principals: [{ roleARN: principal }] }) };
}

interface PolicyText {
  readonly Statement: readonly { readonly Action: readonly string[] }[];
}

/** Takes actions out of the operator's policy; answers with what puts them back. */
function deny(...actions: readonly string[]): () => void {
  const published = t.stage.aws.iamState().roles.get('iamdb-operator')?.inline.get('operator') ?? '';
  const { Statement, ...rest } = JSON.parse(published) as PolicyText;
  const left = Statement.map((statement) => ({
    ...statement,
    Action: statement.Action.filter((action) => !actions.includes(action)),
  })).filter(({ Action }) => Action.length > 0);
  expect(JSON.stringify(left).length).toBeLessThan(JSON.stringify(Statement).length);
  t.stage.aws.putInlinePolicy(operatorRoleARN, 'operator', { ...rest, Statement: left });
  return () => t.stage.aws.putInlinePolicy(operatorRoleARN, 'operator', published);
}

/** Until then a listing from before may be shared with whoever asks. */
async function untilRdsFails(): Promise<void> {
  const from = t.stage.aws.calls.length;
  await until('a failed call to RDS', () =>
    t.stage.aws.calls.slice(from).some(({ service, status }) => service === 'rds' && status !== 200),
  );
}

const always = Number.MAX_SAFE_INTEGER;

describe('AWS', () => {
  it.each(['iam:CreatePolicy', 'iam:AttachRolePolicy', 'iam:ListAttachedRolePolicies'])(
    'refuses the operator %s: AccessDenied names it, the role in the database is made all the same, and the user is served once it is allowed',
    async (action) => {
      const { user, principal } = userWithRole(action.slice(4).toLowerCase());
      const allow = deny(action);
      await t.scene.apply(user);
      const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'AccessDenied');
      expect(message).toContain(`AWS refused the operator ${action}`);
      expect(message).toContain('docs/reference/operator-policy.json');
      await t.scene.untilCondition(user, 'RoleReady', 'True');
      await t.scene.untilCondition(user, 'Ready', 'False', 'AccessDenied');
      await t.scene.lookAgain(bystander);
      await t.expectBystander();
      allow();
      await t.expectServed(user, principal);
      await t.remove(user);
    },
  );

  it('refuses the operator iam:CreatePolicyVersion: a further user of a shared policy gets AccessDenied, those in it stay ready', async () => {
    const user = userManifest('late');
    const allow = deny('iam:CreatePolicyVersion');
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'AccessDenied');
    expect(message).toContain('iam:CreatePolicyVersion');
    await t.expectBystander();
    allow();
    await t.expectServed(user);
    await t.remove(user);
    await t.scene.untilReady(bystander);
  });

  it('refuses the operator rds:DescribeDBClusters: a new IamDatabase gets AccessDenied, one that was resolved before stays as it is', async () => {
    const second = t.second([rule()]);
    const allow = deny('rds:DescribeDBClusters');
    await untilRdsFails();
    await t.scene.apply(second);
    const { message } = await t.scene.untilCondition(second, 'TargetResolved', 'False', 'AccessDenied');
    expect(message).toContain('AWS refused the operator rds:DescribeDBClusters');
    await t.scene.lookAgain(t.orders());
    await t.scene.untilReady(t.orders());
    allow();
    await t.scene.untilReady(second);
    await t.scene.delete(second);
    await t.scene.untilGone(second);
  });

  it('refuses the operator sts:AssumeRole: the user is ready with access NotProven and told both policies, and proven once it is allowed', async () => {
    // Where a trust policy names the account, and not the operator's role itself, the operator's own policy counts as well.
    const principal = t.stage.aws.createRole({
      name: 'payments-unproven',
      trustPolicy: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: t.stage.aws.rootArn },
            Action: ['sts:AssumeRole', 'sts:TagSession'],
          },
        ],
      },
    }).arn;
    const user = userManifest('unproven', { principals: [{ roleARN: principal }] });
    const allow = deny('sts:AssumeRole');
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'AccessVerified', 'Unknown', 'NotProven');
    expect(message).toContain(`may not assume ${principal}`);
    expect(message).toContain(
      "let that principal's own policy allow sts:AssumeRole and sts:TagSession on it",
    );
    await t.scene.untilReady(user);
    allow();
    await t.expectServed(user, principal);
    await t.remove(user);
  });

  it('refuses the operator rds-db:connect as its admin: AdminLoginRefused says so, users wait with it, workloads log in all the while', async () => {
    const user = userManifest('no-admin');
    const allow = deny('rds-db:connect');
    t.stage.database.gate.dropSessions();
    const { message } = await t.scene.untilCondition(t.orders(), 'AdminReady', 'False', 'AdminLoginRefused');
    expect(message).toContain('admin "iamdb_admin"');
    expect(message).toContain('the operator rds-db:connect as it');
    await t.scene.apply(user);
    await t.scene.untilCondition(user, 'RoleReady', 'False', 'AdminLoginRefused');
    await t.scene.untilCondition(bystander, 'RoleReady', 'False', 'AdminLoginRefused');
    await t.expectNoAccess(user);
    await t.expectBystander();
    allow();
    await t.expectServed(user);
    await t.remove(user);
  });

  it.each<[string, FaultKind, string]>([
    ['throttles IAM', 'Throttling', 'Throttled'],
    ['answers IAM with 503', 'ServiceUnavailable', 'AwsUnavailable'],
    ['answers IAM with 500', 'InternalFailure', 'AwsUnavailable'],
    ['cuts the connections to IAM', 'reset', 'AwsUnavailable'],
  ])(
    '%s (%s): PolicyReady says %s, nobody loses anything, and the user is served once that is over',
    async (_, error, reason) => {
      const { user, principal } = userWithRole(`iam-${error.toLowerCase()}`);
      const clear = t.stage.aws.faults.add({ service: 'iam', error, times: always });
      await t.scene.apply(user);
      const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', reason);
      expect(message).toContain('the operator goes on by itself');
      await t.scene.untilCondition(user, 'RoleReady', 'True');
      await t.scene.lookAgain(bystander);
      await t.expectBystander();
      clear();
      await t.expectServed(user, principal);
      await t.remove(user);
    },
  );

  it.each<[string, FaultKind, string]>([
    ['throttles RDS', 'Throttling', 'Throttled'],
    ['answers RDS with 503', 'ServiceUnavailable', 'AwsUnavailable'],
    ['cuts the connections to RDS', 'reset', 'AwsUnavailable'],
  ])(
    '%s (%s): a new IamDatabase says %s, one that was resolved before and its users stay ready',
    async (_, error, reason) => {
      const second = t.second([rule()], `rds-${error.toLowerCase()}`);
      const clear = t.stage.aws.faults.add({ service: 'rds', error, times: always });
      await untilRdsFails();
      await t.scene.apply(second);
      const { message } = await t.scene.untilCondition(second, 'TargetResolved', 'False', reason);
      expect(message).toContain('rds:DescribeDBClusters');
      await t.scene.lookAgain(t.orders());
      await t.scene.lookAgain(bystander);
      await t.scene.untilReady(t.orders());
      await t.scene.untilReady(bystander);
      clear();
      await t.scene.untilReady(second);
      await t.scene.delete(second);
      await t.scene.untilGone(second);
    },
  );

  it.each<[string, FaultKind, string]>([
    ['throttles STS', 'Throttling', 'Throttled'],
    ['answers STS with 503', 'ServiceUnavailable', 'AwsUnavailable'],
    ['cuts the connections to STS', 'reset', 'AwsUnavailable'],
  ])(
    '%s (%s): the user is ready, its access Unknown with %s, and proven once that is over',
    async (_, error, reason) => {
      const { user, principal } = userWithRole(`sts-${error.toLowerCase()}`);
      const clear = t.stage.aws.faults.add({ service: 'sts', error, times: always });
      await t.scene.apply(user);
      const { message } = await t.scene.untilCondition(user, 'AccessVerified', 'Unknown', reason);
      expect(message).toContain('sts:AssumeRole');
      await t.scene.untilReady(user);
      clear();
      await t.expectServed(user, principal);
      await t.remove(user);
    },
  );
});

describe('the database server', () => {
  it.each([
    ['rejects members of rds_iam outright', 'reject', 'refused the token of'],
    ['asks members of rds_iam for a password', 'off', 'asked for a password instead of judging the token'],
  ] as const)(
    '%s although the policy is right: access False TokenRefused says where to look, and is proven again once that is over',
    async (_, iamAuthentication, says) => {
      gate().setModes({ iamAuthentication });
      const { message } = await t.scene.untilCondition(bystander, 'AccessVerified', 'False', 'TokenRefused');
      expect(message).toContain(says);
      await t.scene.untilCondition(bystander, 'Ready', 'False');
      expect(t.arnsOf('payments_bystander')).toHaveLength(1);
      gate().setModes({ iamAuthentication: 'on' });
      await t.expectServed(bystander);
    },
  );

  it.each<[string, string, string, () => Promise<void>, () => Promise<void>]>([
    ['does not answer', 'closed', 'DatabaseUnavailable', () => gate().close(), () => gate().open()],
    ['is down', 'down', 'DatabaseUnavailable', () => postgres().pause(), () => postgres().resume()],
    [
      'can only read, as during a failover',
      'read-only',
      'ReadOnlyServer',
      () => {
        gate().setModes({ readOnly: true });
        gate().dropSessions();
        return Promise.resolve();
      },
      () => {
        gate().setModes({ readOnly: false });
        return Promise.resolve();
      },
    ],
  ])(
    '%s: AdminReady and RoleReady say so, nobody loses a right in IAM, and new and old users are ready once it is back',
    async (_, name, reason, fall, rise) => {
      const user = userManifest(`while-${name}`);
      const policies = t.scene.allowedARNs('payments-checkout');
      await fall();
      await t.scene.untilCondition(t.orders(), 'AdminReady', 'False', reason);
      await t.scene.untilCondition(bystander, 'RoleReady', 'False', reason);
      await t.scene.apply(user);
      await t.scene.untilCondition(user, 'RoleReady', 'False', reason);
      await t.scene.untilCondition(user, 'ConnectionReady', 'True');
      await t.scene.untilCondition(user, 'TrustBundleReady', 'True');
      await t.scene.lookAgain(bystander);
      expect(t.scene.allowedARNs('payments-checkout')).toEqual(policies);
      expect(await t.scene.configMap('payments', 'bystander-connection')).toBeDefined();
      await rise();
      await t.scene.untilReady(bystander);
      await t.expectServed(user);
      await t.remove(user);
    },
  );

  it('refuses an admin that is no longer in rds_iam: AdminLoginRefused says what to check; once it is granted again, rds_iam of the users comes back as well', async () => {
    // Takes along what the admin granted.
    await t.sql('REVOKE rds_iam FROM iamdb_admin CASCADE');
    gate().dropSessions();
    const { message } = await t.scene.untilCondition(t.orders(), 'AdminReady', 'False', 'AdminLoginRefused');
    expect(message).toContain('with IAM, that the admin is a member of rds_iam');
    await t.scene.untilCondition(bystander, 'Ready', 'False', 'AdminLoginRefused');
    expect(t.arnsOf('payments_bystander')).toHaveLength(1);
    await t.sql('GRANT rds_iam TO iamdb_admin WITH ADMIN OPTION');
    await t.scene.untilReady(t.orders());
    await t.expectServed(bystander);
  });

  it('shows a certificate of a foreign authority: CertificateRejected, and nothing is sent to it, no token least of all; ready again once the real one is back', async () => {
    const { endpoint, readerEndpoint } = t.stage.database;
    const names = [endpoint.host, readerEndpoint.host];
    gate().setCertificate(await t.stage.bed.trust.next.issue(names));
    gate().dropSessions();
    const { message } = await t.scene.untilCondition(
      t.orders(),
      'AdminReady',
      'False',
      'CertificateRejected',
    );
    expect(message).toContain("no certificate that is valid for this name under the region's roots");
    await t.scene.untilCondition(bystander, 'Ready', 'False', 'CertificateRejected');
    const logins = gate().logins.length;
    await t.scene.lookAgain(t.orders());
    await t.scene.lookAgain(bystander);
    expect(gate().logins).toHaveLength(logins);
    gate().setCertificate(await t.stage.bed.trust.current.issue(names));
    await t.scene.untilReady(t.orders());
    await t.expectServed(bystander);
  });

  it('refuses the token of a role with an explicit deny: TokenRefused names the role and points at denies; the right stays in its policy, and access is proven again without the deny', async () => {
    const { user, principal } = denied;
    await t.expectServed(user, principal);
    const effect = (Effect: 'Allow' | 'Deny') =>
      t.stage.aws.putInlinePolicy(principal, 'by-a-person', {
        Version: '2012-10-17',
        Statement: [
          { Effect, Action: 'rds-db:connect', Resource: 'arn:aws:rds-db:*:*:dbuser:*/payments_denied' },
        ],
      });
    effect('Deny');
    // A policy that was just mended may still be spreading.
    const { message } = await t.scene.untilCondition(user, 'AccessVerified', 'False', 'TokenRefused', 40_000);
    expect(message).toContain(`refused the token of ${principal}`);
    expect(message).toContain('explicit denies');
    await t.scene.untilCondition(user, 'Ready', 'False', 'TokenRefused');
    expect(t.scene.allowedARNs('payments-denied')).toHaveLength(1);
    effect('Allow');
    await t.expectServed(user, principal);
    await t.remove(user);
  });
});

/** Of the operator itself: what it had in hand before. */
const copy = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'iamdb-operator-stage-trust-store', namespace: operatorNamespace },
};

describe('the trust store', () => {
  it('is down when the operator starts: the copy from before serves, new users included, and is held against the next bundle', async () => {
    const user = userManifest('trust-copy', { trustBundle: { configMapName: 'ca-copy' } });
    const before = await bundle();
    await t.stage.operator.stop();
    const kept = await t.scene.configMap(operatorNamespace, copy.metadata.name);
    expect(Object.keys(kept?.data ?? {})).toEqual([`${region}-bundle.pem`]);
    t.stage.bed.trustStore.setMode('down');
    await t.scene.apply(user);
    await t.stage.operator.start();
    await t.expectServed(user);
    await t.scene.untilCondition(user, 'TrustBundleReady', 'True');
    await t.scene.untilCondition(t.orders(), 'AdminReady', 'True');
    expect((await t.scene.configMap('payments', 'ca-copy'))?.data['ca.crt']).toBe(before?.data['ca.crt']);
    expect(await t.scene.configMap(operatorNamespace, copy.metadata.name)).toEqual(kept);
    t.stage.bed.trustStore.setMode('ok');
    await t.remove(user);
  });

  it('is down and the copy was spoilt: what is no authority of RDS is not trusted', async () => {
    const stranger = await createRdsTrust('eu-west-1');
    await t.stage.operator.stop();
    const kept = await t.scene.read<{ readonly data: Readonly<Record<string, string>> }>(copy);
    await t.scene.patch(copy, { data: { [`${region}-bundle.pem`]: stranger.roots.join('') } });
    t.stage.bed.trustStore.setMode('down');
    await t.stage.operator.start();
    await t.scene.untilCondition(t.orders(), 'AdminReady', 'False', 'BundleUnavailable');
    t.stage.bed.trustStore.setMode('ok');
    await t.scene.untilReady(t.orders());
    await until('the copy to be whole again', async () => {
      const now = await t.scene.configMap(operatorNamespace, copy.metadata.name);
      return now?.data[`${region}-bundle.pem`] === kept?.data[`${region}-bundle.pem`];
    });
  });

  it.each([
    ['truncated', 'BundleInvalid', 'is it cut off, or a web page?'],
    ['html', 'BundleInvalid', 'is it cut off, or a web page?'],
    ['expired', 'BundleInvalid', 'not valid today'],
    ['missing', 'BundleUnavailable', 'it answered with HTTP status 404'],
    ['down', 'BundleUnavailable', 'it cannot be reached'],
  ] as const)(
    'is %s when the operator starts for the first time: %s is told, no bundle is made of it, the one from before stays byte for byte, and all is ready once it is mended',
    async (mode, reason, says) => {
      const name = `ca-${mode}`;
      const user = userManifest(`trust-${mode}`, { trustBundle: { configMapName: name } });
      const before = await bundle();
      expect(before?.data['ca.crt']).toContain('BEGIN CERTIFICATE');
      await t.stage.operator.stop();
      await t.scene.delete(copy);
      t.stage.bed.trustStore.setMode(mode);
      await t.scene.apply(user);
      await t.stage.operator.start();
      const { message } = await t.scene.untilCondition(user, 'TrustBundleReady', 'False', reason);
      expect(message).toContain(says);
      await t.scene.untilCondition(t.orders(), 'AdminReady', 'False', reason);
      await t.scene.lookAgain(bystander);
      expect(await t.scene.configMap('payments', name)).toBeUndefined();
      expect(await bundle()).toEqual(before);
      expect(t.arnsOf('payments_bystander')).toHaveLength(1);
      t.stage.bed.trustStore.setMode('ok');
      await t.scene.untilReady(t.orders());
      await t.expectServed(user);
      await t.scene.untilReady(bystander);
      expect(await bundle()).toEqual(before);
      expect((await t.scene.configMap('payments', name))?.data['ca.crt']).toBe(before?.data['ca.crt']);
      await t.remove(user);
    },
  );

  it('breaks while the operator runs: the last good bundle serves on, new ConfigMaps and logins included', async () => {
    t.stage.bed.trustStore.setMode('html');
    const user = userManifest('trust-later', { trustBundle: { configMapName: 'ca-later' } });
    await t.scene.apply(user);
    await t.expectServed(user);
    expect((await t.scene.configMap('payments', 'ca-later'))?.data).toEqual((await bundle())?.data);
    t.stage.bed.trustStore.setMode('ok');
    await t.remove(user);
  });
});
