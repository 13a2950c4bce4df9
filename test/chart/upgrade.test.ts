// An installation of an older version is upgraded, and later uninstalled, and nothing that people declared is lost.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { until } from '../stage/wait.ts';
import { type ApiServer, applyManifest, pathOf, startApiServer, untilServed } from './api-server.ts';
import { chartFolder, helm, type Manifest, noHelm, releaseNamespace } from './helm.ts';

const root = resolve(import.meta.dirname, '../..');
const git = (...args: readonly string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** The last release, or else the first commit that had CRDs; undefined where there is no history to look into. */
function olderVersion(): string | undefined {
  try {
    const tag = git('tag', '--list', 'v*', '--sort=-version:refname', '--merged', 'HEAD').split('\n')[0];
    if (tag !== undefined && tag !== '') return tag;
    const first = git('log', '--diff-filter=A', '--format=%H', '--', 'crds').split('\n').at(-1);
    return first === '' ? undefined : first;
  } catch {
    return undefined;
  }
}

const older = olderVersion();
if (older === undefined)
  console.error('the upgrade test is skipped: this is no git checkout, so there are no older CRDs');

const example = (name: string) =>
  parse(readFileSync(join(root, 'examples', `${name}.yaml`), 'utf8')) as Manifest;
const objects = [example('database'), example('user')];
const status = { observedGeneration: 1, conditions: [condition('Ready'), condition('AccessVerified')] };

function condition(type: string) {
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  return {
    type,
    status: 'True',
    reason: 'Ready',
    message: 'All is well.',
    observedGeneration: 1,
    lastTransitionTime,
  };
}

let server: ApiServer;
const release = (...args: readonly string[]) =>
  helm.run([...args, '--namespace', releaseNamespace], { kubeconfig: server.kubeconfig });
const read = async (manifest: Manifest) =>
  (await server.kube.request<Manifest>({ path: await pathOf(server.kube, manifest) })).body;
/** What people and the operator wrote; how often anything was written is no part of it. */
const contentOf = async (manifest: Manifest) => {
  const { metadata, spec, status: reported } = await read(manifest);
  const { uid, generation } = metadata as unknown as { readonly uid: string; readonly generation: number };
  return { uid, generation, spec, reported };
};
/** A newer schema may add its defaults; what was there before has to be there still. */
const contents = async () => await Promise.all(objects.map(contentOf));

beforeAll(async () => {
  if (!noHelm && older !== undefined) server = await startApiServer();
});
afterAll(() => server?.stop());

describe.skipIf(noHelm || older === undefined)('an installation', () => {
  let before: Awaited<ReturnType<typeof contents>>;

  it('of an older version takes objects', async () => {
    const folder = join(server.folder('older'), 'chart');
    cpSync(chartFolder, folder, { recursive: true });
    for (const name of git('ls-tree', '--name-only', older ?? '', 'crds/').split('\n')) {
      writeFileSync(join(folder, 'files', name), git('show', `${older}:${name}`));
    }
    await release('install', 'iamdb-operator', folder, '--create-namespace');
    await applyManifest(server.kube, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'payments' } });
    for (const object of objects) {
      await untilServed(server.kube, object);
      await applyManifest(server.kube, object);
      await server.kube.request({
        method: 'PATCH',
        path: `${await pathOf(server.kube, object)}/status`,
        body: { status },
        expect: 200,
      });
    }
    before = await contents();
    expect(before.map(({ reported }) => reported)).toEqual(
      objects.map(() => expect.objectContaining(status)),
    );
  });

  it('is upgraded, CRDs included, and nothing of the objects is lost', async () => {
    await release('upgrade', 'iamdb-operator', chartFolder);
    const crds = (await helm.render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    for (const crd of crds) {
      const { spec } = (await read(crd)) as unknown as { readonly spec: { readonly versions: unknown } };
      expect(spec.versions).toEqual((crd['spec'] as { readonly versions: unknown }).versions);
    }
    expect(await contents()).toMatchObject(before);
  });

  it('is uninstalled, and the objects are still there', async () => {
    expect(await release('uninstall', 'iamdb-operator')).toContain('uninstalled');
    expect(await contents()).toMatchObject(before);
    const { status: left } = await server.kube.request({
      path: `/apis/apps/v1/namespaces/${releaseNamespace}/deployments/iamdb-operator`,
    });
    expect(left).toBe(404);
  });

  it('comes back, finds them, and says what to do next', async () => {
    const notes = await release('install', 'iamdb-operator', chartFolder);
    expect(notes).toContain(`runs in namespace ${releaseNamespace}`);
    expect(notes).toContain('operatorID is not set');
    expect(await contents()).toMatchObject(before);
  });

  it('takes the objects along only for those who said so', async () => {
    await release('upgrade', 'iamdb-operator', chartFolder, '--set', 'crds.keep=false');
    await release('uninstall', 'iamdb-operator');
    await until('the CRDs to be gone', async () => {
      const { body } = await server.kube.request<{ readonly items: readonly unknown[] }>({
        path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      });
      return body.items.length === 0;
    });
  });
});
