// The operator's production bundle, built when a source is newer.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const bundle = join(root, 'dist/operator.mjs');

/**
 * As the operator is started in production: a young generation and a heap that grow little, and one arena for malloc. They
 * cost some CPU under load and save a third of the memory.
 */
export const nodeFlags: readonly string[] = [
  '--max-semi-space-size=1',
  '--heap-growing-percent=20',
  '--optimize-for-size',
];
export const nodeEnvironment: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };

/** Path of the bundle. */
export function operatorBundle(): string {
  if (isStale()) {
    const done = spawnSync(
      process.execPath,
      [join(root, 'node_modules/rolldown/bin/cli.mjs'), '-c', 'rolldown.config.ts'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    if (done.status !== 0)
      throw new Error(`the operator could not be bundled:\n${done.stdout}${done.stderr}`);
  }
  return bundle;
}

function isStale(): boolean {
  if (!existsSync(bundle)) return true;
  const built = statSync(bundle).mtimeMs;
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, 'src', name));
  return [...sources, join(root, 'rolldown.config.ts'), join(root, 'package-lock.json')].some(
    (path) => statSync(path).mtimeMs > built,
  );
}
