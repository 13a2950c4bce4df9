// Who keeps the policies: the operator, or somebody else by its document; changed without a moment of lost access.
import { TagPolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientsFor } from '../aws/clients.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { createWorkloadRole } from '../stage/account.ts';

let stage: Stage;
let scene: Scene;
let shop: string;
let user: ReturnType<typeof userManifest>;

const orders = (policy: object, name = 'orders') => stage.iamDatabase({ name, spec: { policy } as never });
const document = async () => (await scene.configMap('payments', 'shop-policy'))?.data;
const attached = () => stage.aws.iamState().roles.get('payments-shop')?.attached ?? [];
const ours = () =>
  [...stage.aws.iamState().policies.values()].filter(({ path }) => path.startsWith('/iamdb/'));
const login = () => scene.login('payments_shop', shop);

/** Logs in all the while, as pods do, and tells the first refusal. */
async function withoutRefusal(during: () => Promise<void>): Promise<number> {
  const end = new AbortController();
  let logins = 0;
  const all = (async () => {
    while (!end.signal.aborted) {
      expect(await login()).toBe('payments_shop');
      logins += 1;
    }
  })();
  // A refusal ends the wait for whatever it was that took the access away.
  const done = during().finally(() => {
    end.abort();
  });
  await Promise.all([all, done]);
  return logins;
}

beforeAll(async () => {
  stage = await startStage({ settings: quickSettings });
  scene = sceneOf(stage);
  shop = createWorkloadRole(stage.aws, 'payments-shop');
  user = userManifest('shop', { principals: [{ roleARN: shop }] });
  await stage.operator.start();
  await scene.apply(orders({ delivery: 'Document' }));
  await scene.untilReady(orders({}));
});
afterAll(() => stage.stop());

describe('tags that the owner wants', () => {
  const role = () => createWorkloadRole(stage.aws, 'payments-tagged');
  const tags = () => {
    const [arn = ''] = stage.aws.iamState().roles.get('payments-tagged')?.attached ?? [];
    const policy = [...stage.aws.iamState().policies.values()].find((one) => one.arn === arn);
    return Object.fromEntries(policy?.tags ?? []);
  };
  const tag = async (Key: string, Value: string) => {
    const [PolicyArn] = stage.aws.iamState().roles.get('payments-tagged')?.attached ?? [];
    await clientsFor(stage.aws, stage.aws.administrator).iam.send(
      new TagPolicyCommand({ PolicyArn, Tags: [{ Key, Value }] }),
    );
  };

  it('are on the policy at once, exchanged with the spec, put right, and others are left alone', async () => {
    const tagged = userManifest('tagged', { principals: [{ roleARN: role() }] });
    await scene.apply(orders({ delivery: 'Managed', tags: { team: 'pay', stage: 'prod' } }));
    await scene.untilReady(orders({}));
    await scene.apply(tagged);
    await scene.untilReady(tagged);
    expect(tags()).toMatchObject({ team: 'pay', stage: 'prod', 'iamdb.dev/operator-id': 'stage' });
    await tag('audit', '2026');
    await scene.apply(orders({ delivery: 'Managed', tags: { team: 'billing', stage: 'prod' } }));
    await until('the new tag', () => tags()['team'] === 'billing');
    expect(tags()).toMatchObject({ stage: 'prod', audit: '2026' });
    await tag('team', 'somebody');
    await stage.operator.stop();
    await stage.operator.start();
    await until('the tag to be put right', () => tags()['team'] === 'billing');
    expect(tags()).toMatchObject({ audit: '2026' });
    await scene.delete(tagged);
    await scene.untilGone(tagged);
    await scene.apply(orders({ delivery: 'Document' }));
    await scene.untilReady(orders({}));
  });
});

// Each goes on where the one before ended.
describe('policies that somebody else attaches', () => {
  it('stand in a ConfigMap of the user; until they are attached the proof says that it is not let in', async () => {
    await scene.apply(user);
    await scene.untilCondition(user, 'PolicyReady', 'Unknown', 'NotManaged');
    await scene.untilCondition(user, 'RoleReady', 'True');
    const { resourceId } = stage.database.gate.server;
    expect((await document())?.['arns']).toBe(
      `arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:${resourceId}/payments_shop`,
    );
    await scene.untilCondition(user, 'Ready', 'False', 'TokenRefused');
    expect(attached()).toEqual([]);
  });

  it('let the user in as they stand there, which the proof finds out', async () => {
    stage.aws.putInlinePolicy(
      shop,
      'by-terraform',
      JSON.parse((await document())?.['policy.json'] ?? '') as object,
    );
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await login()).toBe('payments_shop');
    expect(stage.aws.iamState().roles.get('payments-shop')?.attached).toEqual([]);
  });

  it('are taken over by the operator with delivery Managed: the document goes, no login is refused', async () => {
    await withoutRefusal(async () => {
      await scene.apply(orders({ delivery: 'Managed' }));
      await scene.untilCondition(user, 'PolicyReady', 'True');
      await until('the document to go', async () => (await document()) === undefined);
    });
    expect(scene.allowedARNs('payments-shop')).toHaveLength(1);
  });

  it('are handed back when a person says that the others are in place, no login refused', async () => {
    stage.aws.putInlinePolicy(shop, 'by-terraform', {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: 's3:*', Resource: '*' }],
    });
    const logins = await withoutRefusal(async () => {
      await scene.apply(orders({ delivery: 'Document' }));
      const message = await scene.untilTold(
        user,
        'PolicyReady',
        /kubectl annotate iamdatabase orders iamdb\.dev\/policies-handed-over=/,
      );
      await scene.untilCondition(user, 'PolicyReady', 'Unknown', 'NotManaged');
      await scene.lookAgain(user);
      expect(attached()).toHaveLength(1);
      stage.aws.putInlinePolicy(
        shop,
        'by-terraform',
        JSON.parse((await document())?.['policy.json'] ?? '') as object,
      );
      const [, generation = ''] = /handed-over="(\d+)"/.exec(message) ?? [];
      const metadata = { annotations: { 'iamdb.dev/policies-handed-over': generation } };
      await scene.patch(orders({}), { metadata });
      await until('our policy to go', () => attached().length === 0);
    });
    expect(logins).toBeGreaterThan(2);
    await until('nothing of ours to stand in IAM', () => ours().length === 0);
    await scene.untilReady(user);
  });

  it('leave nothing of ours behind', async () => {
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await document()).toBeUndefined();
    await expect(login()).rejects.toThrow(/authentication failed/);
  });
});
