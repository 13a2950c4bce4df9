import { describe, expect, it } from 'vitest';
import { aDatabase, aUser, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { addServer, aWorld, type TestWorld } from '../../test/builders/world.ts';
import type { Reason } from '../api/conditions.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { reconcileDatabase } from './database.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const { signal } = new AbortController();
const key = 'payments/checkout';
const minute = 60_000;
const missing = new Failure('missing', 'TargetMissing', 'AWS knows no cluster orders-prod.');
const notReady = new Failure('unavailable', 'TargetNotReady', 'It is being created.');
const denied = new Failure('denied', 'AccessDenied', 'No.');
const misdeclared = new Failure('invalid', 'TargetMissing', 'The field is not filled.');
const stopped = new Failure('unavailable', 'DatabaseStopped', 'The cluster is stopped.');
const busy = new Failure('unavailable', 'DatabaseBusy', 'Somebody holds the role.');
const down = new Failure('unavailable', 'DatabaseUnavailable', 'The database does not answer.');

/** A user that worked and that was deleted this very moment. */
async function leaving(spec: Partial<ReturnType<typeof aDatabase>['spec']> = {}): Promise<TestWorld> {
  const world = await working(spec);
  leave(world);
  return world;
}

async function working(spec: Partial<ReturnType<typeof aDatabase>['spec']>): Promise<TestWorld> {
  const world = aWorld();
  world.put(aDatabase({ spec }), aUser());
  await reconcileUser(key, world, signal);
  return world;
}

function leave(world: TestWorld): void {
  const user = deleted(world.stored());
  const deletionTimestamp = new Date(world.time).toISOString();
  world.put({ ...user, metadata: { ...user.metadata, deletionTimestamp } });
  world.events.length = 0;
}

/** What AWS answers about the target, minute by minute; the user is looked at after each. */
async function answers(world: TestWorld, each: readonly (readonly [minutes: number, answer: Error])[]) {
  const began = world.time;
  for (const [minutes, answer] of each) {
    world.time = began + minutes * minute;
    world.broken.resolve = answer;
    await reconcileDatabase('orders', world, signal);
    if (world.user(key) !== undefined) await reconcileUser(key, world, signal);
  }
}

/** Its database stops, it is deleted, and the patience with what cannot be reached is over. */
async function leaveStopped(world: TestWorld): Promise<void> {
  world.broken.resolve = stopped;
  await reconcileDatabase('orders', world, signal);
  leave(world);
  await answers(world, [
    [0, stopped],
    [2, stopped],
  ]);
}

/** Another user of that name and IAM role, on another server, that works and is then changed. */
async function withTwin(world: TestWorld, spec: Partial<IamDatabaseUser['spec']>): Promise<void> {
  addServer(world, 'other', 'db-OTHER');
  world.put(
    aDatabase({ metadata: { name: 'other' } }),
    aUser({ metadata: { name: 'twin' }, spec: { databaseRef: { name: 'other' } } }),
  );
  await reconcileUser('payments/twin', world, signal);
  const twin = world.stored('payments/twin');
  world.put({ ...twin, spec: { ...twin.spec, ...spec } });
}

const said = (world: TestWorld) =>
  world.stored().status?.conditions?.find(({ type }) => type === 'Ready')?.message;
const isGone = (world: TestWorld) => world.user(key) === undefined;
const reasons = (world: TestWorld) => world.events.map(({ event }) => event.reason);

describe('a database that AWS does not know', () => {
  it.each<[string, readonly (readonly [number, Error])[], boolean]>([
    ['once', [[0, missing]], false],
    [
      'for a quarter of an hour, but for a minute',
      [
        [0, missing],
        [7, missing],
        [14, missing],
      ],
      false,
    ],
    [
      'for a quarter of an hour',
      [
        [0, missing],
        [7, missing],
        [15, missing],
      ],
      true,
    ],
    [
      'at two looks only, a quarter of an hour apart',
      [
        [0, missing],
        [15, missing],
      ],
      true,
    ],
    [
      'but knew in between',
      [
        [0, missing],
        [7, notReady],
        [8, missing],
        [15, missing],
      ],
      false,
    ],
    [
      'but could not be asked about in between',
      [
        [0, missing],
        [7, denied],
        [8, missing],
        [15, missing],
      ],
      false,
    ],
    [
      'and could not be asked about in the end',
      [
        [0, missing],
        [14, missing],
        [16, denied],
      ],
      false,
    ],
    [
      'because it was declared wrongly',
      [
        [0, misdeclared],
        [15, misdeclared],
      ],
      false,
    ],
    [
      'no, but that is stopped',
      [
        [0, stopped],
        [30, stopped],
      ],
      false,
    ],
  ])('%s: whether its users may go', async (_, each, isLet) => {
    const world = await leaving();
    await answers(world, each);
    expect(isGone(world)).toBe(isLet);
  });

  it('lets its users go without a right in IAM, and tells that the role was not looked at', async () => {
    const world = await leaving();
    await answers(world, [
      [0, missing],
      [15, missing],
    ]);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(reasons(world)).toContain('RoleGivenUp');
    expect(world.events.filter(({ event }) => event.reason === 'RoleGivenUp')).toHaveLength(1);
  });

  it('holds the finalizer until then, says for how long, and the right in IAM is gone already', async () => {
    const world = await leaving();
    await answers(world, [[0, missing]]);
    const found = world.stored().status?.conditions?.find(({ type }) => type === 'Ready');
    expect(found).toMatchObject({
      reason: 'TargetMissing',
      message: expect.stringContaining('15 minutes'),
    });
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(reasons(world)).not.toContain('RoleGivenUp');
  });

  it('keeps what its users have who stay', async () => {
    const world = aWorld();
    world.put(aDatabase(), aUser());
    await reconcileUser(key, world, signal);
    const before = world.policies.allowed(roleARN);
    await answers(world, [
      [0, missing],
      [15, missing],
      [16, missing],
    ]);
    expect(before).toHaveLength(1);
    expect(world.policies.allowed(roleARN)).toEqual(before);
  });
});

describe('a database that cannot be reached', () => {
  it.each<[string, boolean, number, Error, boolean]>([
    ['whose users have to wait for it', false, 60, down, false],
    ['whose users may go, in the first minute', true, 0.9, down, false],
    ['whose users may go', true, 1, down, true],
    ['whose users may go, and where something else is wrong', true, 60, denied, false],
    ['whose users may go, and that answers, but is busy', true, 60, busy, false],
  ])('%s', async (_, orphanOnUnreachable, minutes, failure, isLet) => {
    const world = await leaving({ orphanOnUnreachable });
    world.roles.broken.observe = failure;
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(false);
    world.time += minutes * minute;
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(isLet);
    expect(reasons(world).includes('RoleGivenUp')).toBe(isLet);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it.each<[string, Reason, boolean]>([
    ['its certificate is not to be trusted', 'CertificateRejected', true],
    ['it is read-only', 'ReadOnlyServer', true],
    ['it refuses the admin', 'AdminLoginRefused', true],
    ["the admin's Secret is gone", 'AdminSecretMissing', true],
    ['the password that RDS keeps is not to be had', 'ManagedSecretUnavailable', true],
    ['its address may not be dialled', 'AddressRefused', true],
    ['the admin lacks a right over the role', 'RolesNotAdministrable', false],
    ['the admin becomes somebody else', 'AdminRedirected', false],
    ['the admin may not create roles', 'MissingCreateRole', false],
    ['its admin is being changed', 'AdminChanging', false],
    ['a blue/green deployment is under way', 'BlueGreenInProgress', false],
    ['AWS asks to slow down', 'Throttled', false],
    ['AWS does not answer', 'AwsUnavailable', false],
    ['Kubernetes does not show the Secret', 'KubernetesUnavailable', false],
    ['something unforeseen happened', 'InternalError', false],
  ])('whose users may go, and why its roles cannot be ended: %s', async (_, reason, isLet) => {
    const world = await leaving({ orphanOnUnreachable: true });
    world.roles.broken.observe = new Failure('denied', reason, 'So it is.');
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(false);
    expect(said(world)?.includes('orphanOnUnreachable')).toBe(isLet);
    world.time += 2 * minute;
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(isLet);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it.each<[string, Reason, boolean]>([
    ['IAM authentication was switched off', 'IamAuthenticationOff', true],
    ['it runs another engine by now', 'EngineNotSupported', true],
    ['it is in a partition that is not known', 'PartitionNotSupported', true],
    ['its account lets the operator in no more', 'AssumeRoleRefused', false],
  ])('whose users may go, and what AWS says of it: %s', async (_, reason, isLet) => {
    const world = await leaving({ orphanOnUnreachable: true });
    const failure = new Failure('invalid', reason, 'So it is.');
    await answers(world, [[0, failure]]);
    expect(isGone(world)).toBe(false);
    expect(said(world)?.includes('orphanOnUnreachable')).toBe(isLet);
    await answers(world, [[2, failure]]);
    expect(isGone(world)).toBe(isLet);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('is waited for anew by an operator that was just started', async () => {
    const world = await leaving({ orphanOnUnreachable: true });
    world.roles.broken.observe = down;
    await reconcileUser(key, world, signal);
    world.time += 60 * minute;
    world.restart();
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(false);
    world.time += minute;
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(true);
  });

  it('that is stopped lets its users go as well, if it may', async () => {
    const world = await leaving({ orphanOnUnreachable: true });
    await answers(world, [
      [0, stopped],
      [2, stopped],
    ]);
    expect(isGone(world)).toBe(true);
  });

  it.each([
    ['was busy', busy],
    ['was refused a right', denied],
  ])('is waited for from its first silence on, not from the deletion: %s in between', async (_, between) => {
    const world = await leaving({ orphanOnUnreachable: true });
    for (const [minutes, failure, isLet] of [
      [60, down, false],
      [0.9, between, false],
      [0.2, down, false],
      [0.9, down, false],
      [0.2, down, true],
    ] as const) {
      world.time += minutes * minute;
      world.roles.broken.observe = failure;
      await reconcileUser(key, world, signal);
      expect(isGone(world)).toBe(isLet);
    }
  });

  it.each([true, false])(
    'that is stopped keeps no right of one that it let go for a namesake on another server (suspended: %s)',
    async (suspend) => {
      const world = await working({ orphanOnUnreachable: true });
      await withTwin(world, { suspend });
      const twins = dbARN('payments_checkout', 'db-OTHER');
      expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout'), twins].toSorted());
      await leaveStopped(world);
      expect(isGone(world)).toBe(true);
      expect(world.policies.allowed(roleARN)).toEqual([twins]);
    },
  );

  it('that is stopped holds up nobody for the trouble of a namesake on another server', async () => {
    const world = await working({ orphanOnUnreachable: true });
    const other = roleARN.replace('checkout', 'other');
    await withTwin(world, { principals: [{ roleARN: other }] });
    await reconcileUser('payments/twin', world, signal);
    world.policies.missing.add(other);
    world.policies.detachAll(other);
    await leaveStopped(world);
    expect(isGone(world)).toBe(true);
  });

  it('that is stopped gives nobody who never began a say over what users of another cluster have', async () => {
    const theirs = await working({});
    const world = aWorld({}, { outside: theirs, scope: 'cluster-2' });
    world.put(aDatabase({ spec: { allow: [] } }), aUser({ metadata: { uid: 'stranger' } }));
    world.broken.resolve = stopped;
    await reconcileDatabase('orders', world, signal);
    await reconcileUser(key, world, signal);
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it('that is stopped leaves what it lets go with Retain, for good', async () => {
    const world = await leaving({ orphanOnUnreachable: true });
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, deletionPolicy: 'Retain' } });
    await answers(world, [
      [0, stopped],
      [2, stopped],
    ]);
    expect(isGone(world)).toBe(true);
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.released(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it.each([
    [new Failure('denied', 'RolesNotAdministrable', 'No right.'), true],
    [new Failure('denied', 'AccessDenied', 'No right.'), true],
    [new Failure('unavailable', 'DatabaseBusy', 'Busy.'), false],
    [down, false],
  ])('says how to let users go whose role a person could mend: %s', async (failure, isTold) => {
    const world = await leaving();
    world.roles.broken.observe = failure;
    await reconcileUser(key, world, signal);
    expect(said(world)?.includes('spec.role.delivery None')).toBe(isTold);
    const database = world.storedDatabase();
    world.put({ ...database, spec: { ...database.spec, role: { delivery: 'None' } } });
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(true);
    expect(reasons(world)).toContain('RoleLeft');
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('lets nobody go whose rights in IAM cannot be ended', async () => {
    const world = await leaving({ orphanOnUnreachable: true });
    world.roles.broken.observe = down;
    world.policies.broken.set('*', new Failure('throttled', 'Throttled', 'Slow.'));
    await reconcileUser(key, world, signal);
    world.time += 60 * minute;
    await reconcileUser(key, world, signal);
    expect(isGone(world)).toBe(false);
    expect(reasons(world)).not.toContain('RoleGivenUp');
  });
});
