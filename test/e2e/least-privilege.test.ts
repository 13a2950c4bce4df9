// The operator has every right that it uses, and uses every right that it has: each rule of its Roles and each action of its
// IAM policy is exercised here, so that one which is taken away, or one too many, turns this red.
import {
  AttachGroupPolicyCommand,
  AttachRolePolicyCommand,
  AttachUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import { clusterRules, namespaceRules, tokenRules } from '../../src/systems/permissions.ts';
import { clientsFor } from '../aws/clients.ts';
import { accountID, createWorkloadRole, masterKeyARN, operatorID, region } from '../stage/account.ts';
import { operatorNamespace } from '../stage/cluster.ts';
import { databaseElsewhere } from '../stage/elsewhere.ts';
import { createPublicRoot, type StagedProxy, startProxy } from '../stage/proxy.ts';
import { createIrsaRole } from '../stage/irsa.ts';
import { asGranted, compareAws, compareKubernetes, statementsOf } from '../stage/rights.ts';
import { quickSettings, type Scene, sceneOf, serviceAccount, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const cluster = 'prod-1';
let stage: Stage;
let scene: Scene;
let proxy: StagedProxy;
const user = userManifest();
const byToken = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });
const byPod = userManifest('pod', { principals: [{ serviceAccount: { name: 'pod' } }] });
const foreign = userManifest('foreign');
const fillers = [1, 2, 3, 4, 5, 6].map((number) => userManifest(`filler-${number}`));
const all = [user, byToken, byPod, foreign, ...fillers];

const orders = (policy: object = {}) =>
  stage.iamDatabase({
    spec: {
      target: {
        type: 'Cluster',
        cluster: { identifier: 'orders-prod', region },
        proxies: [{ name: 'orders-proxy' }],
      },
      policy,
      resync: { policy: 'Periodic', intervalSeconds: 30 },
    } as never,
  });
const ourPolicy = () =>
  [...stage.aws.iamState().policies.values()].find(({ path }) => path.startsWith('/iamdb/'));
const connection = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'checkout-connection', namespace: 'payments' },
};

const harmless = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'logs:PutLogEvents', Resource: '*' }],
};

beforeAll(async () => {
  const root = await createPublicRoot();
  stage = await startStage({
    extraRoots: root.certificatePem,
    elsewhere: true,
    settings: {
      ...quickSettings,
      // Quicker still: a series of events is told after ten minutes.
      'time-scale': '0.02',
      'inline-policies': 'true',
      'eks-cluster-name': cluster,
      'prove-with-service-accounts-in': 'payments',
    },
  });
  scene = sceneOf(stage);
  stage.aws.eks.createCluster(cluster);
  const { resourceId } = stage.database.gate.server;
  const roleMay = [`arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceId}/payments_*`];
  proxy = await startProxy(stage, { name: 'orders-proxy', root, roleMay });
  // Its role has policies of both sorts.
  const { arn: PolicyArn } = stage.aws.createPolicy({ name: 'logs', document: harmless });
  const RoleName = proxy.roleARN.split('/').at(-1);
  const { iam } = clientsFor(stage.aws, stage.aws.administrator);
  await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
});
afterAll(async () => {
  await proxy.stop();
  await stage.stop();
});

describe('what the operator may do', () => {
  it('is all used, in a life of its objects', { timeout: 180_000 }, async () => {
    // One that has no operator id reads that of the cluster, and one that is not alone asks for the Lease.
    const elected = { 'operator-id': '', mode: 'Plan', 'leader-elect': 'true', 'time-scale': '1' };
    const other = await stage.replica('other', elected);
    await other.start();
    await until('it to lead', () => other.log().some(({ msg }) => msg === 'leading'));
    await other.stop();

    await stage.operator.start();

    // Single instances are looked for, and an admin's password is read.
    stage.aws.rds.createInstance({ identifier: 'reports' });
    const { metadata } = stage.iamDatabase({ name: 'reports' });
    const target = { type: 'Instance', instance: { identifier: 'reports', region } };
    const admin = { username: 'somebody', authentication: 'Secret', secretRef: { name: 'reports-admin' } };
    const reports = stage.iamDatabase({ name: metadata.name, spec: { target, admin } as never });
    await scene.apply(reports);
    await scene.untilCondition(reports, 'AdminReady', 'False', 'AdminSecretMissing');

    // One has its password in Secrets Manager, under a key of the account's own.
    const secret = { name: 'rds!cluster-managed', text: '{"username":"postgres","password":"old"}' };
    const masterUserSecretArn = stage.aws.secrets.createSecret({ ...secret, kmsKey: masterKeyARN });
    stage.aws.rds.modifyCluster('orders-prod', { masterUserSecretArn });
    const managed = stage.iamDatabase({
      name: 'managed',
      spec: { admin: { username: 'postgres', authentication: 'ManagedSecret' } } as never,
    });
    await scene.apply(managed);
    await until('its secret to be read', () =>
      stage.aws.calls.some(({ action, status }) => action === 'GetSecretValue' && status === 200),
    );

    // One is in another account.
    await scene.apply(databaseElsewhere(stage));
    await scene.untilReady(databaseElsewhere(stage));

    // Behind a proxy, whose role is read. A user: made, proven by sts:AssumeRole, one by a token of its ServiceAccount.
    await scene.apply(orders());
    await scene.apply(serviceAccount('shop', createIrsaRole(stage, 'payments', 'shop')));
    await scene.apply(user);
    await scene.apply(byToken);
    await scene.untilReady(user);
    await scene.untilCondition(byToken, 'AccessVerified', 'True', 'Verified');

    // The role of one comes from an association of EKS Pod Identity.
    const pod = { namespace: 'payments', serviceAccount: 'pod' };
    const roleArn = createWorkloadRole(stage.aws, 'payments-pod');
    stage.aws.eks.associate(cluster, { ...pod, roleArn });
    const named = { name: 'pod', namespace: 'payments' };
    await scene.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: named });
    await scene.apply(byPod);
    await scene.untilCondition(byPod, 'PolicyReady', 'True');

    // A ConfigMap that is not ours is looked at and left alone.
    const theirs = { ...connection, metadata: { ...connection.metadata, name: 'foreign-connection' } };
    await scene.apply({ ...theirs, data: { theirs: 'true' } });
    await scene.apply(foreign);
    await scene.untilCondition(foreign, 'ConnectionReady', 'False', 'ForeignConfigMap');

    // What was forgotten over a restart is read again.
    await stage.operator.stop();
    await stage.operator.start();
    // More users in the same policy than there may be versions of it: old ones go.
    for (const filler of fillers) {
      await scene.apply(filler);
      await scene.untilReady(filler);
    }

    // Tags are added, what strangers did is undone.
    await scene.apply(orders({ tags: { team: 'platform' } }));
    await until('the tag', () => ourPolicy()?.tags.get('team') === 'platform');
    const iam = clientsFor(stage.aws, stage.aws.administrator).iam;
    const PolicyArn = ourPolicy()?.arn;
    stage.aws.createUser({ name: 'mallory' });
    stage.aws.createGroup('strangers');
    await iam.send(new AttachUserPolicyCommand({ PolicyArn, UserName: 'mallory' }));
    await iam.send(new AttachGroupPolicyCommand({ PolicyArn, GroupName: 'strangers' }));
    await until('both to be detached', () => {
      const { users, groups } = stage.aws.iamState();
      return [users.get('mallory'), groups.get('strangers')].every((one) => one?.attached.length === 0);
    });

    // The same drift twice is one event, counted.
    for (const PGHOST of ['one.example.com', 'two.example.com']) {
      // Only of one that was Ready a repair is told.
      await scene.lookAgain(user);
      await scene.untilReady(user);
      await scene.patch(connection, { data: { PGHOST } });
      await until('it to be mended', async () => {
        const { data } = (await scene.configMap('payments', 'checkout-connection')) ?? { data: {} };
        return data['PGHOST'] === stage.database.endpoint.host;
      });
      await scene.untilEvent(user, 'DriftRepaired', /ConnectionReady/);
    }

    // Inline instead, and all of it ended.
    await scene.apply(orders({ delivery: 'Inline' }));
    await until('the managed policies to go', () => ourPolicy() === undefined);
    for (const one of all) await scene.delete(one);
    for (const one of all) await scene.untilGone(one);

    const granted = [
      { rules: clusterRules },
      { rules: namespaceRules, namespace: operatorNamespace },
      { rules: tokenRules, namespace: 'payments' },
    ];
    const unused = async () => (await compareKubernetes(stage, granted)).unused;
    await until('every right to be used', async () => (await unused()).length === 0, {
      withinMs: 30_000,
      seen: unused,
    });
    expect(await compareKubernetes(stage, granted)).toEqual(asGranted);
  });

  it('in AWS is all used, and nothing of it was refused', () => {
    // With every option that there is; the role's policy is the published one.
    const any = ['any'];
    const published = operatorPolicy({
      partition: 'aws',
      accountID,
      operatorID,
      principals: any,
      admins: any,
      proxyRoles: any,
      masterSecrets: any,
      masterKeys: any,
      assumeRoles: any,
      eksCluster: { region, name: cluster },
      inline: true,
    });
    expect(statementsOf(stage)).toEqual(published.Statement.map(({ Sid }) => Sid));
    expect(compareAws(stage)).toEqual(asGranted);
  });
});
