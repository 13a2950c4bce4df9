// The image starts the operator as every end-to-end test does; that it runs is shown on a real node.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { nodeEnvironment, nodeFlags } from '../stage/bundle.ts';

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
