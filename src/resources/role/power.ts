// Which roles are too powerful to be anybody's group, as SQL: for looking, and again right before a grant.
import { literal, texts } from './quote.ts';

/** Of a row `r` of pg_roles, with the admin's row as `us`: never granted, whoever allows it. */
export const never = `(r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
  OR r.oid = us.oid OR r.rolname LIKE 'rds\\_%'
  OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
    'pg_signal_backend', 'pg_create_subscription', 'pg_maintain'))`;

/** Granted only where it is itself allowed by name, however a user comes to reach it. A scalar subquery, as an EXISTS could be planned as a scan of everything. */
export const byNameOnly = `(r.rolname LIKE 'pg\\_%' OR EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid)
  OR COALESCE((
    SELECT true FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
      AND s.deptype = 'o' AND s.classid = 'pg_namespace'::regclass LIMIT 1
  ), false))`;

/** PostgreSQL makes pg_monitor a member of these itself (10 to 18), so who lists it means them; of no other pg_* role it does so. */
const partsOfMonitor = ['pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables'];

/** Which roles of `byNameOnly` users may reach, by the groups that the owner wrote out. */
export const allowedByName = (listed: readonly string[]): readonly string[] =>
  listed.includes('pg_monitor') ? [...new Set([...listed, ...partsOfMonitor])] : listed;

/** Fails with 22012 for a group that is, or reaches, too powerful a role; $2: those that are allowed by name. */
export const preparePowerCheck = `PREPARE iamdb_power (name, text[]) AS
WITH RECURSIVE us AS (
  SELECT oid FROM pg_roles WHERE rolname = session_user
), up AS (
  SELECT oid FROM pg_roles WHERE rolname = $1
  UNION
  SELECT m.roleid FROM up
  CROSS JOIN LATERAL (SELECT roleid FROM pg_auth_members WHERE member = up.oid OFFSET 0) m
)
SELECT 1 / CASE WHEN bool_or(${never} OR (r.rolname <> ALL ($2) AND ${byNameOnly})) THEN 0 ELSE 1 END
FROM up CROSS JOIN LATERAL (SELECT * FROM pg_roles WHERE oid = up.oid OFFSET 0) r CROSS JOIN us`;

export const checkPower = (group: string, listed: readonly string[]): string =>
  `EXECUTE iamdb_power (${literal(group)}, ${texts(allowedByName(listed))})`;
