import { describe, expect, it } from 'vitest';
import { aDatabase, aUser, dbARN, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const key = 'payments/checkout';
const pass = (world: TestWorld) => reconcileUser(key, world, signal);
const conditionOf = (world: TestWorld, type: string) =>
  world.stored().status?.conditions?.find((one) => one.type === type);
const ready = (world: TestWorld) => conditionOf(world, 'Ready');
const mayEnter = (world: TestWorld) => ({
  role: world.roles.mayLogIn('payments_checkout'),
  policy: world.policies.allowed(roleARN).includes(dbARN('payments_checkout')),
});
const open = { role: true, policy: true };
const shut = { role: false, policy: false };

/** Works, and its time is over in 90 seconds. */
async function working(database = aDatabase()): Promise<TestWorld> {
  const world = aWorld();
  world.put(database, aUser({ spec: { expirationTime: '2026-03-01T00:01:30Z' } }));
  await pass(world);
  return world;
}

describe('a user with an expirationTime', () => {
  it('works until then, and is looked at exactly then', async () => {
    const world = await working();
    expect(ready(world)).toMatchObject({ status: 'True' });
    expect(await pass(world)).toEqual({ afterMs: 90_000 });
    world.time += 89_000;
    expect(await pass(world)).toEqual({ afterMs: 1_000 });
    expect(mayEnter(world)).toEqual(open);
  });

  it('has no access from that second on; its role and its ConfigMaps stay, and nothing is stalled', async () => {
    const world = await working();
    world.time += 90_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
    expect(world.roles.markOf('payments_checkout')).toMatchObject({ name: 'checkout' });
    expect(world.configMaps.kept.size).toBe(2);
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'Expired' });
    expect(conditionOf(world, 'Reconciling')).toBeUndefined();
    expect(conditionOf(world, 'Stalled')).toBeUndefined();
    expect(world.events.slice(1).map(({ event }) => [event.type, event.reason])).toEqual([
      ['Warning', 'AccessEnded'],
      ['Normal', 'Expired'],
    ]);
    world.calls.length = 0;
    await pass(world);
    expect(world.effects()).toEqual([]);
  });

  it.each([
    ['Managed', 'Access has ended.'],
    ['Document', 'what others attached for it is for them to detach'],
    ['None', 'what others attached for it is for them to detach'],
  ] as const)('is told, with delivery %s of its policies, that %s', async (delivery, message) => {
    const world = await working(aDatabase({ spec: { policy: { delivery } } }));
    world.time += 90_000;
    await pass(world);
    expect(conditionOf(world, 'PolicyReady')?.message).toContain(message);
    // The role is closed, and nobody gets in without it.
    expect(conditionOf(world, 'AccessVerified')?.message).toBe('Access has ended.');
    expect(mayEnter(world).role).toBe(false);
  });

  it('is not told that access has ended where the role is for somebody else to end', async () => {
    const world = await working(aDatabase({ spec: { role: { delivery: 'None' } } }));
    world.time += 90_000;
    await pass(world);
    expect(conditionOf(world, 'AccessVerified')?.message).toBe('No login is tried any more.');
  });

  it('has it all back when it is extended', async () => {
    const world = await working();
    world.time += 90_000;
    await pass(world);
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, expirationTime: '2026-04-01T00:00:00Z' } });
    await pass(world);
    expect(ready(world)).toMatchObject({ status: 'True' });
    expect(mayEnter(world)).toEqual(open);
  });

  it('is ended though it is not allowed any more, without a grace', async () => {
    const world = await working();
    world.time += 90_000;
    world.put(aDatabase({ spec: { allow: [] } }));
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
    expect(ready(world)).toMatchObject({ reason: 'Expired' });
  });

  it('is on its way while it cannot be ended in full', async () => {
    const world = await working();
    world.time += 90_000;
    world.roles.broken.observe = new Failure('unavailable', 'DatabaseUnavailable', 'It does not answer.');
    const { afterMs } = await pass(world);
    expect(ready(world)?.message).toContain('It does not answer.');
    expect(conditionOf(world, 'Reconciling')?.reason).toBe('Expired');
    expect(mayEnter(world)).toEqual({ role: true, policy: false });
    expect(afterMs).toBeLessThanOrEqual(60_000);
  });

  it('in the past never begins', async () => {
    const world = aWorld();
    world.put(aDatabase(), aUser({ spec: { expirationTime: '2026-02-28T23:59:59Z' } }));
    await pass(world);
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'Expired' });
    expect(world.effects()).toEqual(['report payments/checkout']);
  });

  it('in plan mode keeps its access, and says so', async () => {
    const world = await working();
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, mode: 'Plan' } });
    world.time += 90_000;
    await pass(world);
    expect(ready(world)).toMatchObject({ reason: 'Expired', message: expect.stringContaining('plan mode') });
    expect(mayEnter(world)).toEqual(open);
  });
});
