// The one query by which many roles are read at once, and the reading of its answers.
import { fitsPostgresName } from '../../api/username.ts';
import { parseMark } from './mark.ts';
import type { DesiredRole, GroupFacts, Membership, ObservedRole } from './role.ts';
import type { Question } from './server.ts';
import { byNameOnly, never, preparePowerCheck } from './power.ts';
import { literal } from './quote.ts';
import { settingsIn } from './settings.ts';

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
        ending: desired.adopt,
      }
    : { username, groups: [], databases: [], ending: true };
}

const canExist = (name: string) => fitsPostgresName(name) && name.isWellFormed();

/**
 * A row `n, answer` for each question of the parameter, n counting from 1. Runs on PostgreSQL 10 to 18 and reads only
 * what everybody may read. Membership counts on any path, ADMIN-only ones too, as pg_hba counts it. OFFSET 0 keeps each
 * look into a catalog a look by index: the plan is kept while the catalogs grow.
 */
const query = `
WITH RECURSIVE asked AS (
  SELECT n, (item->>'username')::name AS username, item->'groups' AS groups, item->'databases' AS databases,
    (item->>'ending')::boolean AS ending
  FROM jsonb_array_elements($1) WITH ORDINALITY AS list(item, n)
), iam AS (
  SELECT (SELECT oid FROM pg_roles WHERE rolname = 'rds_iam') AS oid,
    current_setting('server_version_num')::integer AS version
), us AS (
  SELECT oid, rolsuper FROM pg_roles WHERE rolname = session_user
), acting AS (
  -- Whose hand it is: the owner of the functions, where the admin has any (see admin-helpers.ts).
  SELECT COALESCE(NULLIF(current_setting('iamdb.acts_as', true), '')::oid, us.oid) AS oid FROM us
), found AS (
  SELECT a.*, r.oid, r.rolcanlogin, r.rolconnlimit, c.description AS comment,
    (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls) AS powerful
  FROM asked a
  LEFT JOIN LATERAL (SELECT * FROM pg_roles WHERE rolname = a.username OFFSET 0) r ON true
  LEFT JOIN LATERAL (
    SELECT description FROM pg_shdescription WHERE objoid = r.oid AND classoid = 'pg_authid'::regclass OFFSET 0
  ) c ON true
), up AS (
  SELECT m.roleid AS start, m.roleid AS reached FROM found f
  CROSS JOIN LATERAL (SELECT roleid FROM pg_auth_members WHERE member = f.oid OFFSET 0) m
  UNION
  SELECT g.oid, g.oid FROM found f CROSS JOIN LATERAL jsonb_array_elements_text(f.groups) wish(name)
  CROSS JOIN LATERAL (SELECT oid FROM pg_roles WHERE rolname = wish.name::name OFFSET 0) g
  UNION
  SELECT up.start, m.roleid FROM up
  CROSS JOIN LATERAL (SELECT roleid FROM pg_auth_members WHERE member = up.reached OFFSET 0) m
), reached AS (
  SELECT up.start, r.oid, r.rolname,
    ${never} AS never, ${byNameOnly} AS by_name_only
  FROM up CROSS JOIN LATERAL (SELECT * FROM pg_roles WHERE oid = up.reached OFFSET 0) r CROSS JOIN us
), power AS (
  SELECT start, min(rolname::text) FILTER (WHERE r.oid = start) AS name, bool_or(r.oid = iam.oid) AS gives_iam,
    json_build_object(
      'never', COALESCE(json_agg(rolname ORDER BY rolname) FILTER (WHERE never), '[]'),
      'byNameOnly', COALESCE(json_agg(rolname ORDER BY rolname) FILTER (WHERE by_name_only AND NOT never), '[]')
    ) AS power
  FROM reached r CROSS JOIN iam GROUP BY start
), connects AS (
  SELECT jsonb_object_agg(grantee, list) AS by_role FROM (
    SELECT x.grantee, jsonb_agg(d.datname ORDER BY d.datname) AS list
    FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) x
    WHERE x.privilege_type = 'CONNECT' GROUP BY x.grantee
  ) each
)
SELECT f.n::integer AS n, json_build_object(
  'serverVersion', iam.version,
  'admin', session_user,
  'rdsIamExists', iam.oid IS NOT NULL,
  'role', CASE WHEN f.oid IS NOT NULL THEN json_build_object(
    'login', f.rolcanlogin,
    'connectionLimit', f.rolconnlimit,
    'comment', f.comment,
    'powerful', f.powerful,
    -- Not asked where the mark says it: the admin is a member of very many roles.
    'administrable', CASE WHEN iam.version < 160000 OR f.comment LIKE 'Kept by iamdb-operator for %' THEN true
      ELSE pg_has_role(acting.oid, f.oid, 'MEMBER WITH ADMIN OPTION') END,
    'memberships', COALESCE(m.list, '[]'),
    'rdsIam', json_build_object('ours', COALESCE(m.iam_ours, false), 'others', COALESCE(m.iam_others, false),
      'foreign', COALESCE(m.iam_foreign, false), 'indirect', COALESCE(m.iam_indirect, false)),
    'ownsIn', CASE WHEN f.ending THEN COALESCE((
      SELECT json_agg(DISTINCT COALESCE(d.datname, 'postgres')) FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid
      WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = f.oid AND s.deptype = 'o'
    ), '[]') ELSE '[]' END,
    'settings', COALESCE((
      SELECT to_json(s.setconfig) FROM pg_db_role_setting s WHERE s.setdatabase = 0 AND s.setrole = f.oid
    ), '[]'),
    'connectGrants', COALESCE(c.by_role -> f.oid::text, '[]'),
    'passwordLoginsThatReachIt', COALESCE((
      WITH RECURSIVE down AS (
        -- 10 is the superuser that every server begins with. From 16 on a membership belongs to who granted it, and a
        -- creator's to that one.
        SELECT member, member AS through, grantor = 10 AND iam.version >= 160000 AS by_superuser
        FROM pg_auth_members WHERE roleid = f.oid
        UNION
        SELECT m.member, d.through, d.by_superuser FROM down d
        CROSS JOIN LATERAL (SELECT member FROM pg_auth_members WHERE roleid = d.member OFFSET 0) m
      )
      SELECT json_agg(json_build_object('login', r.rolname, 'through', pg_get_userbyid(d.through),
        'bySuperuser', d.by_superuser) ORDER BY r.rolname, d.through, d.by_superuser)
      FROM down d CROSS JOIN LATERAL (SELECT * FROM pg_roles WHERE oid = d.member OFFSET 0) r
      WHERE r.rolcanlogin AND NOT r.rolsuper
        -- From 16 on the admin is a member of all that it created: asking about it takes long, and is not needed.
        AND CASE WHEN r.rolname = session_user THEN false ELSE NOT pg_has_role(r.oid, iam.oid, 'MEMBER') END
    ), '[]'),
    'sessions', CASE WHEN f.ending
      THEN (SELECT count(*) FROM pg_stat_activity s WHERE s.usesysid = f.oid) ELSE 0 END
  ) END,
  'groups', COALESCE((
    SELECT json_agg(json_build_object('group', wish.name, 'exists', g.oid IS NOT NULL,
      'power', (SELECT p.power FROM power p WHERE p.start = g.oid)))
    FROM jsonb_array_elements_text(f.groups) wish(name)
    LEFT JOIN LATERAL (SELECT oid FROM pg_roles WHERE rolname = wish.name::name OFFSET 0) g ON true
  ), '[]'),
  'databases', COALESCE((
    SELECT json_agg(json_build_object('database', wish.name, 'exists', d.oid IS NOT NULL,
      'held', COALESCE(CASE WHEN f.oid IS NULL THEN has_database_privilege('public', d.oid, 'CONNECT')
        ELSE has_database_privilege(f.oid, d.oid, 'CONNECT') END, false),
      'throughGroups', COALESCE((
        SELECT json_agg(g.rolname)
        FROM jsonb_array_elements_text(f.groups) via(name)
        CROSS JOIN LATERAL (SELECT oid, rolname FROM pg_roles WHERE rolname = via.name::name OFFSET 0) g
        WHERE has_database_privilege(g.oid, d.oid, 'CONNECT')
      ), '[]')))
    FROM jsonb_array_elements_text(f.databases) wish(name)
    LEFT JOIN LATERAL (SELECT oid FROM pg_database WHERE datname = wish.name::name OFFSET 0) d ON true
  ), '[]')
) AS answer
FROM found f CROSS JOIN iam CROSS JOIN acting CROSS JOIN connects c
CROSS JOIN LATERAL (
  SELECT
    json_agg(json_build_object('group', j.name, 'byUs', j.by_us, 'usable', j.usable, 'power', j.power)
      ORDER BY j.name, j.by_us) FILTER (WHERE NOT j.is_iam) AS list,
    bool_or(j.is_iam AND (j.by_us OR iam.version < 160000)) AS iam_ours,
    bool_or(j.is_iam AND NOT j.by_us AND iam.version >= 160000) AS iam_others,
    bool_or(j.is_iam AND NOT j.by_us) AS iam_foreign,
    bool_or(NOT j.is_iam AND j.gives_iam) AS iam_indirect
  FROM (
    SELECT p.name, p.power, p.gives_iam, COALESCE(m.roleid = iam.oid, false) AS is_iam,
      CASE WHEN us.rolsuper THEN m.grantor = 10 ELSE pg_has_role(acting.oid, m.grantor, 'USAGE') END AS by_us,
      COALESCE((to_jsonb(m)->>'inherit_option')::boolean OR (to_jsonb(m)->>'set_option')::boolean, true) AS usable
    FROM (SELECT * FROM pg_auth_members WHERE member = f.oid OFFSET 0) m
    JOIN power p ON p.start = m.roleid CROSS JOIN us CROSS JOIN acting
  ) j
) m`;

/** Planning it takes longer than answering for one role, so that each connection plans it once. */
export const reading: Question<RoleQuestion> = {
  preparation: `PREPARE iamdb_roles (jsonb) AS ${query};\n${preparePowerCheck}`,
  ask: (questions) => `EXECUTE iamdb_roles (${literal(JSON.stringify(questions))})`,
};

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

/** What `answer` holds: the query above is the other half of this type. */
interface Answer extends Omit<ObservedRole, 'role' | 'groups'> {
  readonly groups: readonly (Omit<GroupFacts, 'power'> & Nullable<Pick<GroupFacts, 'power'>>)[];
  readonly role:
    | (Omit<NonNullable<ObservedRole['role']>, 'comment' | 'mark' | 'heldBy' | 'memberships' | 'settings'> & {
        readonly settings: readonly string[];
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
    role:
      role === null
        ? undefined
        : {
            ...role,
            comment,
            mark: parseMark(comment),
            settings: settingsIn(role.settings),
            heldBy: undefined,
          },
  };
}
