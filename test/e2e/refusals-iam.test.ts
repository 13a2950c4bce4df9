// IAM that is full, slow or answers what nobody foresaw, and roles that take no policy: told, and served once that is over.
import { AttachRolePolicyCommand, DetachRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { clientsFor } from '../aws/clients.ts';
import { createWorkloadRole } from '../stage/account.ts';
import { checkoutRole, userManifest } from '../stage/scene.ts';
import { type Refusals, rule, startRefusals } from './refusals.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 16);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

/** A user whose IAM role nobody else uses. */
function userWithRole(name: string) {
  const principal = createWorkloadRole(t.stage.aws, `payments-${name}`);
  return { principal, user: userManifest(name, { principals: [{ roleARN: principal }] }) };
}

it('a role that has as many policies as it may gets QuotaExceeded before any call is made for it; the user is served once one is detached', async () => {
  const { user, principal } = userWithRole('full');
  const { iam } = clientsFor(t.stage.aws, t.stage.aws.administrator);
  const theirs = Array.from({ length: 10 }, (_, i) =>
    t.stage.aws.createPolicy({
      name: `theirs-${i}`,
      document: { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: 's3:*', Resource: '*' }] },
    }),
  );
  const of = (PolicyArn: string) => ({ RoleName: 'payments-full', PolicyArn });
  for (const { arn } of theirs) await iam.send(new AttachRolePolicyCommand(of(arn)));
  const writes = t.stage.aws.countWrites();
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'QuotaExceeded');
  expect(message).toContain('payments-full');
  await t.scene.untilCondition(user, 'Stalled', 'True', 'QuotaExceeded');
  expect(t.stage.aws.countWrites()).toBe(writes);
  await iam.send(new DetachRolePolicyCommand(of(theirs[0]?.arn ?? '')));
  await t.expectServed(user, principal);
  await t.remove(user);
});

it('a role of IAM Identity Center gets RoleNotAttachable without a call; the user is served by a role of its own', async () => {
  const reserved = `arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_dev_0123456789abcdef`;
  const second = t.second([rule({ principals: [reserved, checkoutRole] })]);
  const user = userManifest('person', {
    databaseRef: { name: 'second' },
    principals: [{ roleARN: reserved }],
  });
  await t.scene.apply(second);
  const writes = t.stage.aws.countWrites();
  await t.scene.apply(user);
  await t.scene.untilCondition(user, 'PolicyReady', 'False', 'RoleNotAttachable');
  await t.scene.untilCondition(user, 'Ready', 'False', 'RoleNotAttachable');
  expect(t.stage.aws.countWrites()).toBe(writes);
  await t.scene.patch(user, { spec: { principals: [{ roleARN: checkoutRole }] } });
  await t.expectServed(user);
  await t.remove(user);
  await t.scene.delete(second);
  await t.scene.untilGone(second);
});

it('inline policies that the operator is not set up to keep get InlineNotEnabled with the setting; the user is served by managed ones', async () => {
  const second = t.stage.iamDatabase({
    name: 'second',
    spec: { allow: [rule()], policy: { delivery: 'Inline' } },
  });
  const user = userManifest('inline', { databaseRef: { name: 'second' } });
  await t.scene.apply(second);
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'InlineNotEnabled');
  expect(message).toContain('--inline-policies');
  await t.scene.untilCondition(user, 'Ready', 'False', 'InlineNotEnabled');
  await t.scene.patch(second, { spec: { policy: { delivery: 'Managed' } } });
  await t.expectServed(user);
  await t.remove(user);
  await t.scene.delete(second);
  await t.scene.untilGone(second);
});

it('an IAM that does not show yet what was written is waited for as NotVisibleYet, and the user is served once it does', async () => {
  const { user, principal } = userWithRole('delayed');
  t.stage.aws.propagationDelayMs = 3_600_000;
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'Unknown', 'NotVisibleYet');
  await t.scene.untilCondition(user, 'Ready', 'Unknown', 'NotVisibleYet');
  expect(message).toMatch(/yet/);
  t.stage.aws.propagationDelayMs = 0;
  await t.scene.untilCondition(user, 'PolicyReady', 'True', 'AsDeclared');
  await t.expectServed(user, principal);
  await t.remove(user);
});

it('an answer of IAM that nobody foresaw is an InternalError that says nothing but where to look, and is over when that is', async () => {
  const { user, principal } = userWithRole('odd');
  const clear = t.stage.aws.faults.add({
    service: 'iam',
    action: 'CreatePolicy',
    error: 'InvalidInput',
    times: Number.MAX_SAFE_INTEGER,
  });
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'InternalError');
  expect(message).toBe('IAM did not understand iam:CreatePolicy; the operator log has the details.');
  await t.scene.untilCondition(user, 'Ready', 'False', 'InternalError');
  expect(t.scene.allowedARNs('payments-odd')).toEqual([]);
  clear();
  await t.expectServed(user, principal);
  await t.remove(user);
});
