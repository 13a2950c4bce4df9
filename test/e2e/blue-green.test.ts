// A blue/green deployment: roles are left alone until the switch, access that ends does so at once, and all goes on afterwards.
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountID, region } from '../stage/account.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let deployment: string;
let blue: string;
let green: string;
let frozen: unknown;
const stays = userManifest('stays');
const leaves = userManifest('leaves');
const comes = userManifest('comes');

const clusterARN = (identifier: string) => `arn:aws:rds:${region}:${accountID}:cluster:${identifier}`;
const arnOn = (resourceID: string, username: string) =>
  `arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceID}/${username}`;
const allowed = (username: string) =>
  scene
    .allowedARNs('payments-checkout')
    .filter((arn) => arn.endsWith(`/${username}`))
    .toSorted();
const both = (username: string) => [arnOn(blue, username), arnOn(green, username)].toSorted();
const database = () => stage.iamDatabase({ spec: { resync: { policy: 'Periodic', intervalSeconds: 30 } } });
const sql = async <Row = Record<string, unknown>>(text: string) =>
  await stage.database.postgres.sql<Row>(text);
/** Every row of the catalogs of roles with the transaction that wrote it: what is changed back leaves another. */
const catalogs = async () => [
  await sql('SELECT xmin::text, ctid::text, * FROM pg_authid ORDER BY rolname'),
  await sql('SELECT xmin::text, ctid::text, * FROM pg_auth_members ORDER BY roleid, member, grantor'),
  await sql('SELECT xmin::text, ctid::text, * FROM pg_shdescription ORDER BY objoid, classoid'),
  await sql(`SELECT datname, datacl::text FROM pg_database ORDER BY 1`),
];

beforeAll(async () => {
  // Its password is what could be lost by a membership that is taken for a moment.
  stage = await startStage({ postgres: 14, admin: 'Secret', settings: quickSettings });
  scene = sceneOf(stage);
  blue = stage.database.gate.server.resourceId;
  await stage.operator.start();
  await scene.apply(database());
  for (const user of [stays, leaves]) await scene.apply(user);
  for (const user of [stays, leaves]) await scene.untilReady(user);

  green = stage.aws.rds.createCluster({ identifier: 'orders-prod-green-abc' }).resourceId;
  deployment = stage.aws.rds.createBlueGreenDeployment({
    name: 'upgrade',
    source: clusterARN('orders-prod'),
    target: clusterARN('orders-prod-green-abc'),
  }).identifier;
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
describe('a blue/green deployment that is under way', () => {
  it('brings the ids of both servers into the ARNs of each user', async () => {
    for (const name of ['payments_stays', 'payments_leaves']) {
      await until(`both ARNs of ${name}`, () => allowed(name).join() === both(name).join(), {
        seen: () => allowed(name),
      });
    }
    await until('the deployment in the status of the database', async () =>
      (await scene.condition(database(), 'TargetResolved'))?.message.includes('blue/green deployment'),
    );
    await until('both ARNs in the status', async () => {
      const { resourceARNs = [] } = (await scene.read(stays))?.status ?? {};
      return resourceARNs.toSorted().join() === both('payments_stays').join();
    });
    await scene.untilReady(stays);
    await scene.untilReady(database());
    expect(await scene.login('payments_stays')).toBe('payments_stays');
    frozen = await catalogs();
  });

  it('holds a new user', async () => {
    await scene.apply(comes);
    const { message } = await scene.untilCondition(comes, 'RoleReady', 'Unknown', 'BlueGreenInProgress');
    expect(message).toContain('held: create');
    await scene.untilCondition(comes, 'Ready', 'Unknown', 'BlueGreenInProgress');
    expect(((await scene.read(comes))?.status?.resourceARNs ?? []).toSorted()).toEqual(
      both('payments_comes'),
    );
    expect(await scene.configMap('payments', 'comes-connection')).toBeDefined();
    // Nobody is let in as a role that is not there yet.
    expect(allowed('payments_comes')).toEqual([]);
  });

  it('holds a change of groups, and the user goes on as it was', async () => {
    await scene.patch(stays, { spec: { memberOf: ['orders_readwrite', 'orders_readonly'] } });
    const { message } = await scene.untilCondition(stays, 'RoleReady', 'Unknown', 'BlueGreenInProgress');
    expect(message).toContain('grant group');
    expect(await scene.login('payments_stays')).toBe('payments_stays');
    expect(allowed('payments_stays')).toEqual(both('payments_stays'));
  });

  it('ends an access at once, and holds its role', async () => {
    const session = new Client({
      ...stage.database.postgres.superuser,
      user: 'payments_leaves',
      password: '',
      database: 'orders',
    });
    const lost = new Promise<string>((resolve) => {
      session.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    });
    await session.connect();
    await scene.delete(leaves);
    expect(await lost).toBe('57P01');
    await until('the ARNs to go', () => allowed('payments_leaves').length === 0);
    await expect(scene.login('payments_leaves')).rejects.toThrow(/authentication failed/);
    const { message } = await scene.untilCondition(leaves, 'Ready', 'Unknown', 'BlueGreenInProgress');
    expect(message).toContain('NOLOGIN and REVOKE follow');
    const [role] = await sql(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'payments_leaves'`);
    expect(role).toEqual({ rolcanlogin: true });
  });

  it('has changed nothing in the roles of the server', async () => {
    for (const user of [stays, comes]) await scene.lookAgain(user);
    expect(await catalogs()).toEqual(frozen);
  });
});

describe('the switch', () => {
  it('finishes what was held, on the server that answers now', async () => {
    const switchedAt = Date.now();
    const { gate } = stage.database;
    stage.aws.rds.switchOver(deployment);
    gate.setServer({ resourceId: green });
    gate.dropSessions();

    await scene.untilGone(leaves);
    expect(await sql(`SELECT FROM pg_roles WHERE rolname = 'payments_leaves'`)).toEqual([]);
    for (const user of [stays, comes]) {
      const name = String(user.spec['username']);
      await until(
        `the ARN of ${name} on the new server alone`,
        () => allowed(name).join() === arnOn(green, name),
      );
      await until(
        `a proof of ${name} on the new server`,
        async () => {
          const { status } = (await scene.read(user)) ?? {};
          const proof = status?.conditions?.find(({ type }) => type === 'AccessVerified');
          return proof?.status === 'True' && status?.resourceARNs?.join() === arnOn(green, name);
        },
        { seen: async () => (await scene.read(user))?.status },
      );
      await scene.untilReady(user);
      expect(
        gate.logins.some(
          (login) => login.user === name && login.outcome === 'accepted' && login.at.getTime() >= switchedAt,
        ),
      ).toBe(true);
      expect(await scene.login(name)).toBe(name);
    }
    const groups = await sql<{ readonly group: string }>(
      `SELECT roleid::regrole::text AS group FROM pg_auth_members WHERE member = 'payments_stays'::regrole ORDER BY 1`,
    );
    expect(groups.map(({ group }) => group)).toEqual(['orders_readonly', 'orders_readwrite', 'rds_iam']);
    await until('the new id in the status of the database', async () => {
      const found = await scene.read<{ readonly status?: { readonly resourceIDs?: readonly string[] } }>(
        database(),
      );
      return found?.status?.resourceIDs?.join() === green;
    });
  });
});
