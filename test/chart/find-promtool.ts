// Finds promtool, which judges alert rules: on the PATH, in the user's cache, or built from its Go module.
import { accessSync, constants } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder, onPath } from '../bed/binaries.ts';
import { build, moduleFile } from '../bed/go-build.ts';
import { createGuard, type Guard } from '../bed/guard.ts';
import { withLock } from '../bed/lock.ts';

const version = 'v0.316.0';

/** The path of promtool, or why it cannot be had here. */
export type FoundPromtool = { readonly path: string } | { readonly missing: string };

export async function findPromtool(
  progress: (text: string) => void,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<FoundPromtool> {
  const installed = onPath('promtool', environment);
  if (installed !== null) return { path: installed };

  const path = join(dirname(cacheFolder(environment)), `promtool-${version}`, 'promtool');
  if (isExecutable(path)) return { path };
  if (onPath('go', environment) === null)
    return { missing: 'promtool is not on the PATH, and there is no go to build it with' };
  await mkdir(dirname(path), { recursive: true });
  const guard = createGuard();
  try {
    await withLock(`${path}.lock`, progress, async () => {
      if (!isExecutable(path)) await buildPromtool(path, guard, progress);
    });
    return { path };
  } catch (error) {
    return { missing: `promtool is not on the PATH and could not be built: ${String(error)}` };
  } finally {
    await guard.dismiss();
  }
}

/** A minute or two on two cores: without the clients of thirty clouds, which the rules do not need. */
async function buildPromtool(path: string, guard: Guard, progress: (text: string) => void): Promise<void> {
  const module = guard.folder('go-prometheus');
  const requires = [`require github.com/prometheus/prometheus ${version}`];
  await writeFile(join(module, 'go.mod'), moduleFile('iamdb.test/bed/prometheus', requires));
  // Beside its place, so that it gets there whole by a rename.
  const part = join(guard.folder('part', `${dirname(path)}/`), 'promtool');
  const target = {
    program: part,
    module,
    package: 'github.com/prometheus/prometheus/cmd/promtool',
    linkerFlags: '',
    tags: 'remove_all_sd',
  };
  await build(target, guard, progress);
  await rename(part, path);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
