// A server that does not let the admin or a user do what they need: told, and served again once a person mends it.
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rehearsalRole } from '../../src/resources/role/rehearsal.ts';
import { operatorID } from '../stage/account.ts';
import { userManifest } from '../stage/scene.ts';
import { bystander, type Refusals, startRefusals } from './refusals.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 18);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

describe('an admin', () => {
  it.each<[what: string, reason: string, says: string, spoil: string, mend: string]>([
    [
      'that may not create roles',
      'MissingCreateRole',
      'ALTER ROLE "iamdb_admin" CREATEROLE;',
      'ALTER ROLE iamdb_admin NOCREATEROLE',
      'ALTER ROLE "iamdb_admin" CREATEROLE;',
    ],
    [
      'in whose way stands a role of the name that the rehearsal makes',
      'RolesNotAdministrable',
      `DROP ROLE "${rehearsalRole(operatorID)}";`,
      `CREATE ROLE ${rehearsalRole(operatorID)}`,
      `DROP ROLE "${rehearsalRole(operatorID)}";`,
    ],
  ])(
    '%s gets %s with the statement that mends it; run, the database is ready again',
    async (_, reason, says, spoil, mend) => {
      await t.sql(spoil);
      const { message } = await t.scene.untilCondition(t.orders(), 'AdminReady', 'False', reason);
      expect(message).toContain(says);
      await t.scene.untilCondition(t.orders(), 'Ready', 'False', reason);
      await t.expectBystander();
      await t.sql(mend);
      await t.scene.untilCondition(t.orders(), 'AdminReady', 'True', 'Rehearsed');
      await t.scene.untilReady(t.orders());
      await t.expectServed(bystander);
    },
  );
});

describe('a role', () => {
  it('that somebody holds in an open transaction gets DatabaseBusy, is changed once that is over, and its user cannot keep it from ending', async () => {
    const user = userManifest('held');
    await t.scene.apply(user);
    await t.expectServed(user);
    const { superuser } = t.stage.database.postgres;
    const [person, tenant] = [
      new Client({ ...superuser, database: 'postgres' }),
      new Client({ ...superuser, user: 'payments_held', password: '', database: 'postgres' }),
    ];
    for (const client of [person, tenant]) {
      client.on('error', () => {});
      await client.connect();
    }
    await person.query('BEGIN; ALTER ROLE payments_held CONNECTION LIMIT 7');
    await t.scene.patch(user, { spec: { connectionLimit: 5 } });
    const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'DatabaseBusy');
    expect(message).toContain('pg_locks');
    await t.scene.untilCondition(user, 'Ready', 'False', 'DatabaseBusy');
    await person.query('ROLLBACK');
    await person.end();
    await t.expectServed(user);
    await tenant.query("BEGIN; ALTER ROLE payments_held PASSWORD 'y'");
    await t.remove(user);
    await tenant.end().catch(() => {});
  });
});

describe('a login for proof', () => {
  it('that is answered with another name gets WrongIdentity with the statement that ends it; run, it is proven again', async () => {
    const user = userManifest('masked');
    await t.scene.apply(user);
    await t.expectServed(user);
    await t.sql('ALTER ROLE payments_masked SET role = orders_readwrite');
    const { message } = await t.scene.untilCondition(user, 'AccessVerified', 'False', 'WrongIdentity');
    const statement = 'ALTER ROLE "payments_masked" RESET role';
    expect(message).toContain(statement);
    await t.scene.untilCondition(user, 'Ready', 'False', 'WrongIdentity');
    await t.sql(statement);
    await t.expectServed(user);
    await t.remove(user);
  });

  it('that the database has no room for gets LoginForbidden, which points at the limit, and is proven again once there is room', async () => {
    await t.sql('ALTER DATABASE orders CONNECTION LIMIT 0');
    const { message } = await t.scene.untilCondition(bystander, 'AccessVerified', 'False', 'LoginForbidden');
    expect(message).toContain('no connection to spare for "payments_bystander": the limit of its database');
    await t.scene.untilCondition(bystander, 'Ready', 'False', 'LoginForbidden');
    expect(t.arnsOf('payments_bystander')).toHaveLength(1);
    await t.sql('ALTER DATABASE orders CONNECTION LIMIT -1');
    await t.expectServed(bystander);
  });

  it('that gets no answer in time is Unreachable, though the admin gets in, and is proven again once answers come', async () => {
    const { gate } = t.stage.database;
    gate.setModes({ delayMs: { of: 'payments_bystander', ms: 5_000 } });
    const { message } = await t.scene.untilCondition(bystander, 'AccessVerified', 'False', 'Unreachable');
    expect(message).toContain('does not answer');
    await t.scene.untilCondition(bystander, 'Ready', 'False', 'Unreachable');
    gate.setModes({ delayMs: 0 });
    await t.expectServed(bystander);
  });
});
