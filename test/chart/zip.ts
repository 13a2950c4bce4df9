// Reads one file out of a zip archive; for archives that we trust by their checksum.
import { inflateRawSync } from 'node:zlib';

const endSignature = 0x06_05_4b_50;
const stored = 0;

/** Undefined where the archive has no file of that name. */
export function readZipEntry(zip: Buffer, name: string): Buffer | undefined {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== endSignature) end -= 1;
  if (end < 0) throw new Error('this is no zip archive');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const next = at + 46 + (nameLength ?? 0) + (extra ?? 0) + (comment ?? 0);
    if (zip.toString('utf8', at + 46, at + 46 + (nameLength ?? 0)) === name) return content(zip, at);
    at = next;
  }
  return undefined;
}

function content(zip: Buffer, at: number): Buffer {
  const [method, size, header] = [
    zip.readUInt16LE(at + 10),
    zip.readUInt32LE(at + 20),
    zip.readUInt32LE(at + 42),
  ];
  // The header beside the content has an extra field of its own length.
  const begin = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const packed = zip.subarray(begin, begin + size);
  return method === stored ? packed : inflateRawSync(packed);
}
