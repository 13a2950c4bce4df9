// What cannot or must not be as declared: told in the documented reason, nothing else harmed, and mended by itself.
import { DeletePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { shardARN, shardName } from '../../src/resources/policy/names.ts';
import { clientsFor } from '../aws/clients.ts';
import { accountID, createWorkloadRole, operatorID } from '../stage/account.ts';
import { applyNamespace } from '../stage/cluster.ts';
import { checkoutRole, type UserManifest, userManifest } from '../stage/scene.ts';
import type { Stage } from '../stage/stage.ts';
import { type AllowRule, bystander, type Refusals, roleARN, rule, startRefusals } from './refusals.ts';

let t: Refusals;
const userOfSecond = (
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
  namespace?: string,
): UserManifest => userManifest(name, { databaseRef: { name: 'second' }, ...spec }, namespace);

beforeAll(async () => {
  t = await startRefusals();
  await applyNamespace(t.stage.bed.kube, 'elsewhere');
});
afterAll(() => t.stage.stop());
// What worked works on.
afterEach(() => t.expectBystander());

describe('a database that cannot be used', () => {
  it('DatabaseNotFound names the IamDatabase that is missing; the user is served once it is created', async () => {
    const user = userManifest('early', { databaseRef: { name: 'not-yet' } });
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'DatabaseResolved', 'False', 'DatabaseNotFound');
    expect(message).toContain('no IamDatabase named not-yet');
    await t.scene.untilCondition(user, 'Ready', 'False', 'DatabaseNotFound');
    await t.expectNothingBegun(user);
    await t.scene.apply(t.second([rule()], 'not-yet'));
    await t.expectServed(user);
    await t.remove(user);
    await t.scene.delete(t.second([], 'not-yet'));
    await t.scene.untilGone(t.second([], 'not-yet'));
  });

  const available = {
    identifier: 'orders-prod',
    status: 'available',
    engine: 'aurora-postgresql',
    engineVersion: '17.5',
    iamAuthentication: true,
    pending: {},
  };
  it.each<[string, string, Parameters<Stage['aws']['rds']['modifyCluster']>[1], string, string]>([
    [
      'a cluster that AWS does not know, with the command to look for it',
      'unknown',
      { identifier: 'orders-renamed' },
      'TargetMissing',
      'aws rds describe-db-clusters --db-cluster-identifier orders-prod --region ap-northeast-2',
    ],
    [
      'a cluster that is being created',
      'creating',
      { status: 'creating' },
      'TargetNotReady',
      'it is being created',
    ],
    ['a cluster that is stopped', 'stopped', { status: 'stopped' }, 'DatabaseStopped', 'Start it'],
    [
      'IAM authentication that is off, with the command that turns it on',
      'iam-off',
      { iamAuthentication: false },
      'IamAuthenticationOff',
      'aws rds modify-db-cluster --db-cluster-identifier orders-prod --region ap-northeast-2 --enable-iam-database-authentication --apply-immediately',
    ],
    [
      'IAM authentication that waits for the maintenance window',
      'iam-pending',
      { iamAuthentication: false, pending: { iamAuthentication: true } },
      'IamAuthenticationOff',
      'the change that turns it on is pending',
    ],
    [
      'an engine that is not PostgreSQL',
      'mysql',
      { engine: 'aurora-mysql', engineVersion: '8.0.mysql_aurora.3.08.0' },
      'EngineNotSupported',
      'does not run PostgreSQL',
    ],
    [
      'an Aurora PostgreSQL that is too old',
      'old',
      { engineVersion: '10.21' },
      'EngineNotSupported',
      'upgrade it to 11 or newer',
    ],
  ])(
    '%s: told on the database and its users, new and old ones; both are served once that is over',
    async (_, name, change, reason, says) => {
      const user = userManifest(name);
      const policies = t.scene.allowedARNs('payments-checkout');
      t.stage.aws.rds.modifyCluster('orders-prod', change);
      const { message } = await t.scene.untilCondition(t.orders(), 'TargetResolved', 'False', reason);
      await t.scene.apply(user);
      expect(message).toContain(says);
      await t.scene.untilCondition(t.orders(), 'Ready', 'False', reason);
      expect((await t.scene.untilCondition(user, 'DatabaseResolved', 'False', reason)).message).toBe(message);
      await t.scene.untilCondition(user, 'Ready', 'False', reason);
      await t.scene.untilCondition(bystander, 'DatabaseResolved', 'False', reason);
      await t.scene.lookAgain(bystander);
      await t.expectNothingBegun(user);
      expect(t.scene.allowedARNs('payments-checkout')).toEqual(policies);
      expect(await t.scene.login('payments_bystander')).toBe('payments_bystander');
      expect(await t.scene.configMap('payments', 'bystander-connection')).toBeDefined();

      t.stage.aws.rds.modifyCluster(change.identifier ?? 'orders-prod', available);
      await t.scene.untilReady(t.orders());
      await t.scene.untilReady(bystander);
      await t.expectServed(user);
      await t.remove(user);
    },
  );
});

describe('what the database does not allow', () => {
  it.each<
    [
      what: string,
      name: string,
      spec: Readonly<Record<string, unknown>>,
      before: readonly AllowRule[],
      reason: string,
      says: string,
      after: readonly AllowRule[],
    ]
  >([
    [
      'an IamDatabase without rules admits nobody',
      'nobody',
      {},
      [],
      'NamespaceNotAllowed',
      'No rule in spec.allow of IamDatabase second admits namespace payments',
      [rule()],
    ],
    [
      'a namespace that no rule names',
      'namespace',
      {},
      [rule({ namespaces: { names: ['elsewhere'] } })],
      'NamespaceNotAllowed',
      'admits namespace payments',
      [rule()],
    ],
    [
      'a user name outside the patterns, which are told',
      'name',
      {},
      [rule({ usernames: ['billing_*'] })],
      'UsernameNotAllowed',
      'it allows: billing_*',
      [rule({ usernames: ['billing_*', 'payments_*'] })],
    ],
    [
      'a group that is not listed, beside those that are',
      'group',
      { memberOf: ['orders_readwrite'] },
      [rule({ memberOf: ['orders_readonly'] })],
      'GroupNotAllowed',
      'orders_readwrite; it allows: orders_readonly',
      [rule()],
    ],
    [
      'an IAM role that is not listed',
      'principal',
      {},
      [rule({ principals: [roleARN('payments-reports')] })],
      'PrincipalNotAllowed',
      `does not allow these principals: ${checkoutRole}`,
      [rule({ principals: [checkoutRole] })],
    ],
  ])(
    '%s: nothing is begun; the user is served once the rule is edited',
    async (_, name, spec, before, reason, says, after) => {
      const user = userOfSecond(`allow-${name}`, spec);
      await t.scene.apply(t.second(before));
      // The rules of the case before are still there until these were seen.
      await t.scene.untilReady(t.second(before));
      await t.scene.apply(user);
      const { message } = await t.scene.untilCondition(user, 'Allowed', 'False', reason);
      expect(message).toContain(says);
      await t.scene.untilCondition(user, 'Ready', 'False', reason);
      await t.scene.untilCondition(user, 'Stalled', 'True', reason);
      await t.expectNothingBegun(user);
      await t.scene.apply(t.second(after));
      await t.expectServed(user);
      await t.remove(user);
    },
  );

  it('an IAM role in another account: told to assume a role in this one; served once such a role is named', async () => {
    await t.scene.apply(
      t.second([rule({ principals: ['arn:aws:iam::999988887777:role/payments-*', checkoutRole] })]),
    );
    const user = userOfSecond('abroad', {
      principals: [{ roleARN: 'arn:aws:iam::999988887777:role/payments-checkout' }],
    });
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'Allowed', 'False', 'PrincipalNotAllowed');
    expect(message).toContain(`not in the database's account ${accountID}`);
    expect(message).toContain('let the workload assume it (sts:AssumeRole)');
    await t.expectNothingBegun(user);
    await t.scene.patch(user, { spec: { principals: [{ roleARN: checkoutRole }] } });
    await t.expectServed(user);
    await t.remove(user);
  });

  it.each([
    ['pg_checkout', 'reserved by PostgreSQL, RDS or the operator'],
    ['rdsadmin', 'reserved by PostgreSQL, RDS or the operator'],
    ['Replication', 'reserved by PostgreSQL, RDS or the operator'],
    ['payments*', 'use a letter or _ first'],
    ['payments/checkout', 'use a letter or _ first'],
    ['a${b}', 'use a letter or _ first'],
    ['p'.repeat(64), '63'],
    ['заказы', 'use a letter or _ first'],
  ])('the API server itself refuses user name %s and says what to write instead', async (username, says) => {
    const user = userOfSecond('never', { username });
    await expect(t.scene.apply(user)).rejects.toThrow(says);
    expect(await t.scene.read(user)).toBeUndefined();
  });

  it("the admin's own name, whatever the rules allow: told, and the admin is left alone", async () => {
    const { username } = t.stage.admin;
    const user = userOfSecond('admin', { username });
    const before = await t.groupsOf(username);
    await t.scene.apply(t.second([rule()]));
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'Allowed', 'False', 'UsernameNotAllowed');
    expect(message).toContain(`"${username}" is the operator's admin on this server`);
    expect(t.arnsOf(username)).toEqual([]);
    await t.remove(user);
    expect(await t.groupsOf(username)).toEqual(before);
    await t.scene.lookAgain(t.orders());
    await t.scene.untilReady(t.orders());
  });
});

describe('what is there already and belongs to somebody else', () => {
  beforeAll(async () => {
    await t.scene.apply(t.second([rule(), rule({ namespaces: { names: ['elsewhere'] } })]));
    await t.scene.untilReady(t.second([]));
  });

  it('a second object that asks for a user name gets Conflict, which names the holder, and takes over when that is deleted', async () => {
    const holder = userOfSecond('holder', { username: 'payments_wanted' });
    const other = userOfSecond('other', { username: 'payments_wanted' }, 'elsewhere');
    await t.scene.apply(holder);
    await t.expectServed(holder);
    await t.scene.apply(other);
    const { message } = await t.scene.untilCondition(other, 'Allowed', 'False', 'Conflict');
    expect(message).toContain('IamDatabaseUser payments/holder holds user name "payments_wanted"');
    await t.scene.lookAgain(holder);
    await t.scene.untilReady(holder);
    expect((await t.scene.read(other))?.metadata.finalizers ?? []).toEqual([]);
    await t.remove(holder);
    await t.expectServed(other);
    await t.remove(other);
  });

  it('a role of that name that carries no mark gets RoleNotOurs, is left as it is and cannot be entered by the IAM role; the user is served once its owner drops it', async () => {
    // In rds_iam, so that one line too many in IAM would let the tenant in.
    await t.sql(
      `CREATE ROLE payments_foreign LOGIN CONNECTION LIMIT 7; GRANT rds_iam, orders_readonly TO payments_foreign`,
    );
    const look = async () => [
      await t.sql(
        `SELECT *, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'payments_foreign'`,
      ),
      await t.groupsOf('payments_foreign'),
    ];
    const before = await look();
    const user = userOfSecond('foreign');
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotOurs');
    expect(message).toContain('Role "payments_foreign" exists on the server and carries no mark');
    await t.scene.untilCondition(user, 'Ready', 'False', 'RoleNotOurs');
    await t.scene.lookAgain(user);
    expect(t.arnsOf('payments_foreign')).toEqual([]);
    await expect(t.scene.login('payments_foreign')).rejects.toThrow(/PAM authentication failed/);
    expect(await look()).toEqual(before);
    await t.sql('DROP ROLE payments_foreign');
    await t.expectServed(user);
    await t.remove(user);
  });

  it('a role that is not ours survives the deletion of the object that asked for it', async () => {
    await t.sql('CREATE ROLE payments_survivor LOGIN');
    const user = userOfSecond('survivor');
    await t.scene.apply(user);
    await t.scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotOurs');
    await t.remove(user);
    expect(await t.roleOf('payments_survivor')).toHaveLength(1);
    await t.sql('DROP ROLE payments_survivor');
  });

  it('a policy of the name that we need gets ForeignPolicy, stays as it is and unattached; the user is served once it is deleted', async () => {
    const principal = createWorkloadRole(t.stage.aws, 'payments-foreign-policy');
    const owner = { operatorID, roleARN: principal };
    const policy = t.stage.aws.createPolicy({
      name: shardName(owner, 0),
      path: `/iamdb/${operatorID}/`,
      document: { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: 's3:*', Resource: '*' }] },
    });
    expect(policy.arn).toBe(shardARN(owner, 0));
    const user = userOfSecond('foreign-policy', { principals: [{ roleARN: principal }] });
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'ForeignPolicy');
    expect(message).toContain(shardName(owner, 0));
    await t.scene.lookAgain(user);
    const after = [...t.stage.aws.iamState().policies.values()].find(({ arn }) => arn === policy.arn);
    expect(after).toEqual(policy);
    expect(t.stage.aws.iamState().roles.get('payments-foreign-policy')?.attached).toEqual([]);
    const { iam } = clientsFor(t.stage.aws, t.stage.aws.administrator);
    await iam.send(new DeletePolicyCommand({ PolicyArn: policy.arn }));
    await t.expectServed(user, principal);
    await t.remove(user);
  });

  it.each([
    [
      'connection',
      'ConnectionReady',
      'foreign-connection',
      { connection: { configMapName: 'foreign-connection' } },
    ],
    ['trust bundle', 'TrustBundleReady', 'foreign-ca', { trustBundle: { configMapName: 'foreign-ca' } }],
  ] as const)(
    'a %s ConfigMap that is not ours gets ForeignConfigMap and stays byte for byte; it is written once its owner deletes it',
    async (_, type, name, spec) => {
      const configMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'payments', name, labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
        data: { precious: 'yes' },
      };
      await t.scene.apply(configMap);
      const before = await t.scene.configMap('payments', name);
      const user = userOfSecond(name, spec);
      await t.scene.apply(user);
      const { message } = await t.scene.untilCondition(user, type, 'False', 'ForeignConfigMap');
      expect(message).toContain(`ConfigMap payments/${name}`);
      await t.scene.untilCondition(user, 'Ready', 'False', 'ForeignConfigMap');
      // The others of its parts go on.
      await t.scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await t.scene.lookAgain(user);
      expect(await t.scene.configMap('payments', name)).toEqual(before);
      await t.scene.delete(configMap);
      await t.expectServed(user);
      expect((await t.scene.configMap('payments', name))?.data).not.toHaveProperty('precious');
      await t.remove(user);
    },
  );

  it('the connection ConfigMap of another user gets ConfigMapClaimed, which names that user, and is taken over when that is deleted', async () => {
    const connection = { configMapName: 'shared-connection' };
    const first = userOfSecond('claims-first', { connection });
    const late = userOfSecond('claims-late', { connection });
    await t.scene.apply(first);
    await t.expectServed(first);
    const before = await t.scene.configMap('payments', 'shared-connection');
    await t.scene.apply(late);
    const { message } = await t.scene.untilCondition(late, 'ConnectionReady', 'False', 'ConfigMapClaimed');
    expect(message).toContain('IamDatabaseUser claims-first');
    await t.scene.lookAgain(late);
    await t.scene.lookAgain(first);
    expect(await t.scene.configMap('payments', 'shared-connection')).toEqual(before);
    await t.scene.untilReady(first);
    await t.remove(first);
    await t.expectServed(late);
    expect((await t.scene.configMap('payments', 'shared-connection'))?.data['PGUSER']).toBe(
      'payments_claims_late',
    );
    await t.remove(late);
  });
});

describe('what the server does not have, or what must never be granted', () => {
  const groups = [
    'nowhere',
    'powerful',
    'nests',
    'reads_files',
    'pg_read_server_files',
    'rds_superuser',
    'grows',
    'orders_readwrite',
  ];
  beforeAll(async () => {
    await t.scene.apply(t.second([rule({ memberOf: groups })]));
  });

  it('a group that is missing gets GroupNotFound with the SQL that makes it, then MissingAdminOption with the SQL that lets us grant it; then the user is served', async () => {
    const user = userOfSecond('groupless', { memberOf: ['orders_readwrite', 'nowhere'] });
    await t.scene.apply(user);
    const missing = await t.scene.untilCondition(user, 'RoleReady', 'False', 'GroupNotFound');
    expect(missing.message).toContain('CREATE ROLE "nowhere" NOLOGIN;');
    await t.scene.lookAgain(user);
    await t.expectNoAccess(user);
    await t.sql('CREATE ROLE "nowhere" NOLOGIN;');
    const barred = await t.scene.untilCondition(user, 'RoleReady', 'False', 'MissingAdminOption');
    const grant = 'GRANT "nowhere" TO "iamdb_admin" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;';
    expect(barred.message).toContain(grant);
    expect(await t.roleOf('payments_groupless')).toEqual([]);
    await t.sql(grant);
    await t.expectServed(user);
    expect(await t.groupsOf('payments_groupless')).toEqual(['nowhere', 'orders_readwrite', 'rds_iam']);
    await t.remove(user);
    await t.sql('DROP ROLE nowhere');
  });

  it.each([
    ['is a superuser', 'powerful', 'powerful', 'ALTER ROLE powerful NOSUPERUSER'],
    ['reaches CREATEROLE through another group', 'nests', 'nested', 'REVOKE nested FROM nests'],
    [
      'reaches pg_read_server_files',
      'reads_files',
      'pg_read_server_files',
      'REVOKE pg_read_server_files FROM reads_files',
    ],
    ['is pg_read_server_files', 'pg_read_server_files', 'pg_read_server_files', undefined],
    ['is rds_superuser', 'rds_superuser', 'rds_superuser', undefined],
  ])(
    'a group that %s is never granted though the rule lists it: PrivilegedGroup names what it reaches; the user is served without that power',
    async (_, group, reached, cure) => {
      await t.sql(`DO $$ BEGIN IF to_regrole('powerful') IS NULL THEN
        CREATE ROLE powerful SUPERUSER;
        CREATE ROLE nested CREATEROLE; CREATE ROLE nests; GRANT nested TO nests;
        CREATE ROLE reads_files; GRANT pg_read_server_files TO reads_files;
        GRANT powerful, nests, reads_files TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
      END IF; END $$`);
      const user = userOfSecond(`in-${group.replaceAll('_', '-')}`, {
        memberOf: ['orders_readwrite', group],
      });
      await t.scene.apply(user);
      const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'PrivilegedGroup');
      expect(message).toContain(`Group "${group}" is or reaches`);
      expect(message).toContain(`"${reached}", which is never granted`);
      await t.scene.untilCondition(user, 'Stalled', 'True', 'PrivilegedGroup');
      await t.scene.lookAgain(user);
      await t.expectNoAccess(user);
      if (cure === undefined) await t.scene.patch(user, { spec: { memberOf: ['orders_readwrite'] } });
      else await t.sql(cure);
      await t.expectServed(user);
      await t.remove(user);
    },
  );

  it('a group that becomes powerful later takes that one membership away, with a Warning event, and nothing else; it comes back when the power goes', async () => {
    await t.sql('CREATE ROLE grows; GRANT grows TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
    const user = userOfSecond('grown', { memberOf: ['orders_readwrite', 'grows'] });
    await t.scene.apply(user);
    await t.expectServed(user);
    expect(await t.groupsOf('payments_grown')).toEqual(['grows', 'orders_readwrite', 'rds_iam']);
    await t.sql('ALTER ROLE grows CREATEDB');
    await t.scene.untilCondition(user, 'RoleReady', 'False', 'PrivilegedGroup');
    expect(await t.groupsOf('payments_grown')).toEqual(['orders_readwrite', 'rds_iam']);
    expect(await t.scene.login('payments_grown')).toBe('payments_grown');
    await t.scene.untilEvent(user, 'PrivilegedGroup', /Group "grows" is or reaches "grows"/);
    await t.scene.untilEvent(user, 'DriftRepaired', /RoleReady.*revoke group/);
    await t.sql('ALTER ROLE grows NOCREATEDB');
    await t.scene.untilReady(user);
    expect(await t.groupsOf('payments_grown')).toEqual(['grows', 'orders_readwrite', 'rds_iam']);
    await t.remove(user);
    await t.sql('DROP ROLE grows');
  });

  it('a role that another password login reaches gets WouldLockOut, which names that login, and does not end it; rds_iam comes back once it is revoked there', async () => {
    const user = userOfSecond('reached');
    await t.scene.apply(user);
    await t.expectServed(user);
    await t.sql(`CREATE ROLE accountant LOGIN PASSWORD 'sesame'; BEGIN;
      REVOKE rds_iam FROM payments_reached GRANTED BY iamdb_admin; GRANT payments_reached TO accountant; COMMIT`);
    const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'WouldLockOut');
    expect(message).toContain('"accountant"');
    expect(message).toContain('REVOKE "payments_reached" FROM');
    await t.scene.lookAgain(user);
    expect(await t.scene.loginByPassword('accountant', 'sesame')).toBe('accountant');
    expect(await t.groupsOf('payments_reached')).toEqual(['orders_readwrite']);
    await t.sql('REVOKE payments_reached FROM accountant');
    await t.scene.untilReady(user);
    expect(await t.scene.login('payments_reached')).toBe('payments_reached');
    expect(await t.scene.loginByPassword('accountant', 'sesame')).toBe('accountant');
    await t.remove(user);
    await t.sql('DROP ROLE accountant');
  });

  it('a further database in connectDatabases gets DatabaseNotAllowed until an IamDatabase of the server admits the user to it, and DatabaseNameNotFound until it is created; then the user is served', async () => {
    const reports = t.second([rule()], 'reports', 'reports');
    const user = userOfSecond('reports', { connectDatabases: ['orders', 'reports'] });
    await t.scene.apply(user);
    const barred = await t.scene.untilCondition(user, 'Ready', 'False', 'DatabaseNotAllowed');
    expect(barred.message).toContain('connectDatabases names "reports"');
    await t.expectNothingBegun(user);
    await t.scene.apply(reports);
    const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'DatabaseNameNotFound');
    expect(message).toContain('no database "reports"');
    await t.scene.lookAgain(user);
    await t.expectNoAccess(user);
    await t.sql('CREATE DATABASE reports');
    await t.expectServed(user);
    await t.remove(user);
    await t.scene.delete(reports);
    await t.scene.untilGone(reports);
    await t.sql('DROP DATABASE reports');
  });

  it("a CONNECT that our admin may not grant gets MissingGrantOption; the statement in the message, run by the database's owner, mends it", async () => {
    await t.sql('CREATE DATABASE sealed OWNER orders_owner');
    await t.sql('REVOKE CONNECT ON DATABASE sealed FROM PUBLIC');
    const sealed = t.second([rule()], 'sealed', 'sealed');
    await t.scene.apply(sealed);
    const user = userOfSecond('sealed', { connectDatabases: ['orders', 'sealed'] });
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'MissingGrantOption');
    const [statement = ''] = /GRANT CONNECT ON DATABASE .*;/.exec(message) ?? [];
    await t.sql(`SET ROLE orders_owner; ${statement}`);
    await t.expectServed(user);
    await t.remove(user);
    // What somebody else granted hangs on the role: it is kept, without any access.
    expect(await t.sql(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'payments_sealed'`)).toEqual([
      { rolcanlogin: false },
    ]);
    await t.scene.delete(sealed);
    await t.scene.untilGone(sealed);
    await t.sql('DROP DATABASE sealed');
    await t.sql('DROP ROLE payments_sealed');
  });

  it('an IAM role that does not exist gets RoleNotFound; the user is served once it is created', async () => {
    const principal = roleARN('payments-missing');
    const user = userOfSecond('roleless', { principals: [{ roleARN: principal }] });
    await t.scene.apply(user);
    const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'RoleNotFound');
    expect(message).toContain('payments-missing');
    await t.scene.untilCondition(user, 'Ready', 'False', 'RoleNotFound');
    createWorkloadRole(t.stage.aws, 'payments-missing');
    await t.expectServed(user, principal);
    await t.remove(user);
  });
});
