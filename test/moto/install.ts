// moto, an independent stand-in for AWS, in a virtual environment of the cache folder: installed once for each set of versions.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../bed/binaries.ts';
import { withLock } from '../bed/lock.ts';

const run = promisify(execFile);
const requirements = join(import.meta.dirname, 'requirements.txt');

/** The Python that has moto. Throws with the words of pip where that cannot be had. */
export async function installMoto(progress: (text: string) => void): Promise<string> {
  const versions = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = join(dirname(cacheFolder(process.env)), `moto-${versions}`);
  const python = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return python;
  await mkdir(dirname(folder), { recursive: true });
  return await withLock(`${folder}.lock`, progress, async () => {
    if (existsSync(complete)) return python;
    progress('installing moto (once; about half a minute)');
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
    await run(python, ['-m', 'pip', 'install', ...quiet, '--no-deps', '-r', requirements]);
    await writeFile(complete, '');
    return python;
  });
}
