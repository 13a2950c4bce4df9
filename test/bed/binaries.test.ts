import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder, defaultSources, findBinaries } from './binaries.ts';
import type { Source } from './binaries.ts';
import { fetchArchive } from './envtest.ts';
import { kubernetesModuleFile } from './go-build.ts';
import { createGuard } from './guard.ts';
import type { Guard } from './guard.ts';

let root: string;
let guard: Guard;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'iamdb-binaries-'));
  guard = createGuard();
});
afterEach(async () => {
  await guard.dismiss();
  await rm(root, { recursive: true, force: true });
});

const putPrograms = async (folder: string, content = 'program'): Promise<void> => {
  await mkdir(folder, { recursive: true });
  for (const name of ['kube-apiserver', 'etcd']) {
    await writeFile(join(folder, name), content);
    await chmod(join(folder, name), 0o755);
  }
};

function source(name: Source['name'], fill: Source['fill'] = (folder) => putPrograms(folder)) {
  const calls: string[] = [];
  return {
    calls,
    source: {
      name,
      fill: async (...args: Parameters<Source['fill']>) => {
        calls.push(args[0]);
        await fill(...args);
      },
    } satisfies Source,
  };
}

describe('finding kube-apiserver and etcd', () => {
  it('takes those that KUBEBUILDER_ASSETS names before anything else', async () => {
    const assets = join(root, 'assets');
    await putPrograms(assets);
    const unused = source('modules');
    const found = await findBinaries({
      environment: { KUBEBUILDER_ASSETS: assets, XDG_CACHE_HOME: root },
      sources: [unused.source],
    });
    expect(found).toEqual({
      kubeApiserver: join(assets, 'kube-apiserver'),
      etcd: join(assets, 'etcd'),
      kubectl: null,
      from: 'environment',
    });
    expect(unused.calls).toEqual([]);
  });

  it('makes them once, and takes them from the cache the second time', async () => {
    const made = source('modules');
    const options = { environment: { XDG_CACHE_HOME: root }, sources: [made.source] };
    expect((await findBinaries(options)).from).toBe('modules');
    expect((await findBinaries(options)).from).toBe('cache');
    expect(made.calls).toHaveLength(1);
    expect(await readdir(join(root, 'iamdb-operator'))).toEqual(['kube-v1.36.3']);
  });

  it('makes them once even when two ask at the same time', async () => {
    const made = source('modules');
    const options = { environment: { XDG_CACHE_HOME: root }, sources: [made.source] };
    const both = await Promise.all([findBinaries(options), findBinaries(options)]);
    expect(both.map(({ from }) => from).toSorted()).toEqual(['cache', 'modules']);
    expect(made.calls).toHaveLength(1);
  });

  it('goes on to the next source where one fails, and says why', async () => {
    const said: string[] = [];
    const failing = source('archive', () => Promise.reject(new Error('no answer from github.com')));
    const halfway = source('archive', (folder) => writeFile(join(folder, 'etcd'), ''));
    const good = source('modules');
    const found = await findBinaries({
      environment: { XDG_CACHE_HOME: root },
      sources: [failing.source, halfway.source, good.source],
      progress: (text) => said.push(text),
    });
    expect(found.from).toBe('modules');
    expect(said).toEqual([
      'kube-apiserver from archive failed: no answer from github.com',
      'kube-apiserver from archive failed: did not yield kube-apiserver and etcd',
    ]);
  });

  it('names every failure and the way out where no source works, and leaves no half a cache', async () => {
    const failing = source('modules', async (folder) => {
      await writeFile(join(folder, 'kube-apiserver'), 'half');
      throw new Error('go: not found');
    });
    const options = { environment: { XDG_CACHE_HOME: root }, sources: [failing.source] };
    await expect(findBinaries(options)).rejects.toThrow(/KUBEBUILDER_ASSETS[^]*modules: go: not found/);
    expect(await readdir(join(root, 'iamdb-operator'))).toEqual([]);
  });

  it('takes over the lock of a builder that died', async () => {
    const folder = cacheFolder({ XDG_CACHE_HOME: root });
    await mkdir(join(folder, '..'), { recursive: true });
    const dead = execFileSync('/bin/sh', ['-c', 'echo $$']).toString();
    await writeFile(`${folder}.lock`, dead);
    const made = source('modules');
    const found = await findBinaries({ environment: { XDG_CACHE_HOME: root }, sources: [made.source] });
    expect(found.from).toBe('modules');
    expect(await readdir(join(root, 'iamdb-operator'))).toEqual(['kube-v1.36.3']);
  });

  it('waits for a builder that lives', async () => {
    const folder = cacheFolder({ XDG_CACHE_HOME: root });
    await mkdir(join(folder, '..'), { recursive: true });
    await writeFile(`${folder}.lock`, `${process.pid}`);
    const unused = source('modules');
    const said: string[] = [];
    const finding = findBinaries({
      environment: { XDG_CACHE_HOME: root },
      sources: [unused.source],
      progress: (text) => said.push(text),
    });
    await expect.poll(() => said).toEqual(['waiting for another process that fills the cache']);
    await putPrograms(folder);
    await rm(`${folder}.lock`);
    expect((await finding).from).toBe('cache');
    expect(unused.calls).toEqual([]);
  });

  it("keeps them in the user's cache folder", () => {
    expect(cacheFolder({ HOME: '/home/me', XDG_CACHE_HOME: '' }, 'linux')).toBe(
      '/home/me/.cache/iamdb-operator/kube-v1.36.3',
    );
    expect(cacheFolder({ HOME: '/home/me' }, 'darwin')).toBe(
      '/home/me/Library/Caches/iamdb-operator/kube-v1.36.3',
    );
  });

  it('tries the published archive before it builds', () => {
    expect(defaultSources.map(({ name }) => name)).toEqual(['archive', 'modules']);
  });
});

const serve = async (body: Buffer, status = 200) => {
  const server = createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/envtest.tar.gz`, close: () => server.close() };
};
const archive = async (): Promise<Buffer> => {
  await putPrograms(join(root, 'controller-tools', 'envtest'), 'published');
  execFileSync('tar', ['-czf', join(root, 'a.tar.gz'), '-C', root, 'controller-tools']);
  return await readFile(join(root, 'a.tar.gz'));
};
const sha512 = (body: Buffer): string => createHash('sha512').update(body).digest('hex');

describe('the published archive', () => {
  it('is unpacked when its checksum is the pinned one', async () => {
    const body = await archive();
    const server = await serve(body);
    await fetchArchive({ url: server.url, sha512: sha512(body) }, root, guard, () => {});
    server.close();
    expect(await readFile(join(root, 'kube-apiserver'), 'utf8')).toBe('published');
    expect(await readFile(join(root, 'etcd'), 'utf8')).toBe('published');
  });

  it('is refused with any other checksum, before it is unpacked', async () => {
    const server = await serve(await archive());
    const pinned = { url: server.url, sha512: sha512(Buffer.from('another')) };
    await expect(fetchArchive(pinned, root, guard, () => {})).rejects.toThrow(/not the pinned one/);
    server.close();
    expect(await readdir(root)).not.toContain('kube-apiserver');
  });

  it('fails where the server cannot be reached', async () => {
    const server = await serve(Buffer.from(''));
    server.close();
    const pinned = { url: server.url, sha512: sha512(Buffer.from('')) };
    await expect(fetchArchive(pinned, root, guard, () => {})).rejects.toThrow(
      /^127.0.0.1:\d+ cannot be reached$/,
    );
  });

  it('fails where the server has none', async () => {
    const server = await serve(Buffer.from('Not Found'), 404);
    await expect(
      fetchArchive({ url: server.url, sha512: sha512(Buffer.from('')) }, root, guard, () => {}),
    ).rejects.toThrow(/answered 404/);
    server.close();
  });
});

describe('the module file that Kubernetes is built with', () => {
  it('names the published module for each staging folder that Kubernetes itself replaces', () => {
    const published = `module k8s.io/kubernetes
require (
	k8s.io/api v0.0.0
)
replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
)
`;
    expect(kubernetesModuleFile(published).split('\n')).toEqual([
      'module iamdb.test/bed/kubernetes',
      'go 1.26.0',
      'require k8s.io/kubernetes v1.36.3',
      'replace k8s.io/api => k8s.io/api v0.36.3',
      'replace k8s.io/client-go => k8s.io/client-go v0.36.3',
      '',
    ]);
  });

  it('is not made from something that replaces nothing', () => {
    expect(() => kubernetesModuleFile('module k8s.io/kubernetes\n')).toThrow(/replaces nothing/);
  });
});
