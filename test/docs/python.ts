// Python with packages at pinned versions, in a virtual environment in the user's cache; made once.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../bed/binaries.ts';
import { createGuard } from '../bed/guard.ts';
import { withLock } from '../bed/lock.ts';
import { run } from '../bed/run.ts';

/** The path of its interpreter, or why it cannot be had here. */
export type FoundPython = { readonly path: string } | { readonly missing: string };

export async function findPython(packages: readonly string[]): Promise<FoundPython> {
  const key = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 12);
  const home = join(dirname(cacheFolder(process.env)), `python-${key}`);
  const path = join(home, 'bin/python');
  const done = join(home, 'complete');
  if (existsSync(done)) return { path };
  const guard = createGuard();
  try {
    await mkdir(dirname(home), { recursive: true });
    await withLock(`${home}.lock`, console.error, async () => {
      if (existsSync(done)) return;
      await rm(home, { recursive: true, force: true });
      // A virtual environment knows its own path, so it cannot be made elsewhere and moved: the mark comes last.
      await run('python3', ['-m', 'venv', home], { guard });
      await run(
        path,
        ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', ...packages],
        { guard, limitMs: 300_000 },
      );
      await mkdir(`${done}.part`);
      await rename(`${done}.part`, done);
    });
    return { path };
  } catch (error) {
    return { missing: `Python with ${packages.join(', ')} could not be had: ${String(error).slice(0, 300)}` };
  } finally {
    await guard.dismiss();
  }
}
