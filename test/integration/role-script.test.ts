// The script for somebody else to run, run by a plain DBA: on a server without the role, with it, twice, changed and ended.
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMark } from '../../src/resources/role/mark.ts';
import { scriptFor } from '../../src/resources/role/script.ts';
import { lockMs } from '../../src/resources/role/sql.ts';
import type { ScriptedRole } from '../../src/resources/role/role.ts';
import type { PostgresServer } from '../../src/systems/postgres/server.ts';
import { createIamAdmin, createPasswordAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { bring, done, ended, gone, inherited, owner, reason, wish } from './role-wish.ts';

const scriptOf = (desired: ScriptedRole): string => {
  const made = scriptFor(desired);
  if ('refused' in made) throw made.refused;
  return made.script;
};

/** The same, but for how long it waits for a lock. */
const impatient = (script: string): string => {
  const wait = `SET LOCAL lock_timeout = '${lockMs}ms'`;
  expect(script).toContain(wait);
  return script.replaceAll(wait, `SET LOCAL lock_timeout = '200ms'`);
};

describe.each<PostgresMajor>([14, 16, 17, 18])('the script of a role on PostgreSQL %i', (major) => {
  let bed: RoleBed;
  let dba: Client;
  let operator: PostgresServer;
  const sql = async (text: string) => await bed.postgres.sql(text);
  const run = async (desired: ScriptedRole, by = dba, script = scriptOf(desired)) => {
    try {
      await by.query(script);
    } finally {
      await by.query('ROLLBACK');
    }
  };
  const settingsOf = async (username: string) => {
    const [row] = await bed.postgres.sql<{ readonly list: readonly string[] | null }>(
      `SELECT to_json(setconfig) AS list FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname = '${username}'`,
    );
    return row?.list?.toSorted() ?? [];
  };
  /** Everything there is of it. */
  const all = async (username: string) => ({
    ...(await bed.look(username)),
    settings: await settingsOf(username),
  });
  const markOf = async (username: string) => parseMark((await bed.look(username))?.comment ?? undefined);

  beforeAll(async () => {
    bed = await startRoleBed(major);
    const { username } = await createIamAdmin(bed.postgres, 'dba');
    dba = await bed.person(username, '');
    operator = bed.open(await createIamAdmin(bed.postgres));
    await sql(
      'REVOKE CONNECT ON DATABASE orders FROM PUBLIC; GRANT CONNECT ON DATABASE orders TO dba WITH GRANT OPTION',
    );
  });
  afterAll(async () => await bed.stop());

  it('makes it in full; run again it changes nothing', async () => {
    const desired = wish('s_full', {
      connectionLimit: 7,
      settings: {
        statement_timeout: '30s',
        search_path: 'app, "Mixed"',
        application_name: "it's \\ $iamdb$",
      },
    });
    await run(desired);
    const first = await all('s_full');
    expect(first).toMatchObject({ login: true, limit: 7, connect: ['orders'] });
    expect(await bed.groupsOf('s_full')).toEqual(['orders_readwrite', 'rds_iam']);
    expect(first.settings).toEqual([
      "application_name=it's \\ $iamdb$",
      'search_path=app, "Mixed"',
      'statement_timeout=30s',
    ]);
    expect(await markOf('s_full')).toMatchObject({
      ...Object.fromEntries(Object.entries(owner).filter(([key]) => key !== 'trustedOperatorIDs')),
      groups: ['orders_readwrite'],
      databases: ['orders'],
      settings: ['application_name', 'search_path', 'statement_timeout'],
      by: 'script',
    });
    await run(desired);
    expect(await all('s_full')).toEqual(first);
  });

  it('makes what the operator would make, and the operator takes it over by its mark', async () => {
    const desired = wish('s_same', {
      connectionLimit: 3,
      connectDatabases: [],
      settings: { work_mem: '8MB' },
    });
    await run(desired);
    const { comment: _, ...made } = await all('s_same');
    // From 16 on CREATEROLE does not reach what somebody else made.
    const [first, then] = major >= 16 ? ['RolesNotAdministrable', ['mark']] : ['changed', []];
    expect(reason(await bring(operator, desired))).toBe(first);
    await dba.query('GRANT s_same TO iamdb_admin WITH ADMIN OPTION');
    expect(done(await bring(operator, desired))).toEqual(then);
    expect(await all('s_same')).toMatchObject(made);
    expect((await markOf('s_same'))?.by).toBeUndefined();
    expect(done(await bring(operator, gone('s_same')))).toContain('drop');
    expect(await bed.look('s_same')).toBeUndefined();
  });

  it('takes away what it gave before and is not asked for any more, and nothing that others gave', async () => {
    await run(
      wish('s_less', { memberOf: ['orders_readwrite'], settings: { work_mem: '8MB', lock_timeout: '1s' } }),
    );
    await sql('GRANT orders_readonly TO s_less; ALTER ROLE s_less SET statement_timeout = 5000');
    await sql('ALTER ROLE s_less NOLOGIN CONNECTION LIMIT 3');
    await run(wish('s_less', { memberOf: [], connectDatabases: [], settings: { work_mem: '9MB' } }));
    expect(await bed.groupsOf('s_less')).toEqual(['orders_readonly', 'rds_iam']);
    expect(await all('s_less')).toMatchObject({
      login: true,
      limit: -1,
      connect: null,
      settings: ['statement_timeout=5000', 'work_mem=9MB'],
    });
    expect(await markOf('s_less')).toMatchObject({ groups: [], databases: [], settings: ['work_mem'] });
    await run(wish('s_less', { memberOf: ['orders_readonly'] }));
    expect((await markOf('s_less'))?.groups).toEqual([]);
  });

  it('does not touch a role of somebody else, nor one that a password login reaches', async () => {
    await sql('CREATE ROLE s_theirs LOGIN; GRANT s_theirs TO dba WITH ADMIN OPTION');
    const before = await all('s_theirs');
    await expect(run(wish('s_theirs'))).rejects.toThrow('is not kept for this IamDatabaseUser');
    await run(wish('s_moved', { owner: { namespaceUID: 'another' } }));
    await expect(run(wish('s_moved'))).rejects.toThrow('is not kept for this IamDatabaseUser');
    expect(await all('s_theirs')).toEqual(before);
    await sql("CREATE ROLE s_pw LOGIN PASSWORD 'x'; GRANT s_theirs TO s_pw");
    await expect(run(wish('s_theirs', { adopt: true }))).rejects.toThrow('password logins reach the role');
    expect(await all('s_theirs')).toEqual(before);
    await sql('REVOKE s_theirs FROM s_pw');
    await run(wish('s_theirs', { adopt: true }));
    expect(await bed.groupsOf('s_theirs')).toContain('rds_iam');
  });

  it('does not adopt a powerful role, and grants no powerful group unless it is named', async () => {
    await sql('CREATE ROLE s_king LOGIN CREATEDB; GRANT s_king TO dba WITH ADMIN OPTION');
    await expect(run(wish('s_king', { adopt: true }))).rejects.toThrow('too powerful to be taken over');
    await sql('CREATE ROLE s_iam LOGIN; GRANT rds_iam TO s_iam; GRANT s_iam TO dba WITH ADMIN OPTION');
    await expect(run(wish('s_iam', { adopt: true }))).rejects.toThrow('has rds_iam from somebody else');
    await sql(
      'CREATE ROLE s_boss CREATEROLE; CREATE ROLE s_group; GRANT s_boss TO s_group; GRANT s_group TO dba WITH ADMIN OPTION',
    );
    await expect(run(wish('s_subject', { memberOf: ['s_group'] }))).rejects.toThrow(
      /reaching what is: s_group/,
    );
    expect(await bed.look('s_subject')).toBeUndefined();
    await sql(
      'CREATE ROLE s_keeper; CREATE SCHEMA s_kept AUTHORIZATION s_keeper; GRANT s_keeper TO dba WITH ADMIN OPTION',
    );
    await expect(run(wish('s_subject', { memberOf: ['s_keeper'] }))).rejects.toThrow(
      /reaching what is: s_keeper/,
    );
    await run(wish('s_subject', { memberOf: ['s_keeper'], literallyAllowedGroups: ['s_keeper'] }));
    expect(await bed.groupsOf('s_subject')).toContain('s_keeper');
    await sql('CREATE ROLE s_under; GRANT s_keeper TO s_under; GRANT s_under TO dba WITH ADMIN OPTION');
    const under = { memberOf: ['s_under'], literallyAllowedGroups: ['s_under'] };
    await expect(run(wish('s_lower', under))).rejects.toThrow(/reaching what is: s_under/);
    await run(wish('s_lower', { ...under, literallyAllowedGroups: ['s_under', 's_keeper'] }));
    expect(await bed.groupsOf('s_lower')).toContain('s_under');
  });

  it('never ends the password login of whoever runs it', async () => {
    const { username, password = '' } = await createPasswordAdmin(bed.postgres, 'pw_dba');
    const person = await bed.person(username, password);
    await sql('CREATE ROLE s_lock LOGIN; GRANT s_lock TO pw_dba WITH ADMIN OPTION');
    const desired = wish('s_lock', { memberOf: [], connectDatabases: [], adopt: true });
    const why = await run(desired, person).then(
      () => 'done',
      (error: unknown) => (error as { readonly message: string }).message,
    );
    // From 16 on a password admin may not even grant rds_iam.
    expect(why).toContain(major >= 16 ? 'permission denied' : 'could not log in by password any more');
    expect(await bed.groupsOf('s_lock')).toEqual([]);
    const [row] = await bed.postgres.sql<{ readonly member: boolean }>(
      `SELECT pg_has_role('pw_dba', 'rds_iam', 'MEMBER') AS member`,
    );
    expect(row?.member).toBe(false);
  });

  it('is told when nobody but the owner may grant CONNECT, and changes nothing then', async () => {
    await sql('CREATE DATABASE s_closed');
    await sql('REVOKE CONNECT ON DATABASE s_closed FROM PUBLIC');
    await expect(run(wish('s_connect', { connectDatabases: ['s_closed'] }))).rejects.toThrow(
      'only its owner may grant CONNECT on database "s_closed"',
    );
    expect(await bed.look('s_connect')).toBeUndefined();
  });

  it('holds nobody up: it gives up waiting for a lock, changes nothing, and leaves the session as it was', async () => {
    await run(wish('s_wait', { connectionLimit: 2 }));
    const before = await all('s_wait');
    const busy = await bed.person();
    await busy.query('BEGIN; ALTER ROLE s_wait CONNECTION LIMIT 9');
    try {
      for (const desired of [wish('s_wait', { connectionLimit: 4 }), gone('s_wait')]) {
        await expect(run(desired, dba, impatient(scriptOf(desired)))).rejects.toMatchObject({
          code: '55P03',
        });
      }
    } finally {
      await busy.query('ROLLBACK');
    }
    expect(await all('s_wait')).toEqual(before);
    const { rows } = await dba.query<{ readonly lock_timeout: string }>('SHOW lock_timeout');
    expect(rows).toEqual([{ lock_timeout: '0' }]);
    await run(wish('s_wait', { connectionLimit: 4 }));
    expect(await all('s_wait')).toMatchObject({ limit: 4 });
  });

  it('ends it: sessions ended, role dropped; again it finds nothing to do', async () => {
    await run(wish('s_end'));
    const session = await bed.enter('s_end');
    await run(gone('s_end'));
    await expect(session.query('SELECT 1')).rejects.toThrow(/terminat|connection/i);
    expect(await bed.look('s_end')).toBeUndefined();
    await run(gone('s_end'));
  });

  it('keeps it disabled where it owns something, and brings it back when it is asked for again', async () => {
    await run(wish('s_owner'));
    await sql('CREATE SCHEMA s_owned AUTHORIZATION s_owner');
    await expect(run(inherited('s_owner', 'somebody'))).rejects.toMatchObject({ code: '2BP01' });
    expect(await bed.look('s_owner')).toMatchObject({ login: false });
    expect(await bed.groupsOf('s_owner')).not.toContain('rds_iam');
    await run(wish('s_owner'));
    expect(await bed.look('s_owner')).toMatchObject({ login: true, connect: ['orders'] });
    expect(await bed.groupsOf('s_owner')).toContain('rds_iam');
    await run(ended('s_owner', 'disabled'));
    expect(await bed.look('s_owner')).toMatchObject({ login: false, connect: ['orders'] });
  });

  it('lets it go, and ends nothing that is not its own', async () => {
    await run(wish('s_free'));
    await run(ended('s_free', 'released'));
    await run(ended('s_free', 'released'));
    expect((await bed.look('s_free'))?.comment).toMatch(/^released by iamdb-operator operator-1/);
    await expect(run(gone('s_free'))).rejects.toThrow('not kept for this IamDatabaseUser');
    expect(await bed.look('s_free')).toMatchObject({ login: true });
  });
});
