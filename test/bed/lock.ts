/** A lock file between processes that expect each other to die: it names its holder, and a dead holder's lock is taken over. */
import { randomUUID } from 'node:crypto';
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** No build takes so long: a lock of this age is a dead one whose process number somebody else has got. */
const staleMs = 3_600_000;
const lookEveryMs = 250;
const sayEveryMs = 10_000;

/**
 * Runs the work while holding the lock. Two processes that take over the same dead lock at the same instant may both
 * run: the work has to put its result in place by a rename, so that this costs time only.
 */
export async function withLock<T>(
  path: string,
  progress: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  await acquire(path, progress);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, progress: (text: string) => void): Promise<void> {
  const own = `${path}.${randomUUID()}`;
  await writeFile(own, `${process.pid}\n`);
  try {
    for (let waitedMs = 0; ; waitedMs += lookEveryMs) {
      // A link appears with its content, so that nobody ever reads a lock without a holder.
      if (await linked(own, path)) return;
      if (await dead(path)) {
        await rm(path, { force: true });
        continue;
      }
      if (waitedMs % sayEveryMs === 0) progress('waiting for another process that fills the cache');
      await wait(lookEveryMs);
    }
  } finally {
    await rm(own, { force: true });
  }
}

async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function dead(path: string): Promise<boolean> {
  try {
    const holder = Number(await readFile(path, 'utf8'));
    const age = Date.now() - (await stat(path)).mtimeMs;
    return age > staleMs || !alive(holder);
  } catch (error) {
    // Released between our two looks: not dead, simply gone.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
