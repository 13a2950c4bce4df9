import { expect, it } from 'vitest';
import {
  helperIsCallable,
  helperIsOnlyFor,
  helperIsOurs,
  throughHelper,
  trustedHelper,
} from './admin-helpers.ts';

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
const found =
  "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner JOIN pg_language l ON l.oid = p.prolang WHERE n.nspname = 'iamdb' AND p.proname = 'run'";
const ours =
  "p.pronargs = 1 AND p.proargtypes[0] = 'pg_catalog.text'::regtype AND p.prosecdef AND l.lanname = 'plpgsql' AND p.prosrc = ' BEGIN EXECUTE statement; END ' AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp'] AND o.rolname = 'iamdb_definer' AND n.nspowner = p.proowner";
const onlyFor = (admin: string) =>
  `NOT EXISTS ( SELECT FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner AND x.grantee <> (SELECT oid FROM pg_roles WHERE rolname = ${admin}) ) AND NOT EXISTS ( SELECT FROM aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) x WHERE x.grantee <> n.nspowner AND x.privilege_type = 'CREATE' ) AND has_function_privilege(${admin}, p.oid, 'EXECUTE')`;

it('a statement is handed to the function as one text', () => {
  expect(throughHelper(`ALTER ROLE "o'brien" NOLOGIN`)).toBe(
    `SELECT iamdb.run('ALTER ROLE "o''brien" NOLOGIN'::text)`,
  );
});

it('a function is ours by all that it does, and as whom; callable by whom it was given to', () => {
  expect(oneLine(helperIsCallable)).toBe(
    `EXISTS (SELECT ${found} AND has_function_privilege(session_user, p.oid, 'EXECUTE') AND (p.pronargs = 1 AND p.proargtypes[0] = 'pg_catalog.text'::regtype OR o.rolname = 'iamdb_definer'))`,
  );
  expect(oneLine(helperIsOurs)).toBe(`EXISTS (SELECT ${found} AND ${ours})`);
  expect(oneLine(helperIsOnlyFor("o'brien"))).toBe(
    `EXISTS (SELECT ${found} AND ${ours} AND ${onlyFor("'o''brien'")})`,
  );
});

it('a function is trusted where nobody logs in as its owner, and the admin is no member of it', () => {
  expect(oneLine(trustedHelper)).toBe(
    `(SELECT o.oid ${found} AND ${ours} AND ${onlyFor('session_user')} AND NOT o.rolcanlogin AND NOT o.rolsuper AND o.rolcreaterole AND NOT pg_has_role(session_user, o.oid, 'MEMBER'))`,
  );
});
