// A rule that is taken back: told, ended after its grace, given back with the rule; and never for too many at once.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { userManifest } from '../stage/scene.ts';
import { until } from '../stage/wait.ts';
import { type Refusals, rule, startRefusals, usernameOf } from './refusals.ts';

let t: Refusals;
beforeAll(async () => {
  t = await startRefusals({}, 14);
});
afterAll(() => t.stage.stop());
afterEach(() => t.expectBystander());

const ofSecond = (name: string) => userManifest(name, { databaseRef: { name: 'second' } });
const second = () => t.second([]);
/** Of the stage's time-scale: 60 s are 3, and an hour is three minutes. */
const change = async (allow: readonly object[], graceSeconds: number) =>
  await t.scene.patch(second(), { spec: { allow, onPermissionLost: { graceSeconds } } });
const refused = async (username: string) =>
  await t.scene.login(username).then(
    () => false,
    (error: unknown) => /authentication failed/.test(String(error)),
  );

describe('a user whose rule is taken back', () => {
  it('keeps its access for the grace, loses it with its sessions, and has it back with the rule', async () => {
    const user = ofSecond('unloved');
    await t.scene.apply(t.second([rule()]));
    await t.scene.apply(user);
    await t.expectServed(user);
    await change([], 3_600);
    const { message } = await t.scene.untilCondition(user, 'Ready', 'False', 'PermissionLost');
    expect(message).toMatch(/Its access ends at \d{4}-/);
    expect((await t.scene.condition(user, 'Stalled'))?.reason).toBe('PermissionLost');
    expect((await t.scene.condition(user, 'Allowed'))?.reason).toBe('NamespaceNotAllowed');
    expect(await t.scene.login('payments_unloved')).toBe('payments_unloved');
    expect(t.arnsOf('payments_unloved')).toHaveLength(1);

    await change([], 60);
    await until('the access to end', async () => await refused('payments_unloved'));
    await t.scene.untilEvent(user, 'AccessEnded', /payments_unloved/);
    await until('the ARN to go', () => t.arnsOf('payments_unloved').length === 0);
    expect(await t.groupsOf('payments_unloved')).toEqual(['orders_readwrite']);
    const [role] = await t.sql(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'payments_unloved'`);
    expect(role).toEqual({ rolcanlogin: false });

    await change([rule()], 60);
    await t.expectServed(user);
    await t.remove(user);
  });
});

describe('a change by which too many would lose their access', () => {
  it('is held for all of them until a person names its generation', async () => {
    const users = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ofSecond(`many-${name}`));
    await change([rule()], 0);
    for (const user of users) await t.scene.apply(user);
    for (const user of users) await t.scene.untilReady(user);
    await change([], 0);
    for (const user of users) await t.scene.untilCondition(user, 'Ready', 'False', 'MassRevocationHeld');
    const { message } = await t.scene.untilCondition(second(), 'Ready', 'False', 'MassRevocationHeld');
    const asked = /iamdb\.dev\/confirm-revocation=(\d+)/.exec(message)?.[1];
    await t.scene.lookAgain(second());
    for (const user of users) {
      await t.scene.lookAgain(user);
      expect(await t.scene.login(usernameOf(user))).toBe(usernameOf(user));
    }

    await t.scene.patch(second(), { metadata: { annotations: { 'iamdb.dev/confirm-revocation': asked } } });
    for (const user of users) {
      await until('the access to end', async () => await refused(usernameOf(user)));
      await t.scene.untilCondition(user, 'Ready', 'False', 'PermissionLost');
    }
    await t.scene.untilReady(second());

    await change([rule()], 0);
    for (const user of users) await t.expectServed(user);
    await t.remove(...users);
    await t.scene.delete(second());
    await t.scene.untilGone(second());
  });
});
