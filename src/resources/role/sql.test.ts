import { describe, expect, it } from 'vitest';
import { owner } from '../../../test/builders/role-fixtures.ts';
import { markOf } from './mark.ts';
import type { RoleChange } from './role.ts';
import { fence, guard, lock, readGuard, statementsFor } from './sql.ts';

const written = 'the mark';
const sentTo = (comment: string | undefined, changes: readonly RoleChange[]) =>
  statementsFor(changes, { username: "o'brien", comment, named: ['owners', "o'brien"] }, written);
const sent = (changes: readonly RoleChange[]) => sentTo('as read', changes);
const sentToNew = (changes: readonly RoleChange[]) => sentTo(undefined, changes);
/** Without the locks and the fence, which begin each step. */
const body = (...changes: readonly RoleChange[]) => sent(changes).slice(2);
const commented = {
  needs: 'administer the role',
  sql: "COMMENT ON ROLE \"o'brien\" IS 'the mark'",
};
const ifPossible = (sql: string) => ({
  needs: 'nothing',
  sql: `DO LANGUAGE plpgsql 'BEGIN ${sql}; EXCEPTION WHEN insufficient_privilege OR undefined_object OR invalid_catalog_name THEN NULL; END'`,
});

describe('a step of a role', () => {
  it('begins with the lock on the role and the look whether it is as it was read', () => {
    expect(sent([{ do: 'allow login' }])).toEqual([
      lock('role', "o'brien"),
      fence("o'brien", 'as read'),
      commented,
      { needs: 'administer the role', sql: 'ALTER ROLE "o\'brien" LOGIN' },
    ]);
  });

  it('locks the databases whose grants it changes, always in the same order', () => {
    const changes: RoleChange[] = [
      { do: 'grant connect', database: 'orders' },
      { do: 'revoke connect', database: 'billing' },
      { do: 'revoke group', group: 'readers', ifPossible: true },
    ];
    expect(sent(changes).slice(0, 3)).toEqual([
      lock('role', "o'brien"),
      lock('database', 'billing'),
      lock('database', 'orders'),
    ]);
  });

  it('makes a role that is not there, then its comment, then all else, wherever the plan has it', () => {
    const changes: RoleChange[] = [{ do: 'allow login' }, { do: 'create', connectionLimit: 5 }];
    expect(sentToNew(changes)).toEqual([
      lock('role', "o'brien"),
      { needs: 'create roles', sql: 'CREATE ROLE "o\'brien" LOGIN CONNECTION LIMIT 5' },
      commented,
      { needs: 'administer the role', sql: 'ALTER ROLE "o\'brien" LOGIN' },
    ]);
    expect(sentToNew([{ do: 'create', connectionLimit: 5 }])).toHaveLength(3);
  });

  it('grants rds_iam to a role that was there only where no password login reaches it', () => {
    const grant = { needs: 'grant', group: 'rds_iam', sql: 'GRANT rds_iam TO "o\'brien"' };
    const [check, ...rest] = body({ do: 'grant rds_iam' });
    expect(check).toMatchObject({
      needs: 'nothing',
      sql: expect.stringContaining('password logins reach the role'),
    });
    expect(check?.sql).toContain("ERRCODE = ''IA004''");
    expect(rest).toEqual([commented, grant]);
    expect(sentToNew([{ do: 'grant rds_iam' }])).toEqual([lock('role', "o'brien"), commented, grant]);
  });

  it('looks at the password logins also where more than rds_iam is granted', () => {
    const changes: RoleChange[] = [{ do: 'allow login' }, { do: 'grant rds_iam' }];
    const [look] = body({ do: 'grant rds_iam' });
    expect(sent(changes)).toContainEqual(look);
    expect(sent([{ do: 'allow login' }, { do: 'grant group', group: 'writers' }])).not.toContainEqual(look);
  });

  it.each<[RoleChange, readonly unknown[]]>([
    [{ do: 'adopt', sessions: 0 }, [commented]],
    [{ do: 'mark', mark: markOf(owner, [], []) }, [commented]],
    [{ do: 'release', comment: 'released' }, [commented]],
    [{ do: 'reassign', to: 'heirs', databases: ['orders'] }, [commented]],
    [
      { do: 'limit connections', limit: -1 },
      [commented, { needs: 'administer the role', sql: 'ALTER ROLE "o\'brien" CONNECTION LIMIT -1' }],
    ],
    [
      { do: 'reset', setting: 'work_mem' },
      [commented, { needs: 'administer the role', sql: 'ALTER ROLE "o\'brien" RESET "work_mem"' }],
    ],
    [
      { do: 'set', setting: 'work_mem', value: '8MB' },
      [
        commented,
        {
          needs: 'a valid setting',
          setting: 'work_mem',
          sql: `ALTER ROLE "o'brien" SET "work_mem" = '8MB'`,
        },
      ],
    ],
    [
      { do: 'grant group', group: 'writers' },
      [
        commented,
        {
          needs: 'an ordinary group',
          sql: "EXECUTE iamdb_power ('writers', ARRAY['owners', 'o''brien']::text[])",
        },
        { needs: 'grant', group: 'writers', sql: 'GRANT "writers" TO "o\'brien"' },
      ],
    ],
    [
      { do: 'revoke group', group: 'writers', ifPossible: false },
      [commented, { needs: 'grant', group: 'writers', sql: 'REVOKE "writers" FROM "o\'brien"' }],
    ],
    [
      { do: 'revoke group', group: 'writers', ifPossible: true },
      [commented, ifPossible(`REVOKE "writers" FROM "o''brien"`)],
    ],
    [
      { do: 'end access' },
      [
        commented,
        { needs: 'administer the role', sql: 'ALTER ROLE "o\'brien" NOLOGIN' },
        ifPossible(`REVOKE rds_iam FROM "o''brien"`),
      ],
    ],
  ])('needs the rights that its statements do: %o', (change, expected) => {
    expect(body(change)).toEqual(expected);
  });

  it('grants CONNECT and looks whether it was, as who may not is only warned', () => {
    expect(body({ do: 'grant connect', database: 'orders' }).slice(1)).toEqual([
      commented,
      {
        needs: 'grant connect',
        database: 'orders',
        sql: 'GRANT CONNECT ON DATABASE "orders" TO "o\'brien"',
      },
      {
        needs: 'grant connect',
        database: 'orders',
        sql: "SELECT 1 / CASE WHEN has_database_privilege('o''brien', 'orders', 'CONNECT') THEN 1 ELSE 0 END",
      },
    ]);
    expect(body({ do: 'revoke connect', database: 'orders' }).slice(1)).toEqual([
      commented,
      ifPossible(`REVOKE CONNECT ON DATABASE "orders" FROM "o''brien"`),
    ]);
  });

  it('drops only a role that can log in no more and has no session, and writes no comment to it', () => {
    const [check, drop, ...more] = body({ do: 'drop' });
    expect(check?.sql).toContain('the role may log in again');
    expect(check?.sql).toContain('sessions remain');
    expect(check?.needs).toBe('nothing');
    expect(drop).toEqual({ needs: 'administer the role', sql: 'DROP ROLE "o\'brien"' });
    expect(more).toEqual([]);
  });

  it('ends sessions by joining the role where it must, and leaves it again', () => {
    const [{ needs, sql } = { needs: '', sql: '' }, ...more] = body({ do: 'end sessions' });
    expect(more).toEqual([]);
    expect(needs).toBe('end sessions');
    expect(sql.indexOf('GRANT "')).toBeLessThan(sql.indexOf('PERFORM pg_terminate_backend(pid)'));
    expect(sql.indexOf('PERFORM pg_terminate_backend(pid)')).toBeLessThan(sql.indexOf('REVOKE "'));
    expect(sql).toContain("still a member of rds_iam'' USING ERRCODE = ''IA003''");
  });

  it('interrupts sessions and undoes the joining within the same statement', () => {
    const [{ needs, sql } = { needs: '', sql: '' }, ...more] = body({ do: 'interrupt sessions' });
    expect(more).toEqual([]);
    expect(needs).toBe('end sessions');
    expect(sql).toContain('PERFORM pg_terminate_backend(pid)');
    expect(sql).toContain("RAISE EXCEPTION ''undone'' USING ERRCODE = ''IA006'';");
    expect(sql).toContain("EXCEPTION WHEN SQLSTATE ''IA006'' THEN NULL;");
    expect(sql).not.toContain('REVOKE');
  });
});

it('locks are for one thing on one server, and those of databases are others than those of roles', () => {
  // The number is "iamd" in ASCII: other programs on the server lock by other numbers.
  for (const [of, name] of [
    [lock('role', "o'brien"), "role:o''brien"],
    [lock('database', 'orders'), 'database:orders'],
  ] as const) {
    expect(of.needs).toBe('nothing');
    expect(of.sql).toContain('NOT pg_try_advisory_xact_lock(1767992676, id)');
    expect(of.sql).toContain('THEN pg_advisory_xact_lock(1767992676, id) END');
    expect(of.sql).toContain(`(SELECT hashtext('${name}') AS id)`);
  }
});

it('a role that changed since it was read is told by its comment, and by having none', () => {
  expect(fence('checkout', null).sql).toMatch(
    /rolname = ''checkout''\)\s+IS DISTINCT FROM NULL\s+THEN RAISE/,
  );
  expect(fence('checkout', "it's").sql).toContain("IS DISTINCT FROM ''it''''s''");
  expect(fence('checkout', null).sql).toContain("ERRCODE = ''IA001''");
});

it('the guard asks who logged in, and a server without rds_iam locks nobody out', () => {
  const locked = "pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'rds_iam'";
  expect(readGuard).toContain(locked);
  expect(readGuard).toMatch(/^SELECT COALESCE\([\s\S]+, false\) AS locked_out$/);
  expect(guard.needs).toBe('the admin to keep its login');
  expect(guard.sql).toContain(locked);
  expect(guard.sql).toMatch(/^SELECT 1 \/ CASE WHEN NOT COALESCE/);
});
