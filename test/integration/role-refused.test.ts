// Wishes about roles that cannot or must not be fulfilled, and what happens while a pass is under way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowedByName } from '../../src/resources/role/power.ts';
import { whyKept } from '../../src/resources/role/resource.ts';
import type { PostgresServer } from '../../src/systems/postgres/server.ts';
import { createIamAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { between, bring, done, gone, reason, wish, type Wish } from './role-wish.ts';

describe.each<PostgresMajor>([14, 16, 17, 18])(
  'a wish that cannot be fulfilled on PostgreSQL %i',
  (major) => {
    let bed: RoleBed;
    let admin: PostgresServer;
    const sql = async <Row = Record<string, unknown>>(text: string, database?: string) =>
      await bed.postgres.sql<Row>(text, database);

    beforeAll(async () => {
      bed = await startRoleBed(major);
      admin = bed.open(await createIamAdmin(bed.postgres));
    });
    afterAll(async () => await bed.stop());

    it.each<[string, Wish, string]>([
      ['a group that is missing', { memberOf: ['orders_readonly', 'no_such_group'] }, 'GroupNotFound'],
      ['a group whose name would be cut', { memberOf: [`${'x'.repeat(63)}yz`] }, 'GroupNotFound'],
      ['a name that JSON cannot carry to the server', { memberOf: ['a\u0000b'] }, 'GroupNotFound'],
      ['rds_superuser', { memberOf: ['rds_superuser'] }, 'PrivilegedGroup'],
      ['rds_iam', { memberOf: ['rds_iam'] }, 'PrivilegedGroup'],
      ['the admin', { memberOf: ['iamdb_admin'] }, 'PrivilegedGroup'],
      ['a group that reaches CREATEDB', { memberOf: ['reaches'] }, 'PrivilegedGroup'],
      [
        'pg_signal_backend even if listed',
        { memberOf: ['pg_signal_backend'], literallyAllowedGroups: ['pg_signal_backend'] },
        'PrivilegedGroup',
      ],
      ['pg_monitor', { memberOf: ['pg_monitor'] }, 'PrivilegedGroup'],
      ['the owner of a database', { memberOf: ['orders_owner'] }, 'PrivilegedGroup'],
      ['the owner of a schema in some database', { memberOf: ['owns_schema'] }, 'PrivilegedGroup'],
      ['a database that is missing', { connectDatabases: ['no_such_database'] }, 'DatabaseNameNotFound'],
      [
        'a database whose CONNECT nobody lets it grant',
        { connectDatabases: ['private'] },
        'MissingGrantOption',
      ],
      ['a database that it has no rights on at all', { connectDatabases: ['sealed'] }, 'MissingGrantOption'],
      ['the admin as the user', { username: 'iamdb_admin' }, 'UsernameNotAllowed'],
      ['the admin of another IamDatabase', { reservedUsernames: ['refused'] }, 'UsernameNotAllowed'],
    ])('is refused with %s, and recovers', async (_, changes, expected) => {
      await sql(`DO $$ BEGIN
      IF to_regrole('reaches') IS NULL THEN
        CREATE ROLE reaches; CREATE ROLE reached CREATEDB; GRANT reached TO reaches; CREATE ROLE owns_schema;
      END IF; END $$`);
      const [made] = await sql("SELECT 1 FROM pg_database WHERE datname = 'private'");
      if (made === undefined) {
        await sql('CREATE DATABASE private');
        await sql('CREATE DATABASE sealed');
        await sql('REVOKE ALL ON DATABASE sealed FROM PUBLIC');
        await sql('REVOKE CONNECT ON DATABASE private FROM PUBLIC');
        await sql('CREATE SCHEMA owned AUTHORIZATION owns_schema', 'orders');
      }
      await bring(admin, gone('refused'));
      const fresh = await bring(admin, wish('refused', changes));
      expect(reason(fresh)).toBe(expected);
      await bring(admin, wish('refused'));
      const before = await bed.look('refused');
      expect(reason(await bring(admin, wish('refused', changes)))).toBe(expected);
      expect(await bed.look('refused')).toEqual(before);
      expect(reason(await bring(admin, wish('refused')))).toBe('converged');
    });

    it('takes over a role that it may, with what the role has, and no other', async () => {
      const adopting = (username: string) => wish(username, { adopt: true });
      const give = async (username: string) => {
        if (major >= 16) await sql(`GRANT ${username} TO iamdb_admin WITH ADMIN OPTION`);
      };
      await sql(`CREATE ROLE legacy LOGIN PASSWORD 'old'; COMMENT ON ROLE legacy IS 'payroll';
      GRANT orders_readonly TO legacy`);
      await sql('CREATE SCHEMA of_legacy AUTHORIZATION legacy', 'orders');
      const session = await bed.person('legacy', 'old');
      expect(reason(await bring(admin, wish('legacy')))).toBe('RoleNotOurs');
      const without = major < 16 ? undefined : reason(await bring(admin, adopting('legacy')));
      expect(without).toBe(major < 16 ? undefined : 'RolesNotAdministrable');
      await give('legacy');
      const outcome = await bring(admin, adopting('legacy'));
      expect(reason(outcome)).toBe('changed');
      expect('changes' in outcome && outcome.changes[0]).toEqual({ do: 'adopt', sessions: 1 });
      expect(await bed.groupsOf('legacy')).toEqual(['orders_readonly', 'orders_readwrite', 'rds_iam']);
      expect(
        await sql(`SELECT 1 FROM pg_namespace WHERE nspowner = 'legacy'::regrole`, 'orders'),
      ).toHaveLength(1);
      expect((await session.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      expect(reason(await bring(admin, adopting('legacy')))).toBe('converged');

      await sql(`CREATE ROLE king LOGIN CREATEDB; CREATE ROLE iam_already LOGIN; GRANT rds_iam TO iam_already;
      CREATE ROLE within_reach LOGIN; CREATE ROLE reacher LOGIN; GRANT within_reach TO reacher`);
      for (const username of ['king', 'iam_already', 'within_reach']) await give(username);
      expect(reason(await bring(admin, adopting('king')))).toBe('RoleNotAdoptable');
      expect(reason(await bring(admin, adopting('iam_already')))).toBe('RoleNotAdoptable');
      const reached = await bring(admin, adopting('within_reach'));
      expect(reason(reached)).toBe('WouldLockOut');
      expect('failure' in reached && reached.failure.message).toContain('reacher');
      expect(await bed.groupsOf('within_reach')).toEqual([]);
      await sql('CREATE ROLE bare NOLOGIN');
      await give('bare');
      expect(reason(await bring(admin, adopting('bare')))).toBe('changed');
      expect(await bed.look('bare')).toMatchObject({ login: true });
    });

    it('takes over no role that reaches what no user may, or rds_iam through a group', async () => {
      const adopting = (username: string) => wish(username, { adopt: true });
      await sql(`CREATE ROLE group_of_kings CREATEROLE; CREATE ROLE courtier LOGIN; GRANT group_of_kings TO courtier;
        CREATE ROLE iam_group; GRANT rds_iam TO iam_group; CREATE ROLE by_group LOGIN; GRANT iam_group TO by_group`);
      for (const username of ['courtier', 'by_group']) {
        if (major >= 16) await sql(`GRANT ${username} TO iamdb_admin WITH ADMIN OPTION`);
        const before = await bed.look(username);
        expect(reason(await bring(admin, adopting(username)))).toBe('RoleNotAdoptable');
        expect(await bed.look(username)).toEqual(before);
      }
    });

    it('grants none of the roles that are never granted, though the owner lists them by name', async () => {
      const attributes = ['SUPERUSER', 'CREATEROLE', 'CREATEDB', 'REPLICATION', 'BYPASSRLS'];
      const made = attributes.map((attribute) => `has_${attribute.toLowerCase()}`);
      await sql(attributes.map((attribute, n) => `CREATE ROLE ${made[n]} ${attribute}`).join('; '));
      await sql('CREATE ROLE rds_anything');
      const listed = [
        'pg_execute_server_program',
        'pg_read_server_files',
        'pg_write_server_files',
        'pg_signal_backend',
        ...(major >= 16 ? ['pg_create_subscription'] : []),
        ...(major >= 17 ? ['pg_maintain'] : []),
      ];
      for (const group of [...made, 'rds_anything', ...listed]) {
        if (major >= 16)
          await sql(`GRANT "${group}" TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
        const desired = wish('tempted', { memberOf: [group], literallyAllowedGroups: [group] });
        expect(`${group}: ${reason(await bring(admin, desired))}`).toBe(`${group}: PrivilegedGroup`);
        if (major >= 16) await sql(`REVOKE "${group}" FROM iamdb_admin`);
      }
      expect(await bed.look('tempted')).toBeUndefined();
    });

    it('grants another pg_* where the group is allowed by name, and only then', async () => {
      if (major >= 16) await sql('GRANT pg_monitor TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
      const desired = wish('monitors', { memberOf: ['pg_monitor'] });
      expect(reason(await bring(admin, desired))).toBe('PrivilegedGroup');
      expect(reason(await bring(admin, { ...desired, literallyAllowedGroups: ['pg_monitor'] }))).toBe(
        'changed',
      );
      expect(await bed.groupsOf('monitors')).toContain('pg_monitor');
    });

    it('knows which pg_* roles PostgreSQL itself puts into others', async () => {
      const found = await sql<{ readonly member: string; readonly group: string }>(
        `SELECT member::regrole::text AS member, roleid::regrole::text AS "group" FROM pg_auth_members
         WHERE member::regrole::text LIKE 'pg\\_%' ORDER BY 1, 2`,
      );
      const parts = allowedByName(['pg_monitor']).filter((name) => name !== 'pg_monitor');
      expect(found).toEqual(parts.map((group) => ({ member: 'pg_monitor', group })));
    });

    it('grants no group that reaches another pg_* or an owner, unless that is allowed by its own name', async () => {
      await sql(`CREATE ROLE watchers; GRANT pg_monitor TO watchers;
        CREATE ROLE tenants; CREATE ROLE landlord; GRANT landlord TO tenants`);
      await sql('CREATE SCHEMA let AUTHORIZATION landlord', 'orders');
      if (major >= 16)
        await sql('GRANT watchers, tenants TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
      for (const [group, reached] of [
        ['watchers', 'pg_monitor'],
        ['tenants', 'landlord'],
      ] as const) {
        const listed = wish(`of_${group}`, { memberOf: [group], literallyAllowedGroups: [group] });
        const refused = await bring(admin, listed);
        expect(reason(refused)).toBe('PrivilegedGroup');
        expect('failure' in refused && refused.failure.message).toMatch(
          new RegExp(`is or reaches "${reached}".*, which is granted only`),
        );
        expect(await bed.look(`of_${group}`)).toBeUndefined();
        const both = { ...listed, literallyAllowedGroups: [group, reached] };
        expect(reason(await bring(admin, both))).toBe('changed');
        expect(await bed.groupsOf(`of_${group}`)).toEqual(['rds_iam', group].toSorted());
      }
    });

    it('takes a listed group away once somebody puts it into what is not listed, and gives it back', async () => {
      const listed = wish('drifts', { literallyAllowedGroups: ['orders_readwrite'] });
      await bring(admin, listed);
      await sql('GRANT pg_monitor TO orders_readwrite');
      try {
        const outcome = await bring(admin, listed);
        expect(reason(outcome)).toBe('PrivilegedGroup');
        expect(done(outcome)).toContain('revoke group');
        expect(await bed.groupsOf('drifts')).toEqual(['rds_iam']);
      } finally {
        await sql('REVOKE pg_monitor FROM orders_readwrite');
      }
      expect(reason(await bring(admin, listed))).toBe('changed');
    });

    it('does not grant a listed group that is put into what is not between the look and the grant', async () => {
      const hasty = between(admin, {
        before: async (text) => {
          if (text.startsWith('BEGIN')) await sql('GRANT pg_monitor TO orders_readonly');
        },
      });
      const listed = { memberOf: ['orders_readonly'], literallyAllowedGroups: ['orders_readonly'] };
      try {
        expect(reason(await bring(hasty, wish('hastier', listed)))).toBe('PrivilegedGroup');
        expect(await bed.look('hastier')).toBeUndefined();
      } finally {
        await sql('REVOKE pg_monitor FROM orders_readonly');
      }
    });

    it('grants the owner of a schema where the group is allowed by name', async () => {
      await sql('CREATE ROLE named; CREATE SCHEMA named AUTHORIZATION named', 'orders');
      if (major >= 16) await sql('GRANT named TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
      const desired = wish('by_name', { memberOf: ['named'], literallyAllowedGroups: ['named'] });
      expect(reason(await bring(admin, desired))).toBe('changed');
    });

    it('loses a group that became powerful later, and only that', async () => {
      await bring(admin, wish('demoted', { memberOf: ['orders_readonly', 'orders_readwrite'] }));
      await sql('ALTER ROLE orders_readwrite CREATEROLE');
      try {
        const outcome = await bring(
          admin,
          wish('demoted', { memberOf: ['orders_readonly', 'orders_readwrite'] }),
        );
        expect(reason(outcome)).toBe('PrivilegedGroup');
        expect(done(outcome)).toContain('revoke group');
        expect(await bed.groupsOf('demoted')).toEqual(['orders_readonly', 'rds_iam']);
      } finally {
        await sql('ALTER ROLE orders_readwrite NOCREATEROLE');
      }
      expect(
        reason(await bring(admin, wish('demoted', { memberOf: ['orders_readonly', 'orders_readwrite'] }))),
      ).toBe('changed');
    });

    it('does not grant a group that becomes powerful between the look and the grant', async () => {
      const hasty = between(admin, {
        before: async (text) => {
          if (text.startsWith('BEGIN')) await sql('ALTER ROLE orders_readonly CREATEDB');
        },
      });
      try {
        const outcome = await bring(hasty, wish('hasty', { memberOf: ['orders_readonly'] }));
        expect(reason(outcome)).toBe('PrivilegedGroup');
        expect(await bed.look('hasty')).toBeUndefined();
      } finally {
        await sql('ALTER ROLE orders_readonly NOCREATEDB');
      }
    });

    it('does not end the password logins of others', async () => {
      await bring(admin, wish('reached_by'));
      await sql(
        "REVOKE rds_iam FROM reached_by CASCADE; CREATE ROLE dba LOGIN PASSWORD 'dba'; GRANT reached_by TO dba",
      );
      if (major >= 16) await sql('REVOKE rds_iam FROM reached_by GRANTED BY iamdb_admin');
      const outcome = await bring(admin, wish('reached_by'));
      expect(reason(outcome)).toBe('WouldLockOut');
      expect('failure' in outcome && outcome.failure.message).toContain('"dba"');
      expect(await bed.groupsOf('reached_by')).not.toContain('rds_iam');
      await sql('REVOKE reached_by FROM dba');
      expect(reason(await bring(admin, wish('reached_by')))).toBe('changed');
    });

    it('does not end the password login of somebody who comes to reach it at the last moment', async () => {
      await bring(admin, wish('reached_late'));
      await sql("CREATE ROLE late_dba LOGIN PASSWORD 'dba'");
      await sql(`REVOKE rds_iam FROM reached_late ${major < 16 ? '' : 'GRANTED BY iamdb_admin'}`);
      const late = between(admin, {
        before: async (text) => {
          if (text.startsWith('BEGIN')) await sql('GRANT reached_late TO late_dba');
        },
      });
      expect(reason(await bring(late, wish('reached_late')))).toBe('WouldLockOut');
      expect(await bed.groupsOf('reached_late')).not.toContain('rds_iam');
    });

    it('repairs the rest where CONNECT cannot be granted, and records only what it granted', async () => {
      await sql('CREATE DATABASE shut');
      await sql('REVOKE CONNECT ON DATABASE shut FROM PUBLIC');
      await bring(admin, wish('half'));
      await sql('ALTER ROLE half NOLOGIN');
      const outcome = await bring(admin, wish('half', { connectDatabases: ['orders', 'shut'] }));
      expect(reason(outcome)).toBe('MissingGrantOption');
      expect(await bed.look('half')).toMatchObject({ login: true, connect: null });
      expect((await bed.look('half'))?.comment).not.toContain('shut');
      await sql('GRANT CONNECT ON DATABASE shut TO half');
      expect(reason(await bring(admin, wish('half', { connectDatabases: ['orders', 'shut'] })))).toBe(
        'converged',
      );
      expect(reason(await bring(admin, wish('half')))).toBe('converged');
      expect(await bed.look('half')).toMatchObject({ connect: ['shut'] });
      const ended = await bring(admin, gone('half'));
      expect('observed' in ended && whyKept(ended.observed)).toMatch(/privileges for database shut/);
    });

    it('is not changed by a pass whose look is older than somebody elses change', async () => {
      await bring(admin, wish('fenced'));
      const late = between(admin, {
        before: async (text) => {
          if (text.startsWith('BEGIN')) await sql("COMMENT ON ROLE fenced IS 'now of somebody else'");
        },
      });
      const outcome = await bring(late, wish('fenced', { connectionLimit: 5 }));
      expect(reason(outcome)).toBe('RoleNotOurs');
      expect(await bed.look('fenced')).toMatchObject({ limit: -1, comment: 'now of somebody else' });
    });

    it('leaves a role alone that somebody else creates at the same moment', async () => {
      const late = between(admin, {
        before: async (text) => {
          if (text.startsWith('BEGIN')) await sql('CREATE ROLE overtaken');
        },
      });
      expect(reason(await bring(late, wish('overtaken')))).toBe('RoleNotOurs');
      expect(await bed.look('overtaken')).toMatchObject({ login: false, comment: null });
    });
  },
);
