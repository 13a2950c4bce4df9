// The functions by which an admin with a password works on PostgreSQL 16 and later, and how they are told from others.
import { identifier, literal } from './quote.ts';

/** Owns the functions; nobody logs in as it, and the admin is no member of it. */
export const helperOwner = 'iamdb_definer';
export const helperSchema = 'iamdb';
const name = 'run';
export const helperFunction = `${helperSchema}.${name}(text)`;

/**
 * Who creates a role is a member of it from 16 on, and a member of a user's role is a member of rds_iam, whose password
 * counts for nothing. So somebody else has to create it, and to do all that only the creator may: whatever it is told,
 * with the rights that an admin by token would have had itself.
 */
const body = '\nBEGIN\n  EXECUTE statement;\nEND\n';

export const createHelper = `CREATE OR REPLACE FUNCTION ${helperSchema}.${name}(statement text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$${body}$function$;`;

/** The same statement, said by the owner of the functions. */
export const throughHelper = (sql: string): string => `SELECT ${helperSchema}.${name}(${literal(sql)}::text)`;

/** Rows of the function as it stands, whoever made it: what is asked about it goes behind. */
const found = `FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
  JOIN pg_language l ON l.oid = p.prolang
  WHERE n.nspname = ${literal(helperSchema)} AND p.proname = ${literal(name)}`;

const isExact = `p.pronargs = 1 AND p.proargtypes[0] = 'pg_catalog.text'::regtype`;

/** One that is another admin's is nothing to this one, nor one that only shares the name. Asked in the session of the admin. */
export const helperIsCallable = `EXISTS (SELECT ${found} AND has_function_privilege(session_user, p.oid, 'EXECUTE')
  AND (${isExact} OR o.rolname = ${literal(helperOwner)}))`;

/** It does what ours does, and as whom ours does it. */
const asOurs = `${isExact} AND p.prosecdef AND l.lanname = 'plpgsql' AND p.prosrc = ${literal(body)}
  AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp'] AND o.rolname = ${literal(helperOwner)} AND n.nspowner = p.proowner`;

export const helperIsOurs = `EXISTS (SELECT ${found} AND ${asOurs})`;

/** Only its owner and `admin` may call it: whoever else may could make roles and let them in. Nobody else puts one beside it. */
const onlyFor = (admin: string) => `NOT EXISTS (
    SELECT FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) x
    WHERE x.grantee <> p.proowner AND x.grantee <> (SELECT oid FROM pg_roles WHERE rolname = ${admin})
  ) AND NOT EXISTS (
    SELECT FROM aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) x
    WHERE x.grantee <> n.nspowner AND x.privilege_type = 'CREATE'
  ) AND has_function_privilege(${admin}, p.oid, 'EXECUTE')`;

export const helperIsOnlyFor = (admin: string): string =>
  `EXISTS (SELECT ${found} AND ${asOurs} AND ${onlyFor(literal(admin))})`;

/**
 * The oid of the owner where everything about the function is as admin-sql makes it, and the admin keeps its login whatever
 * the owner is granted; null where it is not. Asked in the session of the admin.
 */
export const trustedHelper = `(SELECT o.oid ${found} AND ${asOurs} AND ${onlyFor('session_user')}
  AND NOT o.rolcanlogin AND NOT o.rolsuper AND o.rolcreaterole AND NOT pg_has_role(session_user, o.oid, 'MEMBER'))`;

export const closeHelper = (admin: string): readonly string[] => [
  `REVOKE ALL ON SCHEMA ${helperSchema} FROM PUBLIC;`,
  `REVOKE ALL ON FUNCTION ${helperFunction} FROM PUBLIC;`,
  `GRANT USAGE ON SCHEMA ${helperSchema} TO ${identifier(admin)};`,
  `GRANT EXECUTE ON FUNCTION ${helperFunction} TO ${identifier(admin)};`,
];
