import { describe, expect, it } from 'vitest';
import { aDatabase, aUser, dbARN, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import { annotations } from '../api/names.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const pass = (world: TestWorld, key = 'payments/checkout') => reconcileUser(key, world, signal);
const minute = 60_000;
const hour = 60 * minute;
const arn = dbARN('payments_checkout');

const policy = (world: TestWorld) => {
  const found = world.stored().status?.conditions?.find(({ type }) => type === 'PolicyReady');
  return `${found?.status} ${found?.reason}`;
};
const stalled = (world: TestWorld) =>
  world.stored().status?.conditions?.some(({ type }) => type === 'Stalled') === true;

async function settled(): Promise<TestWorld> {
  const world = aWorld();
  world.put(aDatabase(), aUser());
  await pass(world);
  return world;
}
/** Somebody else's tool runs, and we look. */
async function detach(world: TestWorld, times = 1, everyMs = minute): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    world.time += everyMs;
    world.policies.detachAll(roleARN);
    await pass(world);
  }
}
const isAttached = (world: TestWorld) => world.policies.allowed(roleARN).includes(arn);

describe('a policy that somebody else detaches', () => {
  it('is attached again twice, and the third time left alone, told with advice', async () => {
    const world = await settled();
    await detach(world, 2);
    expect(isAttached(world)).toBe(true);
    expect(policy(world)).toBe('True AsDeclared');
    await detach(world);
    expect(isAttached(world)).toBe(false);
    expect(policy(world)).toBe('False DetachedByOthers');
    expect(stalled(world)).toBe(true);
  });

  it('stays alone for as long as it takes', async () => {
    const world = await settled();
    await detach(world, 3);
    world.time += 30 * hour;
    await pass(world);
    expect(isAttached(world)).toBe(false);
    expect(policy(world)).toBe('False DetachedByOthers');
  });

  it('now and then is attached again each time', async () => {
    const world = await settled();
    await detach(world, 12, 40 * minute);
    expect(isAttached(world)).toBe(true);
    await detach(world, 3, 20 * minute);
    expect(isAttached(world)).toBe(false);
  });

  it('is attached again when somebody asks for it, once for each asking', async () => {
    const world = await settled();
    await detach(world, 3);
    const user = world.stored();
    const asked = { ...user.metadata, annotations: { [annotations.reconcileRequestedAt]: 'now' } };
    world.put({ ...user, metadata: asked });
    await pass(world);
    expect(isAttached(world)).toBe(true);
    expect(policy(world)).toBe('True AsDeclared');
    await detach(world, 2);
    expect(isAttached(world)).toBe(false);
  });

  it('is attached again when the spec changes', async () => {
    const world = await settled();
    await detach(world, 3);
    const user = world.stored();
    world.put({ ...user, metadata: { ...user.metadata, generation: 2 } });
    await pass(world);
    expect(isAttached(world)).toBe(true);
  });

  it('and attached by somebody else again is ready', async () => {
    const world = await settled();
    await detach(world, 3);
    world.policies.attachAll(roleARN);
    await pass(world);
    expect(policy(world)).toBe('True AsDeclared');
    world.time += 2 * hour;
    await detach(world, 2);
    expect(isAttached(world)).toBe(true);
  });

  it('is of no account to one that is deleted', async () => {
    const world = await settled();
    await detach(world, 3);
    world.put({
      ...world.stored(),
      metadata: { ...world.stored().metadata, deletionTimestamp: '2026-03-02T00:00:00Z' },
    });
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
  });
});
