// The blocks of a script by which a role ends, each a transaction of its own, none of them for a role that is not ours.
import { sqlOf } from './describe.ts';
import { literal } from './quote.ts';
import type { AbsentRole, RoleChange } from './role.ts';
import { declarations, fail, marked, mayEndSQL, readRole } from './script-parts.ts';
import { terminate, unused } from './sql.ts';

/** A block of statements, or a comment for what no script can do. */
export function bodyOfEnding({ username, owner }: AbsentRole, change: RoleChange): string {
  const [sql = '', second = ''] = sqlOf(change, username);
  const isDone =
    change.do === 'release'
      ? `my_role IS NULL OR my_comment = ${literal(change.comment)}`
      : 'my_role IS NULL';
  const block = (body: string) => `${declarations}
BEGIN
${readRole(username)}
  IF ${isDone} THEN RETURN; END IF;
  IF NOT (${mayEndSQL(owner)}) THEN
    ${fail(`role "${username}" is not kept for this IamDatabaseUser (any more)`)}
  END IF;
${body}
END`;
  switch (change.do) {
    case 'end access':
      return block(`  IF my_login THEN ${sql}; END IF;
  IF pg_has_role(my_role, 'rds_iam', 'MEMBER') THEN ${second}; END IF;
  IF pg_has_role(my_role, 'rds_iam', 'MEMBER') THEN
    RAISE WARNING 'it is still in rds_iam, by a grant of somebody else or through a group';
  END IF;`);
    case 'end sessions':
      return block(`  ${terminate(username)};
  FOR i IN 1..100 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE usesysid = my_role);
    PERFORM pg_sleep(0.1);
  END LOOP;`);
    case 'reassign':
      return `-- Where it owns something, in each such database, as a member of both roles: ${sql};`;
    case 'drop':
      // What hangs on it keeps it, with the server's own words about what that is; it is disabled by then.
      return block(`  ${unused(username)};
  FOR my_one IN ${marked('databases')} INTERSECT SELECT datname FROM pg_database LOOP
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', my_one, ${literal(username)});
  END LOOP;
  ${sql};`);
    case 'release':
      return block(`  ${sql};`);
    default:
      return '';
  }
}
