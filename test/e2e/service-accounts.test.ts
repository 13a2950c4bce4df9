// ServiceAccounts as principals: their role by annotation, followed when it changes, kept when it cannot be told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { quickSettings, type Scene, sceneOf, serviceAccount, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let first: string;
let second: string;
let foreign: string;
const user = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });

const account = (roleARN?: string) => serviceAccount('shop', roleARN);
const allowed = (roleName: string) =>
  scene.allowedARNs(roleName).filter((arn) => arn.endsWith('/payments_shop'));

beforeAll(async () => {
  stage = await startStage({ settings: quickSettings });
  scene = sceneOf(stage);
  first = createWorkloadRole(stage.aws, 'payments-shop');
  second = createWorkloadRole(stage.aws, 'payments-shop-2');
  foreign = createWorkloadRole(stage.aws, 'billing-shop');
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.untilReady(stage.iamDatabase());
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
describe('a user by ServiceAccount', () => {
  it('waits for the ServiceAccount, and is told what to create', async () => {
    await scene.apply(user);
    const { message } = await scene.untilCondition(user, 'PolicyReady', 'False', 'ServiceAccountNotFound');
    expect(message).toContain('eks.amazonaws.com/role-arn');
    await scene.untilCondition(user, 'Ready', 'False', 'ServiceAccountNotFound');
  });

  it('waits for its annotation, and is told the command', async () => {
    await scene.apply(account());
    const { message } = await scene.untilCondition(user, 'PolicyReady', 'False', 'ServiceAccountWithoutRole');
    expect(message).toContain('kubectl annotate serviceaccount -n payments shop eks.amazonaws.com/role-arn=');
  });

  it('is let in by the role once it is annotated', async () => {
    await scene.apply(account(first));
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_shop', first)).toBe('payments_shop');
    expect((await scene.read(user))?.status?.principals).toEqual([
      { roleARN: first, source: 'IRSA', policyARN: expect.stringContaining(':policy/iamdb/stage/') },
    ]);
  });

  it('is followed to another role: the new one is let in, the old one is not any more', async () => {
    await scene.apply(account(second));
    await until('the old role to lose it', () => allowed('payments-shop').length === 0);
    await until(
      'a proof by the new role',
      async () => (await scene.read(user))?.status?.verifiedAs === second,
    );
    await scene.untilReady(user);
    expect(await scene.login('payments_shop', second)).toBe('payments_shop');
    await expect(scene.login('payments_shop', first)).rejects.toThrow(/authentication failed/);
  });

  it('is refused with a role that the owner does not allow, which gets nothing', async () => {
    await scene.apply(account(foreign));
    await scene.untilCondition(user, 'Allowed', 'False', 'PrincipalNotAllowed');
    expect(scene.allowedARNs('billing-shop')).toEqual([]);
    await scene.apply(account(second));
    await scene.untilReady(user);
  });

  it('keeps its access while the ServiceAccount is gone, even over a restart, and says that it is', async () => {
    await scene.delete(account());
    await scene.untilCondition(user, 'PolicyReady', 'False', 'ServiceAccountNotFound');
    await stage.operator.stop();
    await stage.operator.start();
    await scene.lookAgain(user);
    await scene.untilCondition(user, 'PolicyReady', 'False', 'ServiceAccountNotFound');
    expect(await scene.login('payments_shop', second)).toBe('payments_shop');
    await scene.apply(account(second));
    await scene.untilReady(user);
  });

  it('leaves nothing behind when it goes together with its ServiceAccount', async () => {
    await scene.delete(account());
    await scene.delete(user);
    await scene.untilGone(user);
    expect(allowed('payments-shop-2')).toEqual([]);
    expect(stage.aws.iamState().roles.get('payments-shop-2')?.attached).toEqual([]);
  });
});
