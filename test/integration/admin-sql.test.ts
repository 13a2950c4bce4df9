// What `kubectl iamdb admin-sql` prints, run by those who run it: nobody of them a superuser.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rehearse } from '../../src/resources/role/rehearsal.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { bring, ended, gone, reason, soon, wish } from './role-wish.ts';

const password = 'correct-horse';
const main = resolve(import.meta.dirname, '../../src/cli/main.ts');

let bed: RoleBed;
let major: PostgresMajor;
const sql = async (text: string) => await bed.postgres.sql(text);

/** As a person's shell prints it. */
function adminSQL(...args: readonly string[]): string {
  const done = spawnSync(process.execPath, [main, 'admin-sql', `--postgres=${major}`, ...args], {
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

/** As psql does it: the transaction is left when a statement is refused. */
async function run(person: Client, text: string): Promise<void> {
  try {
    await person.query(text);
  } catch (error) {
    await person.query('ROLLBACK');
    throw error;
  }
}

/** Everything that the SQL could change. */
async function picture(): Promise<unknown> {
  return await sql(`
    SELECT (SELECT json_agg(to_jsonb(r) ORDER BY r.rolname) FROM pg_roles r) AS roles,
      (SELECT json_agg(to_jsonb(m) ORDER BY to_jsonb(m)::text) FROM pg_auth_members m) AS memberships,
      (SELECT json_agg(to_jsonb(s) ORDER BY to_jsonb(s)::text) FROM pg_db_role_setting s) AS settings,
      (SELECT json_agg(to_jsonb(n) ORDER BY n.nspname) FROM pg_namespace n WHERE nspname = 'iamdb') AS schemas,
      (SELECT json_agg(to_jsonb(p) ORDER BY p.proname) FROM pg_proc p
        WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'iamdb')) AS functions`);
}

const membersOf = async (role: string) =>
  await sql(`SELECT member::regrole::text AS member, admin_option AS admin FROM pg_auth_members
    WHERE roleid = '${role}'::regrole ORDER BY 1`);

/** The master user by password: its rights as PostgreSQL itself has them, without any from RDS. */
async function master(name: string): Promise<Client> {
  await sql(
    `CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD '${password}'; GRANT CREATE ON DATABASE postgres TO ${name}`,
  );
  return await bed.person(name, password);
}

/** A person by token who may do what rds_superuser may, as far as PostgreSQL itself can give it. */
async function tokenMaster(name: string): Promise<Client> {
  await sql(`CREATE ROLE ${name} LOGIN CREATEROLE; GRANT CREATE ON DATABASE postgres TO ${name};
    GRANT rds_iam, orders_readwrite, orders_readonly TO ${name} WITH ADMIN OPTION`);
  return await bed.person(name, '');
}

/** The master user as RDS is said to have it: by password, needs no ADMIN OPTION, becomes no member of what it creates. */
async function rdsMaster(name: string): Promise<Client> {
  await sql(`CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD '${password}'; CREATE ROLE ${name}_powers SUPERUSER NOLOGIN;
    GRANT ${name}_powers TO ${name}; ALTER ROLE ${name} SET role = ${name}_powers`);
  return await bed.person(name, password);
}

const begin = async (of: PostgresMajor) => {
  major = of;
  bed = await startRoleBed(of);
};
const end = async () => await bed.stop();
const groups = ['--group', 'orders_readwrite', '--group', 'orders_readonly'] as const;

describe.each<PostgresMajor>([14, 16, 17, 18])('an admin by token on PostgreSQL %i', (of) => {
  beforeAll(async () => await begin(of));
  afterAll(end);

  it.each([
    ['somebody who logs in by token', tokenMaster, 'by_token'],
    ['a master user as RDS has it', rdsMaster, 'by_rds'],
    ...(of === 14 ? [['a master user as PostgreSQL has it', master, 'by_plain'] as const] : []),
  ] as const)(
    'made by %s, passes the rehearsal, keeps users, and is the same when made again',
    async (_who, make, name) => {
      const person = await make(`master_${name}`);
      const text = adminSQL('--username', name, ...groups);
      await run(person, text);
      await rehearse(bed.open({ username: name }), 'operator-1', soon());
      expect(reason(await bring(bed.open({ username: name }), wish(`u_${name}`)))).toBe('changed');
      expect(reason(await bring(bed.open({ username: name }), gone(`u_${name}`)))).toBe('changed');
      const before = await picture();
      await run(person, text);
      expect(await picture()).toEqual(before);
    },
  );

  it('has no right beyond: it may create roles, grant rds_iam, and give the groups without having them', async () => {
    const [row] =
      await sql(`SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin
      FROM pg_roles WHERE rolname = 'by_token'`);
    expect(row).toEqual({
      rolsuper: false,
      rolcreaterole: true,
      rolcreatedb: false,
      rolreplication: false,
      rolbypassrls: false,
      rolcanlogin: true,
    });
    const mine = await sql(`SELECT roleid::regrole::text AS role FROM pg_auth_members
      WHERE member = 'by_token'::regrole AND roleid::regrole::text NOT LIKE 'u\\_%' ORDER BY 1`);
    const given = of < 16 ? ['rds_iam'] : ['orders_readonly', 'orders_readwrite', 'rds_iam'];
    expect(mine.map(({ role }) => role)).toEqual(given);
    const [held] = await sql(`SELECT pg_has_role('by_token', 'orders_readwrite', 'USAGE') AS usage`);
    expect(held).toEqual({ usage: false });
  });

  it('gets back what somebody took away: login, CREATEROLE, rds_iam, and its own name in its sessions', async () => {
    const person = await rdsMaster('master_mends');
    await sql(
      `CREATE ROLE broken NOLOGIN; CREATE ROLE stranger; GRANT stranger TO broken; ALTER ROLE broken SET role = stranger`,
    );
    await run(person, adminSQL('--username', 'broken', ...groups));
    const { serverVersion } = await rehearse(bed.open({ username: 'broken' }), 'operator-1', soon());
    expect(serverVersion).toMatch(new RegExp(`^${of}\\.`));
  });

  it('is not made of the role of a user, nor takes the place of one', async () => {
    const person = await rdsMaster('master_fooled');
    await run(person, adminSQL('--username', 'honest', ...groups));
    expect(reason(await bring(bed.open({ username: 'honest' }), wish('u_admin')))).toBe('changed');
    const before = await picture();
    for (const args of [
      ['--username', 'u_admin'],
      ['--username', 'new_one', '--rotate-from', 'u_admin'],
    ]) {
      await expect(run(person, adminSQL(...args))).rejects.toThrow('is the role of an IamDatabaseUser');
    }
    expect(await picture()).toEqual(before);
  });

  it('is not made where whoever makes it would lose the own password login', async () => {
    const person = await rdsMaster('master_loses');
    await sql('CREATE ROLE reached; GRANT reached TO master_loses');
    const before = await picture();
    await expect(run(person, adminSQL('--username', 'reached'))).rejects.toThrow(
      'end the password login of master_loses',
    );
    expect(await picture()).toEqual(before);
  });

  it('is not made where somebody else would lose a password login', async () => {
    const person = await rdsMaster('master_harms');
    await sql(
      `CREATE ROLE shared; CREATE ROLE bystander LOGIN PASSWORD '${password}'; GRANT shared TO bystander`,
    );
    const before = await picture();
    await expect(run(person, adminSQL('--username', 'shared'))).rejects.toThrow(
      'end the password login of bystander',
    );
    expect(await picture()).toEqual(before);
  });

  it('is refused as a whole to whoever may not make it', async () => {
    await sql(`CREATE ROLE nobody_special LOGIN PASSWORD '${password}'`);
    const person = await bed.person('nobody_special', password);
    const before = await picture();
    await expect(run(person, adminSQL('--username', 'never_made'))).rejects.toThrow('permission denied');
    expect(await picture()).toEqual(before);
  });
});

describe.each<PostgresMajor>([16, 17, 18])(
  'an admin by token since creators are members, on PostgreSQL %i',
  (of) => {
    beforeAll(async () => await begin(of));
    afterAll(end);

    it('needs groups that are there: all that are not are named, with what makes them, and then it is made', async () => {
      const person = await rdsMaster('master_early');
      const text = adminSQL('--username', 'early', ...groups, '--group', 'Wr"iters', '--group', 'readers');
      const before = await picture();
      const make = 'CREATE ROLE "Wr""iters" NOLOGIN; CREATE ROLE readers NOLOGIN;';
      await expect(run(person, text)).rejects.toThrow(
        `groups that the admin is to give do not exist; make them first: ${make}`,
      );
      expect(await picture()).toEqual(before);
      await person.query(make);
      await run(person, text);
      const { serverVersion } = await rehearse(bed.open({ username: 'early' }), 'operator-1', soon());
      expect(serverVersion).toMatch(new RegExp(`^${of}\\.`));
    });

    it('is not made by a master user that became a member of it by creating it', async () => {
      const person = await master('master_creates');
      await person.query('CREATE ROLE half_made');
      // As on RDS, it needs no ADMIN OPTION for the rest.
      await sql(`CREATE ROLE creates_powers SUPERUSER NOLOGIN; GRANT creates_powers TO master_creates`);
      await person.query('SET role = creates_powers');
      const before = await picture();
      await expect(run(person, adminSQL('--username', 'half_made'))).rejects.toThrow(
        'end the password login of master_creates',
      );
      expect(await picture()).toEqual(before);
    });
  },
);

describe('an admin by password on PostgreSQL 14', () => {
  beforeAll(async () => await begin(14));
  afterAll(end);

  it('passes the rehearsal once it has a password, is no member of rds_iam, and is the same when made again', async () => {
    const person = await master('master_user');
    const text = adminSQL('--authentication', 'Secret');
    expect(text).toContain('\\password "iamdb_admin"');
    await run(person, text);
    await person.query(`ALTER ROLE iamdb_admin PASSWORD '${password}'`);
    await rehearse(bed.open({ username: 'iamdb_admin', password }), 'operator-1', soon());
    expect(await membersOf('rds_iam')).toEqual([]);
    const before = await picture();
    await run(person, text);
    expect(await picture()).toEqual(before);
  });

  it('does not mind a function that only shares the name of the one it may need later', async () => {
    const person = await master('master_namesake');
    await run(person, adminSQL('--authentication', 'Secret', '--username', 'pw_namesake'));
    await sql(`ALTER ROLE pw_namesake PASSWORD '${password}'; CREATE SCHEMA iamdb; GRANT USAGE ON SCHEMA iamdb TO PUBLIC;
      CREATE FUNCTION iamdb.run(integer) RETURNS void LANGUAGE sql AS 'SELECT NULL'`);
    const { serverVersion } = await rehearse(
      bed.open({ username: 'pw_namesake', password }),
      'operator-1',
      soon(),
    );
    expect(serverVersion).toMatch(/^14\./);
    await sql('DROP SCHEMA iamdb CASCADE');
  });

  it('is not made of a role that is a member of rds_iam: its password would count for nothing', async () => {
    const person = await master('master_wonders');
    await sql('CREATE ROLE by_token LOGIN; GRANT rds_iam TO by_token');
    const text = adminSQL('--authentication', 'Secret', '--username', 'by_token');
    await expect(run(person, text)).rejects.toThrow('end the password login of by_token');
  });
});

describe.each<PostgresMajor>([16, 17, 18])(
  'an admin by password since creators are members, on PostgreSQL %i',
  (of) => {
    const args = ['--authentication', 'Secret', ...groups];
    let maker: Client;
    /** There is one such function a server: each test begins without. */
    const made = async (name: string, by: Client = maker) => {
      await sql('DROP SCHEMA IF EXISTS iamdb CASCADE');
      await run(by, adminSQL('--username', name, ...args));
      await sql(`ALTER ROLE ${name} PASSWORD '${password}'`);
      return bed.open({ username: name, password });
    };
    beforeAll(async () => {
      await begin(of);
      maker = await tokenMaster('maker');
    });
    afterAll(end);

    it.each([
      ['somebody who logs in by token', async () => await Promise.resolve(maker), 'pw_by_token'],
      ['a master user as RDS has it', rdsMaster, 'pw_by_rds'],
    ] as const)(
      'made by %s, passes the rehearsal, takes a user from nothing to a login and back, and keeps its password',
      async (_who, make, name) => {
        const server = await made(name, await make(`maker_of_${name}`));
        await rehearse(server, 'operator-1', soon());
        const user = `u_${name}`;
        const wished = wish(user, { connectDatabases: [], settings: { statement_timeout: '30s' } });
        expect(reason(await bring(server, wished))).toBe('changed');
        expect(reason(await bring(server, wished))).toBe('converged');
        expect(await bed.groupsOf(user)).toEqual(['orders_readwrite', 'rds_iam']);
        // Drift, and a group less: what the functions granted is known as ours.
        await sql(`ALTER ROLE ${user} CONNECTION LIMIT 7`);
        expect(reason(await bring(server, { ...wished, memberOf: [], connectionLimit: 3 }))).toBe('changed');
        expect(await bed.groupsOf(user)).toEqual(['rds_iam']);
        const session = await bed.enter(user);
        const over = new Promise((resolveEnd) => session.once('end', resolveEnd));
        expect(reason(await bring(server, ended(user, 'disabled')))).toBe('changed');
        await over;
        expect(reason(await bring(server, ended(user, 'disabled')))).toBe('converged');
        expect(await bed.look(user)).toMatchObject({ login: false, groups: null });
        expect(reason(await bring(server, gone(user)))).toBe('changed');
        expect(await bed.look(user)).toBeUndefined();
        expect(await bed.isPasswordLogin(name, password)).toBe(true);
      },
    );

    it('is the same when made again', async () => {
      await made('pw_twice');
      const another = await rdsMaster('again_by_rds');
      const before = await picture();
      for (const person of [maker, another]) await run(person, adminSQL('--username', 'pw_twice', ...args));
      expect(await picture()).toEqual(before);
    });

    it('has no right of its own, and the owner of the functions is nobody that it is or reaches', async () => {
      await made('pw_bare');
      const [row] =
        await sql(`SELECT rolcreaterole AS creates, pg_has_role(oid, 'iamdb_definer', 'MEMBER') AS owner,
      pg_has_role(oid, 'rds_iam', 'MEMBER') AS iam FROM pg_roles WHERE rolname = 'pw_bare'`);
      expect(row).toEqual({ creates: false, owner: false, iam: false });
      const [owner] = await sql(
        `SELECT rolcanlogin AS login, rolsuper AS super FROM pg_roles WHERE rolname = 'iamdb_definer'`,
      );
      expect(owner).toEqual({ login: false, super: false });
    });

    it.each([
      ['everybody may call it', 'GRANT EXECUTE ON FUNCTION iamdb.run(text) TO PUBLIC'],
      [
        'somebody else may call it',
        'CREATE ROLE caller; GRANT EXECUTE ON FUNCTION iamdb.run(text) TO caller',
      ],
      ['its search path is open', 'ALTER FUNCTION iamdb.run(text) RESET search_path'],
      ['it runs as whoever calls it', 'ALTER FUNCTION iamdb.run(text) SECURITY INVOKER'],
      ['somebody else owns it', 'CREATE ROLE usurper; ALTER FUNCTION iamdb.run(text) OWNER TO usurper'],
      ['somebody else owns its schema', 'CREATE ROLE usurper; ALTER SCHEMA iamdb OWNER TO usurper'],
      [
        'somebody else may put another beside it',
        'CREATE ROLE caller; GRANT CREATE ON SCHEMA iamdb TO caller',
      ],
      ['its owner may log in', 'ALTER ROLE iamdb_definer LOGIN'],
      ['its owner is a superuser', 'ALTER ROLE iamdb_definer SUPERUSER'],
      ['the admin is a member of its owner', 'GRANT iamdb_definer TO pw_wary'],
      [
        'it does something else',
        `CREATE OR REPLACE FUNCTION iamdb.run(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp AS $$ BEGIN RAISE NOTICE 'mine'; EXECUTE statement; END $$`,
      ],
    ])('does not use the function where %s', async (_what, change) => {
      await made('pw_wary');
      await sql(change);
      const refused = bed.open({ username: 'pw_wary', password });
      // A member of the owner is a member of rds_iam, whose password counts for nothing.
      await expect(rehearse(refused, 'operator-1', soon())).rejects.toMatchObject({
        reason: expect.stringMatching(/^(AdminHelperUnsafe|AdminLoginRefused)$/),
      });
      await sql(`ALTER ROLE iamdb_definer NOLOGIN NOSUPERUSER; REVOKE iamdb_definer FROM pw_wary;
      DROP SCHEMA iamdb CASCADE; DROP ROLE IF EXISTS caller, usurper`);
    });

    it.each([
      ['where its schema belongs to somebody else', 'CREATE SCHEMA iamdb', 'belongs to somebody else'],
      ['where its owner may log in', 'ALTER ROLE iamdb_definer LOGIN', 'may log in'],
    ])('is not made %s', async (_what, change, says) => {
      await made('pw_before');
      await sql(`DROP SCHEMA iamdb CASCADE; ${change}`);
      const before = await picture();
      await expect(run(maker, adminSQL('--username', 'pw_before', ...args))).rejects.toThrow(says);
      expect(await picture()).toEqual(before);
      await sql('DROP SCHEMA IF EXISTS iamdb CASCADE; ALTER ROLE iamdb_definer NOLOGIN');
    });

    it('ends the sessions of a user whom somebody else lets log in by token as well', async () => {
      const server = await made('pw_shared');
      expect(reason(await bring(server, wish('u_shared', { connectDatabases: [] })))).toBe('changed');
      await sql('GRANT rds_iam TO u_shared');
      const session = await bed.enter('u_shared');
      const over = new Promise((resolveEnd) => session.once('end', resolveEnd));
      expect(reason(await bring(server, ended('u_shared', 'disabled')))).toBe('changed');
      await over;
      expect(await bed.groupsOf('u_shared')).toContain('rds_iam');
      expect(await membersOf('u_shared')).toEqual([{ member: 'iamdb_definer', admin: true }]);
      expect(await bed.isPasswordLogin('pw_shared', password)).toBe(true);
    });

    it('names the right that the owner of the functions lacks, with the statement that admin-sql has for it', async () => {
      const server = await made('pw_lacking');
      const all = adminSQL('--username', 'pw_lacking', ...args, '--group', 'scarce');
      await sql('CREATE ROLE scarce');
      const outcome = await bring(server, wish('u_lacking', { memberOf: ['scarce'], connectDatabases: [] }));
      expect(reason(outcome)).toBe('MissingAdminOption');
      expect(statementIn(outcome)).toBe(
        'GRANT "scarce" TO "iamdb_definer" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;',
      );
      expect(all).toContain(statementIn(outcome));
      await sql('REVOKE rds_iam FROM iamdb_definer GRANTED BY maker CASCADE');
      const lacking: unknown = await rehearse(server, 'operator-1', soon()).catch((error: unknown) => error);
      expect(lacking).toMatchObject({ reason: 'MissingAdminOption' });
      expect(statementIn({ failure: lacking as Error })).toBe(
        'GRANT rds_iam TO "iamdb_definer" WITH ADMIN OPTION;',
      );
      expect(all).toContain(statementIn({ failure: lacking as Error }));
    });

    it('is not made by a master user that becomes a member of what it creates: the functions would lock it out', async () => {
      await sql(
        'DROP SCHEMA IF EXISTS iamdb CASCADE; DROP OWNED BY iamdb_definer; REVOKE rds_iam, orders_readwrite, orders_readonly FROM iamdb_definer; DROP ROLE iamdb_definer',
      );
      const person = await master('master_definer');
      await person.query('CREATE ROLE iamdb_definer NOLOGIN CREATEROLE');
      await sql('CREATE ROLE definer_powers SUPERUSER NOLOGIN; GRANT definer_powers TO master_definer');
      await person.query('SET role = definer_powers');
      const before = await picture();
      await expect(run(person, adminSQL('--username', 'pw_never', ...args))).rejects.toThrow(
        'end the password login of master_definer',
      );
      expect(await picture()).toEqual(before);
    });
  },
);

describe.each<PostgresMajor>([14, 16, 17, 18])('an admin that lacks something, on PostgreSQL %i', (of) => {
  beforeAll(async () => await begin(of));
  afterAll(end);

  const lacking: readonly (readonly [name: string, sql: string, reason: string, statement: string])[] = [
    [
      'no_createrole',
      'ALTER ROLE no_createrole NOCREATEROLE',
      'MissingCreateRole',
      'ALTER ROLE "no_createrole" CREATEROLE;',
    ],
    [
      'redirected',
      'CREATE ROLE other; GRANT other TO redirected; ALTER ROLE redirected SET role = other',
      'AdminRedirected',
      'ALTER ROLE "redirected" RESET role;',
    ],
    ...(of < 16
      ? []
      : [
          [
            'no_admin_option',
            'REVOKE ADMIN OPTION FOR rds_iam FROM no_admin_option',
            'MissingAdminOption',
            'GRANT rds_iam TO "no_admin_option" WITH ADMIN OPTION;',
          ] as const,
        ]),
  ];

  it.each(lacking)(
    '%s is told the very statement that admin-sql has for it, which mends it',
    async (name, broken, why, statement) => {
      const person = await rdsMaster(`master_of_${name}`);
      const text = adminSQL('--username', name);
      await run(person, text);
      await sql(broken);
      const failure: unknown = await rehearse(bed.open({ username: name }), 'operator-1', soon()).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ reason: why });
      expect(statementIn({ failure: failure as Error })).toBe(statement);
      expect(text).toContain(`    ${statement}\n`);
      await run(person, text);
      const { serverVersion } = await rehearse(bed.open({ username: name }), 'operator-1', soon());
      expect(serverVersion).toMatch(new RegExp(`^${of}\\.`));
    },
  );

  it('takes the place of one of another name, with all that it made; and nothing is changed when it did so already', async () => {
    const person = await rdsMaster('master_of_old');
    await run(person, adminSQL('--username', 'old_admin', ...groups));
    const before = bed.open({ username: 'old_admin' });
    expect(reason(await bring(before, wish('u_inherited')))).toBe('changed');
    const text = adminSQL('--username', 'new_admin', '--rotate-from', 'old_admin', ...groups);
    await run(person, text);
    const after = bed.open({ username: 'new_admin' });
    await rehearse(after, 'operator-1', soon());
    expect(reason(await bring(after, wish('u_inherited')))).toBe('converged');
    expect(reason(await bring(after, ended('u_inherited', 'disabled')))).toBe('changed');
    expect(await bed.groupsOf('u_inherited')).toEqual(['orders_readwrite']);
    expect(reason(await bring(after, gone('u_inherited')))).toBe('changed');
    expect(await bed.look('u_inherited')).toBeUndefined();
    expect(await bed.look('old_admin')).toBeUndefined();
    const picture1 = await picture();
    await run(person, text);
    expect(await picture()).toEqual(picture1);
  });

  it('takes no place where both exist, nor that of whoever runs it', async () => {
    const person = await rdsMaster('master_of_both');
    await sql('CREATE ROLE first_admin LOGIN; CREATE ROLE second_admin LOGIN');
    const before = await picture();
    const both = adminSQL('--username', 'second_admin', '--rotate-from', 'first_admin');
    await expect(run(person, both)).rejects.toThrow('both exist');
    const itself = adminSQL('--username', 'third_admin', '--rotate-from', 'master_of_both');
    await expect(run(person, itself)).rejects.toThrow('session user cannot be renamed');
    expect(await picture()).toEqual(before);
  });
});

/** The statement that a message names. */
const statementIn = (outcome: { readonly failure: Error } | object): string =>
  'failure' in outcome ? (/(?:GRANT|ALTER|CREATE) [^;]*;/.exec(outcome.failure.message)?.[0] ?? '') : '';
