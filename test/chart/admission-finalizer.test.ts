// Whose hand may set and take off the finalizer of an IamDatabaseUser, by which the operator knows that there is access to end.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { userFinalizer } from '../../src/api/names.ts';
import { applyCRDs, applyNamespace, installOperatorAccount, operatorAccount } from '../stage/cluster.ts';
import { userManifest } from '../stage/scene.ts';
import { until } from '../stage/wait.ts';
import { type ApiServer, applyManifest, startApiServer } from './api-server.ts';
import { helm, noHelm } from './helm.ts';

const rbac = 'rbac.authorization.k8s.io/v1';
const home = 'iamdb-of-namespaces';
const users = '/apis/iamdb.dev/v1alpha1/namespaces/payments/iamdatabaseusers';

let server: ApiServer;
let tenant: string;
let platform: string;
let operator: string;
let collector: string;

beforeAll(async () => {
  if (noHelm) return;
  server = await startApiServer();
  const { kube } = server;
  await applyCRDs(kube);
  await applyNamespace(kube, 'payments');
  // One that has least: of another installation, with no rights but in the namespaces that it watches.
  await installOperatorAccount(kube, { namespace: home, watched: ['payments'] });
  operator = await kube.serviceAccountToken(home, operatorAccount);
  const shipped = await helm.render();
  for (const manifest of shipped) {
    if (/^(ClusterRole|ValidatingAdmissionPolicy|ValidatingAdmissionPolicyBinding)$/.test(manifest.kind)) {
      await applyManifest(kube, manifest);
    }
  }
  tenant = await account('tenant');
  platform = await account('platform');
  await applyManifest(kube, {
    apiVersion: rbac,
    kind: 'ClusterRole',
    metadata: { name: 'platform' },
    rules: [{ apiGroups: ['iamdb.dev'], resources: ['iamdatabases'], verbs: ['patch'] }],
  });
  await bindEverywhere('platform', 'platform');
  collector = await account('collector', []);
  await bindEverywhere('collector', 'system:controller:namespace-controller');
  // Each right is in force a moment after it was given, and so is a policy.
  const allowed = async (attempt: Promise<string>) => (await attempt) === taken;
  await until('the policy to be in force', async () =>
    (await create(tenant, held('any'), '?dryRun=All')).includes(notSet),
  );
  await until('the rights of the platform team', () => allowed(create(platform, held('any'), '?dryRun=All')));
  await create(platform, named('any'));
  await until('the rights of the operator', () =>
    allowed(patch(operator, 'any?dryRun=All', finalizers(userFinalizer))),
  );
  await until('the rights of the namespace controller', () => allowed(tried(collector, 'DELETE', '')));
});
afterAll(() => server?.stop());

/** With what a team has in its namespace: the roles of the chart that go into edit and view. */
async function account(
  name: string,
  roles: readonly string[] = ['iamdb-operator-edit', 'iamdb-operator-view'],
): Promise<string> {
  const { kube } = server;
  await applyManifest(kube, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'payments' },
  });
  for (const role of roles) {
    await applyManifest(kube, {
      apiVersion: rbac,
      kind: 'RoleBinding',
      metadata: { name: `${name}-${role}`, namespace: 'payments' },
      subjects: [{ kind: 'ServiceAccount', name, namespace: 'payments' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    });
  }
  return await kube.serviceAccountToken('payments', name);
}

async function bindEverywhere(name: string, role: string): Promise<void> {
  await applyManifest(server.kube, {
    apiVersion: rbac,
    kind: 'ClusterRoleBinding',
    metadata: { name: `${name}-everywhere` },
    subjects: [{ kind: 'ServiceAccount', name, namespace: 'payments' }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  });
}

type Body = ReturnType<typeof userManifest>;
const named = (name: string): Body => userManifest(name);
const withFinalizers = (user: Body, finalizers: readonly string[]) => ({
  ...user,
  metadata: { ...user.metadata, finalizers },
});
const held = (name: string) => withFinalizers(named(name), [userFinalizer]);

const taken = 'taken';
const notSet = 'the finalizer iamdb.dev/access is set by the operator';
const notTakenOff = 'the finalizer iamdb.dev/access is taken off by the operator once access has ended';

/** What the API server says against it. */
async function tried(
  token: string,
  method: 'POST' | 'PATCH' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  contentType?: string,
): Promise<string> {
  const answer = await server.kube.request<{ readonly message?: string }>({
    method,
    path: `${users}${path}`,
    token,
    ...(body === undefined ? {} : { body }),
    ...(contentType === undefined ? {} : { contentType }),
  });
  return answer.status < 300 ? taken : (answer.body.message ?? String(answer.status));
}
const create = (token: string, body: unknown, query = '') => tried(token, 'POST', query, body);
const patch = (token: string, name: string, body: unknown) => tried(token, 'PATCH', `/${name}`, body);
const apply = (token: string, body: Body) =>
  tried(
    token,
    'PATCH',
    `/${body.metadata.name}?fieldManager=team&force=true`,
    body,
    'application/apply-patch+yaml',
  );
const finalizers = (...names: readonly string[]) => ({ metadata: { finalizers: names } });

async function read(name: string) {
  const { body } = await server.kube.request<{
    readonly metadata: { readonly finalizers?: readonly string[]; readonly deletionTimestamp?: string };
  }>({ path: `${users}/${name}`, expect: 200 });
  return body;
}

describe.skipIf(noHelm)("a team with the chart's own edit rights", () => {
  it('declares, changes and deletes users that nothing was begun for', async () => {
    expect(await create(tenant, named('plain'))).toBe(taken);
    expect(await patch(tenant, 'plain', { spec: { suspend: true } })).toBe(taken);
    expect(await tried(tenant, 'DELETE', '/plain')).toBe(taken);
    expect(await apply(tenant, named('applied'))).toBe(taken);
    expect(await apply(tenant, named('applied'))).toBe(taken);
    expect(await tried(tenant, 'DELETE', '')).toBe(taken);
  });

  it('changes a user that has begun, its other finalizers included, and deletes it', async () => {
    expect(await create(platform, held('begun'))).toBe(taken);
    expect(await patch(tenant, 'begun', { spec: { suspend: true } })).toBe(taken);
    expect(await apply(tenant, named('begun'))).toBe(taken);
    expect(await patch(tenant, 'begun', finalizers(userFinalizer, 'example.com/own'))).toBe(taken);
    expect(await patch(tenant, 'begun', finalizers(userFinalizer))).toBe(taken);
    expect(await tried(tenant, 'PUT', '/begun', await read('begun'))).toBe(taken);
    expect(await tried(tenant, 'DELETE', '/begun')).toBe(taken);
    const { metadata } = await read('begun');
    expect(metadata.deletionTimestamp).toBeDefined();
    expect(metadata.finalizers).toEqual([userFinalizer]);
  });

  it('deletes with all that hangs on a user, as the garbage collector then goes on to do', async () => {
    expect(await create(platform, held('whole'))).toBe(taken);
    expect(await tried(tenant, 'DELETE', '/whole?propagationPolicy=Foreground')).toBe(taken);
    expect((await read('whole')).metadata.finalizers).toContain(userFinalizer);
  });

  it('cannot say that something was begun for its user', async () => {
    expect(await create(tenant, held('forged'))).toContain(notSet);
    expect(await apply(tenant, held('forged'))).toContain(notSet);
    expect(await create(tenant, named('forged'))).toBe(taken);
    expect(await patch(tenant, 'forged', finalizers(userFinalizer))).toContain(notSet);
    expect(await patch(tenant, 'forged', finalizers('example.com/own', userFinalizer))).toContain(notSet);
    expect(await apply(tenant, held('forged'))).toContain(notSet);
    const { metadata } = await read('forged');
    expect(metadata.finalizers).toBeUndefined();
  });

  it('cannot say that nothing was begun for its user, and is told what to do instead', async () => {
    expect(await create(platform, held('stripped'))).toBe(taken);
    for (const strip of [{ metadata: { finalizers: null } }, finalizers(), finalizers('example.com/own')]) {
      expect(await patch(tenant, 'stripped', strip)).toContain(notTakenOff);
    }
    const { metadata } = await read('stripped');
    const replaced = await tried(tenant, 'PUT', '/stripped', {
      ...named('stripped'),
      metadata: { ...metadata, finalizers: [] },
    });
    expect(replaced).toContain('leave metadata.finalizers as it is, as kubectl apply does');
    expect(replaced).toContain('or ask who may patch iamdatabases');
    expect(await tried(tenant, 'DELETE', '/stripped')).toBe(taken);
    expect(await patch(tenant, 'stripped', finalizers())).toContain(notTakenOff);
  });
});

describe.skipIf(noHelm)('the finalizer', () => {
  it.each([
    ['an operator, even one of another installation that watches only this namespace', () => operator],
    ['the platform team, as when a backup is restored or nothing else helps', () => platform],
  ])('is set and taken off by %s', async (_who, tokenOf) => {
    const token = tokenOf();
    expect(await create(tenant, named('kept'))).toBe(taken);
    expect(await patch(token, 'kept', finalizers(userFinalizer))).toBe(taken);
    expect(await patch(token, 'kept', finalizers())).toBe(taken);
    expect(await patch(token, 'kept', finalizers(userFinalizer))).toBe(taken);
    expect(await tried(tenant, 'DELETE', '/kept')).toBe(taken);
    expect(await patch(token, 'kept', finalizers())).toBe(taken);
    const { status } = await server.kube.request({ path: `${users}/kept` });
    expect(status).toBe(404);
  });

  it('stays where a namespace is deleted, by a controller that may do nothing but delete', async () => {
    expect(await create(platform, held('leaving'))).toBe(taken);
    expect(await tried(collector, 'DELETE', '')).toBe(taken);
    const { metadata } = await read('leaving');
    expect(metadata.deletionTimestamp).toBeDefined();
    expect(metadata.finalizers).toEqual([userFinalizer]);
    expect(await patch(operator, 'leaving', finalizers())).toBe(taken);
  });
});
