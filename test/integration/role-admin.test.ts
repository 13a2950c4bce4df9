// Admins: by IAM and by password, with and without the rights they need; none is a superuser.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rehearsalRole, rehearse } from '../../src/resources/role/rehearsal.ts';
import type { RoleServer } from '../../src/resources/role/server.ts';
import type { PostgresServer } from '../../src/systems/postgres/server.ts';
import { createIamAdmin, createPasswordAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { between, bring, gone, reason, soon, wish } from './role-wish.ts';

const password = 'correct-horse';
let bed: RoleBed;
let admin: PostgresServer;
const sql = async (text: string) => await bed.postgres.sql(text);

const begin = async (major: PostgresMajor) => {
  bed = await startRoleBed(major);
  admin = bed.open(await createIamAdmin(bed.postgres));
};
const end = async () => await bed.stop();
const isPasswordLogin = async (username: string) => await bed.isPasswordLogin(username, password);

describe.each<PostgresMajor>([14, 16, 17, 18])('an admin on PostgreSQL %i', (major) => {
  beforeAll(async () => await begin(major));
  afterAll(end);

  it('passes the rehearsal in one round trip, and leaves nothing behind', async () => {
    const said: string[] = [];
    const server = bed.open({ username: 'iamdb_admin' }, { onStatement: (text) => said.push(text) });
    const { serverVersion } = await rehearse(server, 'operator-1', soon());
    expect(serverVersion).toMatch(new RegExp(`^${major}\\.`));
    expect(said).toHaveLength(1);
    expect(await bed.look(rehearsalRole('operator-1'))).toBeUndefined();
    // Nothing is left open either: the session is used on.
    expect(reason(await bring(server, wish('rehearsed')))).toBe('changed');
  });

  it('is refused where its sessions act as somebody else, and still logs in by password', async () => {
    const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_redirected', password));
    await sql(
      'CREATE ROLE somebody CREATEROLE; GRANT somebody TO pw_redirected; ALTER ROLE pw_redirected SET role = somebody',
    );
    await expect(rehearse(server, 'operator-1', soon())).rejects.toMatchObject({
      reason: 'AdminRedirected',
    });
    expect(reason(await bring(server, wish('pw_redirect')))).toBe('AdminRedirected');
    expect(await bed.look('pw_redirect')).toBeUndefined();
    expect(await isPasswordLogin('pw_redirected')).toBe(true);
  });

  it('names CREATEROLE', async () => {
    const { username } = await createIamAdmin(bed.postgres, 'no_createrole');
    await sql(`ALTER ROLE ${username} NOCREATEROLE`);
    const server = bed.open({ username });
    await expect(rehearse(server, 'operator-1', soon())).rejects.toMatchObject({
      reason: 'MissingCreateRole',
    });
    expect(reason(await bring(server, wish('not_created')))).toBe('MissingCreateRole');
  });

  it('is changing for whoever comes while its connections are being closed; who is at work ends it', async () => {
    const server = bed.open({ username: 'iamdb_admin' });
    const [begun, mayEnd] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const atWork = server.hold(async (session) => {
      begun.resolve();
      await mayEnd.promise;
      return await session.run('read', 'SELECT current_user AS me');
    }, soon());
    await begun.promise;
    const closed = server.close();
    expect(reason(await bring(server, wish('too_late')))).toBe('AdminChanging');
    mayEnd.resolve();
    expect(await atWork).toEqual({ rows: [{ me: 'iamdb_admin' }] });
    await closed;
    expect(await bed.look('too_late')).toBeUndefined();
  });

  it('tells a read-only server, a database that is down, and an admin whose login is refused', async () => {
    const server = bed.open({ username: 'iamdb_admin' });
    bed.gate.setModes({ readOnly: true });
    expect(reason(await bring(server, wish('later')))).toBe('ReadOnlyServer');
    bed.gate.setModes({ readOnly: false });
    expect(reason(await bring(server, wish('later')))).toBe('changed');
    await sql('ALTER SYSTEM SET default_transaction_read_only = on');
    await sql('SELECT pg_reload_conf()');
    // Each try has something to write, as only a write finds out.
    let connectionLimit = 4;
    await expect
      .poll(async () => reason(await bring(server, wish('later', { connectionLimit: connectionLimit++ }))))
      .toBe('ReadOnlyServer');
    const logins = bed.gate.logins.length;
    await bring(server, wish('later'));
    // It may be a writer again, or another server: by name, not by the connections there were.
    expect(bed.gate.logins.length).toBeGreaterThan(logins);
    await sql('ALTER SYSTEM RESET default_transaction_read_only');
    await sql('SELECT pg_reload_conf()');
    await expect.poll(async () => reason(await bring(server, wish('later')))).toMatch(/changed|converged/);
    await bed.gate.close();
    expect(reason(await bring(server, wish('later')))).toBe('DatabaseUnavailable');
    await bed.gate.open();
    expect(reason(await bring(server, wish('later')))).toBe('converged');
    const stranger = bed.open({ username: 'no_such_admin', password: 'x' });
    expect(reason(await bring(stranger, wish('later')))).toBe('AdminLoginRefused');
    const untrusted = bed.open({ username: 'iamdb_admin' }, { host: 'another.name' });
    expect(reason(await bring(untrusted, wish('later')))).toBe('CertificateRejected');
  });
});

describe.each<PostgresMajor>([14])('a password admin on PostgreSQL %i', (major) => {
  beforeAll(async () => await begin(major));
  afterAll(end);

  it('works, and the admin keeps its password login', async () => {
    const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_works', password));
    await rehearse(server, 'operator-1', soon());
    expect(reason(await bring(server, wish('pw_user')))).toBe('changed');
    expect(await isPasswordLogin('pw_works')).toBe(true);
    await bed.enter('pw_user');
    expect(reason(await bring(server, gone('pw_user')))).toBe('changed');
    expect(await bed.look('pw_user')).toBeUndefined();
    expect(await isPasswordLogin('pw_works')).toBe(true);
  });

  it('grants nothing while the admin is a member of the user', async () => {
    const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_member', password));
    await bring(server, wish('pw_reached'));
    await sql('REVOKE rds_iam FROM pw_reached; GRANT pw_reached TO pw_member');
    const before = await bed.look('pw_reached');
    expect(reason(await bring(server, wish('pw_reached')))).toBe('AdminWouldLoseLogin');
    expect(await bed.look('pw_reached')).toEqual(before);
    expect(await isPasswordLogin('pw_member')).toBe(true);
  });

  it('is not fooled by a function that somebody put before the guard', async () => {
    await sql(
      `CREATE FUNCTION public.pg_has_role(name, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'`,
    );
    const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_fooled', password));
    await sql('ALTER ROLE pw_fooled SET search_path = public, pg_catalog');
    await bring(server, wish('pw_lure'));
    await sql('REVOKE rds_iam FROM pw_lure; GRANT pw_lure TO pw_fooled');
    expect(reason(await bring(server, wish('pw_lure')))).toBe('AdminWouldLoseLogin');
    expect(await isPasswordLogin('pw_fooled')).toBe(true);
  });

  it('notices a grant made by somebody else at the same moment, and undoes its own', async () => {
    const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_raced', password));
    await bring(server, wish('pw_race', { memberOf: [] }));
    await sql('REVOKE rds_iam FROM pw_race');
    const person = await bed.person();
    await person.query('BEGIN; GRANT pw_race TO pw_raced');
    const raced = between(server, {
      after: async (text) => {
        if (text.endsWith('COMMIT')) await person.query('COMMIT');
      },
    });
    const outcome = await bring(raced, wish('pw_race', { memberOf: [] }));
    expect(reason(outcome)).toBe('AdminWouldLoseLogin');
    expect('failure' in outcome && outcome.failure.message).toContain('revoked again');
    expect(await bed.groupsOf('pw_race')).toEqual([]);
    expect(await isPasswordLogin('pw_raced')).toBe(true);
  });
});

describe.each<PostgresMajor>([16, 17, 18])(
  'an admin since creators are members, on PostgreSQL %i',
  (major) => {
    beforeAll(async () => await begin(major));
    afterAll(end);

    it('is refused with AdminWouldLoseLogin, still logs in by password, and leaves nothing behind', async () => {
      const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_refused', password));
      await expect(rehearse(server, 'operator-1', soon())).rejects.toMatchObject({
        reason: 'AdminWouldLoseLogin',
      });
      expect(reason(await bring(server, wish('pw_user')))).toBe('AdminWouldLoseLogin');
      expect(await bed.look('pw_user')).toBeUndefined();
      expect(await bed.look(rehearsalRole('operator-1'))).toBeUndefined();
      expect(await isPasswordLogin('pw_refused')).toBe(true);
    });

    it('is stopped by the guard where the server itself lets it grant rds_iam', async () => {
      const server = bed.open(await createPasswordAdmin(bed.postgres, 'pw_member', password));
      const outcome = await server.hold(async (session) => {
        // Who holds ADMIN is a member, so no password login could begin after this; the session is one from before.
        await sql('GRANT rds_iam TO pw_member WITH ADMIN OPTION');
        const held: RoleServer = {
          authentication: 'Secret',
          hold: async (work) => await work(session),
          holdIn: server.holdIn,
          ask: async (question, item) => {
            const answer = await session.run('read', question.ask([item]), question.preparation);
            return 'rows' in answer ? answer.rows.at(-1)?.['answer'] : undefined;
          },
        };
        return await bring(held, wish('pw_guarded'));
      }, soon());
      expect(reason(outcome)).toBe('AdminWouldLoseLogin');
      expect(await bed.look('pw_guarded')).toBeUndefined();
    });

    it('names the group that it may not grant, and changes nothing', async () => {
      await sql('CREATE ROLE not_ours_to_give');
      const outcome = await bring(admin, wish('not_given', { memberOf: ['not_ours_to_give'] }));
      expect(reason(outcome)).toBe('MissingAdminOption');
      expect('failure' in outcome && outcome.failure.message).toContain('"not_ours_to_give"');
      expect(await bed.look('not_given')).toBeUndefined();
    });

    it('ends although the admin may no longer revoke its group or rds_iam', async () => {
      const lessened = bed.open(await createIamAdmin(bed.postgres, 'lessened'));
      await bring(lessened, wish('stuck'));
      await sql('CREATE ROLE holder; GRANT stuck TO holder WITH ADMIN OPTION');
      await sql('REVOKE ADMIN OPTION FOR orders_readwrite FROM lessened CASCADE');
      await sql('REVOKE ADMIN OPTION FOR rds_iam FROM lessened CASCADE');
      await sql('GRANT rds_iam, orders_readwrite TO stuck');
      expect(reason(await bring(lessened, gone('stuck')))).toBe('changed');
      expect(await bed.look('stuck')).toBeUndefined();
    });

    it('does not grant what it could not take back', async () => {
      await bring(admin, wish('taken_away'));
      const second = bed.open(await createIamAdmin(bed.postgres, 'second_admin'));
      await sql('REVOKE rds_iam FROM taken_away GRANTED BY iamdb_admin');
      expect(reason(await bring(second, wish('taken_away')))).toBe('RolesNotAdministrable');
      expect(await bed.groupsOf('taken_away')).not.toContain('rds_iam');
    });
  },
);
