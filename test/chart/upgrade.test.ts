// An installation of an older version is upgraded, and later uninstalled, and nothing that people declared is lost.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { until } from '../stage/wait.ts';
import { type ApiServer, applyManifest, pathOf, startApiServer, untilServed } from './api-server.ts';
import { chartFolder, helm, type Manifest, noHelm, releaseNamespace } from './helm.ts';

const root = resolve(import.meta.dirname, '../..');
const git = (...args: readonly string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** What git says; undefined where it has nothing to say, as outside of a checkout. */
function asked(...args: readonly string[]): string | undefined {
  try {
    return git(...args) || undefined;
  } catch {
    return undefined;
  }
}

interface Older {
  readonly name: string;
  readonly commit: string | undefined;
}

/** A release is no older version of itself: tags that point at what is checked out do not count. */
const release = asked(
  'tag',
  '--list',
  'v*',
  '--sort=-version:refname',
  '--merged',
  'HEAD',
  '--no-contains',
  'HEAD',
);
const crdsChanged = (...which: readonly string[]) =>
  asked('log', '--format=%H', ...which, '--', 'crds')?.split('\n');
const undefaulted = crdsChanged('-Sdefault: aws')?.[0];
const versions: readonly Older[] = [
  release === undefined
    ? { name: 'the first commit with CRDs', commit: crdsChanged('--diff-filter=A')?.at(-1) }
    : { name: 'the last release', commit: release.split('\n')[0] },
  // It wrote `aws` into every explicit target, and what it wrote is still there.
  { name: 'a version that filled in the partition', commit: undefaulted && `${undefaulted}^` },
];

/** Without its history a checkout holds one commit, and git takes all of it for new. */
function whyNot({ commit }: Older): string | undefined {
  const found = commit === undefined ? undefined : asked('rev-parse', '--verify', `${commit}^{commit}`);
  if (found === undefined) return 'there is no history of the CRDs here';
  return found === asked('rev-parse', 'HEAD') ? 'the checkout holds no older commit' : undefined;
}
for (const version of versions) {
  const reason = whyNot(version);
  if (reason !== undefined) console.error(`the upgrade from ${version.name} is SKIPPED: ${reason}`);
}

const example = (name: string) =>
  parse(readFileSync(join(root, 'examples', `${name}.yaml`), 'utf8')) as Manifest;
const explicit: Manifest = {
  ...example('database'),
  metadata: { name: 'explicit' },
  spec: {
    ...(example('database')['spec'] as object),
    target: {
      type: 'Explicit',
      explicit: {
        host: 'orders.example.com',
        region: 'ap-northeast-2',
        accountID: '111122223333',
        resourceIDs: ['cluster-ABC'],
      },
    },
  },
};
const objects = [example('database'), example('user'), explicit];
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
const helmDoes = (...args: readonly string[]) =>
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

describe.skipIf(noHelm).each(versions)('an installation of $name', (version) => {
  let before: Awaited<ReturnType<typeof contents>>;
  let older: string;
  const skipped = whyNot(version);

  beforeAll(async () => {
    if (skipped === undefined) server = await startApiServer();
  });
  afterAll(async () => {
    if (skipped === undefined) await server?.stop();
  });
  beforeEach(({ skip }) => skip(skipped !== undefined, skipped));

  it('takes objects', async () => {
    older = join(server.folder('older'), 'chart');
    cpSync(chartFolder, older, { recursive: true });
    for (const name of git('ls-tree', '--name-only', version.commit ?? '', 'crds/').split('\n')) {
      writeFileSync(join(older, 'files', name), git('show', `${version.commit}:${name}`));
    }
    await helmDoes('install', 'iamdb-operator', older, '--create-namespace');
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
    await helmDoes('upgrade', 'iamdb-operator', chartFolder);
    const crds = (await helm.render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    for (const crd of crds) {
      const { spec } = (await read(crd)) as unknown as { readonly spec: { readonly versions: unknown } };
      expect(spec.versions).toEqual((crd['spec'] as { readonly versions: unknown }).versions);
    }
    expect(await contents()).toMatchObject(before);
  });

  it('takes the same manifests again, in place of what it filled in itself', async () => {
    const refusals: string[] = [];
    for (const object of objects) {
      const path = await pathOf(server.kube, object);
      const { metadata } = await read(object);
      const again = { ...object, metadata: { ...metadata, ...object.metadata } };
      const { status: answer, body } = await server.kube.request<{ readonly message?: string }>({
        method: 'PUT',
        path: `${path}?dryRun=All`,
        body: again,
      });
      if (answer !== 200) refusals.push(`${path}: ${body.message}`);
    }
    expect(refusals).toEqual([]);
  });

  it('leaves the newer CRDs when it goes back to an older chart', async () => {
    const crds = (await helm.render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    const served = async () => await Promise.all(crds.map(async (crd) => (await read(crd))['spec']));
    const newer = await served();
    await helmDoes('upgrade', 'iamdb-operator', older, '--set', 'crds.install=false');
    expect(await served()).toEqual(newer);
    expect(await contents()).toMatchObject(before);
  });

  it('is uninstalled, and the objects are still there', async () => {
    expect(await helmDoes('uninstall', 'iamdb-operator')).toContain('uninstalled');
    expect(await contents()).toMatchObject(before);
    const { status: left } = await server.kube.request({
      path: `/apis/apps/v1/namespaces/${releaseNamespace}/deployments/iamdb-operator`,
    });
    expect(left).toBe(404);
  });

  it('comes back, finds them, and says what to do next', async () => {
    const notes = await helmDoes('install', 'iamdb-operator', chartFolder);
    expect(notes).toContain(`runs in namespace ${releaseNamespace}`);
    expect(notes).toContain('operatorID is not set');
    expect(await contents()).toMatchObject(before);
  });

  it('takes the objects along only for those who said so', async () => {
    await helmDoes('upgrade', 'iamdb-operator', chartFolder, '--set', 'crds.keep=false');
    await helmDoes('uninstall', 'iamdb-operator');
    await until('the CRDs to be gone', async () => {
      const { body } = await server.kube.request<{ readonly items: readonly unknown[] }>({
        path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      });
      return body.items.length === 0;
    });
  });
});
