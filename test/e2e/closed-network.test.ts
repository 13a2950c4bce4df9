// A network with one way out: every call to AWS goes through the proxy that HTTPS_PROXY names, under AWS's own names.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest();
const byAssociation = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });

beforeAll(async () => {
  stage = await startStage({ closedNetwork: true, settings: { 'eks-cluster-name': 'prod-1' } });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.apply(user);
  const shop = { name: 'shop', namespace: 'payments' };
  stage.aws.eks.createCluster('prod-1');
  stage.aws.eks.associate('prod-1', {
    namespace: shop.namespace,
    serviceAccount: shop.name,
    roleArn: createWorkloadRole(stage.aws, 'payments-shop'),
  });
  await scene.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: shop });
  await scene.apply(byAssociation);
});
afterAll(() => stage.stop());

it('a user is served and proven, and each service of AWS was asked through the proxy', async () => {
  await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(user);
  await until('the association to be found', async () =>
    (await scene.read(byAssociation))?.status?.principals?.some(({ source }) => source === 'PodIdentity'),
  );
  expect([...new Set(stage.proxy?.asked)].toSorted()).toEqual([
    'eks.ap-northeast-2.amazonaws.com:443',
    'iam.amazonaws.com:443',
    'rds.ap-northeast-2.amazonaws.com:443',
    'sts.ap-northeast-2.amazonaws.com:443',
  ]);
});
