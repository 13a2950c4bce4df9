// Changes of a role as the SQL that a person reads, and of which the statements that are sent are made.
import { formatMark } from './mark.ts';
import { identifier, literal } from './quote.ts';
import type { RoleChange } from './role.ts';
import { valueSQL } from './settings.ts';

/** In the order in which they run; around them come locks, checks and the guard, which change nothing. */
export function sqlOf(change: RoleChange, username: string): readonly string[] {
  const user = identifier(username);
  switch (change.do) {
    case 'create':
      return [`CREATE ROLE ${user} LOGIN CONNECTION LIMIT ${Math.trunc(change.connectionLimit)}`];
    case 'adopt':
      return [];
    case 'mark':
      return [`COMMENT ON ROLE ${user} IS ${literal(formatMark(change.mark))}`];
    case 'release':
      return [`COMMENT ON ROLE ${user} IS ${literal(change.comment)}`];
    case 'allow login':
      return [`ALTER ROLE ${user} LOGIN`];
    case 'limit connections':
      return [`ALTER ROLE ${user} CONNECTION LIMIT ${Math.trunc(change.limit)}`];
    case 'set': {
      const { setting, value } = change;
      return [`ALTER ROLE ${user} SET ${identifier(setting)} = ${valueSQL(setting, value)}`];
    }
    case 'reset':
      return [`ALTER ROLE ${user} RESET ${identifier(change.setting)}`];
    case 'grant rds_iam':
      return [`GRANT rds_iam TO ${user}`];
    case 'grant group':
      return [`GRANT ${identifier(change.group)} TO ${user}`];
    case 'revoke group':
      return [`REVOKE ${identifier(change.group)} FROM ${user}`];
    case 'grant connect':
      return [`GRANT CONNECT ON DATABASE ${identifier(change.database)} TO ${user}`];
    case 'revoke connect':
      return [`REVOKE CONNECT ON DATABASE ${identifier(change.database)} FROM ${user}`];
    case 'end access':
      // NOLOGIN first: between the two, a password that somebody set would come back to life.
      return [`ALTER ROLE ${user} NOLOGIN`, `REVOKE rds_iam FROM ${user}`];
    case 'end sessions':
    case 'interrupt sessions':
      return [`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${literal(username)}`];
    case 'reassign':
      return [`REASSIGN OWNED BY ${user} TO ${identifier(change.to)}`];
    case 'drop':
      return [`DROP ROLE ${user}`];
    default:
      return change satisfies never;
  }
}

export const describeRole = (change: RoleChange, { username }: { readonly username: string }) =>
  change.do === 'adopt'
    ? [
        `Role ${identifier(username)} exists and is taken over: it has ${change.sessions} session(s) now, and no login by password afterwards.`,
      ]
    : sqlOf(change, username).map((sql) => `SQL: ${sql};`);
