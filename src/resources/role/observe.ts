// The one query by which many roles are read at once, and the reading of its answers.
import { fitsPostgresName } from '../../api/username.ts';
import { parseMark } from './mark.ts';
import type { DesiredRole, GroupFacts, Membership, ObservedRole } from './role.ts';
import type { Question } from './server.ts';
import { literal } from './sql.ts';

/** What one wish asks the server about. */
export interface RoleQuestion {
  readonly username: string;
  readonly groups: readonly string[];
  readonly databases: readonly string[];
  /** Whether sessions are to be counted. */
  readonly ending: boolean;
}

/**
 * One query asks for many users, so nothing may go into it that would make it fail for all: a name that PostgreSQL
 * cannot have is not asked about, and so is not found.
 */
export function questionOf(desired: DesiredRole): RoleQuestion {
  const username = canExist(desired.username) ? desired.username : '';
  return desired.ensure === 'present'
    ? {
        username,
        groups: desired.memberOf.filter(canExist),
        databases: desired.connectDatabases.filter(canExist),
        ending: false,
      }
    : { username, groups: [], databases: [], ending: true };
}

const canExist = (name: string) => fitsPostgresName(name) && name.isWellFormed();

/**
 * A row `n, answer` for each question of the parameter, n counting from 1. Runs on PostgreSQL 10 to 18 and reads only
 * what everybody may read. Membership counts on any path, ADMIN-only ones too, as pg_hba counts it.
 */
const query = `
WITH RECURSIVE asked AS (
  SELECT n, (item->>'username')::name AS username, item->'groups' AS groups, item->'databases' AS databases,
    (item->>'ending')::boolean AS ending
  FROM jsonb_array_elements($1) WITH ORDINALITY AS list(item, n)
), iam AS (
  SELECT (SELECT oid FROM pg_roles WHERE rolname = 'rds_iam') AS oid
), us AS (
  SELECT oid, rolsuper FROM pg_roles WHERE rolname = session_user
), found AS (
  SELECT a.n, a.ending, r.oid, r.rolcanlogin, r.rolconnlimit, shobj_description(r.oid, 'pg_authid') AS comment
  FROM asked a JOIN pg_roles r ON r.rolname = a.username
), wished AS (
  SELECT a.n, g.name AS wish, r.oid
  FROM asked a CROSS JOIN LATERAL jsonb_array_elements_text(a.groups) g(name)
  LEFT JOIN pg_roles r ON r.rolname = g.name::name
), joined AS (
  SELECT f.n, m.roleid, m.roleid = iam.oid AS is_iam,
    CASE WHEN us.rolsuper THEN m.grantor = 10 ELSE pg_has_role(us.oid, m.grantor, 'USAGE') END AS by_us,
    COALESCE((to_jsonb(m)->>'inherit_option')::boolean OR (to_jsonb(m)->>'set_option')::boolean, true) AS usable
  FROM found f JOIN pg_auth_members m ON m.member = f.oid CROSS JOIN iam CROSS JOIN us
), up AS (
  SELECT roleid AS start, roleid AS reached FROM joined
  UNION SELECT oid, oid FROM wished WHERE oid IS NOT NULL
  UNION SELECT up.start, m.roleid FROM up JOIN pg_auth_members m ON m.member = up.reached
), reached AS (
  SELECT up.start, r.oid, r.rolname,
    r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls OR r.oid = us.oid
      OR r.rolname LIKE 'rds\\_%'
      OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
        'pg_signal_backend', 'pg_create_subscription', 'pg_maintain') AS never,
    r.rolname LIKE 'pg\\_%' OR EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid)
      OR EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
        AND s.deptype = 'o' AND s.classid = 'pg_namespace'::regclass) AS by_name_only
  FROM up CROSS JOIN LATERAL (SELECT * FROM pg_roles WHERE oid = up.reached OFFSET 0) r CROSS JOIN us
), power AS (
  SELECT start, min(rolname::text) FILTER (WHERE r.oid = start) AS name, bool_or(r.oid = iam.oid) AS gives_iam,
    json_build_object(
      'never', COALESCE(json_agg(rolname ORDER BY rolname) FILTER (WHERE never), '[]'),
      'byNameOnly', COALESCE(json_agg(rolname ORDER BY rolname) FILTER (WHERE by_name_only AND NOT never), '[]')
    ) AS power
  FROM reached r CROSS JOIN iam GROUP BY start
), groups AS (
  SELECT w.n, json_agg(json_build_object(
    'group', w.wish, 'exists', w.oid IS NOT NULL, 'power', p.power)) AS list
  FROM wished w LEFT JOIN power p ON p.start = w.oid GROUP BY w.n
), memberships AS (
  SELECT j.n,
    json_agg(json_build_object('group', p.name, 'byUs', j.by_us, 'usable', j.usable, 'power', p.power)
      ORDER BY p.name, j.by_us) FILTER (WHERE j.is_iam IS NOT TRUE) AS list,
    bool_or(j.is_iam AND (j.by_us OR current_setting('server_version_num')::integer < 160000)) AS iam_ours,
    bool_or(j.is_iam AND NOT j.by_us AND current_setting('server_version_num')::integer >= 160000) AS iam_others,
    bool_or(j.is_iam IS NOT TRUE AND p.gives_iam) AS iam_indirect
  FROM joined j JOIN power p ON p.start = j.roleid
  GROUP BY j.n
), down AS (
  SELECT f.n, m.member FROM found f JOIN pg_auth_members m ON m.roleid = f.oid
  UNION SELECT d.n, m.member FROM down d JOIN pg_auth_members m ON m.roleid = d.member
), passwords AS (
  SELECT d.n, json_agg(r.rolname ORDER BY r.rolname) AS list
  FROM down d CROSS JOIN LATERAL (SELECT * FROM pg_roles WHERE oid = d.member OFFSET 0) r CROSS JOIN iam
  WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> session_user AND iam.oid IS NOT NULL
    AND NOT pg_has_role(r.oid, iam.oid, 'MEMBER')
  GROUP BY d.n
), connects AS (
  SELECT x.grantee, json_agg(d.datname ORDER BY d.datname) AS list
  FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) x
  WHERE x.privilege_type = 'CONNECT' AND x.grantee IN (SELECT oid FROM found)
  GROUP BY x.grantee
), connectable AS (
  SELECT a.n, wish.name, d.oid IS NOT NULL AS is_there,
    COALESCE(CASE WHEN f.oid IS NULL THEN has_database_privilege('public', d.oid, 'CONNECT')
      ELSE has_database_privilege(f.oid, d.oid, 'CONNECT') END, false) AS held,
    COALESCE(json_agg(w.wish) FILTER (WHERE has_database_privilege(w.oid, d.oid, 'CONNECT')), '[]') AS through
  FROM asked a CROSS JOIN LATERAL jsonb_array_elements_text(a.databases) wish(name)
  LEFT JOIN pg_database d ON d.datname = wish.name::name
  LEFT JOIN found f ON f.n = a.n
  LEFT JOIN wished w ON w.n = a.n AND w.oid IS NOT NULL
  GROUP BY a.n, wish.name, d.oid, f.oid
), databases AS (
  SELECT n, json_agg(json_build_object(
    'database', name, 'exists', is_there, 'held', held, 'throughGroups', through)) AS list
  FROM connectable GROUP BY n
)
SELECT a.n::integer AS n, json_build_object(
  'serverVersion', current_setting('server_version_num')::integer,
  'admin', session_user,
  'rdsIamExists', iam.oid IS NOT NULL,
  'role', CASE WHEN f.oid IS NOT NULL THEN json_build_object(
    'login', f.rolcanlogin,
    'connectionLimit', f.rolconnlimit,
    'comment', f.comment,
    'memberships', COALESCE(m.list, '[]'),
    'rdsIam', json_build_object('ours', COALESCE(m.iam_ours, false), 'others', COALESCE(m.iam_others, false),
      'indirect', COALESCE(m.iam_indirect, false)),
    'connectGrants', COALESCE(c.list, '[]'),
    'passwordLoginsThatReachIt', COALESCE(p.list, '[]'),
    'sessions', CASE WHEN f.ending
      THEN (SELECT count(*) FROM pg_stat_activity s WHERE s.usesysid = f.oid) ELSE 0 END
  ) END,
  'groups', COALESCE(g.list, '[]'),
  'databases', COALESCE(d.list, '[]')
) AS answer
FROM asked a CROSS JOIN iam
LEFT JOIN found f ON f.n = a.n
LEFT JOIN memberships m ON m.n = a.n
LEFT JOIN connects c ON c.grantee = f.oid
LEFT JOIN passwords p ON p.n = a.n
LEFT JOIN groups g ON g.n = a.n
LEFT JOIN databases d ON d.n = a.n`;

/** Planning it takes longer than answering for one role, so that each connection plans it once. */
export const reading: Question<RoleQuestion> = {
  preparation: `PREPARE iamdb_roles (jsonb) AS ${query}`,
  ask: (questions) => `EXECUTE iamdb_roles (${literal(JSON.stringify(questions))})`,
};

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

/** What `answer` holds: the query above is the other half of this type. */
interface Answer extends Omit<ObservedRole, 'role' | 'groups'> {
  readonly groups: readonly (Omit<GroupFacts, 'power'> & Nullable<Pick<GroupFacts, 'power'>>)[];
  readonly role:
    | (Omit<NonNullable<ObservedRole['role']>, 'comment' | 'mark' | 'heldBy' | 'memberships'> & {
        readonly comment: string | null;
        readonly memberships: readonly Membership[];
      })
    | null;
}

const noPower = { never: [], byNameOnly: [] };

export function roleIn(answer: unknown): ObservedRole {
  if (typeof answer !== 'object' || answer === null) throw new Error('the server did not answer for a role');
  const { role, groups, ...rest } = answer as Answer;
  const comment = role?.comment ?? undefined;
  return {
    ...rest,
    groups: groups.map(({ group, exists, power }) => ({ group, exists, power: power ?? noPower })),
    role: role === null ? undefined : { ...role, comment, mark: parseMark(comment), heldBy: undefined },
  };
}
