// What users of one name and one IAM role, on two servers, hold on to of each other.
import { expect, it } from 'vitest';
import { aDatabase, aUser, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { addServer, aWorld, type TestWorld } from '../../test/builders/world.ts';
import { reconcileUser } from '../reconcile/user.ts';

const { signal } = new AbortController();
const pass = (world: TestWorld, name: string) => reconcileUser(`payments/${name}`, world, signal);
const readyOf = (world: TestWorld, name: string) =>
  world.stored(`payments/${name}`).status?.conditions?.find(({ type }) => type === 'Ready');

const onProduction = dbARN('payments_checkout');
const onStaging = dbARN('payments_checkout', 'db-STAGING');
const staging = (spec: Partial<ReturnType<typeof aDatabase>['spec']> = {}) =>
  aDatabase({ metadata: { name: 'staging' }, spec });
const stagingUser = (name: string, creationTimestamp = '2026-01-02T00:00:00Z') =>
  aUser({ metadata: { name, creationTimestamp }, spec: { databaseRef: { name: 'staging' } } });

/** payments/checkout on production, payments/staged on staging: one name, one IAM role, and both work. */
async function both(): Promise<TestWorld> {
  const world = aWorld();
  addServer(world, 'staging', 'db-STAGING');
  world.put(aDatabase(), staging(), aUser(), stagingUser('staged'));
  await pass(world, 'checkout');
  await pass(world, 'staged');
  expect(world.policies.allowed(roleARN)).toEqual([onProduction, onStaging].toSorted());
  return world;
}

/** The other object is the older one, and no mark on that server says otherwise. */
async function inConflict(world: TestWorld): Promise<void> {
  world.put(stagingUser('rival', '2026-01-01T00:00:00Z'));
  await pass(world, 'staged');
}

it.each<[string, (world: TestWorld) => Promise<void>, string]>([
  [
    'is in its grace',
    async (world) => {
      world.put(staging({ allow: [] }));
      await pass(world, 'staged');
    },
    'PermissionLost',
  ],
  [
    'is held with many others',
    async (world) => {
      const others = Array.from({ length: 6 }, (_, n) => `other-${n}`);
      for (const name of others) {
        const user = stagingUser(name);
        world.put({ ...user, spec: { ...user.spec, username: `payments_${name}` } });
        await pass(world, name);
      }
      world.put(staging({ allow: [] }));
      await pass(world, 'staged');
    },
    'MassRevocationHeld',
  ],
  ['is in conflict', inConflict, 'Conflict'],
])(
  'one that %s keeps its own, and nothing of a deleted namesake on another server',
  async (_how, refuse, reason) => {
    const world = await both();
    await refuse(world);
    expect(readyOf(world, 'staged')).toMatchObject({ reason });
    world.put(deleted(world.stored()));
    await pass(world, 'checkout');
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(world.policies.allowed(roleARN)).toContain(onStaging);
    expect(world.policies.allowed(roleARN)).not.toContain(onProduction);
  },
);

it('one that is in conflict leaves nothing behind for good when it is deleted, as the name is not its own', async () => {
  const world = await both();
  const user = world.stored('payments/staged');
  world.put({ ...user, spec: { ...user.spec, deletionPolicy: 'Retain' } });
  await inConflict(world);
  world.put(deleted(world.stored('payments/staged')));
  await pass(world, 'staged');
  await world.convergePolicy(roleARN, signal);
  expect(world.user('payments/staged')).toBeUndefined();
  expect(world.policies.released(roleARN)).toEqual([]);
  expect(world.policies.allowed(roleARN)).toContain(onProduction);
});
