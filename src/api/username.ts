// Which user names may exist at all: the rules of PostgreSQL, RDS and IAM together.

const shape = /^[A-Za-z_][A-Za-z0-9_.@-]{0,62}$/;
const prefixes = ['pg_', 'rds', 'iamdb_rehearsal_'];
const reserved = new Set(['public', 'none', 'all', 'replication', 'user', 'postgres', 'iamdb_definer']);

/**
 * Why a name can never be a user name here, or undefined if it can. PostgreSQL cuts names over 63 bytes silently and
 * reserves `pg_*`; `rds*` belong to RDS, and two names to the operator itself; the rest means something in pg_hba.conf, or would be a wildcard or a separator
 * in an ARN.
 */
export function whyNotUsername(name: string): string | undefined {
  if (!shape.test(name)) {
    return 'use a letter or _ first, then at most 62 of letters, digits and _ . @ -';
  }
  const lower = name.toLowerCase();
  if (prefixes.some((prefix) => lower.startsWith(prefix)) || reserved.has(lower)) {
    return 'the name is reserved by PostgreSQL, RDS or the operator';
  }
  return undefined;
}

/** PostgreSQL's NAMEDATALEN - 1: longer names are cut, so they would mean another object. */
export function fitsPostgresName(name: string): boolean {
  const bytes = new TextEncoder().encode(name).length;
  return bytes > 0 && bytes <= 63 && !name.includes('\0');
}
