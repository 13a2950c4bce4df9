// The SQL that makes the operator's admin, for a person to run: one transaction, and nobody loses a login by it.
import {
  closeHelper,
  createHelper,
  helperIsOnlyFor,
  helperIsOurs,
  helperOwner,
  helperSchema,
} from './admin-helpers.ts';
import { adminStatements } from './admin-statements.ts';
import { markBegins } from './mark.ts';
import { block, identifier, literal } from './quote.ts';

export interface AdminSetUp {
  readonly username: string;
  /** How it logs in; with Password the password is set apart, so that it is in no text. */
  readonly login: 'IAM' | 'Password';
  /** Major version of the server. */
  readonly major: number;
  /** The functions that a password admin needs from PostgreSQL 16 on. */
  readonly helpers: boolean;
  /** Roles that it is to give to users, or that receive what users leave behind. */
  readonly groups: readonly string[];
  /** An admin of another name whose place it takes, with all that belongs to that one. */
  readonly rotateFrom?: string;
}

/** Each step does nothing where it is done already, so that the whole may be run again. */
export function adminSQL(setUp: AdminSetUp): string {
  const { username, login, rotateFrom } = setUp;
  const steps = [
    before,
    notOfUsers([
      username,
      ...(rotateFrom === undefined ? [] : [rotateFrom]),
      ...(setUp.helpers ? [helperOwner] : []),
    ]),
    ...(setUp.helpers ? [notOfStrangers] : []),
    ...(grantsGroups(setUp) ? [groupsAreThere(setUp.groups)] : []),
    ...(rotateFrom === undefined ? [] : [rename(rotateFrom, username)]),
    ...(setUp.helpers ? withHelpers(setUp) : withOwnRights(setUp)),
    when('its sessions act as nobody else', isRedirected(username), [adminStatements.isItself(username)]),
    guard(username, login),
  ];
  return `${head(setUp)}\nBEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\n\n${steps.join('\n\n')}\n\nCOMMIT;\n`;
}

function head({ username, login, major, helpers, rotateFrom }: AdminSetUp): string {
  const since = major >= 16 ? 'PostgreSQL 16 and later' : 'PostgreSQL 15 and earlier';
  const how = login === 'IAM' ? 'by token (IAM), without a password' : 'by password';
  const lines = [
    `Makes ${identifier(username)} the admin of iamdb-operator, which logs in ${how}. For ${since}, RDS and Aurora alike.`,
    'Run it in database postgres as the master user, or another member of rds_superuser: psql -v ON_ERROR_STOP=1 -f FILE.',
    'All of it is one transaction. It is undone if it would end the password login of whoever runs it, or of anybody else.',
    ...(helpers
      ? [
          'For objects that users own in other databases (reassignOwnedTo) run it there too, with the same options.',
        ]
      : []),
    ...(login === 'Password'
      ? [
          `Afterwards set the password, which is in no file and no log then: \\password ${identifier(username)}`,
        ]
      : []),
    ...(login === 'Password' && major >= 16 && !helpers
      ? [
          'Without the functions PostgreSQL 16 and later make the admin a member of each role that it creates, so that it would',
          'lose its own password login: the operator then reports AdminWouldLoseLogin and changes nothing.',
        ]
      : []),
    ...(rotateFrom === undefined
      ? []
      : [
          `${identifier(rotateFrom)} is renamed, so that all roles and grants it made stay its own. Then set in the IamDatabase:`,
          `spec.admin.username: ${username}, spec.admin.rotatedFrom: ${rotateFrom}.`,
        ]),
  ];
  return lines.map((line) => `-- ${line}`).join('\n');
}

/** Who logs in by token has nothing to lose: told from the others before anything is changed. */
const before = `-- who is a member of rds_iam already
SELECT set_config('iamdb.members', COALESCE((
  SELECT string_agg(oid::text, ' ') FROM pg_roles WHERE rolcanlogin AND pg_has_role(oid, 'rds_iam', 'MEMBER')
), ''), true);`;

const exists = (role: string) => `EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)})`;
const has = (role: string, attribute: string) =>
  `EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)} AND ${attribute})`;
const isRedirected = (role: string) => `EXISTS (
    SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) setting
    WHERE r.rolname = ${literal(role)} AND s.setdatabase = 0 AND setting LIKE 'role=%'
  )`;
const mayGive = (role: string, group: string) => `EXISTS (
    SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
    WHERE g.rolname = ${literal(group)} AND r.rolname = ${literal(role)} AND m.admin_option
  )`;

const when = (what: string, condition: string, statements: readonly string[]) =>
  `-- ${what}\n${block(`  IF ${condition} THEN\n    ${statements.join('\n    ')}\n  END IF;`)}`;
const unlessDone = (what: string, done: string, statements: readonly string[]) =>
  when(what, `NOT ${done}`, statements);

const refuse = (condition: string, message: string) =>
  `  IF ${condition} THEN\n    RAISE EXCEPTION USING MESSAGE = ${literal(message)};\n  END IF;`;

/** Who chose a user name that is an admin's would get its rights. */
const notOfUsers = (roles: readonly string[]) =>
  `-- no role that is kept for a user gets the rights of an admin
${block(
  roles
    .map((role) =>
      refuse(
        `EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)} AND shobj_description(oid, 'pg_authid') LIKE ${literal(`${markBegins}%`)})`,
        `${identifier(role)} is the role of an IamDatabaseUser: choose another name for the admin, or end that user first`,
      ),
    )
    .join('\n'),
)}`;

const notOfStrangers = `-- the functions and their owner are nobody else's
${block(
  [
    refuse(
      has(helperOwner, 'rolcanlogin'),
      `${identifier(helperOwner)} may log in, so it is not what owns the functions: look whose it is, then ALTER ROLE ${identifier(helperOwner)} NOLOGIN`,
    ),
    refuse(
      `EXISTS (SELECT FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
      WHERE n.nspname = ${literal(helperSchema)} AND o.rolname <> ${literal(helperOwner)})`,
      `schema ${helperSchema} belongs to somebody else than ${identifier(helperOwner)}: look whose it is, then drop or rename it`,
    ),
  ].join('\n'),
)}`;

/** Before PostgreSQL 16 who may create roles may give all but the most powerful. */
const grantsGroups = ({ major, groups }: AdminSetUp) => major >= 16 && groups.length > 0;

/** All that are missing at once, where the first GRANT would name one. */
function groupsAreThere(groups: readonly string[]): string {
  const names = groups.map((group) => literal(group)).join(', ');
  return `-- the groups are there
DO $iamdb$ DECLARE
  missing text := (SELECT string_agg(format('CREATE ROLE %I NOLOGIN;', name), ' ' ORDER BY place)
    FROM unnest(ARRAY[${names}]) WITH ORDINALITY wanted(name, place)
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name));
BEGIN
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'groups that the admin is to give do not exist; make them first: %', missing
      USING HINT = 'Nothing was changed. Grant them what their members may do, and run this again.';
  END IF;
END $iamdb$;`;
}

function rename(from: string, to: string): string {
  const both = `${identifier(from)} and ${identifier(to)} both exist: drop the one that owns nothing`;
  return `-- the admin gets its new name
${block(`  IF ${exists(from)} AND ${exists(to)} THEN
    RAISE EXCEPTION USING MESSAGE = ${literal(both)};
  ELSIF ${exists(from)} THEN
    ALTER ROLE ${identifier(from)} RENAME TO ${identifier(to)};
  END IF;`)}`;
}

function withOwnRights(setUp: AdminSetUp): readonly string[] {
  const { username, login } = setUp;
  return [
    unlessDone('the admin', exists(username), [adminStatements.create(username)]),
    unlessDone('it may log in', has(username, 'rolcanlogin'), [adminStatements.mayLogIn(username)]),
    unlessDone('it may create roles', has(username, 'rolcreaterole'), [
      adminStatements.mayCreateRoles(username),
    ]),
    ...(login === 'IAM'
      ? [
          unlessDone('it logs in by token, and may let others do so', mayGive(username, 'rds_iam'), [
            adminStatements.mayGrantIam(username),
          ]),
        ]
      : []),
    ...mayGiveGroups(username, setUp),
  ];
}

const mayGiveGroups = (giver: string, setUp: AdminSetUp) =>
  grantsGroups(setUp)
    ? setUp.groups.map((group) =>
        unlessDone(`it may give ${identifier(group)}, without having it`, mayGive(giver, group), [
          adminStatements.mayGrant(giver, group, setUp.major),
        ]),
      )
    : [];

function withHelpers(setUp: AdminSetUp): readonly string[] {
  const { username } = setUp;
  const owner = identifier(helperOwner);
  return [
    unlessDone('the admin', exists(username), [adminStatements.createWithoutRights(username)]),
    unlessDone('it may log in', has(username, 'rolcanlogin'), [adminStatements.mayLogIn(username)]),
    unlessDone('who owns the functions; nobody logs in as it', exists(helperOwner), [
      `CREATE ROLE ${owner} NOLOGIN CREATEROLE;`,
    ]),
    `-- for the moment act as it
${block(`  IF NOT pg_has_role(current_user, ${literal(helperOwner)}, 'SET') THEN
    GRANT ${owner} TO CURRENT_USER;
    PERFORM set_config('iamdb.joined', 'yes', true);
  END IF;`)}`,
    unlessDone(
      'the functions',
      `EXISTS (SELECT FROM pg_namespace WHERE nspname = ${literal(helperSchema)})`,
      [`CREATE SCHEMA ${helperSchema} AUTHORIZATION ${owner};`],
    ),
    unlessDone('what they do', helperIsOurs, [
      createHelper,
      `ALTER FUNCTION ${helperSchema}.run(text) OWNER TO ${owner};`,
    ]),
    unlessDone('nobody else may call them', helperIsOnlyFor(username), closeHelper(username)),
    unlessDone('their owner may let others log in by token', mayGive(helperOwner, 'rds_iam'), [
      adminStatements.mayGrantIam(helperOwner),
    ]),
    ...mayGiveGroups(helperOwner, setUp),
    `-- and act as it no more
${block(`  IF current_setting('iamdb.joined', true) = 'yes' THEN
    REVOKE ${owner} FROM CURRENT_USER;
  END IF;`)}`,
  ];
}

/** The last step. Superusers are not counted by pg_hba; an admin by token is meant to be a member, one by password not. */
function guard(username: string, login: AdminSetUp['login']): string {
  const meant = login === 'IAM' ? ` AND rolname <> ${literal(username)}` : '';
  const known = `oid::text <> ALL (string_to_array(current_setting('iamdb.members'), ' '))`;
  const isNew = login === 'IAM' ? known : `(${known} OR rolname = ${literal(username)})`;
  return `-- nobody loses a password login
DO $iamdb$ DECLARE
  loser name := (SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND pg_has_role(oid, 'rds_iam', 'MEMBER')
    AND ${isNew}${meant} LIMIT 1);
BEGIN
  IF loser IS NOT NULL THEN
    RAISE EXCEPTION 'this would end the password login of %, as a member of rds_iam', loser
      USING HINT = 'Nothing was changed. Run it as a role that logs in by token, or revoke the membership that leads there.';
  END IF;
END $iamdb$;`;
}
