/** The ways in which the operator's admin may be set up, as `admin-sql` and people do it; none is a superuser. */
import type { Postgres } from './postgres.ts';

export interface Admin {
  readonly username: string;
  /** Only where the admin logs in by password. */
  readonly password?: string;
}

/** Logs in by token. Works on every major and cannot lock itself out. */
export async function createIamAdmin(postgres: Postgres, username = 'iamdb_admin'): Promise<Admin> {
  await createAdmin(postgres, username, '');
  await postgres.sql(`GRANT rds_iam TO ${username} WITH ADMIN OPTION`);
  return { username };
}

/**
 * Logs in by password. Up to 15 CREATEROLE alone lets it grant rds_iam. From 16 on only who holds ADMIN on rds_iam may,
 * and PostgreSQL counts a holder as a member, so that its password would end working: it is not given here.
 */
export async function createPasswordAdmin(
  postgres: Postgres,
  username = 'iamdb_admin',
  password = 'correct-horse',
): Promise<Admin> {
  await createAdmin(postgres, username, `PASSWORD '${password}'`);
  return { username, password };
}

async function createAdmin(postgres: Postgres, username: string, attributes: string): Promise<void> {
  await postgres.sql(`CREATE ROLE ${username} LOGIN CREATEROLE ${attributes}`);
  if (postgres.major < 16) return;
  // From 16 on CREATEROLE no longer reaches roles that somebody else made.
  await postgres.sql(
    `GRANT orders_readwrite, orders_readonly TO ${username} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`,
  );
}
