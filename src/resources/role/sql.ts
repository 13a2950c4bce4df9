// Changes as statements: quoting, the transaction around them, and the guard against lock-outs.
import { sqlOf } from './describe.ts';
import { checkPower } from './power.ts';
import { identifier, literal } from './quote.ts';
import type { RoleChange } from './role.ts';

/** What a statement needs of the admin, for the message when the server refuses it. */
export type Needs =
  | { readonly needs: 'nothing' }
  | { readonly needs: 'create roles' }
  | { readonly needs: 'administer the role' }
  | { readonly needs: 'grant'; readonly group: string }
  | { readonly needs: 'grant connect'; readonly database: string }
  /** Checks of our own, which fail by a division by zero. */
  | { readonly needs: 'an ordinary group' }
  | { readonly needs: 'the admin to keep its login' }
  | { readonly needs: 'a valid setting'; readonly setting: string }
  | { readonly needs: 'end sessions' };

export type Statement = Needs & { readonly sql: string };

/** SQLSTATEs of our own; classes that begin with I are free for it (SQL standard, "implementation-defined"). */
export const ownStates = {
  /** The mark, or the role, is no longer as it was read. */
  changed: 'IA001',
  sessionsRemain: 'IA002',
  stillMember: 'IA003',
  /** A password login reaches the role by now. */
  wouldLockOut: 'IA004',
  /** The role that is to receive what another owns is none that may. */
  noReceiver: 'IA005',
  /** Raised to undo a step, and caught in the same statement. */
  undone: 'IA006',
} as const;

export const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED';

/** Whoever waits for a lock holds others up by those it has. */
export const lockMs = 5_000;

export const free = (sql: string): Statement => ({ needs: 'nothing', sql });
const administer = (sql: string): Statement => ({ needs: 'administer the role', sql });
/** Fails with 22012 unless the condition holds: the cheapest way to end a transaction from within a script. */
const insist = (condition: string) => `SELECT 1 / CASE WHEN ${condition} THEN 1 ELSE 0 END`;
export const plpgsql = (body: string) => `DO LANGUAGE plpgsql ${literal(body)}`;

/**
 * Held until the transaction ends. Such locks are per database and roles per server, so all of this runs in the one
 * database `postgres`. GRANT ON DATABASE rewrites one row for all users: without a lock concurrent ones fail.
 * Anybody who logs in may take one, and must hold nothing up by it: waited for are only those who may change roles.
 */
export function lock(what: 'role' | 'database', name: string): Statement {
  const lockClass = 0x69_61_6d_64; // "iamd"
  return free(`SELECT CASE WHEN NOT pg_try_advisory_xact_lock(${lockClass}, id) AND EXISTS (
      SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_roles r ON r.oid = a.usesysid
      WHERE l.locktype = 'advisory' AND l.granted AND l.classid = ${lockClass} AND l.objid = id::oid AND l.objsubid = 2
        AND (r.rolname = session_user OR r.rolcreaterole OR r.rolsuper)
    ) THEN pg_advisory_xact_lock(${lockClass}, id) END FROM (SELECT hashtext(${literal(`${what}:${name}`)}) AS id) AS key`);
}

/** Raises unless the role still carries the comment that the plan was made upon: somebody else may have been quicker. */
export function fence(username: string, comment: string | null): Statement {
  return free(
    plpgsql(`BEGIN
      IF (SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ${literal(username)})
        IS DISTINCT FROM ${comment === null ? 'NULL' : literal(comment)}
      THEN RAISE EXCEPTION 'the role changed' USING ERRCODE = '${ownStates.changed}'; END IF;
    END`),
  );
}

export interface Fenced {
  readonly username: string;
  /** Groups that may own something or be a `pg_*`, as the owner of the database names them. */
  readonly named?: readonly string[];
  /** As observed, null for none; undefined where the role is to be created. */
  readonly comment: string | null | undefined;
}

/**
 * The statements of one step, without BEGIN and COMMIT. Each starts by writing the comment, new or as it was: that
 * needs the same right as ending access later, so that nothing is granted which could not be taken back.
 * Grants come in one fixed order, as each locks the granted role until the end.
 */
export function statementsFor(
  changes: readonly RoleChange[],
  { username, comment, named = [] }: Fenced,
  mark: string,
): Statement[] {
  const databases = changes.flatMap((change) =>
    change.do === 'grant connect' || change.do === 'revoke connect' ? [change.database] : [],
  );
  const creation = changes.filter((change) => change.do === 'create');
  const others = changes.filter((change) => change.do !== 'create');
  return [
    lock('role', username),
    ...databases.toSorted().map((database) => lock('database', database)),
    ...(comment === undefined ? [] : [fence(username, comment)]),
    ...(comment !== undefined && changes.some((change) => change.do === 'grant rds_iam')
      ? [free(plpgsql(spare(username)))]
      : []),
    ...creation.flatMap((change) => statements(change, username, named)),
    ...(changes.some(writesComment)
      ? [administer(`COMMENT ON ROLE ${identifier(username)} IS ${literal(mark)}`)]
      : []),
    ...others.flatMap((change) => statements(change, username, named)),
  ];
}

/** Where it is the last of a role, or must leave no trace, the comment stays as it is. */
const writesComment = ({ do: what }: RoleChange) =>
  what !== 'drop' && what !== 'end sessions' && what !== 'interrupt sessions';

/** What `sqlOf` says, each with what it needs, made to fail where silence would be misread, or not to fail where it may. */
function statements(change: RoleChange, username: string, named: readonly string[]): readonly Statement[] {
  const [sql = '', second = ''] = sqlOf(change, username);
  switch (change.do) {
    case 'create':
      return [{ needs: 'create roles', sql }];
    // The comment is written before everything else of a step.
    case 'adopt':
    case 'mark':
    case 'release':
      return [];
    case 'allow login':
    case 'limit connections':
    case 'reset':
      return [administer(sql)];
    case 'set':
      return [{ needs: 'a valid setting', setting: change.setting, sql }];
    case 'grant rds_iam':
      return [{ needs: 'grant', group: 'rds_iam', sql }];
    case 'grant group': {
      const { group } = change;
      return [
        { needs: 'an ordinary group', sql: checkPower(group, named) },
        { needs: 'grant', group, sql },
      ];
    }
    case 'revoke group':
      return change.ifPossible ? [free(ifPossible(sql))] : [{ needs: 'grant', group: change.group, sql }];
    case 'grant connect': {
      const { database } = change;
      // Who may not grant it is only warned.
      const held = `has_database_privilege(${literal(username)}, ${literal(database)}, 'CONNECT')`;
      return [
        { needs: 'grant connect', database, sql },
        { needs: 'grant connect', database, sql: insist(held) },
      ];
    }
    case 'revoke connect':
      return [free(ifPossible(sql))];
    case 'end access':
      return [administer(sql), free(ifPossible(second))];
    case 'end sessions':
      return [{ needs: 'end sessions', sql: plpgsql(terminate(username)) }];
    case 'interrupt sessions':
      return [{ needs: 'end sessions', sql: plpgsql(interrupt(username)) }];
    // In the databases themselves: see reassign.ts.
    case 'reassign':
      return [];
    case 'drop':
      return [free(plpgsql(unused(username))), administer(sql)];
    default:
      return change satisfies never;
  }
}

/** A right that was lost, or a thing that is gone, must not hold up the rest; what happened is read back. */
const ifPossible = (sql: string) =>
  plpgsql(
    `BEGIN ${sql}; EXCEPTION WHEN insufficient_privilege OR undefined_object OR invalid_catalog_name THEN NULL; END`,
  );

/** Raises if a role that logs in by password reaches the user: rds_iam would end that. The admin has the guard. */
export const spare = (username: string) => `BEGIN
      IF EXISTS (
        WITH RECURSIVE down AS (
          SELECT m.member FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE r.rolname = ${literal(username)}
          UNION SELECT m.member FROM down JOIN pg_auth_members m ON m.roleid = down.member
        )
        SELECT FROM down JOIN pg_roles r ON r.oid = down.member
        WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> session_user AND NOT pg_has_role(r.oid, 'rds_iam', 'MEMBER')
      ) THEN RAISE EXCEPTION 'password logins reach the role' USING ERRCODE = '${ownStates.wouldLockOut}'; END IF;
    END`;

/**
 * To end a session one must be able to act as its role. Membership is taken only where it is not there already, as
 * otherwise the REVOKE would take away what somebody else granted; and never in a role that is in rds_iam, which would
 * make the admin a member as well. What is said by the functions of admin-sql makes a member of their owner, which has it.
 */
export const terminate = (username: string) => `DECLARE
      target oid := (SELECT oid FROM pg_roles WHERE rolname = ${literal(username)});
      joined boolean := NOT pg_has_role(current_user, target, 'USAGE')
        AND NOT pg_has_role(current_user, 'pg_signal_backend', 'USAGE');
    BEGIN
      IF joined AND current_user = session_user AND NOT pg_has_role(session_user, 'rds_iam', 'MEMBER') AND pg_has_role(target, 'rds_iam', 'MEMBER')
      THEN RAISE EXCEPTION 'still a member of rds_iam' USING ERRCODE = '${ownStates.stillMember}'; END IF;
      IF joined AND current_setting('server_version_num')::integer >= 160000
      THEN EXECUTE ${literal(`GRANT ${identifier(username)} TO CURRENT_USER WITH INHERIT TRUE`)};
      ELSIF joined THEN GRANT ${identifier(username)} TO CURRENT_USER; END IF;
      PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = target;
      IF joined THEN REVOKE ${identifier(username)} FROM CURRENT_USER; END IF;
    END`;

/**
 * The membership that it needs is undone within the statement, so that nobody but this transaction ever sees it: neither
 * pg_hba, whatever the role is a member of, nor a replica that must get no changes of roles.
 */
const interrupt = (username: string) => `DECLARE
      target oid := (SELECT oid FROM pg_roles WHERE rolname = ${literal(username)});
      joined boolean := NOT pg_has_role(current_user, target, 'USAGE')
        AND NOT pg_has_role(current_user, 'pg_signal_backend', 'USAGE');
    BEGIN
      IF joined AND current_setting('server_version_num')::integer >= 160000
      THEN EXECUTE ${literal(`GRANT ${identifier(username)} TO CURRENT_USER WITH INHERIT TRUE`)};
      ELSIF joined THEN GRANT ${identifier(username)} TO CURRENT_USER; END IF;
      PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = target;
      RAISE EXCEPTION 'undone' USING ERRCODE = '${ownStates.undone}';
    EXCEPTION WHEN SQLSTATE '${ownStates.undone}' THEN NULL;
    END`;

export const unused = (username: string) => `BEGIN
      IF EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(username)} AND rolcanlogin)
      THEN RAISE EXCEPTION 'the role may log in again' USING ERRCODE = '${ownStates.changed}'; END IF;
      IF EXISTS (SELECT FROM pg_stat_activity JOIN pg_roles r ON r.oid = usesysid WHERE r.rolname = ${literal(username)})
      THEN RAISE EXCEPTION 'sessions remain' USING ERRCODE = '${ownStates.sessionsRemain}'; END IF;
    END`;

/**
 * Whether who logged in is a member of rds_iam, however indirectly; `current_user` might be somebody else. A server
 * without rds_iam locks nobody out.
 */
export const isLockedOut = `COALESCE((
  SELECT pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'rds_iam'
), false)`;
export const readGuard = `SELECT ${isLockedOut} AS locked_out`;
/** The last statement before COMMIT of whatever grants something, for an admin that logs in by password. */
export const guard: Statement = { needs: 'the admin to keep its login', sql: insist(`NOT ${isLockedOut}`) };
