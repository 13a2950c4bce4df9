// The profiles that a page gives an application for a database in another account, read by the SDK as it reads them in a pod.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromIni } from '@aws-sdk/credential-providers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { blocksIn } from './pages.ts';

const block = blocksIn('text').find(({ text }) => text.includes('source_profile'));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iamdb-profiles-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("become the pod's own role by its token, and the database's role from there", async () => {
  const token = join(folder, 'token');
  const configFilepath = join(folder, 'config');
  writeFileSync(token, 'a-token');
  writeFileSync(configFilepath, (block?.text ?? '').replace(/\/var\/run\S+/, token));
  const assumed: string[] = [];
  const credentials = (of: string) =>
    Promise.resolve({ accessKeyId: of, secretAccessKey: 'secret', sessionToken: 'session' });
  const become = fromIni({
    profile: 'database',
    configFilepath,
    filepath: join(folder, 'none'),
    ignoreCache: true,
    roleAssumerWithWebIdentity: ({ RoleArn, WebIdentityToken }) => {
      assumed.push(`${RoleArn} by ${WebIdentityToken}`);
      return credentials('pod');
    },
    roleAssumer: ({ accessKeyId }, { RoleArn }) => {
      assumed.push(`${RoleArn} by ${accessKeyId}`);
      return credentials('database');
    },
  });
  expect((await become()).accessKeyId).toBe('database');
  expect(assumed).toEqual([
    'arn:aws:iam::111122223333:role/payments-checkout by a-token',
    'arn:aws:iam::222233334444:role/payments-checkout by pod',
  ]);
});
