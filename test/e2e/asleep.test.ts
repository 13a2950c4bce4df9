// Databases that are left asleep, by PostgreSQL's own log: nobody logs in without a reason, and idle sessions end.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest();
/** The shortest intervals that there are: 1.5 s and 3 s at the stage's pace. */
const spec = {
  resync: { policy: 'OnChange', intervalSeconds: 30 },
  probe: { policy: 'Periodic', intervalSeconds: 60 },
} as const;

beforeAll(async () => {
  stage = await startStage({ usualPostgres: 18, settings: quickSettings });
  scene = sceneOf(stage);
  await stage.database.postgres.sql(`ALTER SYSTEM SET log_connections = on`);
  await stage.database.postgres.sql(`SELECT pg_reload_conf()`);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase({ spec }));
  await scene.apply(user);
  await scene.untilCondition(user, 'AccessVerified', 'True');
  await scene.untilReady(user);
});
afterAll(() => stage.stop());

const log = () => readFileSync(join(dirname(stage.database.postgres.socketPath), 'postgres.log'), 'utf8');
const loginsOf = (name: string) => log().split(`connection authorized: user=${name} `).length - 1;

/** Logins of the operator's admin and of its users until now; what was written before our own login is in the log by then. */
async function logins(): Promise<number> {
  const before = loginsOf('postgres');
  await stage.database.postgres.sql('SELECT 1');
  await until('our own login to be in the log', () => loginsOf('postgres') > before);
  return loginsOf(stage.admin.username) + loginsOf('payments_checkout');
}
const sessions = async () =>
  await stage.database.postgres.sql(
    `SELECT usename FROM pg_stat_activity WHERE usename IN ('${stage.admin.username}', 'payments_checkout')`,
  );
const passes = (object: string) =>
  stage.operator.log().filter((line) => line['msg'] === 'pass' && line['object'] === object).length;

/** Time goes by: three more passes over the user and over its database, by their own timers. */
async function resyncs(): Promise<void> {
  const [ofUser, ofDatabase] = [passes('payments/checkout'), passes('orders')];
  await until('three passes over the user', () => passes('payments/checkout') >= ofUser + 3);
  await until('three passes over the database', () => passes('orders') >= ofDatabase + 3);
}

describe('a database that may sleep', () => {
  it('has no session left after a minute, and no login while nothing changes', async () => {
    await until('idle sessions to end', async () => (await sessions()).length === 0, { seen: sessions });
    const before = await logins();
    expect(before).toBeGreaterThan(0);
    await resyncs();
    expect(await logins()).toBe(before);
    expect(await sessions()).toEqual([]);
    expect(await scene.condition(user, 'Ready')).toMatchObject({ status: 'True' });
  });

  it('has policies put right without being asked', async () => {
    const { roles, policies } = stage.aws.iamState();
    expect([...policies.values()].filter(({ path }) => path.startsWith('/iamdb/'))).toHaveLength(1);
    const before = roles.get('payments-checkout')?.attached ?? [];
    expect(before).toHaveLength(1);
    stage.aws.detachAll('payments-checkout');
    await until(
      'the policy to be attached again',
      () => stage.aws.iamState().roles.get('payments-checkout')?.attached.length === 1,
    );
    expect(stage.aws.iamState().roles.get('payments-checkout')?.attached).toEqual(before);
  });

  it('is woken when its user is edited', async () => {
    await until('idle sessions to end', async () => (await sessions()).length === 0, { seen: sessions });
    const before = await logins();
    await scene.patch(user, { spec: { connectionLimit: 7 } });
    await scene.untilCondition(user, 'Ready', 'True');
    const [role] = await stage.database.postgres.sql(
      `SELECT rolconnlimit FROM pg_roles WHERE rolname = 'payments_checkout'`,
    );
    expect(role).toEqual({ rolconnlimit: 7 });
    expect(await logins()).toBeGreaterThan(before);
  });

  it('is logged in to by interval once that is asked for', async () => {
    const before = await logins();
    const { intervalSeconds } = spec.resync;
    await scene.patch(stage.iamDatabase(), { spec: { resync: { policy: 'Periodic', intervalSeconds } } });
    // Two proofs and more: the second comes by its interval alone.
    const after = await until('logins by interval', async () => {
      const now = await logins();
      return now >= before + 3 && now;
    });
    expect(after).toBeGreaterThan(before);
  });
});

describe('a database that is stopped', () => {
  it('is not dialled, though it is to be looked at by interval', async () => {
    stage.aws.rds.modifyCluster('orders-prod', { status: 'stopped' });
    await scene.lookAgain(stage.iamDatabase());
    await scene.untilCondition(user, 'DatabaseResolved', 'False', 'DatabaseStopped');
    const before = await logins();
    await resyncs();
    expect(await logins()).toBe(before);
    stage.aws.rds.modifyCluster('orders-prod', { status: 'available' });
    await scene.untilReady(user);
  });
});
