import { describe, expect, it } from 'vitest';
import { absent, disabled, owner, present, released } from '../../../test/builders/role-fixtures.ts';
import type { DesiredRole, PresentRole } from './role.ts';
import { scriptFor } from './script.ts';

/** The transactions of a script, each on one line. */
function transactionsOf(desired: DesiredRole): readonly string[] {
  const made = scriptFor(desired);
  if ('refused' in made) throw made.refused;
  return made.script
    .split('\nBEGIN ISOLATION LEVEL READ COMMITTED;\n')
    .slice(1)
    .map((text) => text.replaceAll(/\s+/g, ' ').trim());
}
const [read, refuse] = [
  "SELECT oid, rolcanlogin, rolconnlimit, shobj_description(oid, 'pg_authid') INTO my_role, my_login, my_limit, my_comment FROM pg_roles WHERE rolname = 'checkout';",
  (message: string) => `RAISE EXCEPTION USING MESSAGE = '${message}';`,
];
const readMark =
  "IF my_comment LIKE 'Kept by iamdb-operator for %' THEN BEGIN my_mark := substring(my_comment FROM E'\\\\{.*\\\\}$')::jsonb; EXCEPTION WHEN data_exception THEN my_mark := NULL; END; END IF;";
const declared =
  'DECLARE my_role oid; my_comment text; my_login boolean; my_limit integer; my_mark jsonb; my_one text;';
const marked = (key: string) => `SELECT jsonb_array_elements_text(COALESCE(my_mark->'${key}', '[]'))`;
/** By operator, namespace and name; by that of a trusted one without the namespace's uid, which is of another cluster. */
const kept =
  "COALESCE(my_mark->>'v' = '1' AND my_mark->>'namespace' = 'payments' AND my_mark->>'name' = 'checkout' AND (my_mark->>'operator' = 'operator-1' AND my_mark->>'namespaceUID' = 'namespace-1' OR my_mark->>'operator' = 'operator-0'), false)";

const rich: PresentRole = {
  ...present,
  literallyAllowedGroups: ['owners'],
  memberOf: ['writers', 'owners'],
  settings: { work_mem: '8MB', search_path: 'a, b' },
};

describe('the script that brings a role about', () => {
  it.each([
    ['is run with names of the system alone', 'SET LOCAL search_path = pg_catalog;'],
    [
      'tries for the lock of the role, which a stranger may hold',
      'SELECT CASE WHEN NOT pg_try_advisory_xact_lock(1767992676, id)',
    ],
    [
      'waits for it where another maker of roles holds it',
      "THEN pg_advisory_xact_lock(1767992676, id) END FROM (SELECT hashtext('role:checkout') AS id) AS key;",
    ],
    ['declares what it reads', declared],
    ['declares what it is in', 'my_held text[]; -- groups it is in'],
    [
      'remembers who was in rds_iam before',
      "my_iam boolean := COALESCE(( SELECT pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'rds_iam' ), false); BEGIN",
    ],
    ['reads the role', read],
    ['reads its mark, if it can be read', readMark],
    [
      'makes it where there is none, and leaves that of a stranger alone',
      `IF my_role IS NULL THEN CREATE ROLE "checkout" LOGIN CONNECTION LIMIT 5; SELECT oid INTO my_role FROM pg_roles WHERE rolname = 'checkout'; ELSIF NOT ${kept} THEN ${refuse('role "checkout" exists and is not kept for this IamDatabaseUser')} END IF;`,
    ],
    [
      'looks for power in the wished groups and in all they reach',
      "WITH RECURSIVE us AS ( SELECT oid FROM pg_roles WHERE rolname = session_user ), up AS ( SELECT rolname AS start, oid FROM pg_roles WHERE rolname = ANY (ARRAY['owners', 'writers']::text[]) UNION SELECT up.start, m.roleid FROM up JOIN pg_auth_members m ON m.member = up.oid ) SELECT string_agg(DISTINCT up.start::text, ', ') INTO my_forbidden FROM up JOIN pg_roles r ON r.oid = up.oid CROSS JOIN us WHERE (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls",
    ],
    [
      'lets a group own something only where it is allowed by name',
      "OR (up.start <> ALL (ARRAY['owners']::text[]) AND (r.rolname LIKE 'pg\\_%' OR EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid)",
    ],
    [
      'stops at such a power',
      "IF my_forbidden IS NOT NULL THEN RAISE EXCEPTION 'too powerful for a user, or reaching what is: %', my_forbidden; END IF;",
    ],
    ['gives login back', 'IF NOT my_login THEN ALTER ROLE "checkout" LOGIN; END IF;'],
    ['puts the limit right', 'IF my_limit <> 5 THEN ALTER ROLE "checkout" CONNECTION LIMIT 5; END IF;'],
    [
      'writes the settings',
      'ALTER ROLE "checkout" SET "search_path" = \'a\', \'b\'; ALTER ROLE "checkout" SET "work_mem" = \'8MB\';',
    ],
    [
      'grants rds_iam where no password login reaches the role',
      "IF NOT 'rds_iam' = ANY (my_held) THEN -- Roles that log in by password and reach this one could not do so any more. BEGIN IF EXISTS ( WITH RECURSIVE down AS",
    ],
    ['grants rds_iam once', 'END; GRANT rds_iam TO "checkout"; END IF;'],
    [
      'grants a group where it is missing, and records it',
      'IF NOT \'writers\' = ANY (my_held) THEN GRANT "writers" TO "checkout"; my_groups := my_groups || \'writers\'::text; END IF;',
    ],
    [
      'grants CONNECT where it is missing, looks whether that worked, and records it',
      `IF NOT has_database_privilege('checkout', 'orders', 'CONNECT') THEN GRANT CONNECT ON DATABASE "orders" TO "checkout"; IF NOT has_database_privilege('checkout', 'orders', 'CONNECT') THEN ${refuse('only its owner may grant CONNECT on database "orders"')} END IF; my_databases := my_databases || 'orders'::text; END IF;`,
    ],
    [
      'takes back the groups that it granted and that are not wished any more',
      `FOR my_one IN ${marked('groups')} INTERSECT SELECT unnest(my_held) EXCEPT SELECT unnest(ARRAY['owners', 'writers']::text[]) LOOP EXECUTE format('REVOKE %I FROM %I', my_one, 'checkout');`,
    ],
    [
      'takes back CONNECT that it granted',
      `FOR my_one IN ${marked('databases')} INTERSECT SELECT datname FROM pg_database EXCEPT SELECT unnest(ARRAY['orders']::text[]) LOOP EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', my_one, 'checkout'); END LOOP;`,
    ],
    [
      'takes back settings that it made',
      `FOR my_one IN ${marked('settings')} EXCEPT SELECT unnest(ARRAY['work_mem', 'search_path']::text[]) LOOP EXECUTE format('ALTER ROLE %I RESET %I', 'checkout', my_one); END LOOP;`,
    ],
    [
      'writes a mark that says a script wrote it',
      `my_one := 'Kept by iamdb-operator for IamDatabaseUser payments/checkout; this comment is how it knows its own: ' || ('{"v":1,"operator":"operator-1","namespaceUID":"namespace-1","namespace":"payments","name":"checkout","uid":"object-2","server":"cluster-ABC","groups":[],"databases":[],"by":"script"}'::jsonb`,
    ],
    [
      'records the groups that are granted here or before, and are wished still',
      `'groups', (SELECT COALESCE(jsonb_agg(name ORDER BY name), '[]') FROM ( SELECT unnest(my_groups) AS name UNION (${marked('groups')} INTERSECT SELECT unnest(my_held) INTERSECT SELECT unnest(ARRAY['owners', 'writers']::text[])) ) list)`,
    ],
    [
      'records the databases likewise',
      `'databases', (SELECT COALESCE(jsonb_agg(name ORDER BY name), '[]') FROM ( SELECT unnest(my_databases) AS name UNION (${marked('databases')} INTERSECT SELECT unnest(ARRAY['orders']::text[])) ) list)`,
    ],
    ['records the settings', "'settings', to_jsonb(ARRAY['search_path', 'work_mem']::text[])"],
    [
      'writes a mark only where it is another one',
      "IF my_one IS DISTINCT FROM my_comment THEN EXECUTE format('COMMENT ON ROLE %I IS %L', 'checkout', my_one); END IF;",
    ],
    [
      'is undone where whoever runs it would lose their login',
      `IF NOT my_iam AND COALESCE(( SELECT pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'rds_iam' ), false) THEN ${refuse('you would become a member of rds_iam by this and could not log in by password any more: run it as a role that logs in by IAM')} END IF;`,
    ],
  ])('%s', (_, part) => {
    expect(transactionsOf(rich)).toHaveLength(1);
    expect(transactionsOf(rich)[0]).toContain(part);
  });

  it('asks nothing about groups where none are wished', () => {
    expect(transactionsOf({ ...present, memberOf: [] })[0]).not.toContain('my_forbidden IS NOT NULL');
  });

  it('takes over the role of a stranger only where nothing of it could not be ended, or is too much', () => {
    const [text] = transactionsOf({ ...rich, adopt: true, memberOf: [] });
    expect(text).toContain(
      `ELSIF NOT ${kept} THEN IF my_mark IS NOT NULL OR my_comment LIKE 'Kept by iamdb-operator for %' THEN ${refuse('role "checkout" exists and is not kept for this IamDatabaseUser')} END IF; IF pg_has_role(my_role, 'rds_iam', 'MEMBER') THEN ${refuse('role "checkout" has rds_iam from somebody else')} END IF; IF EXISTS (SELECT FROM pg_roles WHERE oid = my_role AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN ${refuse('role "checkout" is too powerful to be taken over')} END IF; WITH RECURSIVE us AS`,
    );
    expect(text).toContain(
      'SELECT rolname AS start, oid FROM pg_roles WHERE oid IN (SELECT roleid FROM pg_auth_members WHERE member = my_role) UNION',
    );
  });
});

describe('the script that ends a role', () => {
  const ours = `IF my_role IS NULL THEN RETURN; END IF; IF NOT (my_mark->>'operator' = 'operator-1' AND ${kept}) THEN ${refuse('role "checkout" is not kept for this IamDatabaseUser (any more)')} END IF;`;
  const endAccess = `IF my_login THEN ALTER ROLE "checkout" NOLOGIN; END IF; IF pg_has_role(my_role, 'rds_iam', 'MEMBER') THEN REVOKE rds_iam FROM "checkout"; END IF; IF pg_has_role(my_role, 'rds_iam', 'MEMBER') THEN RAISE WARNING 'it is still in rds_iam, by a grant of somebody else or through a group'; END IF; END`;
  const waits =
    'FOR i IN 1..100 LOOP PERFORM pg_stat_clear_snapshot(); EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE usesysid = my_role); PERFORM pg_sleep(0.1); END LOOP; END';
  const drop = `FOR my_one IN ${marked('databases')} INTERSECT SELECT datname FROM pg_database LOOP EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', my_one, 'checkout'); END LOOP; DROP ROLE "checkout"; END`;

  it.each<[string, DesiredRole, readonly string[]]>([
    ['disabled', disabled, [endAccess, waits]],
    ['deleted', absent, [endAccess, waits, drop]],
  ])('does so step by step, each only to a role that is ours: %s', (_, desired, parts) => {
    const transactions = transactionsOf(desired);
    expect(transactions).toHaveLength(parts.length);
    for (const [index, text] of transactions.entries()) {
      expect(text).toContain(`${declared} BEGIN ${read} ${readMark} ${ours}`);
      expect(text).toContain(parts[index]);
    }
  });

  it('ends sessions by becoming a member for as long as that takes, and never of one in rds_iam', () => {
    expect(transactionsOf(disabled)[1]).toContain(
      `DECLARE target oid := (SELECT oid FROM pg_roles WHERE rolname = 'checkout'); joined boolean := NOT pg_has_role(current_user, target, 'USAGE') AND NOT pg_has_role(current_user, 'pg_signal_backend', 'USAGE'); BEGIN IF joined AND current_user = session_user AND NOT pg_has_role(session_user, 'rds_iam', 'MEMBER') AND pg_has_role(target, 'rds_iam', 'MEMBER') THEN RAISE EXCEPTION 'still a member of rds_iam' USING ERRCODE = 'IA003'; END IF; IF joined AND current_setting('server_version_num')::integer >= 160000 THEN EXECUTE 'GRANT "checkout" TO CURRENT_USER WITH INHERIT TRUE'; ELSIF joined THEN GRANT "checkout" TO CURRENT_USER; END IF; PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = target; IF joined THEN REVOKE "checkout" FROM CURRENT_USER; END IF; END; ${waits}`,
    );
  });

  it('drops a role that nobody can use any more', () => {
    expect(transactionsOf(absent)[2]).toContain(
      `BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'checkout' AND rolcanlogin) THEN RAISE EXCEPTION 'the role may log in again' USING ERRCODE = 'IA001'; END IF; IF EXISTS (SELECT FROM pg_stat_activity JOIN pg_roles r ON r.oid = usesysid WHERE r.rolname = 'checkout') THEN RAISE EXCEPTION 'sessions remain' USING ERRCODE = 'IA002'; END IF; END; ${drop}`,
    );
  });

  it('lets go of one once, and of none that was let go already', () => {
    const comment =
      "'released by iamdb-operator operator-1: was kept for IamDatabaseUser payments/checkout; nothing keeps this role any more'";
    const [text, ...more] = transactionsOf(released);
    expect(more).toEqual([]);
    expect(text).toContain(`IF my_role IS NULL OR my_comment = ${comment} THEN RETURN; END IF;`);
    expect(text).toContain(`END IF; COMMENT ON ROLE "checkout" IS ${comment}; END`);
  });

  it('asks for no other operator where none is trusted', () => {
    const alone: DesiredRole = { ...disabled, owner: { ...owner, trustedOperatorIDs: [] } };
    expect(transactionsOf(alone)[0]).toContain(
      "(my_mark->>'operator' = 'operator-1' AND my_mark->>'namespaceUID' = 'namespace-1' ), false)",
    );
  });
});
