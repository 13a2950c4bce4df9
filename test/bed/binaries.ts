/** Finds kube-apiserver and etcd, or makes them: from the environment, the user's cache, the published archive, or the Go modules. */
import { accessSync, constants } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fetchEnvtest } from './envtest.ts';
import { buildFromModules } from './go-build.ts';
import { createGuard } from './guard.ts';
import type { Guard } from './guard.ts';
import { withLock } from './lock.ts';
import { kubernetesVersion } from './kube-source.ts';

export type Progress = (text: string) => void;

export interface KubeBinaries {
  readonly kubeApiserver: string;
  readonly etcd: string;
  /** From the PATH, for people and for tests of what kubectl shows; nothing here needs it. */
  readonly kubectl: string | null;
  /** `environment`, `cache`, `archive` or `modules`. */
  readonly from: Source['name'] | 'environment' | 'cache';
}

/** One way to fill the cache. It may fail: then the next one is tried. */
export interface Source {
  readonly name: 'archive' | 'modules';
  /** Puts `kube-apiserver` and `etcd` into the folder; what it starts and leaves lying about is the guard's. */
  fill(folder: string, guard: Guard, progress: Progress): Promise<void>;
}

export interface FindOptions {
  readonly progress?: Progress;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly sources?: readonly Source[];
}

const programs = ['kube-apiserver', 'etcd'] as const;

export const defaultSources: readonly Source[] = [
  { name: 'archive', fill: fetchEnvtest },
  { name: 'modules', fill: buildFromModules },
];

export async function findBinaries(options: FindOptions = {}): Promise<KubeBinaries> {
  const environment = options.environment ?? process.env;
  const progress = options.progress ?? (() => {});
  const kubectl = onPath('kubectl', environment);

  const assets = nonEmpty(environment['KUBEBUILDER_ASSETS']);
  if (assets !== undefined && complete(assets)) return found(assets, kubectl, 'environment');
  if (assets !== undefined) progress(`KUBEBUILDER_ASSETS=${assets} does not hold ${programs.join(' and ')}`);

  const folder = cacheFolder(environment);
  if (complete(folder)) return found(folder, kubectl, 'cache');

  await mkdir(dirname(folder), { recursive: true });
  return await withLock(`${folder}.lock`, progress, async () => {
    // Somebody else may have filled it while we waited.
    if (complete(folder)) return found(folder, kubectl, 'cache');
    const guard = createGuard();
    try {
      const from = await fillCache(folder, options.sources ?? defaultSources, guard, progress);
      return found(folder, kubectl, from);
    } finally {
      await guard.dismiss();
    }
  });
}

async function fillCache(
  folder: string,
  sources: readonly Source[],
  guard: Guard,
  progress: Progress,
): Promise<Source['name']> {
  const failures: string[] = [];
  for (const source of sources) {
    // Beside its place, so that it gets there whole by a rename.
    const temporary = guard.folder('part', `${folder}.`);
    try {
      await source.fill(temporary, guard, progress);
      if (!complete(temporary)) throw new Error(`did not yield ${programs.join(' and ')}`);
      await writeFile(join(temporary, 'origin'), `${source.name}\n`);
      await rm(folder, { recursive: true, force: true });
      await rename(temporary, folder);
      return source.name;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures.push(`${source.name}: ${reason}`);
      progress(`kube-apiserver from ${source.name} failed: ${firstLine(reason)}`);
    }
  }
  throw new Error(
    `no kube-apiserver: set KUBEBUILDER_ASSETS to a folder that holds ${programs.join(' and ')}.\n${failures.join('\n')}`,
  );
}

/** The version is part of the name, so that a newer bed never meets older binaries. */
export function cacheFolder(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): string {
  const home = nonEmpty(environment['HOME']) ?? homedir();
  const base =
    nonEmpty(environment['XDG_CACHE_HOME']) ??
    (platform === 'darwin' ? join(home, 'Library', 'Caches') : join(home, '.cache'));
  return join(base, 'iamdb-operator', `kube-${kubernetesVersion}`);
}

function found(folder: string, kubectl: string | null, from: KubeBinaries['from']): KubeBinaries {
  return { kubeApiserver: join(folder, 'kube-apiserver'), etcd: join(folder, 'etcd'), kubectl, from };
}

function complete(folder: string): boolean {
  return programs.every((name) => executable(join(folder, name)));
}

export function onPath(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | null {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(executable) ?? null;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
