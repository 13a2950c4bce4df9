// Each end-to-end file declares what it needs of AWS, so that it is known which run on which implementation.
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { filesOn, lackingOn, needs } from '../e2e/aws-features.ts';

/** Runs the operator without an AWS that answers anything. */
const withoutAws = ['bad-config'];

it('every end-to-end file is declared', () => {
  const files = readdirSync(resolve(import.meta.dirname, '../e2e'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.slice(0, -'.test.ts'.length));
  expect([...Object.keys(needs), ...withoutAws].toSorted()).toEqual(files.toSorted());
});

it('what moto cannot run is known, and changes only on purpose', () => {
  expect(lackingOn('moto').map(([file]) => file)).toEqual([
    'accounts',
    'asleep',
    'at-size',
    'blue-green',
    'closed-network',
    'crash',
    'drift',
    'gone',
    'leadership',
    'least-privilege',
    'least-privilege-namespaces',
    'managed-secret',
    'partition',
    'pod-identity',
    'proxies',
    'proof-by-token',
    'refusals',
    'refusals-iam',
    'refusals-outside',
    'refusals-rest',
    'restart',
    'secrets',
    'wrong-resource-id',
  ]);
  expect(filesOn('moto').length + lackingOn('moto').length).toBe(Object.keys(needs).length);
});
