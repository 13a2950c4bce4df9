// The pod of an application: logs in with what its ServiceAccount, the connection ConfigMap and the trust bundle give it, and nothing else.
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fromTokenFile } from '@aws-sdk/credential-providers';
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import type { LoginLine } from '../names.ts';
import { endOnSignal } from './serve.ts';

const environment = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

/** Who the server says we are. */
async function login(): Promise<string> {
  const region = environment('RDS_REGION');
  const hostname = environment('PGHOST');
  const port = Number(environment('PGPORT'));
  const username = environment('PGUSER');
  const credentials = fromTokenFile({ clientConfig: { region } });
  const password = await new Signer({ credentials, hostname, port, region, username }).getAuthToken();
  // Host, port, user and database come from the environment.
  const client = new Client({
    password,
    // What verify-full asks for is what TLS in Node does by itself.
    ssl: { ca: await readFile(environment('PGSSLROOTCERT'), 'utf8'), rejectUnauthorized: true },
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ readonly current_user: string }>('select current_user');
    return rows[0]?.current_user ?? '';
  } finally {
    await client.end().catch(() => {});
  }
}

async function attempt(): Promise<LoginLine> {
  try {
    return { user: await login() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

endOnSignal();
if (process.argv[2] === 'again') {
  // Four times a second, for ever.
  for (;;) {
    console.log(JSON.stringify(await attempt()));
    await pause(250);
  }
}
const line = await attempt();
console.log(JSON.stringify(line));
process.exitCode = 'user' in line ? 0 : 1;
