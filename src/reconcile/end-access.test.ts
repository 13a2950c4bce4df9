import { describe, expect, it, vi } from 'vitest';
import {
  aDatabase,
  aTarget,
  aUser,
  accountID,
  dbARN,
  deleted,
  roleARN,
} from '../../test/builders/objects.ts';
import { roleModel } from '../../test/builders/role-model.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import type { RoleServer } from '../resources/role/server.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const key = 'payments/checkout';
const pass = (world: TestWorld, of = key) => reconcileUser(of, world, signal);
const ready = (user: IamDatabaseUser) => user.status?.conditions?.find(({ type }) => type === 'Ready');
const bundle = 'payments/rds-ca-ap-northeast-2';
const down = new Failure('unavailable', 'DatabaseUnavailable', 'The database does not answer.');
const throttled = new Failure('throttled', 'Throttled', 'AWS asks to slow down.');

/** A user that was Ready and that somebody has deleted. */
async function leaving(overrides: Parameters<typeof aUser>[0] = {}): Promise<TestWorld> {
  const world = aWorld();
  world.put(aDatabase(), aUser(overrides));
  await pass(world);
  world.put(deleted(world.stored()));
  world.calls.length = 0;
  world.events.length = 0;
  return world;
}

const isGone = (world: TestWorld) => world.user(key) === undefined;
const isReleased = (world: TestWorld) => world.calls.includes('release payments/checkout');

describe('a deleted user', () => {
  it('is gone without a trace, its finalizer released last', async () => {
    const world = await leaving();
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(isGone(world)).toBe(true);
    expect(world.roles.has('payments_checkout')).toBe(false);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.configMaps.kept.size).toBe(0);
    expect(world.effects().at(-1)).toBe('release payments/checkout');
    expect(world.events).toEqual([]);
  });

  it('is not looked at any more once its finalizer is released, though somebody else still holds it', async () => {
    const world = await leaving();
    const user = world.stored();
    const finalizers = [...(user.metadata.finalizers ?? []), 'example.com/other'];
    world.put({ ...user, metadata: { ...user.metadata, finalizers } });
    await pass(world);
    expect(world.calls.slice(-2)).toEqual(['release payments/checkout', 'ended payments/checkout']);
    expect(world.stored().metadata.finalizers).toEqual(['example.com/other']);
    world.calls.length = 0;
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.calls).toEqual([]);
  });

  it('leaves the policy, the bundle and the roles of others alone', async () => {
    const world = await leaving();
    const other = aUser({ metadata: { name: 'other' }, spec: { username: 'payments_other' } });
    world.put(other);
    await pass(world, 'payments/other');
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_other')]);
    expect(world.roles.has('payments_other')).toBe(true);
    expect([...world.configMaps.kept.keys()].toSorted()).toEqual(['payments/other-connection', bundle]);
  });

  it('that never began goes by itself: nothing is looked at', async () => {
    const world = aWorld();
    world.put(aDatabase(), deleted(aUser()));
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.calls).toEqual([]);
  });

  it('whose role somebody dropped already is no less gone', async () => {
    const world = await leaving();
    world.roles.drop('payments_checkout');
    world.policies.detachAll(roleARN);
    world.configMaps.kept.clear();
    await pass(world);
    expect(isGone(world)).toBe(true);
  });

  it('whose role is somebody else’s by now leaves that alone', async () => {
    const world = await leaving();
    world.roles.drop('payments_checkout');
    world.roles.make('payments_checkout', 'mine');
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.has('payments_checkout')).toBe(true);
    expect(world.effects().filter((call) => call.startsWith('change role'))).toEqual([]);
  });

  it('that lost the claim takes nothing from the holder', async () => {
    const world = aWorld();
    const younger = aUser({ metadata: { name: 'younger', creationTimestamp: '2026-01-02T00:00:00Z' } });
    world.put(aDatabase(), aUser());
    await pass(world);
    world.put({ ...younger, metadata: { ...younger.metadata, finalizers: ['iamdb.dev/access'] } });
    world.put(deleted(world.stored('payments/younger')));
    await pass(world, 'payments/younger');
    expect(world.user('payments/younger')).toBeUndefined();
    expect(world.roles.has('payments_checkout')).toBe(true);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it('is taken from the roles that it no longer names, too', async () => {
    const world = await leaving();
    const user = world.stored();
    const other = `arn:aws:iam::${accountID}:role/payments-other`;
    world.put({ ...user, spec: { ...user.spec, principals: [{ roleARN: other }] } });
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(isGone(world)).toBe(true);
  });

  it('whose role cannot be dropped is gone, with a warning that says what hangs on it', async () => {
    const world = await leaving();
    world.roles.heldBy = 'owner of table orders.ledger';
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.has('payments_checkout')).toBe(true);
    expect(world.events.map(({ event }) => event)).toEqual([
      { type: 'Warning', reason: 'RoleKept', message: expect.stringContaining('orders.ledger') },
    ]);
  });
});

describe('a deleted user whose deletionPolicy is', () => {
  it('Disable leaves its role without login, marked, and takes it back when the object comes again', async () => {
    const world = await leaving({ spec: { deletionPolicy: 'Disable' } });
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(false);
    expect(world.roles.markOf('payments_checkout')).toMatchObject({ name: 'checkout' });
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.configMaps.kept.size).toBe(0);
    world.put(aUser({ metadata: { uid: 'uid-2' } }));
    await pass(world);
    expect(ready(world.stored())).toMatchObject({ status: 'True' });
    expect(world.roles.mayLogIn('payments_checkout')).toBe(true);
  });

  it('waits for nobody who is on the way to the same IAM role', async () => {
    const world = await leaving();
    world.onTheWay([roleARN]);
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      await pass(world);
    } finally {
      vi.useRealTimers();
    }
    expect(isGone(world)).toBe(true);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('Retain leaves everything as it is, but for marks that say so, and a warning how to end it', async () => {
    const world = await leaving({ spec: { deletionPolicy: 'Retain' } });
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(true);
    expect(world.roles.markOf('payments_checkout')).toBeUndefined();
    expect(world.roles.commentOf('payments_checkout')).toMatch(/^released by iamdb-operator op-1/);
    expect(world.policies.released(roleARN)).toEqual([dbARN('payments_checkout')]);
    expect(world.configMaps.kept.get('payments/checkout-connection')).toMatchObject({ ownerReferences: [] });
    expect(world.configMaps.kept.has(bundle)).toBe(true);
    expect(world.events.map(({ event }) => event)).toEqual([
      {
        type: 'Warning',
        reason: 'Retained',
        message: expect.stringContaining(`in the policies of ${roleARN}: managed ones under /iamdb/op-1/`),
      },
    ]);
  });

  it.each([
    [
      'three of its many IAM roles, and how many more there are',
      5,
      /-0, [^ ]+-1, [^ ]+-2 and 2 more: managed/,
    ],
    ['none where it has none any more', 0, /in the policies of its IAM roles: managed/],
  ])('Retain names %s', async (_, count, expected) => {
    const world = await leaving({ spec: { deletionPolicy: 'Retain' } });
    const principals = Array.from({ length: count }, (__, n) => ({ roleARN: `${roleARN}-${n}` }));
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, principals } });
    await pass(world);
    expect(world.events.at(-1)?.event.message).toMatch(expected);
  });

  it('Retain leaves what no later pass takes away, and what a newcomer does not get', async () => {
    const world = await leaving({ spec: { deletionPolicy: 'Retain' } });
    await pass(world);
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
    world.put(aUser({ metadata: { uid: 'uid-2' } }));
    await pass(world);
    expect(ready(world.stored())).toMatchObject({ reason: 'RoleNotOurs' });
    world.put(deleted(world.stored()));
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(true);
  });

  it('Retain keeps nothing for one that is not allowed any more: its access is ended, its role kept', async () => {
    const world = await leaving({ spec: { deletionPolicy: 'Retain' } });
    world.put(aDatabase({ spec: { allow: [] } }));
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.has('payments_checkout')).toBe(true);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(false);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('Retain is not released while its database cannot be reached, and nothing is taken meanwhile', async () => {
    const world = await leaving({ spec: { deletionPolicy: 'Retain' } });
    world.roles.broken.observe = down;
    await pass(world);
    expect(isReleased(world)).toBe(false);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });
});

it('a role that lost its mark is left alone, and it is told that it may still log in', async () => {
  const world = await leaving();
  world.roles.drop('payments_checkout');
  world.roles.make('payments_checkout', 'mine now');
  await pass(world);
  expect(isGone(world)).toBe(true);
  expect(world.roles.has('payments_checkout')).toBe(true);
  const told = world.events.find(({ event }) => event.reason === 'RoleNotOurs');
  expect(told?.event.message).toContain('may still log in');
});

describe('the finalizer is held, and the other three parts are ended all the same, when', () => {
  it.each<[string, (world: TestWorld) => void, reason: string, left: readonly string[]]>([
    [
      'the database does not answer',
      (world) => (world.roles.broken.observe = down),
      'DatabaseUnavailable',
      ['role'],
    ],
    [
      'the role cannot be changed',
      (world) => (world.roles.broken.apply = down),
      'DatabaseUnavailable',
      ['role'],
    ],
    [
      'AWS is throttled',
      (world) => world.policies.broken.set('*', throttled),
      'Throttled',
      ['role', 'policy'],
    ],
    [
      'our policies cannot be listed',
      (world) => (world.broken.rolesHolding = throttled),
      'Throttled',
      ['role'],
    ],
    [
      'the Kubernetes API refuses',
      (world) => (world.configMaps.broken.write = new Failure('denied', 'KubernetesUnavailable', 'No.')),
      'KubernetesUnavailable',
      ['role', 'bundle', 'connection'],
    ],
    [
      'the target is lost',
      (world) =>
        world.known.set('orders', {
          target: new Failure('missing', 'TargetMissing', 'Gone.'),
          admin: down,
          server: undefined,
        }),
      'TargetMissing',
      ['role'],
    ],
    ['the namespace was not seen', (world) => world.namespaces.clear(), 'Progressing', ['role']],
    [
      'nobody foresaw it',
      (world) => (world.roles.broken.observe = new Error('x')),
      'InternalError',
      ['role'],
    ],
  ])('%s', async (_sentence, spoil, reason, left) => {
    const world = await leaving();
    spoil(world);
    const { afterMs } = await pass(world);
    expect(isReleased(world)).toBe(false);
    expect(ready(world.stored())).toMatchObject({ reason });
    expect(afterMs).toBeLessThanOrEqual(60_000);
    const still = [
      ...(world.roles.has('payments_checkout') ? ['role'] : []),
      ...(world.policies.allowed(roleARN).length > 0 ? ['policy'] : []),
      ...(world.configMaps.kept.has(bundle) ? ['bundle'] : []),
      ...(world.configMaps.kept.has('payments/checkout-connection') ? ['connection'] : []),
    ];
    expect(still).toEqual(left);
  });

  it('a policy still names the role: it can no longer log in, and is dropped only afterwards', async () => {
    const world = await leaving();
    world.policies.broken.set('*', throttled);
    await pass(world);
    expect(world.roles.has('payments_checkout')).toBe(true);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(false);
    world.policies.broken.clear();
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.has('payments_checkout')).toBe(false);
  });

  it('the IamDatabase is gone, which says the way out', async () => {
    const world = await leaving();
    world.remove(world.storedDatabase());
    world.known.clear();
    await pass(world);
    expect(isReleased(world)).toBe(false);
    expect(ready(world.stored())).toMatchObject({
      status: 'False',
      reason: 'DatabaseNotFound',
      message: expect.stringMatching(/[Cc]reate it again.*remove the finalizer/),
    });
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it.each<[string, (world: TestWorld, refused: Failure) => void]>([
    ['the policies', (world, refused) => world.policies.broken.set('*', refused)],
    [
      'the target, not even after a restart',
      (world, target) => {
        world.known.set('orders', { target, admin: down, server: undefined });
        world.policies.broken.set('*', target);
        world.broken.rolesHolding = target;
      },
    ],
  ])(
    'the account lets the operator in no more, for %s, which says what is left and the way out',
    async (_, spoil) => {
      const world = await leaving();
      const refused = new Failure('denied', 'AssumeRoleRefused', `Add ${'a long statement '.repeat(80)}.`);
      spoil(world, refused);
      await pass(world);
      expect(isReleased(world)).toBe(false);
      const told = ready(world.stored());
      expect(told).toMatchObject({ status: 'False', reason: 'AssumeRoleRefused' });
      for (const part of [
        'goes on once that is mended',
        'role "payments_checkout"',
        '/iamdb/op-1/',
        'take finalizer iamdb.dev/access off',
        'Add a long statement',
      ]) {
        expect(told?.message).toContain(part);
      }
      expect(world.stored().status?.conditions?.find(({ type }) => type === 'Stalled')?.status).toBe('True');
      world.policies.broken.clear();
      world.broken = {};
      world.known.set('orders', {
        target: aTarget(),
        admin: { serverVersion: '17.4' },
        server: world.open(aDatabase(), aTarget()),
      });
      await pass(world);
      expect(isGone(world)).toBe(true);
      expect(world.policies.allowed(roleARN)).toEqual([]);
    },
  );

  it('the user is suspended, by itself or by its database: nothing is looked at', async () => {
    for (const own of [true, false]) {
      const world = await leaving();
      const user = world.stored();
      if (own) world.put({ ...user, spec: { ...user.spec, suspend: true } });
      else world.put(aDatabase({ spec: { suspend: true } }));
      await pass(world);
      expect(world.calls).toEqual(['report payments/checkout']);
      expect(ready(world.stored())?.message).toContain('the deletion waits');
    }
  });
});

describe('a deletion that was held', () => {
  it('ends by itself when the cause goes', async () => {
    const world = await leaving();
    world.roles.broken.observe = down;
    await pass(world);
    world.roles.broken = {};
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.roles.has('payments_checkout')).toBe(false);
  });

  it('has nothing written by one more pass that finds the same', async () => {
    const world = await leaving();
    world.roles.broken.observe = down;
    await pass(world);
    world.calls.length = 0;
    await pass(world);
    expect(world.effects()).toEqual([]);
  });

  it('by a release that the API server refused is tried again, having nothing left to end', async () => {
    const world = await leaving();
    world.broken.release = down;
    await expect(pass(world)).rejects.toBe(down);
    world.broken = {};
    world.calls.length = 0;
    await pass(world);
    expect(world.effects()).toEqual(['release payments/checkout']);
  });

  it('goes on after a restart', async () => {
    const world = await leaving();
    world.policies.broken.set('*', throttled);
    await pass(world);
    world.restart();
    world.policies.broken.clear();
    await pass(world);
    expect(isGone(world)).toBe(true);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });
});

describe('an IAM role that is gone', () => {
  it('holds nobody who leaves', async () => {
    const world = await leaving();
    world.policies.missing.add(roleARN);
    world.policies.detachAll(roleARN);
    await pass(world);
    expect(isGone(world)).toBe(true);
  });

  it('holds nobody who leaves, though another user still names it', async () => {
    const world = await leaving();
    const other = aUser({ metadata: { name: 'other' }, spec: { username: 'payments_other' } });
    world.put(other);
    await pass(world, 'payments/other');
    world.policies.missing.add(roleARN);
    world.policies.detachAll(roleARN);
    await pass(world);
    expect(isGone(world)).toBe(true);
    await pass(world, 'payments/other');
    expect(world.stored('payments/other').status?.conditions?.[0]).toMatchObject({ reason: 'RoleNotFound' });
  });
});

it('the same user name on another server is another user, which keeps what is its own', async () => {
  const world = await leaving();
  const state = world.known.get('orders');
  if (state === undefined) throw new Error('no state');
  const otherServer: RoleServer = { ...world.open(aDatabase(), aTarget()) };
  const otherRoles = roleModel(() => {});
  world.role = (server) => (server === otherServer ? otherRoles : world.roles).resource;
  const target = aTarget({ serverResourceID: 'db-OTHER', resourceIDs: ['db-OTHER'] });
  world.known.set('other', { ...state, target, server: otherServer });
  world.put(
    aDatabase({ metadata: { name: 'other' } }),
    aUser({ metadata: { name: 'twin' }, spec: { databaseRef: { name: 'other' } } }),
  );
  await pass(world, 'payments/twin');
  await pass(world);
  expect(isGone(world)).toBe(true);
  expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout', 'db-OTHER')]);
  expect(otherRoles.has('payments_checkout')).toBe(true);
});
