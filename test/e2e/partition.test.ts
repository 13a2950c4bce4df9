// Another partition: ARNs, endpoint and certificate authorities are China's, and an owner's slip about it is told.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accountID } from '../stage/account.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';

let stage: Stage;
let scene: Scene;
const place = { partition: 'aws-cn', region: 'cn-north-1' } as const;
const roleARN = `arn:aws-cn:iam::${accountID}:role/payments-checkout`;
const user = userManifest('checkout', { principals: [{ roleARN }] });

beforeAll(async () => {
  stage = await startStage({ place, settings: quickSettings });
  scene = sceneOf(stage);
  await stage.operator.start();
});
afterAll(() => stage.stop());

it('a user is proven, by a policy and under a name of that partition', async () => {
  await scene.apply(stage.iamDatabase());
  await scene.apply(user);
  await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(user);
  const { resourceId } = stage.database.gate.server;
  expect(scene.allowedARNs('payments-checkout')).toEqual([
    `arn:aws-cn:rds-db:cn-north-1:${accountID}:dbuser:${resourceId}/payments_checkout`,
  ]);
  const { data } = (await scene.configMap('payments', 'checkout-connection')) ?? { data: {} };
  expect(data['PGHOST']).toMatch(/\.rds\.cn-north-1\.amazonaws\.com\.cn$/);
  expect(await scene.configMap('payments', 'rds-ca-cn-north-1')).toBeDefined();
});

it('PartitionNotSupported tells an owner who names the wrong partition, and the right one is used once it is left out', async () => {
  const { host, port } = stage.database.endpoint;
  const { resourceId } = stage.database.gate.server;
  const explicit = { host, port, region: place.region, accountID, resourceIDs: [resourceId] };
  // A target is immutable: the IamDatabase is made anew.
  const declared = (partition?: 'aws') =>
    stage.iamDatabase({
      name: 'declared',
      spec: {
        target: {
          type: 'Explicit',
          explicit: { ...explicit, ...(partition === undefined ? {} : { partition }) },
        },
      },
    });
  await scene.apply(declared('aws'));
  const { message } = await scene.untilCondition(
    declared(),
    'TargetResolved',
    'False',
    'PartitionNotSupported',
  );
  expect(message).toContain(place.region);
  await scene.delete(declared());
  await scene.untilGone(declared());
  await scene.apply(declared());
  await scene.untilReady(declared());
  expect((await scene.read(declared()))?.status).toMatchObject({ partition: 'aws-cn' });
});
