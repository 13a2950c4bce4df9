// Somebody else's tool that detaches our policy again and again: not fought for ever, but told, and mended when asked.
import { DetachRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientsFor } from '../aws/clients.ts';
import { createWorkloadRole } from '../stage/account.ts';
import { until } from '../stage/wait.ts';
import { type Refusals, startRefusals } from './refusals.ts';
import { userManifest } from '../stage/scene.ts';

let t: Refusals;
let user: ReturnType<typeof userManifest>;
let shop: string;
beforeAll(async () => {
  t = await startRefusals();
  shop = createWorkloadRole(t.stage.aws, 'payments-shop');
  user = userManifest('shop', { principals: [{ roleARN: shop }] });
});
afterAll(() => t.stage.stop());

const attached = () => t.stage.aws.iamState().roles.get('payments-shop')?.attached ?? [];

/** As a tool does that knows of no policy but its own. */
async function detach(): Promise<void> {
  const [PolicyArn] = attached();
  expect(PolicyArn).toContain('/iamdb/stage/');
  await clientsFor(t.stage.aws, t.stage.aws.administrator).iam.send(
    new DetachRolePolicyCommand({ RoleName: 'payments-shop', PolicyArn }),
  );
}

/** So many more passes over the user have ended. */
async function nextLooks(count: number): Promise<void> {
  const looks = () =>
    t.stage.operator.log().filter(({ msg, object }) => msg === 'pass' && object === 'payments/shop').length;
  const before = looks();
  await until('some more looks', () => looks() >= before + count);
}

describe('a policy that somebody else detaches', () => {
  it('is attached again twice; the third time that is DetachedByOthers, and nobody else is touched', async () => {
    await t.scene.apply(user);
    await t.expectServed(user, shop);
    for (let times = 0; times < 2; times += 1) {
      await detach();
      await until('it to be attached again', () => attached().length === 1);
      // Not while it is read back: that would be no repair that was seen to hold.
      await nextLooks(2);
    }
    await t.scene.untilEvent(user, 'DriftRepaired', /repaired: attach/);
    await detach();
    const { message } = await t.scene.untilCondition(user, 'PolicyReady', 'False', 'DetachedByOthers');
    expect(message).toContain('managed_policy_arns');
    await t.scene.untilCondition(user, 'Stalled', 'True', 'DetachedByOthers');
    const writes = t.stage.aws.countWrites();
    await nextLooks(2);
    expect(t.stage.aws.countWrites()).toBe(writes);
    expect(attached()).toEqual([]);
    await t.expectBystander();
  });

  it('is attached again when somebody asks for it', async () => {
    await t.scene.lookAgain(user);
    await t.expectServed(user, shop);
    expect(attached()).toHaveLength(1);
    await t.remove(user);
  });
});
