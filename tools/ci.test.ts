// .ci/run closes with one line for all that it ran, and never tests on a cluster that merely happens to be named.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const script = resolve(import.meta.dirname, '../.ci/run');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iamdb-ci-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Commands {
  readonly verify?: string;
  readonly test?: string;
  readonly cluster?: string;
}

/** Runs it with an npm whose commands are these lines of shell. */
function run(commands: Commands, environment: Readonly<Record<string, string>> = {}) {
  const {
    verify = 'true',
    test = 'echo "3 passed, 0 failed"',
    cluster = 'echo "2 passed, 0 failed"',
  } = commands;
  const npm = join(folder, 'npm');
  writeFileSync(
    npm,
    `#!/bin/bash\ncase "$*" in\n'run verify') ${verify} ;;\ntest) ${test} ;;\n'run test:cluster') ${cluster} ;;\n*) exit 9 ;;\nesac\n`,
  );
  chmodSync(npm, 0o755);
  const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}`, ...environment };
  const { status, stdout } = spawnSync('bash', [script], { env, encoding: 'utf8' });
  const lines = stdout.trimEnd().split('\n');
  const close = lines.slice(lines.at(-2)?.includes('skipped,') === true ? -2 : -1).join('\n');
  return { status, stdout, close };
}

it.each<[string, Commands, string, number]>([
  ['adds up what passed', {}, '5 passed, 0 failed', 0],
  [
    'tells what was skipped',
    { cluster: 'echo "0 passed, 0 failed, 1 skipped"' },
    '1 skipped, for the reasons above\n3 passed, 0 failed',
    0,
  ],
  [
    'fails with a failed test',
    { test: 'echo "2 passed, 1 failed, 4 skipped"; exit 1' },
    '4 skipped, for the reasons above\n4 passed, 1 failed',
    1,
  ],
  [
    'fails with a failed test on the cluster',
    { cluster: 'echo "1 passed, 1 failed"; exit 1' },
    '4 passed, 1 failed',
    1,
  ],
  ['counts what ends without a word as failed', { test: 'exit 0' }, '2 passed, 1 failed', 1],
  [
    'counts a failure that no test stands for',
    { test: 'echo "3 passed, 0 failed"; exit 1' },
    '5 passed, 1 failed',
    1,
  ],
  ['goes no further than a gate that fails', { verify: 'exit 1' }, '0 passed, 1 failed', 1],
])('%s', (_name, commands, close, status) => {
  expect(run(commands)).toMatchObject({ close, status });
});

it('leaves the cluster that KUBECONFIG names alone, and takes one that is named for tests', () => {
  const cluster = 'echo "cluster: ${KUBECONFIG-none}"; echo "1 passed, 0 failed"';
  expect(run({ cluster }, { KUBECONFIG: '/home/production' }).stdout).toContain('cluster: none');
  expect(
    run({ cluster }, { KUBECONFIG: '/home/production', IAMDB_TEST_CLUSTER: '/home/test' }).stdout,
  ).toContain('cluster: /home/test');
});
