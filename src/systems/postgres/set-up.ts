// What every admin session is told and asked right after the login.
import type { Client } from 'pg';
import { Failure } from '../../kernel/failure.ts';
import { adminStatements } from '../../resources/role/admin-statements.ts';
import {
  helperFunction,
  helperIsCallable,
  helperSchema,
  trustedHelper,
} from '../../resources/role/admin-helpers.ts';

export interface SetUp {
  readonly admin: string;
  readonly serverVersion: string;
  readonly usesHelper: boolean;
}

export interface Limits {
  readonly statementMs: number;
  readonly lockMs: number;
}

interface Found {
  readonly session: string;
  readonly current: string;
  readonly version: string;
  readonly readonly: boolean;
  /** Empty where there is none that is trusted. */
  readonly helper: string;
  readonly hasHelper: boolean;
}

/**
 * Throws a Failure where the session is not the admin's own, or cannot write. The search path keeps out functions that
 * somebody else may have put into `public`; it comes first, as everything after it is looked up there. Settings are
 * made by statements, as connection poolers refuse them at the start-up.
 */
export async function setUp(
  client: Client,
  { username, authentication }: { readonly username: string; readonly authentication: 'IAM' | 'Secret' },
  limits: Limits,
): Promise<SetUp> {
  const idleMs = limits.statementMs * 2;
  // Who logs in by token needs none, and who has no use for them is not to be stopped by them.
  const [helper, hasHelper] =
    authentication === 'IAM' ? ["''", 'false'] : [`COALESCE(${trustedHelper}::text, '')`, helperIsCallable];
  const script = `
    SET search_path = pg_catalog, pg_temp;
    RESET ROLE;
    SET standard_conforming_strings = on;
    SET client_min_messages = error;
    SET statement_timeout = ${Math.ceil(limits.statementMs)};
    SET lock_timeout = ${Math.ceil(limits.lockMs)};
    SET idle_in_transaction_session_timeout = ${Math.ceil(idleMs)};
    SELECT set_config(name, value, false) FROM pg_settings
      JOIN (VALUES ('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off')) wanted(name, value) USING (name);
    SELECT session_user AS session, current_user AS current, current_setting('server_version') AS version,
      current_setting('transaction_read_only') = 'on' AS readonly,
      set_config('iamdb.acts_as', ${helper}, false) AS helper, ${hasHelper} AS "hasHelper"`;
  const results = (await client.query(script)) as unknown as readonly { readonly rows: readonly Found[] }[];
  const found = results.at(-1)?.rows[0];
  if (found === undefined) throw new Error('a query for one row was answered with none');
  if (found.session !== username || found.current !== username) throw redirected(username);
  if (found.readonly) throw readOnly;
  if (found.hasHelper && found.helper === '') throw helperUnsafe(username);
  // Shown in status, so nothing but a version is let through.
  return {
    admin: username,
    serverVersion: /^[0-9][0-9.a-z]{0,30}/.exec(found.version)?.[0] ?? 'unknown',
    usesHelper: found.helper !== '',
  };
}

const redirected = (username: string) =>
  new Failure(
    'denied',
    'AdminRedirected',
    `Sessions of admin "${username}" act as another role, so that what it does would be judged as that one's. ${adminStatements.isItself(username)} and look for role settings per database (pg_db_role_setting).`,
  );

const helperUnsafe = (username: string) =>
  new Failure(
    'denied',
    'AdminHelperUnsafe',
    `Function ${helperFunction} is not as kubectl iamdb admin-sql makes it, or others than "${username}" may call it, so it is not used. Run what this prints: kubectl iamdb admin-sql --authentication Secret --username ${username} --postgres MAJOR; and look who may call it, and who else may create something beside it: \\df+ ${helperFunction.slice(0, -'(text)'.length)} and \\dn+ ${helperSchema}`,
  );

const readOnly = new Failure(
  'unavailable',
  'ReadOnlyServer',
  'The endpoint leads to a read-only server, as during a failover; the operator connects anew.',
);
