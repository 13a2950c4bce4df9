// The port of the profiles, asked by whoever reaches it.
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { serveProfiles } from './profiling.ts';

test.each([
  ['//', 400],
  ['//:x/debug/cpu', 400],
  ['/', 404],
  ['/debug/cpu?seconds=0', 400],
])('%s is answered with %d, and the port goes on', async (path, expected) => {
  const server = await serveProfiles(0);
  const { port } = server.address() as AddressInfo;
  // As it stands on the wire: fetch would not send it so.
  const ask = async (asked: string) =>
    await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: asked, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).once('error', reject);
    });
  expect(await ask(path)).toBe(expected);
  expect(await ask('/')).toBe(404);
  server.close();
});
