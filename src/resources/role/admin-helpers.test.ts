// What makes a function ours and to be trusted, part by part. That each part counts is tried on real servers.
import { describe, expect, it } from 'vitest';
import {
  helperIsCallable,
  helperIsOnlyFor,
  helperIsOurs,
  throughHelper,
  trustedHelper,
} from './admin-helpers.ts';

it('a statement is handed to the function as one text', () => {
  expect(throughHelper(`ALTER ROLE "o'brien" NOLOGIN`)).toBe(
    `SELECT iamdb.run('ALTER ROLE "o''brien" NOLOGIN'::text)`,
  );
});

const named = "FROM pg_proc p … n.nspname = 'iamdb' … p.proname = 'run'";
const exact = "p.pronargs = 1 … p.proargtypes[0] = 'pg_catalog.text'::regtype";
const ours = `${exact} … AND p.prosecdef … l.lanname = 'plpgsql' … EXECUTE statement;
  … ARRAY['search_path=pg_catalog, pg_temp'] … o.rolname = 'iamdb_definer' … n.nspowner = p.proowner`;
const onlyFor = (
  admin: string,
) => `NOT EXISTS … aclexplode(COALESCE(p.proacl … x.grantee <> p.proowner … rolname = ${admin})
  … NOT EXISTS … aclexplode(COALESCE(n.nspacl … x.grantee <> n.nspowner … = 'CREATE'
  … has_function_privilege(${admin}, p.oid, 'EXECUTE')`;

describe('a function is asked', () => {
  it.each([
    [
      "to be called: whether this session may, and it takes what ours takes or is our owner's",
      helperIsCallable,
      `${named} … has_function_privilege(session_user, p.oid, 'EXECUTE') … ${exact} … OR o.rolname = 'iamdb_definer'`,
    ],
    ['to be ours: what it does, and as whom', helperIsOurs, `${named} … ${ours}`],
    [
      'to be of one admin: who else may call it, or put another beside it',
      helperIsOnlyFor("o'brien"),
      `${named} … ${ours} … ${onlyFor("'o''brien'")}`,
    ],
    [
      'to be trusted: that nobody is its owner, or is locked out by what its owner is granted',
      trustedHelper,
      `SELECT o.oid … ${named} … ${ours} … ${onlyFor('session_user')} … AND NOT o.rolcanlogin … AND NOT o.rolsuper
      … AND o.rolcreaterole … AND NOT pg_has_role(session_user, o.oid, 'MEMBER')`,
    ],
  ])('%s', (_, sql, abridged) => {
    let from = 0;
    for (const part of abridged.split(/\s*…\s*/)) {
      const at = sql.indexOf(part, from);
      expect(at, part).toBeGreaterThanOrEqual(0);
      from = at + part.length;
    }
  });
});
