// Inline policies: kept under the operator's own name beside those of others, and exchanged with managed ones without a refused login.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let shop: string;
let user: ReturnType<typeof userManifest>;
const theirs = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: 's3:*', Resource: '*' }] };

const orders = (delivery: string) =>
  stage.iamDatabase({
    spec: { policy: { delivery }, resync: { policy: 'Periodic', intervalSeconds: 30 } } as never,
  });
const role = () => stage.aws.iamState().roles.get('payments-shop');
const inline = () => role()?.inline.get('iamdb-stage');
const managed = () => role()?.attached ?? [];

/** Logs in all the while, as pods do; fails with the first refusal. */
async function withoutRefusal(during: () => Promise<void>): Promise<void> {
  const end = new AbortController();
  const all = (async () => {
    while (!end.signal.aborted) expect(await scene.login('payments_shop', shop)).toBe('payments_shop');
  })();
  await Promise.all([all, during().finally(() => end.abort())]);
}

beforeAll(async () => {
  stage = await startStage({ settings: { ...quickSettings, 'inline-policies': 'true' } });
  scene = sceneOf(stage);
  shop = createWorkloadRole(stage.aws, 'payments-shop');
  stage.aws.putInlinePolicy(shop, 'theirs', theirs);
  user = userManifest('shop', { principals: [{ roleARN: shop }] });
  await stage.operator.start();
  await scene.apply(orders('Inline'));
  await scene.untilReady(orders('Inline'));
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
describe('an inline policy', () => {
  it('lets the user in, beside what others keep on the role', async () => {
    await scene.apply(user);
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(inline()).toContain('/payments_shop"');
    expect(managed()).toEqual([]);
    expect(JSON.parse(role()?.inline.get('theirs') ?? '')).toEqual(theirs);
  });

  it('costs nothing to look at again', async () => {
    const before = stage.aws.countWrites();
    await scene.lookAgain(user);
    expect(stage.aws.countWrites()).toBe(before);
  });

  it('is put right when somebody edits it', async () => {
    const before = inline();
    stage.aws.putInlinePolicy(shop, 'iamdb-stage', theirs);
    await until('it to be as it was', () => inline() === before);
  });

  it('is exchanged for a managed one and back, no login refused, though IAM takes its time', async () => {
    stage.aws.propagationDelayMs = 300;
    // What was mended a moment ago has to be seen as mended by an IAM that is slow from now on.
    const mayEnter = () =>
      scene.login('payments_shop', shop).then(
        () => true,
        () => false,
      );
    await until('a login', mayEnter);
    await withoutRefusal(async () => {
      await scene.apply(orders('Managed'));
      await until('the inline policy to go', () => inline() === undefined);
      expect(managed()).toHaveLength(1);
    });
    await scene.untilReady(user);
    await withoutRefusal(async () => {
      await scene.apply(orders('Inline'));
      await until('the managed policy to go', () => managed().length === 0);
      expect(inline()).toContain('/payments_shop"');
    });
    stage.aws.propagationDelayMs = 0;
    await scene.untilReady(user);
  });

  it('goes with its last user, and leaves those of others', async () => {
    await scene.delete(user);
    await scene.untilGone(user);
    expect([...(role()?.inline.keys() ?? [])]).toEqual(['theirs']);
    await expect(scene.login('payments_shop', shop)).rejects.toThrow(/authentication failed/);
  });
});
