// A network with one way out: every call to AWS goes through the proxy that HTTPS_PROXY names, under AWS's own names.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest();

beforeAll(async () => {
  stage = await startStage({ closedNetwork: true });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.apply(user);
});
afterAll(() => stage.stop());

it('a user is served and proven, and each service of AWS was asked through the proxy', async () => {
  await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(user);
  expect([...new Set(stage.proxy?.asked)].toSorted()).toEqual([
    'iam.amazonaws.com:443',
    'rds.ap-northeast-2.amazonaws.com:443',
    'sts.ap-northeast-2.amazonaws.com:443',
  ]);
});
