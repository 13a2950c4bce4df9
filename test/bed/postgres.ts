/**
 * Real PostgreSQL servers, with the accounts and the pg_hba of an RDS server as far as PostgreSQL itself can have them;
 * the RDS gate in front adds the rest.
 *
 * Roads in: over TCP members of rds_iam need nothing (`trust`; the gate asks them for a token before) and everybody
 * else needs a password. Over the Unix socket everybody needs a password, members too: that is the road the gate takes
 * while IAM authentication is off. The superuser, for setting up only, has a password.
 */
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import type { Child, Children } from './children.ts';
import type { Guard } from './guard.ts';
import { freePorts } from './ports.ts';
import { findPostgres } from './postgres-program.ts';
import type { PostgresMajor, PostgresProgram } from './postgres-program.ts';
import { run } from './run.ts';

export interface ConnectionConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface Postgres {
  readonly major: PostgresMajor;
  readonly port: number;
  readonly socketPath: string;
  /** For setting up and for looking; never give it to the operator. */
  readonly superuser: ConnectionConfig;
  /** Statements as the superuser, in one session; the rows of the last one. */
  sql<Row = Record<string, unknown>>(text: string, database?: string): Promise<Row[]>;
  /** Comes back on the same port; sessions end with 57P01. */
  restart(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface PostgresOptions {
  readonly major: PostgresMajor;
  readonly children: Children;
  /** Whether Aurora's own functions exist, by which the AWS drivers tell Aurora from RDS. Default true. */
  readonly aurora?: boolean;
  /** Settings beyond the bed's own, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
}

const readyWithinMs = 30_000;
const attempts = 3;

const hba = `host all +rds_iam 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
local all all scram-sha-256
`;

/** Quick rather than safe: nobody misses these data after a power cut. */
const quick = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
  max_connections: '200',
  listen_addresses: '127.0.0.1',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const folder = options.children.guard.folder(`pg${options.major}`);
  const program = findPostgres(options.major, folder);
  const data = join(folder, 'data');
  const password = randomBytes(18).toString('hex');
  await initialise(options.children.guard, program, folder, data, password);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options, program, folder, data, password);
    } catch (error) {
      if (attempt === attempts || !String(error).includes('Address already in use')) throw error;
    }
  }
}

async function initialise(
  guard: Guard,
  program: PostgresProgram,
  folder: string,
  data: string,
  password: string,
): Promise<void> {
  const passwordFile = join(folder, 'superuser');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  mkdirSync(data, { mode: 0o700 });
  if (program.user !== undefined) {
    for (const path of [folder, passwordFile, data]) chownSync(path, program.user.uid, program.user.gid);
  }
  await run(
    program.initdb,
    [
      '--pgdata',
      data,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ],
    { guard, cwd: folder, env: { LC_ALL: 'C' }, ...program.user },
  );
  await rm(passwordFile);
}

async function startOnce(
  { major, children, settings, aurora = true }: PostgresOptions,
  program: PostgresProgram,
  folder: string,
  data: string,
  password: string,
): Promise<Postgres> {
  const [port = 0] = await freePorts(1);
  const superuser = { host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' };
  await writeFile(join(data, 'pg_hba.conf'), hba);
  const lines = Object.entries({
    ...quick,
    port: String(port),
    unix_socket_directories: folder,
    ...settings,
  });
  await appendFile(
    join(data, 'postgresql.conf'),
    lines.map(([name, value]) => `\n${name} = '${value}'`).join(''),
  );

  const start = async (): Promise<Child> => {
    const child = await children.start({
      command: program.postgres,
      args: ['-D', data],
      cwd: folder,
      env: { LC_ALL: 'C' },
      ...program.user,
      logFile: join(folder, 'postgres.log'),
      // Fast: sessions are ended with 57P01.
      stopSignal: 'SIGINT',
    });
    await untilReady(join(data, 'postmaster.pid'), child);
    return child;
  };

  let server = await start();
  const sql: Postgres['sql'] = async <Row>(text: string, database = 'postgres') =>
    await query<Row>({ ...superuser, database }, text);
  await sql(accounts);
  await sql('CREATE DATABASE orders OWNER orders_owner');
  if (aurora) {
    for (const database of ['template1', 'postgres', 'orders']) await sql(auroraFunctions, database);
  }

  return {
    major,
    port,
    socketPath: join(folder, `.s.PGSQL.${port}`),
    superuser,
    sql,
    async restart() {
      await server.stop();
      server = await start();
    },
    async pause() {
      await server.stop();
    },
    async resume() {
      if (!server.running()) server = await start();
    },
    stop: (signal) => server.stop(signal),
  };
}

/** The roles every RDS server has, and the owner of the database `orders`. The admins come by `postgres-admin.ts`. */
const accounts = `
  CREATE ROLE rds_iam;
  CREATE ROLE rds_superuser;
  GRANT pg_monitor, pg_signal_backend TO rds_superuser;
  CREATE ROLE orders_owner;
  CREATE ROLE orders_readwrite;
  CREATE ROLE orders_readonly;
`;

/** Aurora's own functions that the AWS drivers call right after login: one writer. */
const auroraFunctions = `
  CREATE OR REPLACE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text
    LANGUAGE sql STABLE AS $$ SELECT 'orders-prod-1' $$;
  CREATE OR REPLACE FUNCTION pg_catalog.aurora_replica_status()
    RETURNS TABLE (server_id text, session_id text, last_update_timestamp timestamptz, replica_lag_in_msec real, cpu real)
    LANGUAGE sql STABLE AS $$ SELECT 'orders-prod-1', 'MASTER_SESSION_ID', now(), 0::real, 1::real $$;
`;

async function query<Row>(config: ConnectionConfig, text: string): Promise<Row[]> {
  const client = new Client({ ...config, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    // Several statements in one text answer with a list of results.
    const results: unknown = await client.query(text);
    const last: unknown = Array.isArray(results) ? results.at(-1) : results;
    return (last as { rows: Row[] }).rows;
  } finally {
    await client.end();
  }
}

async function untilReady(pidFile: string, child: Child): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  // The server itself writes its state there: cheaper than trying to log in.
  const ready = async (): Promise<boolean> => {
    const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
    return Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready';
  };
  while (!(await ready())) {
    if (!child.running()) throw new Error(`PostgreSQL ended at once:\n${child.lastOutput()}`);
    if (Date.now() > deadline) throw new Error(`PostgreSQL was not ready in time:\n${child.lastOutput()}`);
    await wait(10);
  }
}
