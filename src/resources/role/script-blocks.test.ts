// What a script asks before it changes anything, and that names stay names. What its SQL does is tried on real servers.
import { array, assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absent, disabled, owner, present, released } from '../../../test/builders/role-fixtures.ts';
import type { PresentRole, ScriptedRole } from './role.ts';
import { scriptFor } from './script.ts';

const scriptOf = (desired: ScriptedRole): string => {
  const made = scriptFor(desired);
  if ('refused' in made) throw made.refused;
  return made.script;
};
const transactionsOf = (desired: ScriptedRole) => scriptOf(desired).split('\nBEGIN ISOLATION').slice(1);

/** Abridged: each part after the one before it. */
function expectSQL(text: string, abridged: string): void {
  let from = 0;
  for (const part of abridged.trim().split(/\s*…\s*/)) {
    const at = text.indexOf(part, from);
    expect(at, `${part} after ${text.slice(0, from).slice(-80)}`).toBeGreaterThanOrEqual(0);
    from = at + part.length;
  }
}

const rich: PresentRole = {
  ...present,
  literallyAllowedGroups: ['owners'],
  memberOf: ['writers', 'owners'],
  settings: { work_mem: '8MB', search_path: 'a, b' },
};
const start = 'SET LOCAL search_path = pg_catalog … pg_try_advisory_xact_lock … my_role oid';
const reading =
  "INTO my_role … LIKE 'Kept by iamdb-operator for %' … my_mark := substring(my_comment FROM E'\\\\{.*\\\\}$')";
const whose = `my_mark->>'v' = '1' … 'payments' … 'checkout' … = 'operator-1' … = 'namespace-1'
  … OR my_mark->>'operator' = 'operator-0'`;

describe('the script that brings a role about', () => {
  it('judges whose the role is and what its groups reach before it grants, and who would be locked out before it commits', () => {
    const [text = '', ...more] = transactionsOf(rich);
    expect(more).toEqual([]);
    expectSQL(
      text,
      `${start} … my_held text[] … my_forbidden text … my_iam boolean … rolname = 'rds_iam' … ${reading}
      … IF my_role IS NULL … CREATE ROLE "checkout" LOGIN CONNECTION LIMIT 5; … SELECT oid INTO my_role
      … ELSIF NOT COALESCE( … ${whose} … is not kept for this IamDatabaseUser … END IF;
      … rolname = ANY (ARRAY['owners', 'writers'] … <> ALL (ARRAY['owners'] … RAISE EXCEPTION … too powerful
      … IF NOT my_login … ALTER ROLE "checkout" LOGIN; … IF my_limit <> 5 … CONNECTION LIMIT 5;
      … INTO my_held … SET "search_path" … SET "work_mem"
      … IF NOT 'rds_iam' = ANY (my_held) … password logins reach the role … GRANT rds_iam
      … IF NOT 'owners' = ANY (my_held) … GRANT "owners" … my_groups || 'owners'
      … IF NOT 'writers' = ANY (my_held) … GRANT "writers" … my_groups || 'writers'
      … IF NOT has_database_privilege('checkout', 'orders' … GRANT CONNECT ON DATABASE "orders"
      … IF NOT has_database_privilege … only its owner may grant … my_databases || 'orders'
      … COMMENT ON ROLE %I
      … IF NOT my_iam AND … rolname = 'rds_iam' … could not log in by password any more … COMMIT;`,
    );
  });

  it.each([
    ['groups', "ARRAY['owners', 'writers']", ' INTERSECT SELECT unnest(my_held)', 'REVOKE %I FROM %I'],
    ['databases', "ARRAY['orders']", ' INTERSECT SELECT datname FROM pg_database', 'REVOKE CONNECT ON'],
    ['settings', "ARRAY['work_mem', 'search_path']", '', 'ALTER ROLE %I RESET %I'],
  ])('takes back of %s what its mark records, is there, and is not wished', (key, wished, there, sql) => {
    const recorded = `SELECT jsonb_array_elements_text(COALESCE(my_mark->'${key}', '[]'))`;
    const [text = ''] = transactionsOf(rich);
    expectSQL(text, `FOR my_one IN ${recorded}${there} EXCEPT SELECT unnest(${wished} … ${sql}`);
  });

  it('records what it granted, now or before, as far as it is wished still', () => {
    const [text = ''] = transactionsOf(rich);
    expectSQL(
      text,
      `'Kept by iamdb-operator for IamDatabaseUser payments/checkout; this comment is how it knows its own: ' || ('{"v":1, … "groups":[],"databases":[],"by":"script"}'::jsonb
      … 'groups', ( … unnest(my_groups) … my_mark->'groups' … unnest(my_held) … 'owners', 'writers'
      … 'databases', ( … unnest(my_databases) … my_mark->'databases', '[]')) INTERSECT SELECT unnest(ARRAY['orders']
      … 'settings', to_jsonb(ARRAY['search_path', 'work_mem']
      … IF my_one IS DISTINCT FROM my_comment … COMMENT ON ROLE`,
    );
  });

  it('asks nothing about groups where none are wished', () => {
    expect(transactionsOf({ ...present, memberOf: [] })[0]).not.toContain('my_forbidden IS NOT NULL');
  });

  it('takes over the role of a stranger only where nothing of it could not be ended, or is too much', () => {
    const [text = ''] = transactionsOf({ ...rich, adopt: true, memberOf: [] });
    expectSQL(
      text,
      `ELSIF NOT COALESCE( … IF my_mark IS NOT NULL OR my_comment LIKE … is not kept for
      … pg_has_role(my_role, 'rds_iam' … has rds_iam from somebody else
      … rolsuper OR rolcreaterole … is too powerful to be taken over
      … SELECT roleid FROM pg_auth_members WHERE member = my_role … too powerful for a user … END IF;
      … IF NOT my_login`,
    );
  });
});

describe('the script that ends a role', () => {
  const access = `IF my_login … ALTER ROLE "checkout" NOLOGIN … pg_has_role(my_role, 'rds_iam'
    … REVOKE rds_iam FROM "checkout" … pg_has_role(my_role, 'rds_iam' … RAISE WARNING`;
  const sessions = `pg_terminate_backend … FOR i IN … pg_stat_clear_snapshot … EXIT WHEN NOT EXISTS … pg_sleep`;
  const drop = `may log in again … sessions remain … my_mark->'databases' … REVOKE CONNECT … DROP ROLE "checkout"`;
  const release = `COMMENT ON ROLE "checkout" IS 'released by iamdb-operator operator-1`;

  it.each<[string, ScriptedRole, readonly string[]]>([
    ['disabled', disabled, [access, sessions]],
    ['deleted', absent, [access, sessions, drop]],
    ['let go', released, [release]],
  ])('asks first, in each transaction, whether it is there and ours: %s', (_, desired, steps) => {
    const transactions = transactionsOf(desired);
    expect(transactions).toHaveLength(steps.length);
    for (const [index, text] of transactions.entries()) {
      expectSQL(
        text,
        `${start} … ${reading} … IF my_role IS NULL … THEN RETURN
        … my_mark->>'operator' = 'operator-1' AND … ${whose} … is not kept for this IamDatabaseUser (any more)
        … ${steps[index]} … COMMIT;`,
      );
    }
  });

  it('lets go of none that was let go already', () => {
    expect(scriptOf(released)).toMatch(/IF my_role IS NULL OR my_comment = 'released by [^']+' THEN RETURN/);
    expect(scriptOf(disabled)).not.toContain('OR my_comment =');
  });

  it('asks for no other operator where none is trusted', () => {
    const alone: ScriptedRole = { ...disabled, owner: { ...owner, trustedOperatorIDs: [] } };
    expect(scriptOf(alone)).not.toContain("OR my_mark->>'operator'");
  });
});

describe('a name, whatever it holds,', () => {
  /** What is left of SQL without its literals, quoted names and comments. */
  const bare = (sql: string) =>
    sql.replaceAll(/--[^\n]*|E'(?:[^'\\]|''|\\[^])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"/g, ' ');
  const nasty = string({ unit: constantFrom("'", '"', '\\', ';', '$', '%', '-', ' ', 'a'), maxLength: 12 });
  const name = nasty.map((text) => `NAME${text}`);

  it('stays within quotes in every statement of every script', () => {
    assert(
      property(name, array(name, { minLength: 1, maxLength: 3 }), name, (username, names, other) => {
        const wishes: readonly ScriptedRole[] = [
          { ...rich, username, memberOf: names, connectDatabases: names, literallyAllowedGroups: [other] },
          { ...rich, username, adopt: true, settings: { application_name: other } },
          { ...absent, username, reassignTo: other },
          { ...released, username },
        ];
        for (const wish of wishes) {
          // A name may happen to be its own group, which is refused.
          const made = scriptFor(wish);
          expect('script' in made ? bare(made.script) : '').not.toContain('NAME');
        }
      }),
    );
  });
});
