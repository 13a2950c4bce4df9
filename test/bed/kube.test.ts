import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAudit, writesOf } from './audit.ts';
import { findBinaries } from './binaries.ts';
import { createChildren } from './children.ts';
import { kubernetesVersion } from './kube-source.ts';
import { startKube } from './kube.ts';
import type { Kube } from './kube.ts';

const object = (kind: string, name: string, rest: object = {}, namespace?: string) => ({
  apiVersion: kind.startsWith('Role') ? 'rbac.authorization.k8s.io/v1' : 'v1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  ...rest,
});

describe('the API server of the bed', () => {
  const children = createChildren();
  let kube: Kube;

  beforeAll(async () => {
    kube = await startKube({ binaries: await findBinaries({ progress: console.log }), children });
  }, 900_000);
  afterAll(() => children.stop(), 30_000);

  const create = (path: string, body: object) => kube.request({ method: 'POST', path, body, expect: 201 });

  it('says which Kubernetes it is', async () => {
    const { body } = await kube.request<{ gitVersion: string; minor: string }>({
      path: '/version',
      expect: 200,
    });
    expect(body.gitVersion.split('.').slice(0, 2)).toEqual(kubernetesVersion.split('.').slice(0, 2));
    expect(body.minor).toBe('36');
  });

  it("holds a ServiceAccount's token to exactly its Role", async () => {
    await create('/api/v1/namespaces', object('Namespace', 'shop'));
    await create('/api/v1/namespaces/shop/serviceaccounts', object('ServiceAccount', 'reader'));
    const token = await kube.serviceAccountToken('shop', 'reader');
    const configMaps = '/api/v1/namespaces/shop/configmaps';
    expect((await kube.request({ path: configMaps, token })).status).toBe(403);

    const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop';
    await create(
      `${roles}/roles`,
      object('Role', 'read', { rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }] }),
    );
    await create(
      `${roles}/rolebindings`,
      object('RoleBinding', 'read', {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'read' },
        subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'shop' }],
      }),
    );
    await expect.poll(async () => (await kube.request({ path: configMaps, token })).status).toBe(200);
    expect((await kube.request({ path: '/api/v1/namespaces/shop/secrets', token })).status).toBe(403);
  });

  it('issues tokens for AWS under the issuer that a trust policy can name', async () => {
    await create('/api/v1/namespaces/default/serviceaccounts', object('ServiceAccount', 'app'));
    const token = await kube.serviceAccountToken('default', 'app', ['sts.amazonaws.com'], 600);
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({
      iss: 'https://oidc.iamdb.test/bed',
      aud: ['sts.amazonaws.com'],
      sub: 'system:serviceaccount:default:app',
    });
  });

  it('writes every request into the audit log before it answers', async () => {
    await create('/api/v1/namespaces/default/configmaps', object('ConfigMap', 'audited'));
    const writes = writesOf('bed-admin', await readAudit(kube.auditLogFile));
    expect(writes.filter((entry) => entry.objectRef?.name === 'audited')).toMatchObject([
      { verb: 'create', objectRef: { resource: 'configmaps' }, responseStatus: { code: 201 } },
    ]);
  });

  it('deletes a namespace with what is in it, as the controller would', async () => {
    await create('/api/v1/namespaces', object('Namespace', 'gone'));
    await create('/api/v1/namespaces/gone/configmaps', object('ConfigMap', 'left'));
    await kube.deleteNamespace('gone');
    expect((await kube.request({ path: '/api/v1/namespaces/gone' })).status).toBe(404);
    await create('/api/v1/namespaces', object('Namespace', 'gone'));
    expect((await kube.request({ path: '/api/v1/namespaces/gone/configmaps/left' })).status).toBe(404);
  });

  it('answers 410 to a watch from before a compaction', async () => {
    const path = '/api/v1/namespaces/default/configmaps';
    const { body } = await kube.request<{ metadata: { resourceVersion: string } }>({ path });
    await create(path, object('ConfigMap', 'after-list'));
    await kube.compact();
    // A restarted server has no memory of its own left to serve the old version from.
    await kube.restart();
    const watch = `${path}?watch=1&timeoutSeconds=2&resourceVersion=${body.metadata.resourceVersion}`;
    await expect.poll(async () => JSON.stringify(await kube.request({ path: watch }))).toContain('410');
  }, 60_000);

  it('waits as a client does while a server that has just started fills its cache of a custom resource', async () => {
    const widgets = '/apis/bed.iamdb.dev/v1/widgets';
    const names = { plural: 'widgets', singular: 'widget', kind: 'Widget' };
    const schema = { openAPIV3Schema: { type: 'object' } };
    await create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.bed.iamdb.dev' },
      spec: {
        group: 'bed.iamdb.dev',
        names,
        scope: 'Cluster',
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    });
    const status = async () => (await kube.request({ path: widgets })).status;
    await expect.poll(status, { timeout: 30_000 }).toBe(200);
    await kube.restart();
    expect(await status()).toBe(200);
  }, 60_000);

  it('keeps objects over a restart', async () => {
    await create('/api/v1/namespaces/default/configmaps', object('ConfigMap', 'kept'));
    await kube.restart();
    expect((await kube.request({ path: '/api/v1/namespaces/default/configmaps/kept' })).status).toBe(200);
  }, 60_000);
});
