// Where credentials come from, and when they are read again.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialsOf, loadKubeConfig } from './kube-config.ts';

let folder: string;
let now: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kube-config-'));
  now = 0;
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(user: object, cluster: object = {}) {
  const path = join(folder, 'config');
  writeFileSync(
    path,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://api.test:6443', ...cluster } }],
      users: [{ name: 'u', user }],
      contexts: [
        { name: 'first', context: { cluster: 'c', user: 'u' } },
        { name: 'second', context: { cluster: 'missing', user: 'u' } },
      ],
      'current-context': 'first',
    }),
  );
  return path;
}

const credentials = (user: object, cluster: object = {}) =>
  credentialsOf(loadKubeConfig({ from: 'file', path: write(user, cluster) }), () => now);

test('a token file is read again each minute, and no more often', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, 'one\n');
  const source = credentials({ tokenFile: 'token' });
  const token = async () => (await source.current()).headers['authorization'];
  expect(await token()).toBe('Bearer one');
  writeFileSync(file, 'two\n');
  now = 59_999;
  expect(await token()).toBe('Bearer one');
  now = 60_000;
  expect(await token()).toBe('Bearer two');
});

test('a token file that is missing for a moment is an error for that moment', async () => {
  const source = credentials({ tokenFile: 'token' });
  await expect(source.current()).rejects.toMatchObject({ status: 0, reason: 'NoCredentials' });
  writeFileSync(join(folder, 'token'), 'one');
  expect((await source.current()).headers['authorization']).toBe('Bearer one');
});

test('an exec plugin runs once for as long as its credential is valid, and again after a refusal', async () => {
  const count = join(folder, 'count');
  const script = `
    const fs = require('node:fs');
    fs.appendFileSync(${JSON.stringify(count)}, 'x');
    const token = 'token-' + fs.readFileSync(${JSON.stringify(count)}, 'utf8').length;
    const status = { token, expirationTimestamp: '2099-01-01T00:00:00Z' };
    console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }));
  `;
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: ['-e', script],
  };
  const source = credentials({ exec });
  const token = async () => (await source.current()).headers['authorization'];
  expect(await Promise.all([token(), token()])).toEqual(['Bearer token-1', 'Bearer token-1']);
  now = 60_000;
  expect(await token()).toBe('Bearer token-1');
  source.forget();
  expect(await token()).toBe('Bearer token-2');
});

test('a renewed client certificate is noticed, so that connections are made anew', async () => {
  const [cert, key] = [join(folder, 'cert'), join(folder, 'key')];
  writeFileSync(cert, 'certificate 1');
  writeFileSync(key, 'key 1');
  const source = credentials({ 'client-certificate': 'cert', 'client-key': 'key' });
  const first = await source.current();
  expect(String(first.tls.cert)).toBe('certificate 1');
  writeFileSync(cert, 'certificate 2');
  now = 60_000;
  const second = await source.current();
  expect(String(second.tls.cert)).toBe('certificate 2');
  expect(second.tlsVersion).not.toBe(first.tlsVersion);
  now = 120_000;
  expect((await source.current()).tlsVersion).toBe(second.tlsVersion);
});

test('a server without TLS gets no credentials unless that is said to be meant', () => {
  const server = 'http://api.test:8080';
  expect(() => loadKubeConfig({ from: 'file', path: write({}, { server }) })).toThrow('without TLS');
  const path = write({}, { server, 'insecure-skip-tls-verify': true });
  expect(loadKubeConfig({ from: 'file', path }).getCurrentCluster()?.server).toBe(server);
});

test('another context may be chosen, and a context without its cluster is told', () => {
  const path = write({ token: 't' });
  expect(loadKubeConfig({ from: 'file', path, context: 'first' }).getCurrentContext()).toBe('first');
  expect(() => loadKubeConfig({ from: 'file', path, context: 'second' })).toThrow('names no cluster');
});

test('a file that cannot be read is named, and one that cannot be understood is not quoted', () => {
  const path = join(folder, 'config');
  expect(() => loadKubeConfig({ from: 'file', path })).toThrow(path);
  writeFileSync(path, 'users: [{ user: { token: hidden-token\n');
  const load = () => loadKubeConfig({ from: 'file', path });
  expect(load).toThrow('not a kubeconfig in YAML or JSON; check KUBECONFIG');
  expect(load).not.toThrow('hidden-token');
});
