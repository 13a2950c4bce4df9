import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { startBed } from './bed.ts';
import { createIamAdmin } from './postgres-admin.ts';

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A bed in a process of its own, which says what belongs to it. */
async function bedElsewhere() {
  const program = spawn(process.execPath, [join(import.meta.dirname, 'bed-example.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await new Promise<string[]>((resolve, reject) => {
    createInterface({ input: program.stdout }).once('line', (text) => resolve([text]));
    program.once('exit', (code) => reject(new Error(`the bed ended with ${code}`)));
  });
  const facts = JSON.parse(line ?? '') as { pids: number[]; folders: string[] };
  const ended = new Promise<void>((resolve) => program.once('exit', () => resolve()));
  return { ...facts, program, ended };
}

describe('the test bed', () => {
  it('starts as one, answers a login by token with the name in the certificate, and leaves nothing behind', async () => {
    const credential = { secretAccessKey: 'secret', principal: 'arn:aws:iam::111122223333:role/admin' };
    const bed = await startBed({
      postgres: [17],
      progress: console.log,
      aws: {
        credentials: { lookup: () => credential },
        authorize: ({ resource }) => resource.endsWith('/iamdb_admin'),
      },
    });
    const folder = bed.folder('test');
    try {
      const [database] = bed.databases;
      if (database === undefined) throw new Error('no database');
      await createIamAdmin(database.postgres);
      const bundle = await fetch(`${bed.trustStore.url}/ap-northeast-2/ap-northeast-2-bundle.pem`);
      const client = new Client({
        host: '127.0.0.1',
        port: database.gate.port,
        user: 'iamdb_admin',
        database: 'orders',
        password: () =>
          new Signer({
            hostname: database.endpoint.host,
            port: database.endpoint.port,
            region: 'ap-northeast-2',
            username: 'iamdb_admin',
            credentials: { accessKeyId: 'AKIA', secretAccessKey: credential.secretAccessKey },
          }).getAuthToken(),
        ssl: { ca: await bundle.text(), servername: database.endpoint.host },
      });
      await client.connect();
      expect((await client.query('SELECT current_user AS who')).rows).toEqual([{ who: 'iamdb_admin' }]);
      await client.end();
      expect((await bed.kube.request({ path: '/readyz' })).status).toBe(200);
    } finally {
      await bed.stop();
    }
    expect(existsSync(folder)).toBe(false);
    await bed.stop();
  }, 900_000);

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'leaves no process and no folder when its process gets %s',
    async (signal) => {
      const bed = await bedElsewhere();
      expect(bed.pids.length).toBeGreaterThan(3);
      expect(bed.pids.filter(alive)).toEqual(bed.pids);
      expect(bed.folders.filter(existsSync)).toEqual(bed.folders);
      bed.program.kill(signal);
      await bed.ended;
      await expect.poll(() => bed.pids.filter(alive), { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => bed.folders.filter(existsSync), { timeout: 10_000 }).toEqual([]);
    },
    900_000,
  );
});
