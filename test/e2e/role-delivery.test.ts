// Who keeps the roles: the operator, or a DBA by the SQL it is given; on a database that the operator has no admin for.
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIamAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { apply } from '../stage/cluster.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { startStatementLog, type StatementLog } from '../stage/statements.ts';
import { until } from '../stage/wait.ts';

describe.each<PostgresMajor>([14, 16, 17, 18])('roles that a DBA keeps on PostgreSQL %i', (major) => {
  let stage: Stage;
  let scene: Scene;
  let dba: Client;
  let log: StatementLog;
  const user = userManifest('shop', {
    connectDatabases: ['orders'],
    connectionLimit: 5,
    settings: { statement_timeout: '30s' },
  });
  const orders = (delivery: string, more: object = {}) =>
    stage.iamDatabase({ spec: { admin: undefined, role: { delivery }, ...more } as never });
  const script = async () => (await scene.configMap('payments', 'shop-sql'))?.data['role.sql'] ?? '';
  const role = async () => {
    const rows = await stage.database.postgres.sql(`SELECT rolcanlogin, rolconnlimit, rolconfig,
      shobj_description(oid, 'pg_authid') AS comment,
      ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1) AS groups
      FROM pg_roles r WHERE rolname = 'payments_shop'`);
    return rows[0];
  };
  const run = async () => await dba.query(await script());

  beforeAll(async () => {
    stage = await startStage({ postgres: major, settings: quickSettings });
    scene = sceneOf(stage);
    const { postgres } = stage.database;
    const { username } = await createIamAdmin(postgres, 'dba');
    dba = new Client({ ...postgres.superuser, user: username, password: '', database: 'postgres' });
    // The bed ends its servers while it is connected.
    dba.on('error', () => {});
    await dba.connect();
    log = await startStatementLog(stage);
    await stage.operator.start();
    await scene.apply(orders('SQL'));
    await scene.untilReady(orders('SQL'));
  });
  afterAll(async () => {
    await dba.end();
    await stage.stop();
  });

  it('are told in SQL; until that is run the proof says that nobody is let in', async () => {
    const { reason, status } = await scene.untilCondition(orders('SQL'), 'AdminReady', 'Unknown');
    expect({ reason, status }).toEqual({ reason: 'NotManaged', status: 'Unknown' });
    await scene.apply(user);
    const { message } = await scene.untilCondition(user, 'RoleReady', 'Unknown', 'NotManaged');
    expect(message).toContain('kubectl get configmap -n payments shop-sql');
    await scene.untilCondition(user, 'PolicyReady', 'True');
    await scene.untilCondition(user, 'AccessVerified', 'False');
    expect(await role()).toBeUndefined();
  });

  it('let the user in once it is run, which the proof finds out; run again it changes nothing', async () => {
    await run();
    const made = await role();
    expect(made).toMatchObject({
      rolcanlogin: true,
      rolconnlimit: 5,
      rolconfig: ['statement_timeout=30s'],
      groups: ['orders_readwrite', 'rds_iam'],
    });
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_shop')).toBe('payments_shop');
    await run();
    expect(await role()).toEqual(made);
  });

  it('follow the object by the same SQL, told anew', async () => {
    const before = await script();
    await scene.patch(user, { spec: { memberOf: ['orders_readonly'], connectionLimit: 7 } });
    await until('another script', async () => (await script()) !== before);
    await run();
    expect(await role()).toMatchObject({ rolconnlimit: 7, groups: ['orders_readonly', 'rds_iam'] });
  });

  it('end by the SQL that is left when the object is gone', async () => {
    await scene.delete(user);
    await scene.untilGone(user);
    await scene.untilEvent(user, 'RoleLeft', /role\.sql \(sha256 [0-9a-f]{64}\)/);
    await expect(scene.login('payments_shop')).rejects.toThrow(/authentication failed/);
    expect(await role()).toMatchObject({ rolcanlogin: true });
    await run();
    expect(await role()).toBeUndefined();
  });

  it('were never looked at by the operator', () => {
    expect(log.said()).toEqual([]);
  });
});

describe('the delivery of roles', () => {
  let stage: Stage;
  let scene: Scene;
  let dba: Client;
  const user = userManifest('shop');
  const orders = (delivery: string, more: object = {}) =>
    stage.iamDatabase({ spec: { role: { delivery }, ...more } as never });
  const map = async () => await scene.configMap('payments', 'shop-sql');
  const comment = async () => {
    const rows = await stage.database.postgres.sql<{ readonly comment: string }>(
      `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = 'payments_shop'`,
    );
    return rows[0]?.comment;
  };

  beforeAll(async () => {
    stage = await startStage({ settings: quickSettings });
    scene = sceneOf(stage);
    const { postgres } = stage.database;
    const { username } = await createIamAdmin(postgres, 'dba');
    dba = new Client({ ...postgres.superuser, user: username, password: '', database: 'postgres' });
    dba.on('error', () => {});
    await dba.connect();
    await stage.operator.start();
    await scene.apply(orders('SQL'));
    await scene.untilReady(orders('SQL'));
  });
  afterAll(async () => {
    await dba.end();
    await stage.stop();
  });

  it('writes nothing over a ConfigMap of somebody else, and goes on when that is gone', async () => {
    const foreign = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'shop-sql', namespace: 'payments' },
    };
    await apply(stage.bed.kube, { ...foreign, data: { mine: 'yes' } });
    await scene.apply(user);
    await scene.untilCondition(user, 'RoleReady', 'False', 'ForeignConfigMap');
    expect((await map())?.data).toEqual({ mine: 'yes' });
    await scene.delete(foreign);
    await scene.untilCondition(user, 'RoleReady', 'Unknown', 'NotManaged');
  });

  it('from SQL to Managed: the operator takes the role over once it may administer it', async () => {
    await dba.query((await map())?.data['role.sql'] ?? '');
    await scene.untilReady(user);
    expect(await comment()).toContain('"script"');
    await scene.apply(orders('Managed'));
    await scene.untilCondition(user, 'RoleReady', 'False', 'RolesNotAdministrable');
    expect(await scene.login('payments_shop')).toBe('payments_shop');
    await dba.query(`GRANT payments_shop TO ${stage.admin.username} WITH ADMIN OPTION`);
    await scene.untilCondition(user, 'RoleReady', 'True');
    expect(await comment()).not.toContain('"script"');
    await until('the script to go', async () => (await map()) === undefined);
    expect(await scene.login('payments_shop')).toBe('payments_shop');
  });

  it('from Managed to SQL and to None: the role stays as it is', async () => {
    const before = await comment();
    await scene.apply(orders('SQL'));
    await until('the script', async () => (await map()) !== undefined);
    await scene.untilCondition(user, 'RoleReady', 'Unknown', 'NotManaged');
    await scene.apply(orders('None'));
    await until('the script to go', async () => (await map()) === undefined);
    await until('to be told who creates it', async () =>
      (await scene.condition(user, 'RoleReady'))?.message.includes('somebody else creates them'),
    );
    await scene.untilReady(user);
    expect(await comment()).toBe(before);
    expect(await scene.login('payments_shop')).toBe('payments_shop');
  });

  it('tells what ends an access that is over by time, and gives it back by the same way', async () => {
    await scene.apply(orders('SQL'));
    await until('the script', async () => (await map()) !== undefined);
    await scene.patch(user, { spec: { expirationTime: '2020-01-01T00:00:00Z' } });
    await scene.untilTold(user, 'Ready', /kubectl get configmap -n payments shop-sql/);
    await scene.untilCondition(user, 'Ready', 'False', 'Expired');
    await until('the script that ends it', async () => (await map())?.data['role.sql']?.includes('NOLOGIN'));
    await until('its ARN to go', () => scene.allowedARNs('payments-checkout').length === 0);
    await scene.patch(user, { spec: { expirationTime: null } });
    await until('the script that gives it', async () =>
      (await map())?.data['role.sql']?.includes('CREATE ROLE'),
    );
    await scene.untilReady(user);
  });

  it('leaves with None what is there to who keeps it, and says so', async () => {
    await scene.apply(orders('None'));
    await until('the script to go', async () => (await map()) === undefined);
    await scene.delete(user);
    await scene.untilGone(user);
    await scene.untilEvent(user, 'RoleLeft', /somebody else to end/);
    expect(await comment()).toBeDefined();
    expect(await map()).toBeUndefined();
  });
});
