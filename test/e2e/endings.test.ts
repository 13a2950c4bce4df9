// How access ends, or is left behind: at its time, and by the three deletion policies.
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkoutRole, userManifest } from '../stage/scene.ts';
import { type Refusals, rule, startRefusals, usernameOf } from './refusals.ts';
import { until } from '../stage/wait.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 18);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

const commentOf = async (username: string) => {
  const rows = await t.sql<{ readonly comment: string | null }>(
    `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = '${username}'`,
  );
  return rows[0]?.comment ?? undefined;
};

describe('expirationTime', () => {
  it('ends the access when the time is there, long before the next resync, sessions included, and extending it gives it back', async () => {
    const hourly = t.stage.iamDatabase({
      name: 'hourly',
      spec: { resync: { policy: 'Periodic', intervalSeconds: 3600 } },
    });
    await t.scene.apply(hourly);
    const user = userManifest('expiring', { databaseRef: { name: 'hourly' } });
    await t.scene.apply(user);
    await t.expectServed(user);
    const session = await sessionOf('payments_expiring');
    let endedAt: number | undefined;
    session.once('end', () => {
      endedAt = Date.now();
    });
    const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1_000);
    await t.scene.patch(user, { spec: { expirationTime: at.toISOString().replace('.000', '') } });
    expect(await until('the end of the session', () => endedAt)).toBeGreaterThanOrEqual(at.getTime());
    await t.scene.untilCondition(user, 'Ready', 'False', 'Expired');
    for (const type of ['Reconciling', 'Stalled'] as const) {
      expect(await t.scene.condition(user, type)).toBeUndefined();
    }
    await expect(t.scene.login('payments_expiring')).rejects.toThrow(/authentication failed/);
    expect(t.arnsOf('payments_expiring')).toEqual([]);
    expect(await t.groupsOf('payments_expiring')).toEqual(['orders_readwrite']);

    await t.scene.patch(user, { spec: { expirationTime: '2099-01-01T00:00:00Z' } });
    await t.expectServed(user);
    await t.remove(user);
    await t.scene.delete(hourly);
    await t.scene.untilGone(hourly);
  });
});

/** A session of the user, straight to the server, as the gate would let it in. */
async function sessionOf(username: string): Promise<Client> {
  const { postgres } = t.stage.database;
  const client = new Client({ ...postgres.superuser, user: username, password: '', database: 'orders' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

it('reassignOwnedTo receives what a leaving user owns, and the role is gone', async () => {
  await t.sql('CREATE ROLE heirs NOLOGIN');
  await t.sql(`GRANT CREATE ON DATABASE orders TO ${t.stage.admin.username}`);
  await t.sql(`GRANT heirs TO ${t.stage.admin.username} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
  await t.scene.apply(
    t.stage.iamDatabase({ name: 'second', spec: { allow: [rule()], reassignOwnedTo: 'heirs' } }),
  );
  const user = userManifest('maker', { databaseRef: { name: 'second' } });
  await t.scene.apply(user);
  await t.expectServed(user);
  const { postgres } = t.stage.database;
  await postgres.sql('CREATE SCHEMA made AUTHORIZATION payments_maker', 'orders');
  await t.remove(user);
  expect(await t.roleOf('payments_maker')).toEqual([]);
  const owner = `SELECT pg_get_userbyid(nspowner) AS name FROM pg_namespace WHERE nspname = 'made'`;
  expect(await postgres.sql(owner, 'orders')).toEqual([{ name: 'heirs' }]);
  await t.scene.delete(t.second([]));
  await t.scene.untilGone(t.second([]));
});

describe('deletionPolicy', () => {
  it('Disable: nobody gets in any more, the role and its groups stay, and the object that comes again has them', async () => {
    const user = userManifest('disabled', { deletionPolicy: 'Disable' });
    await t.scene.apply(user);
    await t.expectServed(user);
    await t.remove(user);
    expect(await t.roleOf('payments_disabled')).toHaveLength(1);
    expect(await t.groupsOf('payments_disabled')).toEqual(['orders_readwrite']);
    expect(await commentOf('payments_disabled')).toContain('payments/disabled');
    expect(t.arnsOf('payments_disabled')).toEqual([]);
    await expect(t.scene.login('payments_disabled')).rejects.toThrow(/authentication failed/);
    await t.scene.apply(user);
    await t.expectServed(user);
    await t.remove(user);
  });

  it('Retain: the workload logs in as before, whatever the operator does next, and nobody else gets the role', async () => {
    const user = userManifest('retained', { deletionPolicy: 'Retain' });
    await t.scene.apply(user);
    await t.expectServed(user);
    const connection = await t.scene.configMap('payments', 'retained-connection');
    await t.remove(user);
    await t.scene.untilEvent(user, 'Retained', /DROP ROLE.*IamdbReleased/);
    expect(await commentOf('payments_retained')).toMatch(/^released by iamdb-operator stage/);
    expect(await t.scene.login('payments_retained')).toBe('payments_retained');

    // A restart sweeps what is left behind, and the policy is written again for another.
    await t.stage.operator.stop();
    await t.stage.operator.start();
    const other = userManifest('comes-after');
    await t.scene.apply(other);
    await t.expectServed(other);
    await t.remove(other);
    expect(t.arnsOf('payments_retained')).toHaveLength(1);
    expect(await t.scene.login('payments_retained')).toBe('payments_retained');
    expect((await t.scene.configMap('payments', 'retained-connection'))?.data).toEqual(connection?.data);

    await t.scene.apply(user);
    await t.scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotOurs');
    await t.scene.patch(user, { spec: { deletionPolicy: 'Delete' } });
    await t.remove(user);
    expect(await t.scene.login('payments_retained')).toBe('payments_retained');
    await t.sql('DROP ROLE payments_retained');
  });

  it('Retain leaves nothing to one that is not allowed any more', async () => {
    const user = userManifest('kept-out', { deletionPolicy: 'Retain', databaseRef: { name: 'second' } });
    await t.scene.apply(t.second([rule()]));
    await t.scene.apply(user);
    await t.expectServed(user);
    await t.scene.patch(t.second([]), { spec: { allow: [] } });
    await t.scene.untilCondition(user, 'Allowed', 'False', 'NamespaceNotAllowed');
    await t.remove(user);
    await expect(t.scene.login(usernameOf(user), checkoutRole)).rejects.toThrow(/authentication failed/);
    await t.scene.delete(t.second([]));
    await t.scene.untilGone(t.second([]));
  });
});
