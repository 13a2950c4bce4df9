// Who is to lose its access, and whoever else may log in, cannot hold up its end by what it locks.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/systems/postgres/server.ts';
import { createIamAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type RoleBed, startRoleBed } from './role-bed.ts';
import { bring, ended, gone, reason, wish } from './role-wish.ts';

type Held = [
  what: string,
  ensure: 'disabled' | 'absent',
  username: string,
  by: string,
  held: (me: string) => string,
];

/** From 16 on nobody may give away its own role. */
const grant: Held = ['a grant of itself', 'absent', 'h_grant', 'h_grant', (me) => `GRANT ${me} TO stranger`];

const advisory = (what: string) => `SELECT pg_advisory_lock(x'69616d64'::integer, hashtext('${what}'))`;

describe.each<PostgresMajor>([14, 16, 17, 18])('on PostgreSQL %i', (major) => {
  let bed: RoleBed;
  let admin: PostgresServer;

  beforeAll(async () => {
    bed = await startRoleBed(major);
    admin = bed.open(await createIamAdmin(bed.postgres), { timeScale: 0.4 });
    await bed.postgres.sql('CREATE ROLE stranger LOGIN; GRANT rds_iam TO stranger');
  });
  afterAll(async () => await bed.stop());

  const sessionsOf = async (username: string) => {
    const [row] = await bed.postgres.sql<{ n: number }>(
      `SELECT count(*)::integer AS n FROM pg_stat_activity WHERE usename = '${username}'`,
    );
    return row?.n;
  };

  it.each<Held>([
    ['its own password', 'disabled', 'h_password', 'h_password', (me) => `ALTER ROLE ${me} PASSWORD 'y'`],
    ['its own password', 'absent', 'h_dropped', 'h_dropped', (me) => `ALTER ROLE ${me} PASSWORD 'y'`],
    ['its own settings', 'disabled', 'h_settings', 'h_settings', (me) => `ALTER ROLE ${me} SET jit = off`],
    ...(major === 14 ? [grant] : []),
    ['the lock of its role', 'absent', 'h_lock', 'h_lock', (me) => advisory(`role:${me}`)],
    ["another's lock", 'absent', 'h_other', 'stranger', (me) => advisory(`role:${me}`)],
    ['the lock of a database', 'absent', 'h_database', 'stranger', () => advisory('database:orders')],
  ])('%s held open: the role is %s (%s, by %s)', async (_, ensure, username, by, held) => {
    expect(reason(await bring(admin, wish(username)))).toBe('changed');
    const tenant = await bed.person(by, '');
    await tenant.query(`BEGIN; ${held(username)}`);
    expect(reason(await bring(admin, ended(username, ensure)))).toBe('changed');
    expect(await sessionsOf(username)).toBe(0);
    const found = await bed.look(username);
    expect(found?.login).toBe(ensure === 'absent' ? undefined : false);
    expect(await bed.groupsOf(username)).not.toContain('rds_iam');
    if (by === 'stranger') await tenant.query('ROLLBACK; SELECT pg_advisory_unlock_all()');
  });

  it('is served as well while a stranger holds its lock', async () => {
    const tenant = await bed.person('stranger', '');
    await tenant.query(advisory('role:h_served'));
    expect(reason(await bring(admin, wish('h_served')))).toBe('changed');
    await tenant.query('SELECT pg_advisory_unlock_all()');
  });

  it('is waited for where another who may change roles holds its lock', async () => {
    await bring(admin, wish('h_waits'));
    const person = await bed.person();
    await person.query(advisory('role:h_waits'));
    expect(reason(await bring(admin, gone('h_waits')))).toBe('DatabaseBusy');
    expect(await bed.look('h_waits')).toMatchObject({ login: true });
    await person.query('SELECT pg_advisory_unlock_all()');
    expect(reason(await bring(admin, gone('h_waits')))).toBe('changed');
  });
});
