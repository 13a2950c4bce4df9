// Users of a database that is not there: held, let go where the owner says so, and let go once it is gone for good.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';

let stage: Stage;
let scene: Scene;
const [letGo, switchedOff, held] = [
  userManifest('let-go'),
  userManifest('switched-off'),
  userManifest('held'),
];

beforeAll(async () => {
  stage = await startStage({ usualPostgres: 14, settings: quickSettings });
  scene = sceneOf(stage);
  await stage.operator.start();
  // What AWS was asked a moment before may be answered once more: the next look has to come soon.
  await scene.apply(stage.iamDatabase({ spec: { resync: { policy: 'Periodic', intervalSeconds: 30 } } }));
  await Promise.all([letGo, switchedOff, held].map((user) => scene.apply(user)));
  await Promise.all([letGo, switchedOff, held].map((user) => scene.untilReady(user)));
});
afterAll(() => stage.stop());

const roles = async () => {
  const rows = await stage.database.postgres.sql<{ readonly rolname: string }>(
    `SELECT rolname FROM pg_roles WHERE rolname LIKE 'payments\\_%' ORDER BY 1`,
  );
  return rows.map(({ rolname }) => rolname);
};
const namesIn = (arns: readonly string[]) => arns.map((arn) => arn.slice(arn.indexOf('/') + 1)).toSorted();

it('holds the deletion while the database cannot be reached, and the right in IAM is gone already', async () => {
  await stage.database.gate.close();
  stage.database.gate.dropSessions();
  await scene.delete(letGo);
  const { message } = await scene.untilCondition(letGo, 'Ready', 'False', 'DatabaseUnavailable');
  expect(message).toContain('orphanOnUnreachable');
  expect(namesIn(scene.allowedARNs('payments-checkout'))).toEqual(['payments_held', 'payments_switched_off']);
});

it('lets the user go once the owner says that it may, and tells that the role stays', async () => {
  await scene.patch(stage.iamDatabase(), { spec: { orphanOnUnreachable: true } });
  await scene.untilGone(letGo);
  await scene.untilEvent(letGo, 'RoleGivenUp', /orphanOnUnreachable.*DROP ROLE/);
  expect(await roles()).toEqual(['payments_held', 'payments_let_go', 'payments_switched_off']);
  await scene.patch(stage.iamDatabase(), { spec: { orphanOnUnreachable: false } });
  await stage.database.gate.open();
  await expect(scene.login('payments_let_go')).rejects.toThrow(/authentication failed/);
});

it('does the same where IAM authentication was switched off for good', async () => {
  await scene.untilReady(switchedOff);
  stage.aws.rds.modifyCluster('orders-prod', { iamAuthentication: false });
  await scene.untilCondition(switchedOff, 'DatabaseResolved', 'False', 'IamAuthenticationOff');
  await scene.delete(switchedOff);
  const { message } = await scene.untilCondition(switchedOff, 'Ready', 'False', 'IamAuthenticationOff');
  expect(message).toContain('orphanOnUnreachable');
  await scene.patch(stage.iamDatabase(), { spec: { orphanOnUnreachable: true } });
  await scene.untilGone(switchedOff);
  await scene.untilEvent(switchedOff, 'RoleGivenUp', /orphanOnUnreachable.*DROP ROLE/);
  expect(namesIn(scene.allowedARNs('payments-checkout'))).toEqual(['payments_held']);
  await scene.patch(stage.iamDatabase(), { spec: { orphanOnUnreachable: false } });
  stage.aws.rds.modifyCluster('orders-prod', { iamAuthentication: true });
});

it('holds the deletion while AWS has not known the database for long, and then lets the user go', async () => {
  await scene.untilReady(held);
  stage.aws.rds.deleteCluster('orders-prod');
  await scene.untilCondition(held, 'DatabaseResolved', 'False', 'TargetMissing');
  // Who stays loses nothing.
  expect(namesIn(scene.allowedARNs('payments-checkout'))).toEqual(['payments_held']);
  await scene.delete(held);
  const { message } = await scene.untilCondition(held, 'Ready', 'False', 'TargetMissing');
  expect(message).toContain('15 minutes');
  expect(namesIn(scene.allowedARNs('payments-checkout'))).toEqual([]);
  // A quarter of an hour at the stage's pace.
  await scene.untilGone(held, 100_000);
  await scene.untilEvent(held, 'RoleGivenUp', /quarter of an hour/);
  expect(await roles()).toContain('payments_held');
}, 150_000);
