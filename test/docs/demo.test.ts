// The first command that a newcomer types ends with a proven login.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { root } from './pages.ts';

it('npm run demo -- --once shows a chain that holds and a login', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['test/demo/demo.ts', '--once'], {
    cwd: root,
    timeout: 300_000,
  });
  expect(stdout).toMatch(/AccessVerified +True +Verified/);
  expect(stdout).toMatch(/payments_checkout[^]*PostgreSQL 1\d/);
}, 300_000);
