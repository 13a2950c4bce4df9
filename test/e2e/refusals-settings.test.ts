// What only other settings of the operator show: addresses that it may not dial, and proofs by its own identity.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accountID, operatorRoleARN, region } from '../stage/account.ts';
import { checkoutRole, quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';

let stage: Stage;
let scene: Scene;
beforeAll(async () => {
  stage = await startStage({ settings: { ...quickSettings, 'prove-as-operator': 'true' } });
  scene = sceneOf(stage);
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
it('a loopback address to dial gets AddressRefused and is not dialled; the database is ready under an operator that may', async () => {
  const strict = await stage.replica('strict', { 'allow-local-addresses': 'false' });
  await strict.start();
  await scene.apply(stage.iamDatabase());
  const { message } = await scene.untilCondition(
    stage.iamDatabase(),
    'TargetResolved',
    'False',
    'AddressRefused',
  );
  expect(message).toContain('loopback');
  await scene.untilCondition(stage.iamDatabase(), 'Ready', 'False', 'AddressRefused');
  expect(stage.database.gate.logins).toEqual([]);
  await strict.stop();
  await stage.operator.start();
  await scene.untilReady(stage.iamDatabase());
});

it('a login by the operator itself is ProvenAsOperator, which does not hold Ready back and is no proof of the workload; by the workload it is Verified', async () => {
  const user = userManifest('checkout', { probe: { as: 'Operator' } });
  stage.aws.putInlinePolicy(operatorRoleARN, 'proofs', {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: `arn:aws:rds-db:${region}:${accountID}:dbuser:${stage.database.gate.server.resourceId}/payments_checkout`,
      },
    ],
  });
  await scene.apply(user);
  await scene.untilCondition(user, 'AccessVerified', 'Unknown', 'ProvenAsOperator');
  await scene.untilReady(user);
  await scene.patch(user, { spec: { probe: { as: 'Workload' } } });
  await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
  expect((await scene.read(user))?.status?.verifiedAs).toBe(checkoutRole);
});
