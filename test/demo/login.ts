// The proof by hand: psql (or the bundled client) with a token made for the workload's role, over verify-full.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { writeFile } from 'node:fs/promises';
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import { region } from '../stage/account.ts';
import type { Stage } from '../stage/stage.ts';

export interface Proof {
  readonly command: string;
  readonly answer: string;
  readonly caFile: string;
}

export async function proveByHand(
  stage: Stage,
  { username, roleARN }: { readonly username: string; readonly roleARN: string },
): Promise<Proof> {
  const { gate, endpoint } = stage.database;
  const caFile = `${stage.bed.folder('ca')}/ca.crt`;
  const bundle = await stage.bed.kube.request<{ readonly data: Readonly<Record<string, string>> }>({
    path: `/api/v1/namespaces/payments/configmaps/rds-ca-${region}`,
    expect: 200,
  });
  const ca = bundle.body.data['ca.crt'] ?? '';
  await writeFile(caFile, ca);
  const token = await tokenFor(stage, { username, roleARN });
  const conninfo = `host=${endpoint.host} hostaddr=127.0.0.1 port=${gate.port} dbname=orders user=${username} sslmode=verify-full sslrootcert=${caFile}`;
  const query = 'select current_user, version()';
  const command = `PGPASSWORD=$TOKEN psql "${conninfo}" -c "${query}"`;
  const answer = await withPsql(conninfo, query, token);
  if (answer !== undefined) return { command, answer, caFile };
  const client = new Client({
    host: '127.0.0.1',
    port: gate.port,
    database: 'orders',
    user: username,
    password: token,
    ssl: { ca, servername: endpoint.host },
  });
  await client.connect();
  const { rows } = await client.query<Record<string, string>>(query);
  await client.end();
  return { command: `(psql is not installed) ${query}`, answer: JSON.stringify(rows[0], null, 2), caFile };
}

/**
 * The answer of psql; undefined where it is not installed. Not waited for synchronously, as the gate that it talks to lives
 * in this very process.
 */
async function withPsql(conninfo: string, query: string, token: string): Promise<string | undefined> {
  try {
    const env = { ...process.env, PGPASSWORD: token, PGCONNECT_TIMEOUT: '20' };
    const { stdout } = await promisify(execFile)('psql', [conninfo, '--no-psqlrc', '-c', query], { env });
    return stdout;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** As the workload's SDK makes it, with the credentials of its role. */
export async function tokenFor(
  { aws, database }: Stage,
  { username, roleARN }: { readonly username: string; readonly roleARN: string },
): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken } = aws.createAccessKey(roleARN);
  const { host: hostname, port } = database.endpoint;
  const credentials = {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
  return await new Signer({ credentials, hostname, port, region, username }).getAuthToken();
}
