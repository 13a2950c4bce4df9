/** Fetches the archive of kube-apiserver and etcd that is published for tests, and believes it only by its checksum. */
import { createHash } from 'node:crypto';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Guard } from './guard.ts';
import { envtest, envtestUrl } from './kube-source.ts';
import type { EnvtestPlatform } from './kube-source.ts';
import { run } from './run.ts';

/** Where the network does not allow it, the next source should get its turn soon. */
const connectMs = 5_000;
const silenceMs = 15_000;

export async function fetchEnvtest(
  folder: string,
  guard: Guard,
  progress: (text: string) => void,
): Promise<void> {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  if (!isPublished(platform)) throw new Error(`no archive is published for ${platform}`);
  await fetchArchive(
    { url: envtestUrl(platform), sha512: envtest.sha512[platform] },
    folder,
    guard,
    progress,
  );
}

export interface Archive {
  readonly url: string;
  readonly sha512: string;
}

export async function fetchArchive(
  archive: Archive,
  folder: string,
  guard: Guard,
  progress: (text: string) => void,
): Promise<void> {
  const body = await download(archive.url, progress);
  const sum = createHash('sha512').update(body).digest('hex');
  if (sum !== archive.sha512)
    throw new Error(`the archive's SHA-512 is ${sum.slice(0, 16)}…, not the pinned one`);
  const temporary = guard.folder('envtest');
  const file = join(temporary, 'archive.tar.gz');
  await writeFile(file, body);
  await run('tar', ['-xzf', file, '-C', temporary], { guard });
  const unpacked = join(temporary, 'controller-tools', 'envtest');
  for (const name of ['kube-apiserver', 'etcd']) await copyFile(join(unpacked, name), join(folder, name));
}

async function download(url: string, progress: (text: string) => void): Promise<Buffer> {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error(`no answer from ${new URL(url).host}`)), connectMs);
  try {
    const response = await fetch(url, { signal: abort.signal }).catch((error: unknown) => {
      throw new Error(`${new URL(url).host} cannot be reached`, { cause: error });
    });
    if (!response.ok || response.body === null)
      throw new Error(`${new URL(url).host} answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    let saidAt = Date.now();
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(new Error('the download stands still')), silenceMs);
      chunks.push(chunk);
      size += chunk.length;
      if (Date.now() - saidAt > 2_000) {
        saidAt = Date.now();
        progress(`fetching kube-apiserver ${envtest.version}: ${Math.round(size / 1_048_576)} MB`);
      }
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

function isPublished(platform: string): platform is EnvtestPlatform {
  return Object.hasOwn(envtest.sha512, platform);
}
