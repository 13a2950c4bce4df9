// The operator has every right that it uses, and uses every right that it has: each rule of its Roles and each action of its
// IAM policy is exercised here, so that one which is taken away, or one too many, turns this red.
import { AttachGroupPolicyCommand, AttachUserPolicyCommand } from '@aws-sdk/client-iam';
import { createHash, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clusterRules,
  namespaceRules,
  operatorPolicy,
  type Rule,
  tokenRules,
} from '../../src/systems/permissions.ts';
import { clientsFor } from '../aws/clients.ts';
import { readAudit } from '../bed/audit.ts';
import { accountID, operatorID, region } from '../stage/account.ts';
import { operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import { createPublicRoot, type StagedProxy, startProxy } from '../stage/proxy.ts';
import { quickSettings, type Scene, sceneOf, serviceAccount, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let proxy: StagedProxy;
const user = userManifest();
const byToken = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });
const foreign = userManifest('foreign');
const fillers = [1, 2, 3, 4, 5, 6].map((number) => userManifest(`filler-${number}`));

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

beforeAll(async () => {
  const root = await createPublicRoot();
  stage = await startStage({
    extraRoots: root.certificatePem,
    settings: {
      ...quickSettings,
      // Quicker still: a series of events is told after ten minutes.
      'time-scale': '0.02',
      'inline-policies': 'true',
      'prove-with-service-accounts-in': 'payments',
    },
  });
  scene = sceneOf(stage);
  const { resourceId } = stage.database.gate.server;
  const roleMay = [`arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceId}/payments_*`];
  proxy = await startProxy(stage, { name: 'orders-proxy', root, roleMay });
});
afterAll(async () => {
  await proxy.stop();
  await stage.stop();
});

/** As EKS's guide has it made. */
function createIrsaRole(): string {
  const { serviceAccountIssuer: issuer, serviceAccountPublicKeyPem } = stage.bed.kube;
  const key = createPublicKey(serviceAccountPublicKeyPem);
  const kid = createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('base64url');
  const provider = stage.aws.registerOidcProvider({
    issuer,
    jwks: { keys: [{ ...key.export({ format: 'jwk' }), kid }] },
  });
  const host = issuer.replace('https://', '');
  const StringEquals = {
    [`${host}:sub`]: 'system:serviceaccount:payments:shop',
    [`${host}:aud`]: 'sts.amazonaws.com',
  };
  const action = { Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity' };
  const statement = { ...action, Principal: { Federated: provider }, Condition: { StringEquals } };
  return stage.aws.createRole({
    name: 'payments-shop',
    trustPolicy: { Version: '2012-10-17', Statement: [statement] },
  }).arn;
}

const expanded = (rules: readonly Rule[]) =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource} of ${group || 'core'}`)),
    ),
  );

/** What it asked the API server for, with the answers. */
async function asked(): Promise<ReadonlyMap<string, readonly number[]>> {
  const account = `system:serviceaccount:${operatorNamespace}:${operatorAccount}`;
  const found = new Map<string, readonly number[]>();
  for (const { stage: at, user: by, verb, objectRef, responseStatus } of await readAudit(
    stage.bed.kube.auditLogFile,
  )) {
    if (by.username !== account || objectRef === undefined || at === 'Panic') continue;
    const { apiGroup, resource, subresource } = objectRef;
    const what = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`} of ${apiGroup ?? 'core'}`;
    found.set(what, [...(found.get(what) ?? []), responseStatus?.code ?? 0]);
  }
  return found;
}

const sorted = (names: Iterable<string>) => [...new Set(names)].toSorted();

describe('what the operator may do', () => {
  it('is all used, in a life of its objects', async () => {
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

    // Behind a proxy, whose role is read. A user: made, proven by sts:AssumeRole, one by a token of its ServiceAccount.
    await scene.apply(orders());
    await scene.apply(serviceAccount('shop', createIrsaRole()));
    await scene.apply(user);
    await scene.apply(byToken);
    await scene.untilReady(user);
    await scene.untilCondition(byToken, 'AccessVerified', 'True', 'Verified');

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
      await scene.patch(connection, { data: { PGHOST } });
      await until('it to be mended', async () => {
        const { data } = (await scene.configMap('payments', 'checkout-connection')) ?? { data: {} };
        return data['PGHOST'] === stage.database.endpoint.host;
      });
    }

    // Inline instead, and all of it ended.
    await scene.apply(orders({ delivery: 'Inline' }));
    await until('the managed policies to go', () => ourPolicy() === undefined);
    for (const one of [user, byToken, foreign, ...fillers]) await scene.delete(one);
    for (const one of [user, byToken, foreign, ...fillers]) await scene.untilGone(one);

    const granted = sorted(expanded([...clusterRules, ...namespaceRules, ...tokenRules]));
    await until(
      'every right to be used',
      async () => {
        const used = await asked();
        return granted.every((right) => used.has(right));
      },
      {
        withinMs: 30_000,
        seen: async () => {
          const used = await asked();
          return granted.filter((right) => !used.has(right));
        },
      },
    );
    const used = await asked();
    expect(sorted(used.keys())).toEqual(granted);
    // Each of them was granted indeed, and nothing was refused.
    expect([...used].filter(([, codes]) => codes.some((code) => code === 403))).toEqual([]);
  });

  it('in AWS is all used, and nothing of it was refused', async () => {
    const operator = stage.aws.calls.filter(({ principal }) => principal.includes('/iamdb-operator/'));
    expect(operator.filter(({ status }) => status === 403)).toEqual([]);
    // These need no right.
    const free = new Set(['sts:GetCallerIdentity', 'sts:AssumeRoleWithWebIdentity']);
    const used = operator
      .filter(({ status }) => status === 200)
      .map(({ service, action }) => `${service}:${action}`)
      .filter((action) => !free.has(action));
    // No call of its own: the stage's session has transitive tags, and each role that it assumes asks for the right to pass them on.
    const isTagging = used.includes('sts:AssumeRole');
    const isAdmin = stage.database.gate.logins.some(
      ({ user: name, by, outcome }) =>
        name === stage.admin.username && by === 'token' && outcome === 'accepted',
    );
    const { Statement } = operatorPolicy({
      partition: 'aws',
      accountID,
      operatorID,
      principals: ['any'],
      admins: ['any'],
      proxyRoles: ['any'],
      inline: true,
    });
    expect(
      sorted([...used, ...(isTagging ? ['sts:TagSession'] : []), ...(isAdmin ? ['rds-db:connect'] : [])]),
    ).toEqual(sorted(Statement.flatMap(({ Action }) => Action)));
  });
});
