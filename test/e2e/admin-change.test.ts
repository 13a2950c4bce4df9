// The operator's admin is changed: to another name, and from a password to a token, without a user noticing.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accountID, operatorRoleARN, region } from '../stage/account.ts';
import { readyHistory } from '../stage/ready-history.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';

let stage: Stage;
let scene: Scene;
let master: Client;
const sql = async <Row>(text: string) => await stage.database.postgres.sql<Row>(text);
const bystander = userManifest('bystander');
const spec = { resync: { policy: 'Periodic', intervalSeconds: 30 } } as const;
const database = () => stage.iamDatabase({ spec });

beforeAll(async () => {
  stage = await startStage({ postgres: 14, admin: 'Secret', settings: quickSettings });
  scene = sceneOf(stage);
  const login = { user: 'master_user', password: 'master-password' } as const;
  await sql(`CREATE ROLE ${login.user} LOGIN CREATEROLE PASSWORD '${login.password}'`);
  master = new Client({ ...stage.database.postgres.superuser, ...login });
  await master.connect();
  await stage.operator.start();
  await scene.apply(database());
  await scene.apply(bystander);
  await scene.untilCondition(bystander, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(bystander);
});
afterAll(async () => {
  await master.end();
  await stage.stop();
});

/** Beside this process, in which gate and AWS are: nobody is to wait for them meanwhile. */
async function adminSQL(...args: readonly string[]): Promise<string> {
  const main = resolve(import.meta.dirname, '../../src/cli/main.ts');
  const wanted = [main, 'admin-sql', '--postgres=14', ...args];
  return (await promisify(execFile)(process.execPath, wanted)).stdout;
}

it('takes the new name only where the one of before is named, and goes on with all roles of before', async () => {
  const from = stage.admin.username;
  const to = 'iamdb_by_token';
  const renamed = { username: to, authentication: 'IAM', secretRef: null };
  const path = '/apis/iamdb.dev/v1alpha1/iamdatabases/orders';
  const refused = await stage.bed.kube.request({ method: 'PATCH', path, body: { spec: { admin: renamed } } });
  expect(refused.status).toBe(422);
  expect(JSON.stringify(refused.body)).toContain('kubectl iamdb admin-sql --rotate-from');

  const history = await readyHistory(stage.bed.kube);
  await scene.patch(database(), { spec: { suspend: true } });
  await scene.untilCondition(database(), 'Ready', 'True', 'Suspended');
  await master.query(await adminSQL('--username', to, '--rotate-from', from));
  stage.aws.putInlinePolicy(operatorRoleARN, 'new-admin', {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: `arn:aws:rds-db:${region}:${accountID}:dbuser:${stage.database.gate.server.resourceId}/${to}`,
      },
    ],
  });
  const changed = new AbortController();
  const change = async () => {
    await scene.patch(database(), { spec: { suspend: false, admin: { ...renamed, rotatedFrom: from } } });
    await scene.untilCondition(database(), 'Ready', 'True', 'Ready');
    changed.abort();
  };
  // A pass that comes to connections that are being closed is nobody's failure.
  const look = async () => {
    while (!changed.signal.aborted) await scene.askForLook(bystander);
  };
  await Promise.all([change(), look()]);

  const newcomer = userManifest('newcomer');
  await scene.apply(newcomer);
  await scene.untilCondition(newcomer, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(newcomer);
  await scene.lookAgain(bystander);
  await scene.untilReady(bystander);
  expect((await history()).filter((line) => line.includes(': False'))).toEqual([]);
  expect(await sql(`SELECT FROM pg_roles WHERE rolname = '${from}'`)).toEqual([]);

  // What the admin of before made can be ended by the one of now.
  await scene.delete(bystander);
  await scene.untilGone(bystander);
  expect(await sql(`SELECT FROM pg_roles WHERE rolname = 'payments_bystander'`)).toEqual([]);
  expect(await scene.login('payments_newcomer')).toBe('payments_newcomer');
});
