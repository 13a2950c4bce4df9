// The image starts the operator as every end-to-end test does; that it runs is shown on a real node.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { nodeEnvironment, nodeFlags, operatorBundle } from '../stage/bundle.ts';

const root = resolve(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
};
const instruction = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(dockerfile)?.[1] ?? '';

it('starts node with the flags and the environment of the tests', () => {
  expect(JSON.parse(instruction('ENTRYPOINT'))).toEqual(['node', ...nodeFlags, '/app/operator.mjs']);
  for (const [name, value] of Object.entries(nodeEnvironment)) {
    expect(instruction('ENV').split(' ')).toContain(`${name}=${value}`);
  }
});

it('runs as the user of the chart, in an image with nothing but its own files', () => {
  expect(instruction('USER')).toBe('65532:65532');
  expect(dockerfile.match(/^FROM .*$/gm)?.at(-1)).toBe('FROM scratch');
});

it('is labelled with the version of the package', () => {
  expect(dockerfile).toContain(`ARG VERSION=${version}\n`);
});

const megabytes = (bytes: number) => bytes / 1_000_000;

it('holds a bundle of less than 5 MB', () => {
  const size = megabytes(statSync(operatorBundle()).size);
  expect(size).toBeLessThan(5);
  // What is too small is not the whole of it.
  expect(size).toBeGreaterThan(1);
});

// The stage of the Dockerfile itself, with the folder and the node of this machine.
it.skipIf(process.platform !== 'linux')(
  'is less than 150 MB as it is staged, with the node that runs here',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'iamdb-rootfs-'));
    try {
      const staging = /^FROM \S+ AS runtime\nRUN ([^]*?[^\\])\n(?=[A-Z])/m.exec(dockerfile)?.[1] ?? 'false';
      const here = staging
        .replaceAll('\\\n', '')
        .replaceAll('/rootfs', folder)
        .replaceAll(/(cp|ldd) \/usr\/local\/bin\/node/g, `$1 ${process.execPath}`);
      execFileSync('/bin/sh', ['-c', here], { stdio: ['ignore', 'ignore', 'inherit'] });
      cpSync(dirname(operatorBundle()), join(folder, 'app'), { recursive: true });
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      expect(files).toContain('app/operator.mjs');
      expect(files).toContain('usr/local/bin/node');
      expect(files.filter((name) => /\/libc\.so|\/ld-.*\.so/.test(name))).not.toEqual([]);
      const sizes = files.map((name) => statSync(join(folder, name))).filter((one) => one.isFile());
      expect(megabytes(sizes.reduce((sum, { size }) => sum + size, 0))).toBeLessThan(150);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
