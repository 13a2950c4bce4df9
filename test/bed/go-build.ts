/** Builds kube-apiserver and etcd from their published Go modules: no repository to clone, nothing but Go to have. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Guard } from './guard.ts';
import { etcdVersion, goVersion, kubernetesVersion, stagingVersion } from './kube-source.ts';
import { run } from './run.ts';

type Progress = (text: string) => void;

/** Settings of the user's own Go that would lead to another result do not reach the build. */
const goEnvironment = { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' };

/** About three minutes on two cores. */
export async function buildFromModules(folder: string, guard: Guard, progress: Progress): Promise<void> {
  const kubernetes = guard.folder('go-kubernetes');
  await writeFile(join(kubernetes, 'go.mod'), await kubernetesModule(kubernetes, guard, progress));
  const [, minor = ''] = kubernetesVersion.split('.');
  const version = 'k8s.io/component-base/version';
  await build(
    {
      program: join(folder, 'kube-apiserver'),
      module: kubernetes,
      package: 'k8s.io/kubernetes/cmd/kube-apiserver',
      linkerFlags: `-X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=1 -X ${version}.gitMinor=${minor}`,
    },
    guard,
    progress,
  );

  const etcd = guard.folder('go-etcd');
  await writeFile(
    join(etcd, 'go.mod'),
    moduleFile('iamdb.test/bed/etcd', [`require go.etcd.io/etcd/server/v3 ${etcdVersion}`]),
  );
  await build(
    { program: join(folder, 'etcd'), module: etcd, package: 'go.etcd.io/etcd/server/v3', linkerFlags: '' },
    guard,
    progress,
  );
}

/**
 * Kubernetes replaces its staging modules (k8s.io/api and the like) by folders of its repository, and Go ignores the
 * replacements of a module that is only required. So they are repeated here, naming the published modules.
 */
async function kubernetesModule(cwd: string, guard: Guard, progress: Progress): Promise<string> {
  progress(`downloading the module k8s.io/kubernetes ${kubernetesVersion}`);
  const args = ['mod', 'download', '-json', `k8s.io/kubernetes@${kubernetesVersion}`];
  const answer: unknown = JSON.parse(
    await run('go', args, { guard, cwd, env: { ...process.env, ...goEnvironment } }),
  );
  if (
    typeof answer !== 'object' ||
    answer === null ||
    !('GoMod' in answer) ||
    typeof answer.GoMod !== 'string'
  ) {
    throw new Error('go mod download did not say where it put the module');
  }
  return kubernetesModuleFile(await readFile(answer.GoMod, 'utf8'));
}

/** From the go.mod of k8s.io/kubernetes to ours. */
export function kubernetesModuleFile(published: string): string {
  const staging = [...published.matchAll(/^\s*(?:replace )?(k8s\.io\/[\w.-]+) => \.\//gm)].flatMap(
    ([, name]) => (name === undefined ? [] : [name]),
  );
  if (staging.length === 0) throw new Error('the go.mod of k8s.io/kubernetes replaces nothing');
  return moduleFile('iamdb.test/bed/kubernetes', [
    `require k8s.io/kubernetes ${kubernetesVersion}`,
    ...staging.map((name) => `replace ${name} => ${name} ${stagingVersion}`),
  ]);
}

export function moduleFile(name: string, lines: readonly string[]): string {
  return [`module ${name}`, `go ${goVersion}`, ...lines, ''].join('\n');
}

export interface Target {
  /** The path that the result is written to. */
  readonly program: string;
  readonly module: string;
  readonly package: string;
  readonly linkerFlags: string;
  /** Build tags, with commas. */
  readonly tags?: string;
}

export async function build(target: Target, guard: Guard, progress: Progress): Promise<void> {
  const options = { guard, cwd: target.module, env: { ...process.env, ...goEnvironment } };
  const name = basename(target.program);
  let saidAt = Date.now();
  const sayNow = (text: string): void => {
    if (Date.now() - saidAt < 2_000) return;
    saidAt = Date.now();
    progress(text);
  };

  progress(`building ${name}: downloading its modules`);
  let modules = 0;
  const tags = target.tags === undefined ? [] : ['-tags', target.tags];
  // `-mod=mod` completes go.mod and go.sum; what is downloaded is checked against Go's checksum database.
  const packages = await run('go', ['list', '-mod=mod', ...tags, '-deps', target.package], {
    ...options,
    onErrorLine() {
      modules += 1;
      sayNow(`building ${name}: ${modules} modules downloaded`);
    },
  });
  const total = packages.trim().split('\n').length;

  let compiled = 0;
  const flags = ['-v', '-mod=mod', '-buildvcs=false', '-trimpath', '-ldflags', `-s -w ${target.linkerFlags}`];
  await run('go', ['build', ...flags, ...tags, '-o', target.program, target.package], {
    ...options,
    onErrorLine() {
      compiled += 1;
      sayNow(`building ${name}: ${compiled} of ${total} packages`);
    },
  });
}
