// An operator that serves some namespaces only, with a Role in each: users there work, and others are neither seen nor touched.
import { TagPolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientsFor } from '../aws/clients.ts';
import { readAudit } from '../bed/audit.ts';
import { applyNamespace, operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import { checkoutRole, quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Replica, type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let everywhere: Replica;
const here = userManifest('here');
const alsoHere = userManifest('shop', {}, 'shop');
const elsewhere = userManifest('elsewhere', {}, 'other');

const database = () =>
  stage.iamDatabase({
    spec: {
      resync: { policy: 'Periodic', intervalSeconds: 30 },
      allow: [
        {
          namespaces: { names: ['payments', 'shop', 'other'] },
          usernames: ['payments_*'],
          memberOf: ['orders_readwrite'],
          principals: [checkoutRole],
        },
      ],
    },
  });
const arnsOf = (username: string) =>
  scene.allowedARNs('payments-checkout').filter((arn) => arn.endsWith(`/${username}`));

function ourPolicy() {
  const { policies } = stage.aws.iamState();
  const policy = [...policies.values()].find(({ tags }) => tags.get('iamdb.dev/role-arn') === checkoutRole);
  if (policy === undefined) throw new Error('there is no policy for the role');
  return policy;
}

beforeAll(async () => {
  stage = await startStage({
    settings: { ...quickSettings, 'watch-namespaces': 'payments,shop' },
  });
  scene = sceneOf(stage);
  everywhere = await stage.replica('everywhere', { 'watch-namespaces': '' });
  await applyNamespace(stage.bed.kube, 'other');
  await stage.operator.start();
  await scene.apply(database());
  await scene.untilReady(database());
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
describe('an operator that watches two namespaces', () => {
  it('serves the users of both, and tells it by events', async () => {
    for (const user of [here, alsoHere]) {
      await scene.apply(user);
      await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await scene.untilReady(user);
    }
    expect(await scene.login('payments_here')).toBe('payments_here');
    expect(await scene.login('payments_shop')).toBe('payments_shop');
    await scene.untilEvent(here, 'Ready', /./);
    await scene.untilEvent(database(), 'Ready', /./);
  });

  it('does not see the others: no status, no role, no right, no ConfigMap', async () => {
    await scene.apply(elsewhere);
    await scene.lookAgain(here);
    expect((await scene.read(elsewhere))?.metadata.finalizers).toBeUndefined();
    expect((await scene.read(elsewhere))?.status).toEqual({ observedGeneration: -1 });
    expect(arnsOf('payments_elsewhere')).toEqual([]);
    expect(await scene.configMap('other', 'elsewhere-connection')).toBeUndefined();
  });

  it('asks for nothing that its Roles do not give', async () => {
    const account = `system:serviceaccount:${operatorNamespace}:${operatorAccount}`;
    const entries = (await readAudit(stage.bed.kube.auditLogFile)).filter(
      ({ user, responseStatus }) => user.username === account && responseStatus?.code === 403,
    );
    expect(entries.map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}`)).toEqual([]);
    expect(await scene.configMap(operatorNamespace, 'iamdb-operator-stage-trust-store')).toBeDefined();
  });

  it('keeps a user that is deleted there from getting in', async () => {
    await scene.delete(alsoHere);
    await scene.untilGone(alsoHere);
    expect(arnsOf('payments_shop')).toEqual([]);
    await expect(scene.login('payments_shop')).rejects.toThrow(/authentication failed/);
  });

  it('leaves to those of other namespaces what they have: narrowing the list ends nobody’s access', async () => {
    await stage.operator.stop();
    await stage.bed.kube.request({
      method: 'POST',
      path: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      body: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'everything' },
        subjects: [{ kind: 'ServiceAccount', name: operatorAccount, namespace: operatorNamespace }],
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      },
      expect: 201,
    });
    await everywhere.start();
    await scene.untilReady(elsewhere);
    await everywhere.stop();
    const sweeps = () =>
      stage.operator.log().filter(({ msg, controller }) => msg === 'pass' && controller === 'sweep').length;
    const before = sweeps();
    await stage.operator.start();
    await until('a look at everything', () => sweeps() > before);
    await scene.lookAgain(here);
    expect(arnsOf('payments_elsewhere')).toHaveLength(1);
    expect(await scene.login('payments_elsewhere')).toBe('payments_elsewhere');
  });

  it('says once whom it keeps without knowing of them, and what to do', async () => {
    const warnings = () => stage.operator.log().filter(({ usernames }) => usernames !== undefined);
    await until('a warning', () => warnings().length > 0);
    expect(warnings()).toMatchObject([
      {
        level: 'warn',
        policyARN: ourPolicy().arn,
        roleARN: checkoutRole,
        usernames: ['payments_elsewhere'],
        remedy: expect.stringContaining('iamdb.dev/scope') as string,
      },
    ]);
  });

  it('ends it once a person accounts for the policy, and nobody else’s access', async () => {
    const remedy = String(stage.operator.log().find(({ usernames }) => usernames !== undefined)?.['remedy']);
    const [, scope = ''] = /iamdb\.dev\/scope "([^"]+)"/.exec(remedy) ?? [];
    await clientsFor(stage.aws, stage.aws.administrator).iam.send(
      new TagPolicyCommand({ PolicyArn: ourPolicy().arn, Tags: [{ Key: 'iamdb.dev/scope', Value: scope }] }),
    );
    await scene.lookAgain(here);
    await until('its ARN to be gone', () => arnsOf('payments_elsewhere').length === 0);
    expect(arnsOf('payments_here')).toHaveLength(1);
    await expect(scene.login('payments_elsewhere')).rejects.toThrow(/authentication failed/);
  });
});
