// Where the tests on a cluster get one, and what is said where there is none: with stand-ins for the commands that start clusters.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Cluster, type Environment, provideCluster } from './provide.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iamdb-provide-'));
  // Nothing else of this machine is seen.
  mkdirSync(join(folder, 'bin'));
  symlinkSync('/bin/bash', join(folder, 'bin/bash'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Notes how it was called, then does what `script` says. */
function command(path: string, script: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho "${path} $*" >> '${join(folder, 'calls')}'\n${script}\n`);
  chmodSync(file, 0o755);
}
const calls = () =>
  existsSync(join(folder, 'calls'))
    ? readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split(/ *\n/)
    : [];
const path = () => ({ PATH: join(folder, 'bin') });
const quiet = () => {};

function provided(environment: Environment): Cluster {
  const found = provideCluster({ ...path(), ...environment }, quiet);
  if ('missing' in found) throw new Error(found.missing);
  return found.cluster;
}
function missing(environment: Environment): string {
  const found = provideCluster({ ...path(), ...environment }, quiet);
  return 'missing' in found ? found.missing : 'nothing';
}
const tools = () => ({ IAMDB_CLUSTER_TOOLS: join(folder, 'tools') });
const up = (kubeconfig: string) =>
  command('tools/up', `echo "export KUBECONFIG=${kubeconfig}"; echo 'export PATH=/tools/bin:$PATH'`);

describe('a cluster', () => {
  it('is the one that KUBECONFIG names, and is left running', () => {
    up('/tools/config');
    const cluster = provided({ KUBECONFIG: '/home/config', ...tools() });
    expect(cluster.environment['KUBECONFIG']).toBe('/home/config');
    cluster.stop();
    expect(calls()).toEqual([]);
  });

  it('that is named gets no images where nothing is known that gives it some', () => {
    expect(provided({ KUBECONFIG: '/home/config' }).build).toBeUndefined();
  });

  it('is started by the commands that are named, gets images from them, and is ended', () => {
    up('/tools/config');
    command('tools/build-image', '');
    command('tools/down', '');
    const cluster = provided(tools());
    expect(cluster.environment).toMatchObject({ KUBECONFIG: '/tools/config' });
    expect(cluster.environment['PATH']).toMatch(/^\/tools\/bin:/);
    expect(cluster.build?.({ context: '/project', tag: 'app:1', file: '/project/File' })).toBe(true);
    cluster.stop();
    expect(calls()).toEqual([
      'tools/up',
      'tools/build-image /project app:1 --file /project/File',
      'tools/down',
    ]);
  });

  it('that does not start is missing, and a build that fails is told', () => {
    command('tools/up', 'exit 3');
    expect(missing(tools())).toContain('started no cluster (exit code 3)');
    up('/tools/config');
    command('tools/build-image', 'exit 1');
    expect(provided(tools()).build?.({ context: '/project', tag: 'app:1' })).toBe(false);
  });

  it('that started in part is ended, and counts as missing all the same', () => {
    command('tools/up', 'exit 124');
    command('tools/down', 'exit 1');
    expect(missing(tools())).toContain('started no cluster (exit code 124)');
    expect(calls()).toEqual(['tools/up', 'tools/down']);
  });

  it('is made by kind where Docker runs, and deleted', () => {
    command('bin/kind', '');
    command('bin/docker', '');
    const cluster = provided({});
    expect(cluster.build?.({ context: '/project', tag: 'app:1' })).toBe(true);
    cluster.stop();
    expect(calls().map((line) => line.replace(/\S+kubeconfig$/, 'FILE'))).toEqual([
      'bin/docker info',
      expect.stringMatching(/^bin\/kind create cluster --name iamdb-test --kubeconfig \S+ --wait 3m$/),
      'bin/docker build --tag app:1 /project',
      'bin/kind load docker-image app:1 --name iamdb-test',
      'bin/kind delete cluster --name iamdb-test --kubeconfig FILE',
    ]);
  });

  it('is not expected of a Docker whose daemon does not run', () => {
    command('bin/kind', '');
    command('bin/docker', 'exit 1');
    expect(missing({})).toContain('KUBECONFIG names no cluster');
  });
});

describe('the command', () => {
  const run = (environment: Environment) =>
    spawnSync(process.execPath, [resolve(import.meta.dirname, '../cluster.ts')], {
      env: { ...path(), HOME: folder, ...environment },
      encoding: 'utf8',
    });

  it('says loudly that nothing was tested where there is no cluster, and counts no pass', () => {
    const { status, stdout } = run({});
    expect(stdout).toContain('SKIPPED: nothing was tested on a cluster: KUBECONFIG names no cluster');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 0 failed, 1 skipped');
    expect(status).toBe(0);
  });

  it('says which images a cluster has to hold', () => {
    for (const name of ['kubectl', 'helm']) command(`bin/${name}`, '');
    const { status, stdout } = run({ KUBECONFIG: '/home/config' });
    expect(stdout).toContain('IAMDB_TEST_OPERATOR_IMAGE and IAMDB_TEST_PODS_IMAGE');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 0 failed, 1 skipped');
    expect(status).toBe(0);
  });

  it('fails where an image cannot be built, and ends the cluster', () => {
    up('/tools/config');
    command('tools/build-image', 'exit 1');
    command('tools/down', '');
    for (const name of ['kubectl', 'helm']) command(`bin/${name}`, '');
    const { status, stdout } = run(tools());
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed');
    expect(status).toBe(1);
    expect(calls().at(-1)).toBe('tools/down');
  });

  it('counts a cluster that cannot be started as skipped, loudly, and ends what came up of it', () => {
    command('tools/up', 'exit 3');
    command('tools/down', '');
    const { status, stdout } = run(tools());
    expect(stdout).toContain('SKIPPED: nothing was tested on a cluster');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 0 failed, 1 skipped');
    expect(status).toBe(0);
    expect(calls().at(-1)).toBe('tools/down');
  });
});
