import { describe, expect, it } from 'vitest';
import { owner } from '../../../test/builders/role-fixtures.ts';
import { type AdminSetUp, adminSQL } from './admin-sql.ts';
import { formatMark, markOf } from './mark.ts';

const byToken: AdminSetUp = {
  username: 'iamdb_admin',
  login: 'IAM',
  major: 17,
  helpers: false,
  groups: ['writers'],
};
const byPassword: AdminSetUp = { ...byToken, login: 'Password' };
const withFunctions: AdminSetUp = { ...byPassword, helpers: true };

/** What a person reads before anything is run. */
const head = (setUp: AdminSetUp) => adminSQL(setUp).split('\nBEGIN;\n')[0]?.split('\n');
/** The steps, each from its heading to the next one, in the order in which they run. */
const steps = (setUp: AdminSetUp) =>
  new Map(
    adminSQL(setUp)
      .split('\nBEGIN;\n')[1]
      ?.split('\n-- ')
      .map((step) => [step.split('\n', 1)[0] ?? '', step.slice(step.indexOf('\n') + 1)]),
  );
const stepOf = (setUp: AdminSetUp, name: string) => steps(setUp).get(name) ?? 'no such step';
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim();

const run =
  '-- Run it in database postgres as the master user, or another member of rds_superuser: psql -v ON_ERROR_STOP=1 -f FILE.';
const safe =
  '-- All of it is one transaction. It is undone if it would end the password login of whoever runs it, or of anybody else.';
const password =
  '-- Afterwards set the password, which is in no file and no log then: \\password "iamdb_admin"';

describe('the head of the SQL for the admin', () => {
  it.each<[string, AdminSetUp, readonly string[]]>([
    [
      'by token',
      byToken,
      [
        '-- Makes "iamdb_admin" the admin of iamdb-operator, which logs in by token (IAM), without a password. For PostgreSQL 16 and later, RDS and Aurora alike.',
        run,
        safe,
      ],
    ],
    [
      'by password, before 16',
      { ...byPassword, major: 15 },
      [
        '-- Makes "iamdb_admin" the admin of iamdb-operator, which logs in by password. For PostgreSQL 15 and earlier, RDS and Aurora alike.',
        run,
        safe,
        password,
      ],
    ],
    [
      'by password, with the functions',
      { ...withFunctions, major: 16 },
      [
        '-- Makes "iamdb_admin" the admin of iamdb-operator, which logs in by password. For PostgreSQL 16 and later, RDS and Aurora alike.',
        run,
        safe,
        '-- For objects that users own in other databases (reassignOwnedTo) run it there too, with the same options.',
        password,
      ],
    ],
    [
      'by password, without the functions',
      { ...byPassword, major: 16 },
      [
        '-- Makes "iamdb_admin" the admin of iamdb-operator, which logs in by password. For PostgreSQL 16 and later, RDS and Aurora alike.',
        run,
        safe,
        password,
        '-- Without the functions PostgreSQL 16 and later make the admin a member of each role that it creates, so that it would',
        '-- lose its own password login: the operator then reports AdminWouldLoseLogin and changes nothing.',
      ],
    ],
    [
      'in the place of another',
      { ...byToken, rotateFrom: 'old_admin' },
      [
        '-- Makes "iamdb_admin" the admin of iamdb-operator, which logs in by token (IAM), without a password. For PostgreSQL 16 and later, RDS and Aurora alike.',
        run,
        safe,
        '-- "old_admin" is renamed, so that all roles and grants it made stay its own. Then set in the IamDatabase:',
        '-- spec.admin.username: iamdb_admin, spec.admin.rotatedFrom: old_admin.',
      ],
    ],
  ])('tells what is made, who runs it and what is left to do: %s', (_, setUp, expected) => {
    expect(head(setUp)).toEqual(expected);
  });
});

describe('a role that is kept for a user', () => {
  const mark = formatMark(markOf(owner, [], []));

  it.each<[string, AdminSetUp, readonly string[]]>([
    ['the admin', byToken, ['iamdb_admin']],
    [
      'the one in whose place the admin is',
      { ...byToken, rotateFrom: 'old_admin' },
      ['iamdb_admin', 'old_admin'],
    ],
    ['the owner of the functions', withFunctions, ['iamdb_admin', 'iamdb_definer']],
  ])('is never made %s', (_, setUp, names) => {
    const step = stepOf(setUp, 'no role that is kept for a user gets the rights of an admin');
    const looks = [
      ...step.matchAll(/rolname = '([^']+)' AND shobj_description\(oid, 'pg_authid'\) LIKE '([^']+)%'/g),
    ];
    expect(looks.map(([, name]) => name)).toEqual(names);
    for (const [, , begins = 'nothing'] of looks) expect(mark.startsWith(begins)).toBe(true);
    const refusals = [
      ...step.matchAll(/RAISE EXCEPTION USING MESSAGE = '"([^"]+)" is the role of an IamDatabaseUser/g),
    ];
    expect(refusals.map(([, name]) => name)).toEqual(names);
  });
});

describe('the steps to an admin', () => {
  it.each<[string, AdminSetUp, readonly string[]]>([
    [
      'by token',
      byToken,
      [
        'the groups are there',
        'the admin',
        'it may log in',
        'it may create roles',
        'it logs in by token, and may let others do so',
        'it may give "writers", without having it',
      ],
    ],
    // CREATEROLE is enough there.
    [
      'by token, before 16',
      { ...byToken, major: 15 },
      ['the admin', 'it may log in', 'it may create roles', 'it logs in by token, and may let others do so'],
    ],
    ['by password', { ...byPassword, groups: [] }, ['the admin', 'it may log in', 'it may create roles']],
    [
      'by password, with the functions',
      withFunctions,
      [
        "the functions and their owner are nobody else's",
        'the groups are there',
        'the admin',
        'it may log in',
        'who owns the functions; nobody logs in as it',
        'for the moment act as it',
        'the functions',
        'what they do',
        'nobody else may call them',
        'their owner may let others log in by token',
        'it may give "writers", without having it',
        'and act as it no more',
      ],
    ],
    [
      'in the place of another',
      { ...byToken, groups: [], rotateFrom: 'old_admin' },
      [
        'the admin gets its new name',
        'the admin',
        'it may log in',
        'it may create roles',
        'it logs in by token, and may let others do so',
      ],
    ],
  ])('stand between the look at who logs in by token and the guard: %s', (_, setUp, expected) => {
    expect([...steps(setUp).keys()]).toEqual([
      'SET LOCAL search_path = pg_catalog, pg_temp;',
      'who is a member of rds_iam already',
      'no role that is kept for a user gets the rights of an admin',
      ...expected,
      'its sessions act as nobody else',
      'nobody loses a password login',
    ]);
    expect(adminSQL(setUp).endsWith('\n\nCOMMIT;\n')).toBe(true);
  });

  const mayGive = (role: string, group: string) =>
    `EXISTS ( SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member WHERE g.rolname = '${group}' AND r.rolname = '${role}' AND m.admin_option )`;

  it.each<[AdminSetUp, string, string, string]>([
    [
      byToken,
      'the admin',
      "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_admin')",
      'CREATE ROLE "iamdb_admin" LOGIN CREATEROLE;',
    ],
    [
      withFunctions,
      'the admin',
      "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_admin')",
      'CREATE ROLE "iamdb_admin" LOGIN;',
    ],
    [
      byToken,
      'it may log in',
      "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_admin' AND rolcanlogin)",
      'ALTER ROLE "iamdb_admin" LOGIN;',
    ],
    [
      withFunctions,
      'it may log in',
      "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_admin' AND rolcanlogin)",
      'ALTER ROLE "iamdb_admin" LOGIN;',
    ],
    [
      byToken,
      'it may create roles',
      "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_admin' AND rolcreaterole)",
      'ALTER ROLE "iamdb_admin" CREATEROLE;',
    ],
    [
      byToken,
      'it logs in by token, and may let others do so',
      `NOT ${mayGive('iamdb_admin', 'rds_iam')}`,
      'GRANT rds_iam TO "iamdb_admin" WITH ADMIN OPTION;',
    ],
    [
      { ...byToken, major: 16 },
      'it may give "writers", without having it',
      `NOT ${mayGive('iamdb_admin', 'writers')}`,
      'GRANT "writers" TO "iamdb_admin" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;',
    ],
    [
      withFunctions,
      'it may give "writers", without having it',
      `NOT ${mayGive('iamdb_definer', 'writers')}`,
      'GRANT "writers" TO "iamdb_definer" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;',
    ],
    [
      withFunctions,
      'who owns the functions; nobody logs in as it',
      "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_definer')",
      'CREATE ROLE "iamdb_definer" NOLOGIN CREATEROLE;',
    ],
    [
      withFunctions,
      'for the moment act as it',
      "NOT pg_has_role(current_user, 'iamdb_definer', 'SET')",
      `GRANT "iamdb_definer" TO CURRENT_USER; PERFORM set_config('iamdb.joined', 'yes', true);`,
    ],
    [
      withFunctions,
      'the functions',
      "NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'iamdb')",
      'CREATE SCHEMA iamdb AUTHORIZATION "iamdb_definer";',
    ],
    [
      withFunctions,
      'their owner may let others log in by token',
      `NOT ${mayGive('iamdb_definer', 'rds_iam')}`,
      'GRANT rds_iam TO "iamdb_definer" WITH ADMIN OPTION;',
    ],
    [
      withFunctions,
      'and act as it no more',
      "current_setting('iamdb.joined', true) = 'yes'",
      'REVOKE "iamdb_definer" FROM CURRENT_USER;',
    ],
    [
      byToken,
      'its sessions act as nobody else',
      "EXISTS ( SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) setting WHERE r.rolname = 'iamdb_admin' AND s.setdatabase = 0 AND setting LIKE 'role=%' )",
      'ALTER ROLE "iamdb_admin" RESET role;',
    ],
  ])('do nothing where they are done already: %#', (setUp, name, condition, statements) => {
    expect(oneLine(stepOf(setUp, name))).toBe(
      `DO $iamdb$ BEGIN IF ${condition} THEN ${statements} END IF; END $iamdb$;`,
    );
  });

  it('ask for every group, whatever its name', () => {
    const step = oneLine(stepOf({ ...byToken, groups: ['writers', "o'brien"] }, 'the groups are there'));
    expect(step).toContain("FROM unnest(ARRAY['writers', 'o''brien']) WITH ORDINALITY");
  });

  it('renames the admin of before only where there is no other of the new name', () => {
    const step = oneLine(stepOf({ ...byToken, rotateFrom: 'old_admin' }, 'the admin gets its new name'));
    const [both = '', one = ''] = step.split(' ELSIF ');
    expect(both).toBe(
      `DO $iamdb$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'old_admin') AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'iamdb_admin') THEN RAISE EXCEPTION USING MESSAGE = '"old_admin" and "iamdb_admin" both exist: drop the one that owns nothing';`,
    );
    expect(one).toBe(
      `EXISTS (SELECT FROM pg_roles WHERE rolname = 'old_admin') THEN ALTER ROLE "old_admin" RENAME TO "iamdb_admin"; END IF; END $iamdb$;`,
    );
  });

  it('make one function that says a statement as its owner, and let the admin alone call it', () => {
    const made = oneLine(stepOf(withFunctions, 'what they do'));
    expect(made).toContain(
      'CREATE OR REPLACE FUNCTION iamdb.run(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$ BEGIN EXECUTE statement; END $function$; ALTER FUNCTION iamdb.run(text) OWNER TO "iamdb_definer";',
    );
    // One that does something else, or as somebody else, is made anew.
    for (const part of [
      "WHERE n.nspname = 'iamdb' AND p.proname = 'run' AND p.pronargs = 1 AND p.proargtypes[0] = 'pg_catalog.text'::regtype AND p.prosecdef AND l.lanname = 'plpgsql'",
      "p.prosrc = ' BEGIN EXECUTE statement; END '",
      "p.proconfig = ARRAY['search_path=pg_catalog, pg_temp'] AND o.rolname = 'iamdb_definer' AND n.nspowner = p.proowner",
    ])
      expect(made).toContain(part);
    const closed = oneLine(stepOf(withFunctions, 'nobody else may call them'));
    expect(closed).toContain(
      "NOT EXISTS ( SELECT FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner AND x.grantee <> (SELECT oid FROM pg_roles WHERE rolname = 'iamdb_admin') ) AND NOT EXISTS ( SELECT FROM aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) x WHERE x.grantee <> n.nspowner AND x.privilege_type = 'CREATE' ) AND has_function_privilege('iamdb_admin', p.oid, 'EXECUTE')) THEN",
    );
    expect(closed).toContain(
      'THEN REVOKE ALL ON SCHEMA iamdb FROM PUBLIC; REVOKE ALL ON FUNCTION iamdb.run(text) FROM PUBLIC; GRANT USAGE ON SCHEMA iamdb TO "iamdb_admin"; GRANT EXECUTE ON FUNCTION iamdb.run(text) TO "iamdb_admin"; END IF;',
    );
  });

  it('end with a look whether a password login was lost, where an admin by token is meant to have none', () => {
    const guard = (setUp: AdminSetUp) => oneLine(stepOf(setUp, 'nobody loses a password login'));
    const isNew = "oid::text <> ALL (string_to_array(current_setting('iamdb.members'), ' '))";
    const loser =
      "loser name := (SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND pg_has_role(oid, 'rds_iam', 'MEMBER') AND";
    expect(guard(byToken)).toContain(`${loser} ${isNew} AND rolname <> 'iamdb_admin' LIMIT 1);`);
    expect(guard(byPassword)).toContain(`${loser} (${isNew} OR rolname = 'iamdb_admin') LIMIT 1);`);
    expect(guard(byPassword)).toContain(
      "IF loser IS NOT NULL THEN RAISE EXCEPTION 'this would end the password login of %, as a member of rds_iam', loser",
    );
    expect(oneLine(stepOf(byToken, 'who is a member of rds_iam already'))).toBe(
      "SELECT set_config('iamdb.members', COALESCE(( SELECT string_agg(oid::text, ' ') FROM pg_roles WHERE rolcanlogin AND pg_has_role(oid, 'rds_iam', 'MEMBER') ), ''), true);",
    );
  });
});
