// The operator works under the chart's own rights, and the admission policy holds it to what RBAC cannot say.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import { operatorID } from '../stage/account.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { applyManifest, pathOf } from './api-server.ts';
import { helm, type Manifest, noHelm } from './helm.ts';

const ownLabels = { 'app.kubernetes.io/managed-by': 'iamdb-operator', 'iamdb.dev/operator-id': operatorID };
const rights = new Set([
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]);

let stage: Stage;
let scene: Scene;
let token: string;

beforeAll(async () => {
  if (noHelm) return;
  stage = await startStage({ settings: { 'prove-with-service-accounts-in': 'payments' } });
  scene = sceneOf(stage);
  const { kube } = stage.bed;
  const manifests = (await helm.render({ operatorID, proveWithServiceAccountsIn: 'payments' })).filter(
    ({ kind }) => rights.has(kind),
  );
  // What the stage gave the account goes first, so that nothing but the chart's rights is left; the account stays, as the
  // operator's token is of this very one.
  const given = manifests.filter(
    ({ kind, metadata }) =>
      (metadata.name === operatorAccount && kind !== 'ServiceAccount') ||
      (metadata.name === `${operatorAccount}-tokens` && kind.startsWith('Role')),
  );
  if (given.length !== 6) throw new Error('the chart gives other rights than the stage');
  for (const manifest of given) {
    await kube.request({ method: 'DELETE', path: await pathOf(kube, manifest), expect: 200 });
  }
  for (const manifest of manifests) await applyManifest(kube, manifest);
  token = await kube.serviceAccountToken(operatorNamespace, operatorAccount);
  await applyManifest(kube, { ...shop, metadata: { ...shop.metadata, namespace: 'payments' } });
  const inForce = async (attempt: Attempt) => /denied request/.test(await tryOut(attempt));
  await until(
    'the policies to be in force',
    async () => (await inForce(create({}))) && (await inForce(tokenFor({}))),
  );
});
afterAll(() => stage?.stop());

interface Attempt {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: Manifest;
  /** Not as the operator. */
  readonly asAdmin?: boolean;
}

/** What the API server says against it; "taken" for nothing. */
async function tryOut({ method, path, body, asAdmin = false }: Attempt): Promise<string> {
  const answer = await stage.bed.kube.request<{ readonly message?: string }>({
    method,
    path,
    ...(body === undefined ? {} : { body }),
    ...(asAdmin ? {} : { token }),
  });
  return answer.status < 300 ? 'taken' : (answer.body.message ?? String(answer.status));
}

const configMap = (name: string, labels: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
});
const shop: Manifest = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'shop' } };
const tokenFor = (spec: object, namespace = 'payments'): Attempt => ({
  method: 'POST',
  path: `/api/v1/namespaces/${namespace}/serviceaccounts/shop/token`,
  body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: { name: 'shop' }, spec },
});
const collection = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`;
const create = (labels: Readonly<Record<string, string>>, namespace = 'payments'): Attempt => ({
  method: 'POST',
  path: `${collection(namespace)}?dryRun=All`,
  body: configMap('tried', labels),
});

describe.skipIf(noHelm)('the operator as the chart installs it', () => {
  it('lets a user in, ConfigMaps included', async () => {
    await stage.operator.start();
    await scene.apply(stage.iamDatabase());
    await scene.apply(userManifest());
    await scene.untilCondition(userManifest(), 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(userManifest());
    expect((await scene.configMap('payments', 'checkout-connection'))?.data['PGUSER']).toBe(
      'payments_checkout',
    );
    expect(await scene.login('payments_checkout')).toBe('payments_checkout');
  });

  it('asks for a token of a ServiceAccount, and STS has its say', async () => {
    const host = stage.bed.kube.serviceAccountIssuer.replace('https://', '');
    const { arn } = stage.aws.createRole({
      name: 'payments-shop',
      trustPolicy: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Federated: `arn:aws:iam::111122223333:oidc-provider/${host}` },
            Action: 'sts:AssumeRoleWithWebIdentity',
          },
        ],
      },
    });
    const annotations = { 'eks.amazonaws.com/role-arn': arn };
    await scene.patch(
      { ...shop, metadata: { name: 'shop', namespace: 'payments' } },
      { metadata: { annotations } },
    );
    const user = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });
    await scene.apply(user);
    // Nobody registered the issuer: only with the token in hand can STS have said so.
    const { message } = await scene.untilCondition(user, 'AccessVerified', 'False', 'NotTrusted');
    expect(message).toContain(`oidc-provider/${host}`);
  });

  it('ends a user, ConfigMaps included', async () => {
    await scene.delete(userManifest());
    await scene.untilGone(userManifest());
  });
});

describe.skipIf(noHelm)("the operator's account", () => {
  it('may keep ConfigMaps with its own label', async () => {
    expect(await tryOut(create(ownLabels))).toBe('taken');
  });

  it.each([
    ['without a label', create({})],
    ['of another tool', create({ ...ownLabels, 'app.kubernetes.io/managed-by': 'Helm' })],
    ['of another installation', create({ ...ownLabels, 'iamdb.dev/operator-id': 'other' })],
  ])('may not make ConfigMaps %s', async (_name, attempt) => {
    expect(await tryOut(attempt)).toContain('the operator keeps only ConfigMaps with its own label');
    expect(await tryOut({ ...attempt, asAdmin: true })).toBe('taken');
  });

  it('may not make ConfigMaps in kube-system, whatever their label', async () => {
    const attempt = create(ownLabels, 'kube-system');
    expect(await tryOut(attempt)).toContain('the operator keeps no ConfigMap in kube-system');
    expect(await tryOut({ ...attempt, asAdmin: true })).toBe('taken');
  });

  it('may not take over, change or delete a foreign ConfigMap', async () => {
    const path = `${collection('payments')}/foreign`;
    const body = configMap('foreign', { owner: 'somebody' });
    expect(await tryOut({ method: 'POST', path: collection('payments'), body, asAdmin: true })).toBe('taken');
    const denied = 'the operator keeps only ConfigMaps with its own label';
    const mine = configMap('foreign', ownLabels);
    expect(await tryOut({ method: 'PUT', path, body: mine })).toContain(denied);
    expect(await tryOut({ method: 'PUT', path, body })).toContain(denied);
    expect(await tryOut({ method: 'DELETE', path })).toContain(denied);
  });

  it('may not let go of its own ConfigMap by taking the label off', async () => {
    const path = `${collection('payments')}/own`;
    const body = configMap('own', ownLabels);
    expect(await tryOut({ method: 'POST', path: collection('payments'), body })).toBe('taken');
    expect(await tryOut({ method: 'PUT', path, body: configMap('own', {}) })).toContain('with its own label');
    expect(await tryOut({ method: 'DELETE', path })).toBe('taken');
  });

  it('may not read Secrets outside its own namespace', async () => {
    const { status } = await stage.bed.kube.request({
      path: '/api/v1/namespaces/payments/secrets/any',
      token,
    });
    expect(status).toBe(403);
  });

  it('may ask for short tokens for AWS where the namespace opted in', async () => {
    const attempt = { audiences: ['sts.amazonaws.com'], expirationSeconds: 900 };
    expect(await tryOut(tokenFor(attempt))).toBe('taken');
    await applyManifest(stage.bed.kube, {
      ...shop,
      metadata: { name: 'shop', namespace: operatorNamespace },
    });
    expect(await tryOut(tokenFor(attempt, operatorNamespace))).toContain(
      'cannot create resource "serviceaccounts/token"',
    );
  });

  it.each([
    ['for the API server', { expirationSeconds: 600 }, 'only for tokens for sts.amazonaws.com'],
    [
      'for AWS and somebody else',
      { audiences: ['sts.amazonaws.com', 'vault'], expirationSeconds: 600 },
      'only for tokens for sts.amazonaws.com',
    ],
    [
      'that live on',
      { audiences: ['sts.amazonaws.com'], expirationSeconds: 901 },
      'only for tokens of at most 900 seconds',
    ],
    ['of the usual hour', { audiences: ['sts.amazonaws.com'] }, 'only for tokens of at most 900 seconds'],
  ])('may not ask for tokens %s', async (_name, spec, refusal) => {
    expect(await tryOut(tokenFor(spec))).toContain(refusal);
    expect(await tryOut({ ...tokenFor(spec), asAdmin: true })).toBe('taken');
  });
});
