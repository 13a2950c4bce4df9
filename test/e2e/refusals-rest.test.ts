// A rule that is full, and what waits for something else: told, and served once that is over.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { userManifest } from '../stage/scene.ts';
import { type Refusals, rule, startRefusals } from './refusals.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 16);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

it('a rule with as many users as it may have gets TooManyUsers for one more, which nothing is begun for; it is served once another goes', async () => {
  const second = t.second([rule({ maxUsers: 1 })]);
  const [first, late] = ['counted', 'uncounted'].map((name) =>
    userManifest(name, { databaseRef: { name: 'second' } }),
  ) as [ReturnType<typeof userManifest>, ReturnType<typeof userManifest>];
  await t.scene.apply(second);
  await t.scene.apply(first);
  await t.expectServed(first);
  await t.scene.apply(late);
  const { message } = await t.scene.untilCondition(late, 'Allowed', 'False', 'TooManyUsers');
  expect(message).toContain('maxUsers');
  await t.scene.untilCondition(late, 'Ready', 'False', 'TooManyUsers');
  await t.expectNothingBegun(late);
  await t.scene.lookAgain(first);
  await t.scene.untilReady(first);
  await t.remove(first);
  await t.expectServed(late);
  await t.remove(late);
  await t.scene.delete(second);
  await t.scene.untilGone(second);
});

it('an admin is Waiting while its database is not resolved, and rehearsed once it is', async () => {
  const elsewhere = t.stage.iamDatabase({ name: 'early' });
  t.stage.aws.rds.modifyCluster('orders-prod', { status: 'stopped' });
  await t.scene.untilCondition(t.orders(), 'TargetResolved', 'False', 'DatabaseStopped');
  await t.scene.apply(elsewhere);
  const { message } = await t.scene.untilCondition(elsewhere, 'AdminReady', 'Unknown', 'Waiting');
  expect(message).toContain('TargetResolved');
  t.stage.aws.rds.modifyCluster('orders-prod', { status: 'available' });
  await t.scene.untilCondition(elsewhere, 'AdminReady', 'True', 'Rehearsed');
  await t.scene.delete(elsewhere);
  await t.scene.untilGone(elsewhere);
  await t.scene.untilReady(t.orders());
});

it('an AWS that takes longer than a pass may leaves a database Progressing, not failed, and it is resolved once answers come', async () => {
  const late = t.second([rule()], 'unanswered');
  const clear = t.stage.aws.faults.add({ service: 'rds', error: 'timeout', times: Number.MAX_SAFE_INTEGER });
  await t.scene.apply(late);
  const { message } = await t.scene.untilCondition(late, 'TargetResolved', 'Unknown', 'Progressing', 40_000);
  expect(message).toContain('ran out of time');
  await t.scene.untilCondition(late, 'Ready', 'Unknown', 'Progressing');
  clear();
  await t.scene.untilCondition(late, 'TargetResolved', 'True', 'Resolved', 40_000);
  await t.scene.untilReady(late);
  await t.scene.delete(late);
  await t.scene.untilGone(late);
});
