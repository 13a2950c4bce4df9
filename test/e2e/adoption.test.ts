// A role that logs in by password today, taken over: reviewed, adopted, and from then on entered by token only.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { userManifest } from '../stage/scene.ts';
import { until } from '../stage/wait.ts';
import { type Refusals, rule, startRefusals } from './refusals.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 16);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

it('is refused until its name is in adopt, told for review, and taken over with what it has', async () => {
  const database = { databaseRef: { name: 'second' } };
  const user = userManifest('legacy', { ...database, username: 'batch', memberOf: [] });
  const { username } = t.stage.admin;
  await t.sql(`CREATE ROLE batch LOGIN PASSWORD 'old'; GRANT orders_readonly TO batch;
    GRANT batch TO ${username} WITH ADMIN OPTION`);
  expect(await t.scene.loginByPassword('batch', 'old')).toBe('batch');
  await t.scene.apply(t.second([rule()]));
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotOurs');
  expect(message).toContain('"batch"');
  expect(await t.scene.loginByPassword('batch', 'old')).toBe('batch');

  await until('our own session to have ended', async () => {
    const sessions = await t.sql(`SELECT FROM pg_stat_activity WHERE usename = 'batch'`);
    return sessions.length === 0;
  });
  await t.scene.patch(user, { spec: { mode: 'Plan' } });
  await t.scene.patch(t.second([]), { spec: { allow: [rule({ adopt: ['batch'] })] } });
  await t.scene.untilCondition(user, 'RoleReady', 'Unknown', 'Planned');
  expect((await t.scene.read(user))?.status?.plan).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^Role "batch" exists and is taken over: it has 0 session/),
      'SQL: GRANT rds_iam TO "batch";',
    ]),
  );
  expect(await t.scene.loginByPassword('batch', 'old')).toBe('batch');

  await t.scene.patch(user, { spec: { mode: 'Enforce' } });
  await t.expectServed(user);
  await expect(t.scene.loginByPassword('batch', 'old')).rejects.toThrow(/authentication failed/);
  expect(await t.groupsOf('batch')).toEqual(['orders_readonly', 'rds_iam']);
  await t.remove(user);
  await t.scene.delete(t.second([]));
  await t.scene.untilGone(t.second([]));
});

it('RoleNotAdoptable says what is in the way, and is over once that is mended', async () => {
  const user = userManifest('king', { databaseRef: { name: 'second' }, memberOf: [] });
  await t.sql(
    `CREATE ROLE payments_king LOGIN CREATEDB; GRANT payments_king TO ${t.stage.admin.username} WITH ADMIN OPTION`,
  );
  await t.scene.apply(t.second([rule({ adopt: ['payments_king'] })]));
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotAdoptable');
  expect(message).toContain('NOCREATEDB');
  expect(await t.groupsOf('payments_king')).toEqual([]);
  await t.sql('ALTER ROLE payments_king NOCREATEDB');
  await t.expectServed(user);
  await t.remove(user);
  await t.scene.delete(t.second([]));
  await t.scene.untilGone(t.second([]));
});
