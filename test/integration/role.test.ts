// The life of a role on real PostgreSQL servers, with an admin that logs in by IAM and is no superuser.
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { converge } from '../../src/kernel/converge.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { readMark, roleResource, whyKept } from '../../src/resources/role/resource.ts';
import type { PostgresServer } from '../../src/systems/postgres/server.ts';
import { createIamAdmin, createPasswordAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { between, bring, done, ended, gone, inherited, reason, soon, wish } from './role-wish.ts';

describe.each<PostgresMajor>([14, 16, 17, 18])('a role on PostgreSQL %i', (major) => {
  let bed: RoleBed;
  let admin: PostgresServer;
  let statements: string[] = [];
  const sql = async <Row = Record<string, unknown>>(text: string, database?: string) =>
    await bed.postgres.sql<Row>(text, database);

  beforeAll(async () => {
    bed = await startRoleBed(major);
    admin = bed.open(await createIamAdmin(bed.postgres), { onStatement: (text) => statements.push(text) });
  });
  afterAll(async () => await bed.stop());

  it('is created complete in one round trip beyond the observation', async () => {
    await bring(admin, gone('nobody'));
    statements = [];
    const outcome = await bring(admin, wish('created', { connectionLimit: 7 }));
    expect(outcome).toMatchObject({
      result: 'changed',
      observed: { role: { login: true, connectionLimit: 7 } },
    });
    expect(statements).toHaveLength(2);
    expect(statements.at(-1)).toMatch(/COMMIT$/);
    expect(await bed.groupsOf('created')).toEqual(['orders_readwrite', 'rds_iam']);
    expect(reason(await bring(admin, wish('created', { connectionLimit: 7 })))).toBe('converged');
  });

  it('lets the user in, as that user', async () => {
    await bring(admin, wish('enters'));
    const client = new Client({
      ...bed.postgres.superuser,
      user: 'enters',
      password: '',
      database: 'orders',
    });
    await client.connect();
    const { rows } = await client.query('SELECT current_user AS who');
    await client.end();
    expect(rows).toEqual([{ who: 'enters' }]);
  });

  it('observes a thousand roles in one query', async () => {
    await bring(admin, wish('one_of_many'));
    statements = [];
    const role = roleResource(admin);
    const all = await Promise.all(
      Array.from(
        { length: 1000 },
        async (_, n) => await role.observe(wish(n === 500 ? 'one_of_many' : `nobody_${n}`), soon()),
      ),
    );
    expect(statements).toHaveLength(1);
    expect(all.filter((observed) => observed.role !== undefined)).toHaveLength(1);
    expect(all[500]?.role?.mark?.name).toBe('checkout');
  });

  it('is created a hundred times at once, each with CONNECT on a closed database', async () => {
    await sql('CREATE DATABASE crowded');
    await sql('REVOKE CONNECT ON DATABASE crowded FROM PUBLIC');
    await sql('GRANT CONNECT ON DATABASE crowded TO iamdb_admin WITH GRANT OPTION');
    const names = Array.from({ length: 100 }, (_, n) => `crowd_${n}`);
    const outcomes = await Promise.all(
      names.map(async (name) => await bring(admin, wish(name, { connectDatabases: ['crowded'] }))),
    );
    expect(new Set(outcomes.map(reason))).toEqual(new Set(['changed']));
  });

  it.each<[string, string, readonly string[]]>([
    ['rds_iam', 'REVOKE rds_iam FROM drifts GRANTED BY iamdb_admin', ['grant rds_iam']],
    ['the group', 'REVOKE orders_readwrite FROM drifts GRANTED BY iamdb_admin', ['grant group']],
    ['LOGIN', 'ALTER ROLE drifts NOLOGIN', ['allow login']],
    ['the limit', 'ALTER ROLE drifts CONNECTION LIMIT 3', ['limit connections']],
    ['CONNECT', 'REVOKE CONNECT ON DATABASE closed FROM drifts CASCADE', ['grant connect']],
  ])('repairs %s taken away behind its back', async (_, damage, changes) => {
    if (major < 16) damage = damage.replace(' GRANTED BY iamdb_admin', '');
    const [made] = await sql("SELECT 1 FROM pg_database WHERE datname = 'closed'");
    if (made === undefined) {
      await sql('CREATE DATABASE closed');
      await sql('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
      await sql('GRANT CONNECT ON DATABASE closed TO iamdb_admin WITH GRANT OPTION');
    }
    const desired = wish('drifts', { connectDatabases: ['closed'] });
    await bring(admin, desired);
    const before = await bed.look('drifts');
    await sql(damage.includes('CONNECT ON') ? `SET ROLE iamdb_admin; ${damage}` : damage);
    expect(await bed.look('drifts')).not.toEqual(before);
    const outcome = await bring(admin, desired);
    expect(done(outcome)).toEqual(changes);
    expect(await bed.look('drifts')).toEqual(before);
  });

  it('takes back what is no longer wished, but nothing that somebody else granted', async () => {
    await bring(admin, wish('shrinks', { memberOf: ['orders_readonly', 'orders_readwrite'] }));
    await sql('CREATE ROLE of_a_person; GRANT of_a_person TO shrinks');
    const outcome = await bring(admin, wish('shrinks', { memberOf: [] }));
    expect(done(outcome)).toEqual(['mark', 'revoke group', 'revoke group']);
    expect(await bed.groupsOf('shrinks')).toEqual(['of_a_person', 'rds_iam']);
    expect(reason(await bring(admin, wish('shrinks', { memberOf: [] })))).toBe('converged');
  });

  it("does not take a person's own grant of the same group for its own", async () => {
    await bring(admin, wish('shared', { memberOf: [] }));
    await sql('GRANT orders_readonly TO shared');
    expect(reason(await bring(admin, wish('shared', { memberOf: ['orders_readonly'] })))).toBe('converged');
    expect(reason(await bring(admin, wish('shared', { memberOf: [] })))).toBe('converged');
    expect(await bed.groupsOf('shared')).toEqual(['orders_readonly', 'rds_iam']);
  });

  it('never touches a role without its mark, nor one of somebody else', async () => {
    await sql("CREATE ROLE decoy LOGIN PASSWORD 'x'; GRANT orders_readonly TO decoy");
    await bring(admin, wish('neighbour', { owner: { name: 'other' } }));
    for (const username of ['decoy', 'neighbour']) {
      const before = await bed.look(username);
      expect(reason(await bring(admin, wish(username)))).toBe('RoleNotOurs');
      expect(reason(await bring(admin, gone(username)))).toBe('converged');
      expect(await bed.look(username)).toEqual(before);
    }
  });

  it('takes the role of a recreated object back, not that of a recreated namespace', async () => {
    await bring(admin, wish('recreated'));
    const again = await bring(admin, wish('recreated', { owner: { uid: 'object-uid-2' } }));
    expect(done(again)).toEqual(['mark']);
    expect(reason(await bring(admin, wish('recreated', { owner: { namespaceUID: 'other' } })))).toBe(
      'RoleNotOurs',
    );
  });

  it('takes over from a trusted operator, and only then may end it', async () => {
    await bring(admin, wish('moves', { owner: { operatorID: 'old' } }));
    const moved = { trustedOperatorIDs: ['old'], namespaceUID: 'in-the-new-cluster' };
    expect(reason(await bring(admin, gone('moves', moved)))).toBe('converged');
    expect(await bed.look('moves')).toBeDefined();
    expect(done(await bring(admin, wish('moves', { owner: moved })))).toEqual(['mark']);
    expect(reason(await bring(admin, gone('moves', { operatorID: 'old' })))).toBe('converged');
    expect(done(await bring(admin, gone('moves', moved)))).toContain('drop');
    expect(await bed.look('moves')).toBeUndefined();
  });

  it('tells whose mark a role carries', async () => {
    await bring(admin, wish('contested'));
    expect(await readMark(admin, 'contested', soon())).toMatchObject({
      operatorID: 'operator-1',
      namespace: 'payments',
      name: 'checkout',
    });
    await sql("CREATE ROLE unmarked; COMMENT ON ROLE unmarked IS 'of a person'");
    expect(await readMark(admin, 'unmarked', soon())).toBeUndefined();
    expect(await readMark(admin, 'no_such_role', soon())).toBeUndefined();
  });

  // From 16 on an admin that logs in by password cannot have users at all.
  it.each(major < 16 ? (['IAM', 'Secret'] as const) : (['IAM'] as const))(
    'that may not be changed now is emptied without a trace in the catalogs (admin by %s)',
    async (authentication) => {
      const own =
        authentication === 'IAM'
          ? admin
          : bed.open(await createPasswordAdmin(bed.postgres, 'iamdb_password_admin'));
      const name = `interrupted_${authentication.toLowerCase()}`;
      await bring(own, wish(name));
      const session = await bed.enter(name);
      const lost = new Promise<string>((resolve) => {
        session.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
      });
      const catalogs = async () => [
        await sql('SELECT xmin::text, ctid::text, * FROM pg_authid ORDER BY rolname'),
        await sql('SELECT xmin::text, ctid::text, * FROM pg_auth_members ORDER BY roleid, member, grantor'),
        await sql('SELECT xmin::text, ctid::text, * FROM pg_shdescription ORDER BY objoid'),
      ];
      const before = await catalogs();
      const outcome = await bring(own, ended(name, 'empty'));
      expect(done(outcome)).toEqual(['interrupt sessions']);
      expect(outcome).toMatchObject({ result: 'changed', observed: { role: { sessions: 0, login: true } } });
      expect(await lost).toBe('57P01');
      expect(await catalogs()).toEqual(before);
      expect(reason(await bring(own, ended(name, 'empty')))).toBe('converged');
      await bring(own, gone(name));
    },
  );

  it('ends: no session, no role, and nothing else touched', async () => {
    const before = await bed.look('iamdb_admin');
    await bring(admin, wish('leaver'));
    const session = new Client({
      ...bed.postgres.superuser,
      user: 'leaver',
      password: '',
      database: 'orders',
    });
    const ended = new Promise<string>((resolve) => {
      session.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    });
    await session.connect();
    const outcome = await bring(admin, gone('leaver'));
    expect(done(outcome)).toEqual(['end access', 'end sessions', 'mark', 'revoke group', 'drop']);
    expect(outcome.result).toBe('changed');
    expect(await ended).toBe('57P01');
    expect(await bed.look('leaver')).toBeUndefined();
    expect(await bed.look('iamdb_admin')).toEqual(before);
    expect(reason(await bring(admin, gone('leaver')))).toBe('converged');
  });

  it.each<[string, readonly string[]]>([
    ['may log in again', ['ALTER ROLE revived LOGIN']],
    [
      'has a session again',
      [
        'ALTER ROLE revived LOGIN; GRANT rds_iam TO revived',
        'enter',
        'ALTER ROLE revived NOLOGIN; REVOKE rds_iam FROM revived',
      ],
    ],
  ])('is not dropped while somebody else sees to it that it %s', async (_, doings) => {
    await bring(admin, wish('revived'));
    const revived = between(admin, {
      before: async (text) => {
        if (!text.includes('DROP ROLE')) return;
        for (const doing of doings) await (doing === 'enter' ? bed.enter('revived') : sql(doing));
      },
    });
    expect(reason(await bring(revived, gone('revived')))).toBe('NotVisibleYet');
    expect(await bed.look('revived')).toBeDefined();
    expect(reason(await bring(admin, gone('revived')))).toBe('changed');
    expect(await bed.look('revived')).toBeUndefined();
  });

  it('is kept, disabled and marked, while something hangs on it; and goes, or comes back, later', async () => {
    await sql('GRANT CREATE ON DATABASE orders TO orders_readonly');
    await bring(admin, wish('maker'));
    await sql(
      'CREATE SCHEMA made; CREATE TABLE made.precious AS SELECT 42 AS answer; ALTER TABLE made.precious OWNER TO maker',
      'orders',
    );
    await bed.enter('maker');
    const before = await bed.look('iamdb_admin');
    const outcome = await bring(admin, gone('maker'));
    expect(outcome.result).toBe('changed');
    expect('observed' in outcome && whyKept(outcome.observed)).toMatch(/1 object in database orders/);
    const kept = await bed.look('maker');
    expect(kept).toMatchObject({ login: false, groups: null, connect: null });
    expect(kept?.comment).toContain('payments/checkout');
    // To end the session it took part in the role for a moment.
    expect(await bed.look('iamdb_admin')).toEqual(before);
    expect(await sql('SELECT answer FROM made.precious', 'orders')).toEqual([{ answer: 42 }]);
    expect(reason(await bring(admin, wish('maker')))).toBe('changed');
    expect(await bed.groupsOf('maker')).toEqual(['orders_readwrite', 'rds_iam']);
    await sql('DROP SCHEMA made CASCADE', 'orders');
    expect(reason(await bring(admin, gone('maker')))).toBe('changed');
    expect(await bed.look('maker')).toBeUndefined();
  });

  it('has the settings that it is to have in its sessions, repaired, and reset only where they are ours', async () => {
    const settings = {
      statement_timeout: '30s',
      search_path: '"$user", Orders, "a b"',
      application_name: "o'b",
    };
    const shown = async () => {
      const session = await bed.enter('tuned');
      const { rows } = await session.query<{ readonly name: string; readonly setting: string }>(
        `SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'search_path', 'application_name', 'geqo')`,
      );
      return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
    };
    await bring(admin, wish('tuned', { settings }));
    const tuned = {
      statement_timeout: '30000',
      search_path: '"$user", orders, "a b"',
      application_name: "o'b",
    };
    expect(await shown()).toMatchObject(tuned);
    expect(reason(await bring(admin, wish('tuned', { settings })))).toBe('converged');
    await sql(
      'ALTER ROLE tuned SET statement_timeout = 1; ALTER ROLE tuned RESET search_path; ALTER ROLE tuned SET geqo = off',
    );
    expect(done(await bring(admin, wish('tuned', { settings })))).toEqual(['set', 'set']);
    expect(await shown()).toMatchObject({ ...tuned, geqo: 'off' });
    expect(done(await bring(admin, wish('tuned')))).toEqual(['mark', 'reset', 'reset', 'reset']);
    expect(await shown()).toMatchObject({ statement_timeout: '0', geqo: 'off' });
  });

  it('is not made with a setting that PostgreSQL does not accept', async () => {
    const outcome = await bring(admin, wish('mistuned', { settings: { work_mem: 'plenty' } }));
    expect(reason(outcome)).toBe('SettingInvalid');
    expect('failure' in outcome && outcome.failure.message).toContain('settings.work_mem');
    expect(await bed.look('mistuned')).toBeUndefined();
  });

  it('is disabled with its sessions ended and its groups kept, and comes back as it was', async () => {
    await bring(admin, wish('resting'));
    const session = await bed.enter('resting');
    const before = await bed.look('resting');
    expect(done(await bring(admin, ended('resting', 'disabled')))).toEqual(['end access', 'end sessions']);
    await expect(session.query('SELECT 1')).rejects.toThrow(/terminat|closed|not queryable/i);
    expect(await bed.look('resting')).toMatchObject({ login: false, comment: before?.comment });
    expect(await bed.groupsOf('resting')).toEqual(['orders_readwrite']);
    expect(reason(await bring(admin, ended('resting', 'disabled')))).toBe('converged');
    expect(reason(await bring(admin, wish('resting')))).toBe('changed');
    expect(await bed.look('resting')).toEqual(before);
  });

  it('is let go with everything it has, and is nobodys afterwards', async () => {
    await bring(admin, wish('free'));
    const session = await bed.enter('free');
    const before = await bed.look('free');
    expect(done(await bring(admin, ended('free', 'released')))).toEqual(['release']);
    const comment = expect.stringMatching(/^released by iamdb-operator operator-1/) as unknown;
    expect(await bed.look('free')).toEqual({ ...before, comment });
    expect((await session.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    for (const ensure of ['absent', 'disabled', 'released'] as const) {
      expect(reason(await bring(admin, ended('free', ensure)))).toBe('converged');
    }
    expect(reason(await bring(admin, wish('free')))).toBe('RoleNotOurs');
  });

  it('hands over what it owns in every database, to a role that can do nothing, and is dropped', async () => {
    await sql('CREATE ROLE heirs NOLOGIN');
    // To hand over a schema one has to be able to make one.
    for (const database of ['orders', 'postgres'])
      await sql(`GRANT CREATE ON DATABASE ${database} TO iamdb_admin`);
    if (major >= 16) await sql('GRANT heirs TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
    await bring(admin, wish('maker_of_two'));
    const make = `CREATE SCHEMA by_two; CREATE TABLE by_two.precious AS SELECT 42 AS answer;
      ALTER SCHEMA by_two OWNER TO maker_of_two; ALTER TABLE by_two.precious OWNER TO maker_of_two`;
    await sql(make, 'orders');
    await sql(make, 'postgres');
    const before = await bed.look('iamdb_admin');
    const outcome = await bring(admin, inherited('maker_of_two', 'heirs'));
    expect(done(outcome)).toContain('reassign');
    expect(await bed.look('maker_of_two')).toBeUndefined();
    for (const database of ['orders', 'postgres']) {
      const owners = `SELECT DISTINCT pg_get_userbyid(relowner) AS name FROM pg_class WHERE relname = 'precious' AND relnamespace = 'by_two'::regnamespace`;
      expect(await sql(owners, database)).toEqual([{ name: 'heirs' }]);
      expect(await sql('SELECT answer FROM by_two.precious', database)).toEqual([{ answer: 42 }]);
      await sql('DROP SCHEMA by_two CASCADE', database);
    }
    expect((await bed.look('iamdb_admin'))?.groups?.map(([group]) => group)).toEqual(
      before?.groups?.map(([group]) => group).filter((group) => group !== 'maker_of_two'),
    );
  });

  it.each([
    ['is not there', 'no_such_role'],
    ['logs in', 'login_heir'],
    ['has powers', 'strong_heir'],
    ['is in rds_iam', 'iam_heir'],
  ])('is kept with what it owns where the receiver %s', async (_sentence, heir) => {
    await sql(`DO $$ BEGIN IF to_regrole('login_heir') IS NULL THEN CREATE ROLE login_heir LOGIN;
      CREATE ROLE strong_heir CREATEDB; CREATE ROLE iam_heir; GRANT rds_iam TO iam_heir; END IF; END $$`);
    await bring(admin, wish('keeper'));
    const admins = await bed.look('iamdb_admin');
    await sql('CREATE SCHEMA IF NOT EXISTS kept; ALTER SCHEMA kept OWNER TO keeper', 'orders');
    const outcome = await bring(admin, inherited('keeper', heir));
    expect(outcome.result).toBe('changed');
    expect('observed' in outcome && whyKept(outcome.observed)).toMatch(/1 object in database orders/);
    expect(await bed.look('keeper')).toMatchObject({ login: false });
    const after = await bed.look('iamdb_admin');
    expect(after).toEqual(admins);
  });

  it('goes on where it was stopped, wherever that is', async () => {
    for (let survived = 0; survived <= 8; survived += 1) {
      await bring(admin, wish('interrupted', { connectDatabases: ['orders'] }));
      await bed.enter('interrupted');
      let commits = 0;
      const dies = between(admin, {
        after: async (text) => {
          if (text.endsWith('COMMIT')) commits += 1;
          if (commits > survived) throw new Error('killed');
          await Promise.resolve();
        },
        before: async (text) => {
          if (text.endsWith('COMMIT') && commits === survived && survived % 2 === 1)
            throw new Error('killed');
          await Promise.resolve();
        },
      });
      await bring(dies, gone('interrupted'));
      expect(reason(await bring(admin, gone('interrupted')))).toMatch(/changed|converged/);
      expect(await bed.look('interrupted')).toBeUndefined();
    }
  });

  it('survives a restart of the server between two passes', async () => {
    await bring(admin, wish('outlives'));
    await bed.postgres.restart();
    expect(reason(await bring(admin, wish('outlives')))).toBe('converged');
  });

  it('is not half made when the connection is lost at the last moment', async () => {
    const desired = wish('cut_off');
    const lost = between(admin, {
      before: async (text) => {
        if (text.endsWith('COMMIT')) setImmediate(() => bed.gate.dropSessions());
        await Promise.resolve();
      },
    });
    expect(reason(await bring(lost, desired))).toBe('DatabaseUnavailable');
    expect(reason(await bring(admin, desired))).toMatch(/changed|converged/);
    expect(await bed.groupsOf('cut_off')).toEqual(['orders_readwrite', 'rds_iam']);
  });

  it('changes nothing once it may no longer write', async () => {
    const follower = bed.open(
      { username: 'iamdb_admin' },
      {
        beforeWrite: () => {
          throw new Failure('unavailable', 'Progressing', 'Another replica leads.');
        },
      },
    );
    expect(reason(await bring(follower, wish('led_by_another')))).toBe('Progressing');
    expect(await bed.look('led_by_another')).toBeUndefined();
  });

  it('stops waiting at the end of its time, and the server is usable afterwards', async () => {
    await bring(admin, wish('blocked'));
    const person = await bed.person();
    await person.query('BEGIN; ALTER ROLE blocked CONNECTION LIMIT 77');
    const outcome = await converge(
      roleResource(admin),
      wish('blocked', { connectionLimit: 3 }),
      'Enforce',
      AbortSignal.timeout(500),
    );
    expect(reason(outcome)).toBe('DatabaseUnavailable');
    await person.query('ROLLBACK');
    expect(reason(await bring(admin, wish('blocked', { connectionLimit: 3 })))).toMatch(/changed|converged/);
    expect(await bed.look('blocked')).toMatchObject({ limit: 3 });
  });

  it('does not hand a session on in which a transaction was left open', async () => {
    const single = bed.open({ username: 'iamdb_admin' }, { poolSize: 1 });
    await expect(
      single.hold(async (session) => {
        await session.run('write', 'BEGIN; CREATE ROLE left_open');
        throw new Error('gone');
      }, soon()),
    ).rejects.toThrow('gone');
    const answer = await single.hold(
      async (session) => await session.run('read', 'SELECT 1 FROM pg_roles WHERE rolname = $$left_open$$'),
      soon(),
    );
    expect(answer).toEqual({ rows: [] });
  });
});
