// Databases of two AWS accounts beside each other: each by its own identity, with its own policies, and none in the other's way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operatorRoleARN } from '../stage/account.ts';
import {
  databaseElsewhere,
  elsewhereOf,
  externalID,
  otherAccountID,
  otherCheckoutRole,
  reachARN,
  sceneElsewhere,
} from '../stage/elsewhere.ts';
import { checkoutRole, quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let here: Scene;
let there: Scene;
const own = userManifest();
const elsewhere = userManifest('elsewhere', {
  databaseRef: { name: 'orders-elsewhere' },
  username: 'payments_checkout',
  principals: [{ roleARN: otherCheckoutRole }],
});

beforeAll(async () => {
  stage = await startStage({ elsewhere: true, settings: quickSettings });
  here = sceneOf(stage);
  there = sceneElsewhere(stage);
  await stage.operator.start();
  await here.apply(stage.iamDatabase());
  await here.apply(own);
  await here.untilReady(own);
});
afterAll(() => stage.stop());

const arnOf = (account: string, resourceID: string) =>
  `arn:aws:rds-db:ap-northeast-2:${account}:dbuser:${resourceID}/payments_checkout`;
const ownARN = () => arnOf('111122223333', stage.database.gate.server.resourceId);
const otherARN = () => arnOf(otherAccountID, elsewhereOf(stage).database.gate.server.resourceId);

const changeTrust = (condition: object | undefined) => {
  const role = elsewhereOf(stage).account;
  role.setTrustPolicy('reach', {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: operatorRoleARN },
        Action: ['sts:AssumeRole', 'sts:TagSession'],
        ...(condition === undefined ? {} : { Condition: condition }),
      },
    ],
  });
};

describe('a database in another account', () => {
  const wrong = () =>
    databaseElsewhere(stage, { spec: { assumeRole: { arn: reachARN, externalID: 'wrong' } } });

  it('is not reached with a wrong external id, and the statement that is missing is told', async () => {
    await here.apply(wrong());
    await here.apply(elsewhere);
    const { message } = await here.untilCondition(wrong(), 'TargetResolved', 'False', 'AssumeRoleRefused');
    expect(message).toContain(reachARN);
    expect(message).toContain(
      `{"Effect":"Allow","Principal":{"AWS":"${operatorRoleARN}"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"wrong"}}}`,
    );
    await here.untilCondition(elsewhere, 'DatabaseResolved', 'False', 'AssumeRoleRefused');
    await here.untilCondition(wrong(), 'Stalled', 'True', 'AssumeRoleRefused');
    await here.untilCondition(elsewhere, 'Stalled', 'True', 'AssumeRoleRefused');
    expect(there.allowedARNs('payments-checkout')).toEqual([]);
  });

  it('is reached once that statement is there', async () => {
    changeTrust({ StringEquals: { 'sts:ExternalId': 'wrong' } });
    await here.untilReady(wrong());
    await here.untilCondition(elsewhere, 'AccessVerified', 'True', 'Verified');
    await here.untilReady(elsewhere);
    expect(there.allowedARNs('payments-checkout')).toEqual([otherARN()]);
  });

  it('follows another external id', async () => {
    changeTrust({ StringEquals: { 'sts:ExternalId': externalID } });
    await here.apply(databaseElsewhere(stage));
    await here.untilReady(databaseElsewhere(stage));
    await here.lookAgain(elsewhere);
    await here.untilReady(elsewhere);
    expect(there.allowedARNs('payments-checkout')).toEqual([otherARN()]);
  });

  it('tells of a right that is missing there at the role there, not at the operator', async () => {
    const { account } = elsewhereOf(stage);
    const published = account.iamState().roles.get('reach')?.inline.get('operator') ?? '';
    const missing = /"iam:CreatePolicyVersion",|"rds:DescribeDBClusters",/g;
    expect(published.match(missing)).toHaveLength(2);
    account.putInlinePolicy(reachARN, 'operator', JSON.parse(published.replaceAll(missing, '')) as object);
    const late = userManifest('late', { ...elsewhere.spec, username: 'payments_late' });
    await here.apply(late);
    const { message } = await here.untilCondition(late, 'PolicyReady', 'False', 'AccessDenied');
    expect(message).toContain(`AWS refused ${reachARN} (spec.assumeRole) iam:CreatePolicyVersion`);
    expect(message).toContain('the policy of that role');
    await until('RDS to be told of the same way', async () => {
      await here.lookAgain(databaseElsewhere(stage));
      const resolved = await here.untilCondition(databaseElsewhere(stage), 'TargetResolved', 'True');
      return resolved.message.includes(
        `AWS refused ${reachARN} (spec.assumeRole) rds:DescribeDBClusters in ap-northeast-2. Add the action to the policy of that role`,
      );
    });
    account.putInlinePolicy(reachARN, 'operator', JSON.parse(published) as object);
    await here.untilReady(late);
    await here.delete(late);
    await here.untilGone(late);
  });

  it('has its own user under the same name, whose role logs in there', async () => {
    expect(await there.login('payments_checkout', otherCheckoutRole)).toBe('payments_checkout');
    expect(await here.login('payments_checkout')).toBe('payments_checkout');
  });

  it('keeps policies in its own account, and the first account keeps its own', () => {
    expect(there.allowedARNs('payments-checkout')).toEqual([otherARN()]);
    expect(here.allowedARNs('payments-checkout')).toEqual([ownARN()]);
  });

  it('admits no principal of the first account, and tells how a workload there gets in', async () => {
    const stray = userManifest('stray', {
      databaseRef: { name: 'orders-elsewhere' },
      principals: [{ roleARN: checkoutRole }],
    });
    await here.apply(stray);
    const { message } = await here.untilCondition(stray, 'Allowed', 'False', 'PrincipalNotAllowed');
    expect(message).toMatch(/create a role there, let the workload assume it/);
    await here.delete(stray);
    await here.untilGone(stray);
    expect(here.allowedARNs('payments-checkout')).toEqual([ownARN()]);
    expect(there.allowedARNs('payments-checkout')).toEqual([otherARN()]);
  });

  it('that lets the operator in no more holds a user that leaves, and says what would be left', async () => {
    const revoked = databaseElsewhere(stage, {
      spec: { assumeRole: { arn: reachARN, externalID: 'revoked' } },
    });
    await here.apply(revoked);
    // What was resolved stays; that it is asked for by the new id has to be seen before the user goes.
    await until('the database to say so', async () =>
      (await here.untilCondition(revoked, 'TargetResolved', 'True')).message.includes(
        'does not let the operator assume',
      ),
    );
    await here.delete(elsewhere);
    const { message } = await here.untilCondition(elsewhere, 'Stalled', 'True', 'AssumeRoleRefused');
    expect(message).toContain('role "payments_checkout" in the database');
    expect(message).toContain('take finalizer iamdb.dev/access off');
  });

  it('ends its user there once it lets it in again, and nobody here', async () => {
    await here.apply(databaseElsewhere(stage));
    await here.untilGone(elsewhere);
    expect(there.allowedARNs('payments-checkout')).toEqual([]);
    await expect(there.login('payments_checkout', otherCheckoutRole)).rejects.toThrow(
      /authentication failed/,
    );
    expect(here.allowedARNs('payments-checkout')).toEqual([ownARN()]);
    expect(await here.login('payments_checkout')).toBe('payments_checkout');
  });

  it('costs one session an hour, not one a call', () => {
    const sessions = stage.aws.calls.filter(
      ({ action, parameters, status }) =>
        action === 'AssumeRole' && parameters['RoleArn'] === reachARN && status === 200,
    );
    // One for each external id that was given.
    expect(sessions).toHaveLength(2);
  });
});
