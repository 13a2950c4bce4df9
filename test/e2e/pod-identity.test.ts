// ServiceAccounts whose role comes from an EKS Pod Identity association: found, followed, and its trust policy explained.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole, operatorRoleARN } from '../stage/account.ts';
import { quickSettings, type Scene, sceneOf, serviceAccount, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const cluster = 'prod-1';
let stage: Stage;
let scene: Scene;
let association: string;
const user = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });
const orders = () => stage.iamDatabase({ spec: { resync: { policy: 'Periodic', intervalSeconds: 30 } } });

const account = (roleARN?: string) => serviceAccount('shop', roleARN);
const allowed = (roleName: string) =>
  scene.allowedARNs(roleName).filter((arn) => arn.endsWith('/payments_shop'));
const principals = async () => (await scene.read(user))?.status?.principals;
const untilProvenAs = async (roleARN: string) => {
  await until(`a proof by ${roleARN}`, async () => (await scene.read(user))?.status?.verifiedAs === roleARN, {
    seen: async () => (await scene.read(user))?.status,
  });
  await scene.untilReady(user);
};

/** As EKS's guide has it made, and assumable by the operator for the proof and by the account's people. */
function podRole(name: string, statements: readonly object[] = [forPods]): string {
  const forOperator = {
    Effect: 'Allow',
    Principal: { AWS: [operatorRoleARN, 'arn:aws:iam::111122223333:root'] },
    Action: ['sts:AssumeRole', 'sts:TagSession'],
  };
  return stage.aws.createRole({
    name,
    trustPolicy: { Version: '2012-10-17', Statement: [...statements, forOperator] },
  }).arn;
}
const forPods = {
  Effect: 'Allow',
  Principal: { Service: 'pods.eks.amazonaws.com' },
  Action: ['sts:AssumeRole', 'sts:TagSession'],
};

beforeAll(async () => {
  stage = await startStage({
    settings: {
      ...quickSettings,
      'eks-cluster-name': cluster,
      'prove-with-service-accounts-in': 'payments',
    },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(orders());
  await scene.untilReady(orders());
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
describe('a user by ServiceAccount with an association', () => {
  it('waits while AWS knows no such cluster, and is told the setting', async () => {
    await scene.apply(account());
    await scene.apply(user);
    const { message } = await scene.untilCondition(user, 'PolicyReady', 'False', 'ClusterNotFound');
    expect(message).toContain('--eks-cluster-name');
    stage.aws.eks.createCluster(cluster);
    await scene.untilCondition(user, 'PolicyReady', 'False', 'ServiceAccountWithoutRole');
  });

  it('is let in by the role of the association, found in a list of several pages', async () => {
    stage.aws.pageSize = 2;
    for (const name of ['a', 'b', 'c']) {
      const roleArn = `arn:aws:iam::111122223333:role/${name}`;
      stage.aws.eks.associate(cluster, { namespace: 'payments', serviceAccount: name, roleArn });
    }
    const roleArn = podRole('payments-shop');
    association = stage.aws.eks.associate(cluster, {
      namespace: 'payments',
      serviceAccount: 'shop',
      roleArn,
    });
    await untilProvenAs(roleArn);
    stage.aws.pageSize = 1000;
    expect(await principals()).toMatchObject([{ roleARN: roleArn, source: 'PodIdentity' }]);
    expect(await scene.login('payments_shop', roleArn)).toBe('payments_shop');
  });

  it('is proven by the operator in that role: nobody but its pods gets it by a token', () => {
    expect(stage.aws.calls.filter(({ action }) => action === 'AssumeRoleWithWebIdentity')).toEqual([]);
    const described = stage.aws.calls.filter(({ action }) => action === 'DescribePodIdentityAssociation');
    expect(new Set(described.map(({ parameters }) => parameters['associationId']))).toEqual(
      new Set([association]),
    );
  });

  it('follows the association to another role within a resync; the old one is let in no more', async () => {
    const roleArn = podRole('payments-shop-2');
    stage.aws.eks.reassociate(cluster, association, { roleArn });
    await untilProvenAs(roleArn);
    await until('the old role to lose it', () => allowed('payments-shop').length === 0);
  });

  it('is the role behind the association, where that names one', async () => {
    const targetRoleArn = createWorkloadRole(stage.aws, 'payments-target');
    stage.aws.eks.reassociate(cluster, association, { targetRoleArn });
    await untilProvenAs(targetRoleArn);
    await until('the role in between to lose it', () => allowed('payments-shop-2').length === 0);
  });

  it('stays with the association when the ServiceAccount is annotated too, as its pods do', async () => {
    const annotated = podRole('payments-annotated');
    await scene.apply(account(annotated));
    await scene.lookAgain(user);
    expect(allowed('payments-annotated')).toEqual([]);
    expect(allowed('payments-target')).toHaveLength(1);
  });

  it('keeps what it has while AWS denies the operator to look, even over a restart, and is told', async () => {
    const stopDenying = stage.aws.faults.add({ service: 'eks', error: 'AccessDenied', times: 10_000 });
    await stage.operator.stop();
    await stage.operator.start();
    const { message } = await scene.untilCondition(user, 'PolicyReady', 'False', 'AccessDenied');
    expect(message).toContain('eks:ListPodIdentityAssociations');
    expect(allowed('payments-target')).toHaveLength(1);
    expect(allowed('payments-annotated')).toEqual([]);
    stopDenying();
    await scene.untilReady(user);
  });

  it('is the role of the annotation once the association is gone', async () => {
    stage.aws.eks.disassociate(cluster, association);
    await until('the role of the annotation to get it', () => allowed('payments-annotated').length === 1);
    await until('the role of the association to lose it', () => allowed('payments-target').length === 0);
  });

  it('is told that its role does not trust EKS, and the statement mends it when pasted', async () => {
    await scene.apply(account());
    for (const [name, statements, said] of [
      ['payments-untrusted', [], 'does not let pods.eks.amazonaws.com assume it'],
      ['payments-untagged', [{ ...forPods, Action: 'sts:AssumeRole' }], 'sts:TagSession'],
    ] as const) {
      const roleArn = podRole(name, statements);
      association = stage.aws.eks.associate(cluster, {
        namespace: 'payments',
        serviceAccount: 'shop',
        roleArn,
      });
      await until(
        `the role ${name} to be tried`,
        async () => {
          await scene.lookAgain(user);
          return (await scene.condition(user, 'AccessVerified'))?.message.includes(name);
        },
        { seen: async () => (await scene.read(user))?.status },
      );
      const { message } = await scene.untilCondition(user, 'AccessVerified', 'False', 'NotTrusted');
      expect(message).toContain(said);
      const statement = JSON.parse(/\{.*\}/.exec(message)?.[0] ?? '') as object;
      const mended = podRole(`${name}-mended`, [statement]);
      stage.aws.eks.reassociate(cluster, association, { roleArn: mended });
      await untilProvenAs(mended);
      stage.aws.eks.disassociate(cluster, association);
      await scene.untilCondition(user, 'PolicyReady', 'False', 'ServiceAccountWithoutRole');
    }
  });

  it('leaves nothing behind when it goes', async () => {
    await scene.delete(user);
    await scene.untilGone(user);
    for (const name of ['payments-shop', 'payments-target', 'payments-untagged-mended']) {
      expect(allowed(name)).toEqual([]);
    }
  });
});
