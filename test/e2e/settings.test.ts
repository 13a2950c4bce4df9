// Settings of a role: in force, repaired, refused with what is wrong, and reset.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { userManifest } from '../stage/scene.ts';
import { type Refusals, startRefusals } from './refusals.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 18);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

const settingsOf = async (username: string) => {
  const rows = await t.sql<{ readonly setconfig: readonly string[] }>(
    `SELECT setconfig FROM pg_db_role_setting WHERE setrole = '${username}'::regrole`,
  );
  return rows[0]?.setconfig.toSorted() ?? [];
};

it('SettingInvalid names the setting, and nothing is made; mended, it is in force, repaired and reset', async () => {
  const user = userManifest('tuned', { settings: { statement_timeout: 'soon' } });
  await t.scene.apply(user);
  const { message } = await t.scene.untilCondition(user, 'RoleReady', 'False', 'SettingInvalid');
  expect(message).toContain('settings.statement_timeout');
  await t.expectNoAccess(user);

  const settings = { statement_timeout: '30s', search_path: 'orders, public' };
  await t.scene.patch(user, { spec: { settings } });
  await t.expectServed(user);
  const wanted = ['search_path=orders, public', 'statement_timeout=30s'];
  expect(await settingsOf('payments_tuned')).toEqual(wanted);

  await t.sql('ALTER ROLE payments_tuned RESET statement_timeout');
  await t.scene.lookAgain(user);
  expect(await settingsOf('payments_tuned')).toEqual(wanted);
  await t.scene.untilEvent(user, 'DriftRepaired', /set/);

  await t.scene.patch(user, { spec: { settings: { statement_timeout: null } } });
  await t.expectServed(user);
  expect(await settingsOf('payments_tuned')).toEqual(['search_path=orders, public']);
  await t.remove(user);
});
