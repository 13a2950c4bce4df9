// Runs the commands of package.json from a fresh clone: installs what is missing, then goes on under the pinned Node.
// Plain JavaScript on purpose: this file runs on whatever Node 20 or newer is there.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const commands = {
  demo: [['node', 'test/demo/demo.ts']],
  iamdb: [['node', 'src/cli/main.ts']],
  sbom: [['node', 'tools/sbom.ts']],
  test: [['node', 'tools/test.ts']],
  'test:cluster': [['node', 'tools/cluster.ts']],
  verify: [['node', 'tools/verify.ts']],
  bench: [['node', 'test/bench/bench.ts']],
  mutation: [['node', 'tools/mutation/mutation.ts']],
  'test:moto': [['node', 'tools/test-moto.ts']],
};

const [name = '', ...args] = process.argv.slice(2);
const steps = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (steps === undefined) {
  console.error(`usage: npm run ${Object.keys(commands).join(' | ')}`);
  process.exit(2);
}
install();
process.exitCode = await runAll(steps);

/** npm ci, unless the lockfile is the one that was installed last. */
function install() {
  const stamp = join(modules, '.installed');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('installing npm packages (once; about half a minute)');
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (done.status !== 0) {
    console.error('npm ci failed; its own words are above');
    process.exit(1);
  }
  mkdirSync(modules, { recursive: true });
  writeFileSync(stamp, lock);
}

async function runAll(list) {
  for (const [command, ...fixed] of list) {
    const code = await run(command, [...fixed, ...args]);
    if (code !== 0) return code;
  }
  return 0;
}

/** The child gets the signals that we get, and decides itself how to end. */
function run(command, argv) {
  const path = [join(modules, '.bin'), process.env.PATH].join(delimiter);
  const executable = command === 'node' ? join(modules, '.bin', 'node') : command;
  const child = spawn(executable, argv, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } });
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', () => {}); // the terminal sends it to the whole group; we only wait
  process.on('SIGTERM', forward);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}
