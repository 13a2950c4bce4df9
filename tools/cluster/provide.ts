// Finds or starts a cluster for the tests, and a way to give it images; answers with a reason where there is none.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Cluster {
  /** With KUBECONFIG, and kubectl on the PATH. */
  readonly environment: Environment;
  /** Builds a Dockerfile of the project and gives the image to the cluster; undefined where it has to hold it already. */
  readonly build: ((image: Image) => boolean) | undefined;
  /** Ends what was started for these tests. */
  stop(): void;
}

export interface Image {
  readonly tag: string;
  readonly context: string;
  /** Default: the Dockerfile of the context. */
  readonly file?: string;
}

export type Provided = { readonly cluster: Cluster } | { readonly missing: string };

const kindName = 'iamdb-test';
const minute = 60_000;

/**
 * In this order: the cluster that KUBECONFIG names; the one that the commands `up`, `build-image` and `down` in the folder
 * IAMDB_CLUSTER_TOOLS start; one of kind, where kind and Docker are.
 */
export function provideCluster(environment: Environment, progress: (text: string) => void): Provided {
  const tools = environment['IAMDB_CLUSTER_TOOLS'];
  if (environment['KUBECONFIG'] !== undefined && environment['KUBECONFIG'] !== '') {
    progress(`using the cluster that KUBECONFIG names (${environment['KUBECONFIG']})`);
    return { cluster: { environment, build: builderFor(environment, tools), stop: () => {} } };
  }
  if (tools !== undefined && tools !== '') return startByTools(environment, resolve(tools), progress);
  if (hasKind(environment)) return startKind(environment, progress);
  return {
    missing:
      'KUBECONFIG names no cluster, IAMDB_CLUSTER_TOOLS no commands that start one, and kind with Docker is not here',
  };
}

function startByTools(environment: Environment, tools: string, progress: (text: string) => void): Provided {
  const up = join(tools, 'up');
  progress(`starting a cluster by ${up} (some minutes at the first time)`);
  // It prints what a shell has to export.
  // `timeout` ends what it started as well, which would go on building otherwise.
  const limit = 'limit=(); type -P timeout >/dev/null && limit=(timeout --kill-after=10 20m)';
  const script = `${limit}; exports=$("\${limit[@]}" "$1") && eval "$exports" && printf "%s\\n%s" "$KUBECONFIG" "$PATH"`;
  const done = spawnSync('bash', ['-c', script, 'bash', up], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [kubeconfig = '', path = ''] = done.stdout.split('\n');
  if (done.status !== 0 || kubeconfig === '') {
    // What came up before it failed, or before its time was up, runs on otherwise.
    if (onPath('down', { PATH: tools })) end(environment, join(tools, 'down'), []);
    return { missing: `${up} started no cluster (${endOf(done)}); its own words are above` };
  }
  const started = { ...environment, KUBECONFIG: kubeconfig, PATH: path };
  const stop = () => end(started, join(tools, 'down'), []);
  return { cluster: { environment: started, build: builderFor(started, tools), stop } };
}

function startKind(environment: Environment, progress: (text: string) => void): Provided {
  progress('starting a cluster by kind');
  const folder = mkdtempSync(join(tmpdir(), 'iamdb-kind-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const stop = () => {
    end(environment, 'kind', ['delete', 'cluster', '--name', kindName, '--kubeconfig', kubeconfig]);
    rmSync(folder, { recursive: true, force: true });
  };
  const create = ['create', 'cluster', '--name', kindName, '--kubeconfig', kubeconfig, '--wait', '3m'];
  if (!run(environment, 'kind', create)) {
    stop();
    return { missing: 'kind started no cluster; its own words are above' };
  }
  const started = { ...environment, KUBECONFIG: kubeconfig };
  return { cluster: { environment: started, build: (image) => buildForKind(started, image), stop } };
}

function builderFor(environment: Environment, tools: string | undefined): Cluster['build'] {
  if (tools === undefined || tools === '') return undefined;
  return ({ context, tag, file }) =>
    run(environment, join(resolve(tools), 'build-image'), [
      context,
      tag,
      ...(file === undefined ? [] : ['--file', file]),
    ]);
}

function buildForKind(environment: Environment, { context, tag, file }: Image): boolean {
  const build = ['build', '--tag', tag, ...(file === undefined ? [] : ['--file', file]), context];
  return (
    run(environment, 'docker', build) &&
    run(environment, 'kind', ['load', 'docker-image', tag, '--name', kindName])
  );
}

/** The command of Docker alone, without its daemon, is no Docker. */
function hasKind(environment: Environment): boolean {
  const docker = () => spawnSync('docker', ['info'], { env: environment, stdio: 'ignore', timeout: minute });
  return onPath('kind', environment) && onPath('docker', environment) && docker().status === 0;
}

export function onPath(program: string, environment: Environment): boolean {
  return (environment['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

function run(environment: Environment, command: string, args: readonly string[]): boolean {
  const done = spawnSync(command, [...args], {
    env: environment,
    stdio: ['ignore', 2, 2],
    timeout: 15 * minute,
  });
  if (done.status !== 0) console.error(`${command} ${args.join(' ')}: ${endOf(done)}`);
  return done.status === 0;
}

/** Silent, so that the tests' closing line stays the last one. */
function end(environment: Environment, command: string, args: readonly string[]): void {
  const done = spawnSync(command, [...args], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 5 * minute,
  });
  if (done.status !== 0) console.error(`${command} ${args.join(' ')}: ${endOf(done)}\n${done.stderr}`);
}

const endOf = (done: {
  readonly status: number | null;
  readonly signal: string | null;
  readonly error?: Error;
}): string =>
  done.error?.message ?? (done.status === null ? `ended by ${done.signal}` : `exit code ${done.status}`);
