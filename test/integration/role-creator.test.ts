// Taking over a role that somebody without superuser rights created: from PostgreSQL 16 on its creator is a member of it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/systems/postgres/server.ts';
import { createIamAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { bring, reason, wish } from './role-wish.ts';

const adopting = (username: string) => wish(username, { adopt: true });

describe.each<PostgresMajor>([16, 17, 18])(
  'a role that a password login created on PostgreSQL %i',
  (major) => {
    let bed: RoleBed;
    let admin: PostgresServer;
    const sql = async (text: string) => await bed.postgres.sql(text);
    const master = async (text: string) => {
      const client = await bed.person('master', 'correct-horse');
      await client.query(text);
    };
    const masterLogsIn = async () => await bed.isPasswordLogin('master', 'correct-horse');
    /** As the page about adoption says. */
    const create = async (username: string) => {
      await master(`CREATE ROLE ${username} LOGIN PASSWORD 'old';
      GRANT ${username} TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
    };
    const adopt = async (username: string) => {
      const outcome = await bring(admin, adopting(username));
      return { reason: reason(outcome), message: 'failure' in outcome ? outcome.failure.message : '' };
    };

    beforeAll(async () => {
      bed = await startRoleBed(major);
      admin = bed.open(await createIamAdmin(bed.postgres));
      await sql("CREATE ROLE master LOGIN CREATEROLE PASSWORD 'correct-horse'");
    });
    afterAll(async () => await bed.stop());

    it('would end the login of its creator, who has nothing of it but the right to grant it', async () => {
      await create('dangerous');
      expect(await masterLogsIn()).toBe(true);
      await sql('GRANT rds_iam TO dangerous');
      expect(await masterLogsIn()).toBe(false);
      await sql('REVOKE rds_iam FROM dangerous');
      expect(await masterLogsIn()).toBe(true);
    });

    it('is not taken over: its creator cannot leave it, and the message says who can end that', async () => {
      await create('stuck');
      const { message, ...refused } = await adopt('stuck');
      expect(refused).toEqual({ reason: 'WouldLockOut' });
      expect(message).toContain('password logins of "master"');
      expect(message).toContain('Only a superuser takes that away: REVOKE "stuck" FROM "master" CASCADE;');
      expect(message).not.toContain('As who granted it');
      // It warns, and does nothing.
      await master('REVOKE stuck FROM master');
      expect(await adopt('stuck')).toMatchObject({ reason: 'WouldLockOut' });
      expect(await masterLogsIn()).toBe(true);
    });

    it('is taken over once a superuser has taken its creator out of it, and the admin has its right anew', async () => {
      await create('freed');
      expect(await adopt('freed')).toMatchObject({ reason: 'WouldLockOut' });
      await expect(sql('REVOKE freed FROM master')).rejects.toThrow(/dependent privileges exist/);
      await sql('REVOKE freed FROM master CASCADE');
      expect(await adopt('freed')).toMatchObject({ reason: 'RolesNotAdministrable' });
      await sql('GRANT freed TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
      expect(await adopt('freed')).toMatchObject({ reason: 'changed' });
      expect(await masterLogsIn()).toBe(true);
    });

    it('tells the memberships that who granted them can revoke from the one that only a superuser can', async () => {
      await create('shared');
      await sql("CREATE ROLE team; CREATE ROLE dba LOGIN PASSWORD 'x'; GRANT team TO dba");
      await master('GRANT shared TO team');
      const { message } = await adopt('shared');
      expect(message).toContain('password logins of "dba", "master"');
      expect(message).toContain('As who granted it: REVOKE "shared" FROM "team";');
      expect(message).toContain('Only a superuser takes that away: REVOKE "shared" FROM "master" CASCADE;');
    });

    it('is made a group under another name where there is no superuser, and its name is free for a new role', async () => {
      await create('payroll');
      await sql('CREATE TABLE IF NOT EXISTS wages (amount int); ALTER TABLE wages OWNER TO payroll');
      await master('ALTER ROLE payroll RENAME TO payroll_owner; ALTER ROLE payroll_owner NOLOGIN');
      const outcome = await bring(admin, wish('payroll', { memberOf: ['payroll_owner'] }));
      expect(reason(outcome)).toBe('changed');
      expect(await bed.groupsOf('payroll')).toEqual(['payroll_owner', 'rds_iam']);
      const client = await bed.person('payroll', '');
      await client.query('INSERT INTO wages VALUES (1)');
      expect(await masterLogsIn()).toBe(true);
    });
  },
);
