// The admin's password is rotated: wherever the new one is first, users stay Ready and no restart is needed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operatorNamespace } from '../stage/cluster.ts';
import {
  type AdminPassword,
  adminPassword,
  expectUndisturbed,
  onlyWhenAsked,
} from '../stage/admin-password.ts';
import { readyHistory } from '../stage/ready-history.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let admin: AdminPassword;
const bystander = userManifest('bystander');
const database = () => stage.iamDatabase({ spec: onlyWhenAsked });

beforeAll(async () => {
  stage = await startStage({
    postgres: 14,
    admin: 'Secret',
    // Slow enough that what passes within minutes does not pass before the test has looked.
    settings: { ...quickSettings, 'time-scale': '0.1' },
  });
  scene = sceneOf(stage);
  admin = adminPassword(stage, scene);
  await stage.operator.start();
  await scene.apply(database());
  await scene.apply(bystander);
  await scene.untilCondition(bystander, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(bystander);
});
afterAll(() => stage.stop());

const base64 = (text: string) => Buffer.from(text).toString('base64');
const inSecret = async (password: string) =>
  await scene.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'orders-admin', namespace: operatorNamespace },
    data: { username: base64(stage.admin.username), password: base64(password) },
  });
const isRefusalLogged = () => stage.operator.output().includes('AdminChanging');

describe('a password that is rotated', () => {
  it('in PostgreSQL first: what is Ready stays so while the Secret has the old one, and the new one is taken up', async () => {
    const history = await readyHistory(stage.bed.kube);
    await admin.inPostgres('second-password');
    await admin.untilLoggedOut();
    await scene.askForLook(bystander);
    await scene.askForLook(database());
    await until('the refusal to be told', isRefusalLogged);
    // Who is not Ready anyway is told what it waits for.
    const second = userManifest('second');
    await scene.apply(second);
    await scene.untilCondition(second, 'RoleReady', 'Unknown', 'AdminChanging');
    await inSecret('second-password');
    await admin.expectServed('second');
    await scene.untilCondition(second, 'RoleReady', 'True', 'AsDeclared');
    expectUndisturbed(await history());
    expect(await scene.loginByPassword(stage.admin.username, 'second-password')).toBe(stage.admin.username);
  });

  it('in the Secret first: the one that worked is used until PostgreSQL has the new one', async () => {
    const history = await readyHistory(stage.bed.kube);
    await inSecret('third-password');
    await admin.untilLoggedOut();
    await admin.expectServed('third');
    await admin.inPostgres('third-password');
    await admin.untilLoggedOut();
    await admin.expectServed('fourth');
    expectUndisturbed(await history());
  });

  it('in PostgreSQL and never in the Secret: it is told as AdminLoginRefused in the end, and mended by the Secret', async () => {
    await admin.inPostgres('fifth-password');
    await admin.untilLoggedOut();
    await scene.askForLook(bystander);
    await scene.untilCondition(bystander, 'Ready', 'False', 'AdminLoginRefused', 60_000);
    await inSecret('fifth-password');
    await scene.lookAgain(bystander);
    await scene.untilReady(bystander);
  });
});
