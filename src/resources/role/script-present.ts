// The block of a script that brings a role about, or brings it up to date, whatever it finds.
import { sqlOf } from './describe.ts';
import { formatMark, markOf } from './mark.ts';
import { allowedByName, byNameOnly, never } from './power.ts';
import { literal, texts } from './quote.ts';
import type { PresentRole, RoleChange } from './role.ts';
import { declarations, fail, marked, mayKeepSQL, readRole } from './script-parts.ts';
import { isLockedOut, spare } from './sql.ts';

/** `changes`: the plan for a server without the role. */
export function bodyOfPresent(desired: PresentRole, changes: readonly RoleChange[]): string {
  const { username } = desired;
  const [create] = changes.flatMap((change) => (change.do === 'create' ? sqlOf(change, username) : []));
  const memberOf = changes.flatMap((change) => (change.do === 'grant group' ? [change.group] : []));
  return `${declarations}
  my_held text[]; -- groups it is in
  my_groups text[] := '{}'; -- groups granted here
  my_databases text[] := '{}'; -- databases on which CONNECT is granted here
  my_forbidden text;
  my_iam boolean := ${isLockedOut};
BEGIN
${readRole(username)}
  IF my_role IS NULL THEN
    ${create};
    SELECT oid INTO my_role FROM pg_roles WHERE rolname = ${literal(username)};
  ELSIF NOT ${mayKeepSQL(desired.owner)} THEN
${judgeStranger(desired)}
  END IF;

  -- Groups that are, or reach, more than any user may.
${powerCheck(desired, memberOf)}

  IF NOT my_login THEN ${only({ do: 'allow login' }, username)} END IF;
  IF my_limit <> ${Math.trunc(desired.connectionLimit)} THEN ${only({ do: 'limit connections', limit: desired.connectionLimit }, username)} END IF;
  SELECT COALESCE(array_agg(g.rolname::text), '{}') INTO my_held
    FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
    WHERE m.member = my_role
      AND COALESCE((to_jsonb(m)->>'inherit_option')::boolean OR (to_jsonb(m)->>'set_option')::boolean, true);
${changes.flatMap((change) => given(change, desired)).join('\n')}

  -- What was granted here before and is not asked for any more.
  FOR my_one IN ${marked('groups')} INTERSECT SELECT unnest(my_held) EXCEPT SELECT unnest(${texts(memberOf)}) LOOP
    EXECUTE format('REVOKE %I FROM %I', my_one, ${literal(username)});
    IF EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = my_role AND g.rolname = my_one) THEN
      RAISE WARNING 'membership in % was granted by somebody else; run this as who did', my_one;
      my_groups := my_groups || my_one;
    END IF;
  END LOOP;
  FOR my_one IN ${marked('databases')} INTERSECT SELECT datname FROM pg_database EXCEPT SELECT unnest(${texts(desired.connectDatabases)}) LOOP
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', my_one, ${literal(username)});
  END LOOP;
  FOR my_one IN ${marked('settings')} EXCEPT SELECT unnest(${texts(Object.keys(desired.settings))}) LOOP
    EXECUTE format('ALTER ROLE %I RESET %I', ${literal(username)}, my_one);
  END LOOP;

  -- The mark by which the operator knows the role, with what was granted here.
${writeMark(desired, memberOf)}

  IF NOT my_iam AND ${isLockedOut} THEN
    ${fail('you would become a member of rds_iam by this and could not log in by password any more: run it as a role that logs in by IAM')}
  END IF;
END`;
}

const only = (change: RoleChange, username: string) =>
  sqlOf(change, username)
    .map((sql) => `${sql};`)
    .join(' ');

/** As `judgeAdoption` judges it; that the role can be administered is shown by writing the mark. */
function judgeStranger({ username, adopt, literallyAllowedGroups }: PresentRole): string {
  const foreign = fail(`role "${username}" exists and is not kept for this IamDatabaseUser`);
  if (!adopt) return `    ${foreign}`;
  return `    IF my_mark IS NOT NULL OR my_comment LIKE 'Kept by iamdb-operator for %' THEN ${foreign} END IF;
    IF pg_has_role(my_role, 'rds_iam', 'MEMBER') THEN ${fail(`role "${username}" has rds_iam from somebody else`)} END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE oid = my_role
      AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN
      ${fail(`role "${username}" is too powerful to be taken over`)}
    END IF;
${reaching('oid IN (SELECT roleid FROM pg_auth_members WHERE member = my_role)', literallyAllowedGroups)}`;
}

const powerCheck = ({ literallyAllowedGroups }: PresentRole, memberOf: readonly string[]) =>
  memberOf.length === 0 ? '' : reaching(`rolname = ANY (${texts(memberOf)})`, literallyAllowedGroups);

const reaching = (start: string, named: readonly string[]) => `  WITH RECURSIVE us AS (
    SELECT oid FROM pg_roles WHERE rolname = session_user
  ), up AS (
    SELECT rolname AS start, oid FROM pg_roles WHERE ${start}
    UNION SELECT up.start, m.roleid FROM up JOIN pg_auth_members m ON m.member = up.oid
  )
  SELECT string_agg(DISTINCT up.start::text, ', ') INTO my_forbidden FROM up JOIN pg_roles r ON r.oid = up.oid CROSS JOIN us
    WHERE ${never}
      OR (r.rolname <> ALL (${texts(allowedByName(named))}) AND ${byNameOnly});
  IF my_forbidden IS NOT NULL THEN
    RAISE EXCEPTION 'too powerful for a user, or reaching what is: %', my_forbidden;
  END IF;`;

/** A change of the plan, made only where it is missing. */
function given(change: RoleChange, { username }: PresentRole): readonly string[] {
  const statement = only(change, username);
  switch (change.do) {
    case 'set':
      return [`  ${statement}`];
    case 'grant rds_iam':
      return [
        `  IF NOT 'rds_iam' = ANY (my_held) THEN
    -- Roles that log in by password and reach this one could not do so any more.
    ${spare(username)};
    ${statement}
  END IF;`,
      ];
    case 'grant group': {
      const group = literal(change.group);
      return [
        `  IF NOT ${group} = ANY (my_held) THEN
    ${statement}
    my_groups := my_groups || ${group}::text;
  END IF;`,
      ];
    }
    case 'grant connect': {
      const held = `has_database_privilege(${literal(username)}, ${literal(change.database)}, 'CONNECT')`;
      return [
        `  IF NOT ${held} THEN
    ${statement}
    IF NOT ${held} THEN ${fail(`only its owner may grant CONNECT on database "${change.database}"`)} END IF;
    my_databases := my_databases || ${literal(change.database)}::text;
  END IF;`,
      ];
    }
    default:
      return [];
  }
}

function writeMark(
  { username, owner, connectDatabases, settings }: PresentRole,
  memberOf: readonly string[],
): string {
  const whole = formatMark({ ...markOf(owner, [], [], []), by: 'script' });
  const at = whole.indexOf('{');
  const granted = (key: 'groups' | 'databases', wished: readonly string[]) =>
    `'${key}', (SELECT COALESCE(jsonb_agg(name ORDER BY name), '[]') FROM (
        SELECT unnest(my_${key}) AS name UNION (${marked(key)}${key === 'groups' ? ' INTERSECT SELECT unnest(my_held)' : ''} INTERSECT SELECT unnest(${texts(wished)}))
      ) list)`;
  return `  my_one := ${literal(whole.slice(0, at))} || (${literal(whole.slice(at))}::jsonb || jsonb_build_object(
      ${granted('groups', memberOf)},
      ${granted('databases', connectDatabases)},
      'settings', to_jsonb(${texts(Object.keys(settings).toSorted())})
    ))::text;
  IF my_one IS DISTINCT FROM my_comment THEN
    EXECUTE format('COMMENT ON ROLE %I IS %L', ${literal(username)}, my_one);
  END IF;`;
}
