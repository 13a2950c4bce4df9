import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  aDatabase,
  aNamespace,
  aRule,
  aTarget,
  aUser,
  accountID,
  begun,
  dbARN,
  deleted,
  roleARN,
} from '../../test/builders/objects.ts';
import { aWorld, type TestWorld, verified } from '../../test/builders/world.ts';
import { annotations, userFinalizer } from '../api/names.ts';
import type { ConditionType } from '../api/conditions.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { formatMark } from '../resources/role/mark.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const key = 'payments/checkout';
const pass = (world: TestWorld, of = key) => reconcileUser(of, world, signal);
const condition = (user: IamDatabaseUser, type: ConditionType) => {
  const found = user.status?.conditions?.find((one) => one.type === type);
  return found === undefined ? '-' : `${found.status} ${found.reason}`;
};
const chain = (world: TestWorld, of = key) => ({
  PolicyReady: condition(world.stored(of), 'PolicyReady'),
  RoleReady: condition(world.stored(of), 'RoleReady'),
  TrustBundleReady: condition(world.stored(of), 'TrustBundleReady'),
  ConnectionReady: condition(world.stored(of), 'ConnectionReady'),
  AccessVerified: condition(world.stored(of), 'AccessVerified'),
});
const good = 'True AsDeclared';
const allGood = {
  PolicyReady: good,
  RoleReady: good,
  TrustBundleReady: good,
  ConnectionReady: good,
  AccessVerified: 'True Verified',
};
const down = new Failure('unavailable', 'DatabaseUnavailable', 'The database does not answer.');

/** A user as somebody has just applied it, in a database that admits it. */
function applied(overrides: Parameters<typeof aUser>[0] = {}): TestWorld {
  const world = aWorld();
  world.put(aDatabase(), aUser(overrides));
  return world;
}

/** The same after its first pass. */
async function settled(overrides: Parameters<typeof aUser>[0] = {}): Promise<TestWorld> {
  const world = applied(overrides);
  await pass(world);
  world.calls.length = 0;
  world.events.length = 0;
  return world;
}

describe('a user that was just applied', () => {
  it('is Ready after one pass, with everything that it says in its status', async () => {
    const world = applied();
    await pass(world);
    const { status, metadata } = world.stored();
    expect(chain(world)).toEqual(allGood);
    expect(condition(world.stored(), 'Ready')).toBe('True Ready');
    expect(condition(world.stored(), 'Reconciling')).toBe('-');
    expect(metadata.finalizers).toEqual([userFinalizer]);
    expect(status).toMatchObject({
      observedGeneration: 1,
      resourceARNs: [dbARN('payments_checkout')],
      principals: [{ roleARN, source: 'Spec', policyARN: expect.stringContaining('/iamdb/op-1/') }],
      lastVerificationTime: '2026-03-01T00:00:00Z',
      verifiedAs: roleARN,
    });
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
    expect(world.roles.markOf('payments_checkout')).toMatchObject({
      namespace: 'payments',
      name: 'checkout',
    });
    expect(world.events.map(({ event }) => event.reason)).toEqual(['Ready']);
  });

  it('has the finalizer before the first effect, and its status written once, last', async () => {
    const world = applied();
    await pass(world);
    const effects = world.effects();
    expect(effects[0]).toBe('hold payments/checkout');
    expect(effects.at(-1)).toBe('report payments/checkout');
    expect(effects.filter((call) => call.startsWith('report'))).toHaveLength(1);
    expect(effects.length).toBeGreaterThan(4);
  });

  it('gets into a policy only after its role was made', async () => {
    const world = applied();
    await pass(world);
    const role = world.calls.findIndex((call) => call.startsWith('change role'));
    const policy = world.calls.findIndex((call) => call.startsWith('change policies'));
    expect(role).toBeGreaterThan(-1);
    expect(policy).toBeGreaterThan(role);
  });

  it('is proven after its role and its policies hold', async () => {
    const world = applied();
    await pass(world);
    expect(world.calls.indexOf('prove payments_checkout')).toBeGreaterThan(
      world.calls.findLastIndex((call) => call.startsWith('observe policies')),
    );
  });

  it('has nothing written by a second pass, and no event', async () => {
    const world = await settled();
    await pass(world);
    expect(world.effects()).toEqual([]);
    expect(world.events).toEqual([]);
  });

  it('has nothing written by a pass after a restart, nor a login', async () => {
    const world = await settled();
    world.restart();
    world.time += 60_000;
    await pass(world);
    expect(world.effects()).toEqual([]);
    expect(world.wishes).toHaveLength(1);
  });

  it('is looked at again at the resync, which is one moment for all users of the database', async () => {
    const world = await settled();
    const due: number[] = [];
    for (let i = 0; i < 2; i += 1) {
      const { afterMs = 0 } = await pass(world);
      expect(afterMs).toBeGreaterThanOrEqual(60_000);
      expect(afterMs).toBeLessThanOrEqual(660_000);
      due.push(world.time + afterMs);
      world.time += Math.floor(afterMs / 2);
    }
    expect([due[0], (due[0] ?? 0) + 600_000]).toContain(due[1]);
  });

  it('echoes a request by annotation', async () => {
    const world = await settled();
    const user = world.stored();
    world.put({
      ...user,
      metadata: { ...user.metadata, annotations: { [annotations.reconcileRequestedAt]: 'x' } },
    });
    await pass(world);
    expect(world.stored().status?.lastHandledReconcileAt).toBe('x');
  });
});

describe('a user that must not begin', () => {
  const older = aUser({ metadata: { name: 'older', creationTimestamp: '2025-01-01T00:00:00Z' } });

  it.each<[string, (world: TestWorld) => void, string, string]>([
    [
      'without its IamDatabase',
      (world) => world.remove(world.storedDatabase()),
      'DatabaseResolved',
      'False DatabaseNotFound',
    ],
    [
      'whose target is not resolved',
      (world) =>
        world.known.set('orders', {
          target: new Failure('invalid', 'IamAuthenticationOff', 'Off.'),
          admin: down,
          server: undefined,
        }),
      'DatabaseResolved',
      'False IamAuthenticationOff',
    ],
    [
      'whose namespace was not seen',
      (world) => world.namespaces.clear(),
      'DatabaseResolved',
      'Unknown Progressing',
    ],
    [
      'that is not allowed',
      (world) => world.put(aDatabase({ spec: { allow: [] } })),
      'Allowed',
      'False NamespaceNotAllowed',
    ],
    ['that lost the claim', (world) => world.put(older), 'Allowed', 'False Conflict'],
    [
      'whose contested role cannot be read',
      (world) => {
        world.put(older);
        world.broken.readMark = down;
      },
      'Allowed',
      'False DatabaseUnavailable',
    ],
    [
      'whose rule is full',
      (world) =>
        world.put(
          aDatabase({ spec: { allow: [aRule({ maxUsers: 1 })] } }),
          begun(aUser({ metadata: { name: 'first' }, spec: { username: 'payments_first' } })),
        ),
      'Allowed',
      'False TooManyUsers',
    ],
  ])('%s has a status and nothing else, no finalizer either', async (_sentence, prepare, type, expected) => {
    const world = applied();
    prepare(world);
    await pass(world);
    expect(world.effects()).toEqual(['report payments/checkout']);
    expect(world.stored().metadata.finalizers ?? []).toEqual([]);
    expect(condition(world.stored(), type as ConditionType)).toBe(expected);
    expect(condition(world.stored(), 'Ready')).toBe(expected);
    expect(condition(world.stored(), 'RoleReady')).toBe('Unknown Waiting');
    world.calls.length = 0;
    world.events.length = 0;
    await pass(world);
    expect(world.effects()).toEqual([]);
    expect(world.events).toEqual([]);
  });

  it('because it is suspended is not looked at', async () => {
    const world = applied({ spec: { suspend: true } });
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.calls).toEqual(['report payments/checkout']);
    expect(condition(world.stored(), 'Ready')).toBe('Unknown Suspended');
  });

  it('because its database is suspended says which', async () => {
    const world = applied();
    world.put(aDatabase({ spec: { suspend: true } }));
    await pass(world);
    expect(world.effects()).toEqual(['report payments/checkout']);
    const ready = world.stored().status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.message).toContain('IamDatabase orders');
  });

  it('because it is gone leaves no trace', async () => {
    const world = aWorld();
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.calls).toEqual([]);
  });

  it('because somebody changed it meanwhile has had no effect', async () => {
    const world = applied();
    world.broken.hold = new Failure('unavailable', 'KubernetesUnavailable', 'The object changed.');
    await expect(pass(world)).rejects.toThrow('The object changed.');
    expect(world.effects()).toEqual(['hold payments/checkout']);
  });

  it('because the operator may not set its finalizer has had no effect, and is told', async () => {
    const world = applied();
    world.broken.hold = new Failure('denied', 'KubernetesUnavailable', 'A right is missing.');
    await pass(world);
    expect(world.effects().filter((effect) => !effect.startsWith('report'))).toEqual([
      'hold payments/checkout',
    ]);
    const ready = world.stored().status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', message: 'A right is missing.' });
  });
});

describe('after a start, before its database was looked at', () => {
  it('nothing is said or done: the look will wake it', async () => {
    const world = await settled();
    world.restart();
    world.known.clear();
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.calls).toEqual([]);
  });

  it.each([
    ['throttled', 'Throttled'],
    ['denied', 'AccessDenied'],
    ['unavailable', 'AwsUnavailable'],
  ] as const)('a look that was %s is none: what was said stands', async (kind, reason) => {
    const world = await settled();
    world.restart();
    world.known.set('orders', { target: new Failure(kind, reason, 'No.'), admin: down, server: undefined });
    await pass(world);
    expect(world.calls).toEqual([]);
    expect(condition(world.stored(), 'Ready')).toBe('True Ready');
  });

  it('a look that was answered is told', async () => {
    const world = await settled();
    world.restart();
    const stopped = new Failure('unavailable', 'DatabaseStopped', 'Stopped.');
    world.known.set('orders', { target: stopped, admin: down, server: undefined });
    await pass(world);
    expect(condition(world.stored(), 'Ready')).toBe('False DatabaseStopped');
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it('one that came before its database hears why nothing can be told of that', async () => {
    const world = applied();
    const database = world.storedDatabase();
    world.remove(database);
    await pass(world);
    expect(condition(world.stored(), 'Ready')).toBe('False DatabaseNotFound');
    world.put(database);
    const refused = new Failure('denied', 'AssumeRoleRefused', 'No.');
    world.known.set('orders', { target: refused, admin: down, server: undefined });
    await pass(world);
    expect(condition(world.stored(), 'Ready')).toBe('False AssumeRoleRefused');
  });

  it('one that was edited meanwhile hears of a look without an answer', async () => {
    const world = await settled();
    world.restart();
    const user = world.stored();
    world.put({ ...user, metadata: { ...user.metadata, generation: 2 } });
    world.known.set('orders', {
      target: new Failure('throttled', 'Throttled', 'Slow.'),
      admin: down,
      server: undefined,
    });
    await pass(world);
    expect(condition(world.stored(), 'Ready')).toBe('False Throttled');
  });
});

describe('one link that fails', () => {
  it('the role: IAM stays in order, and nobody is let in', async () => {
    const world = applied();
    world.roles.broken.observe = down;
    await pass(world);
    expect(chain(world)).toEqual({
      PolicyReady: 'Unknown Waiting',
      RoleReady: 'False DatabaseUnavailable',
      TrustBundleReady: good,
      ConnectionReady: good,
      AccessVerified: 'Unknown Waiting',
    });
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('the role, once it was seen to be ours: its policies are kept in order all the same', async () => {
    const world = await settled();
    world.roles.broken.observe = down;
    world.policies.detachAll(roleARN);
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False DatabaseUnavailable', PolicyReady: good });
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it('the role, after a restart: what is attached stays as it is', async () => {
    const world = await settled();
    world.restart();
    world.roles.broken.observe = down;
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False DatabaseUnavailable', PolicyReady: good });
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it('a role that is not ours: never let in, never touched', async () => {
    const world = applied();
    world.roles.make('payments_checkout');
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False RoleNotOurs', PolicyReady: 'Unknown Waiting' });
    expect(condition(world.stored(), 'Stalled')).toBe('True RoleNotOurs');
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.effects().filter((call) => call.startsWith('change'))).toEqual([]);
  });

  it('a role that is not ours any more: nobody is let in as it once more', async () => {
    const world = await settled();
    world.roles.drop('payments_checkout');
    world.roles.make('payments_checkout', 'mine now');
    world.policies.deleteAll(roleARN);
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False RoleNotOurs', PolicyReady: 'Unknown Waiting' });
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('a role that is not ours any more: whoever was let in as it is let in no longer', async () => {
    const world = await settled();
    world.roles.drop('payments_checkout');
    world.roles.make('payments_checkout', 'mine now');
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False RoleNotOurs' });
    expect(world.policies.allowed(roleARN)).toEqual([]);
    world.roles.drop('payments_checkout');
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: good });
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it("a role marked by another namespace's object of that name: the same", async () => {
    const world = applied();
    const mark = {
      operatorID: 'op-1',
      namespaceUID: 'uid-of-an-earlier-namespace',
      namespace: 'payments',
      name: 'checkout',
      uid: 'x',
      serverResourceID: 'cluster-ABC',
      groups: [],
      databases: [],
      settings: [],
    };
    world.roles.make('payments_checkout', formatMark(mark));
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False RoleNotOurs' });
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('the policy: the role is made, and no login is tried', async () => {
    const world = applied();
    world.policies.missing.add(roleARN);
    await pass(world);
    expect(chain(world)).toEqual({
      ...allGood,
      PolicyReady: 'False RoleNotFound',
      AccessVerified: 'Unknown Waiting',
    });
    expect(world.wishes).toEqual([]);
  });

  it('the admin: the role is not even tried', async () => {
    const world = applied();
    const refused = new Failure('denied', 'AdminLoginRefused', 'Refused.');
    world.known.set('orders', {
      target: aTarget(),
      admin: refused,
      server: world.open(aDatabase(), aTarget()),
    });
    await pass(world);
    expect(chain(world)).toMatchObject({ RoleReady: 'False AdminLoginRefused', ConnectionReady: good });
    expect(world.calls.filter((call) => call.includes('role'))).toEqual([]);
  });

  it('the trust store: everything else goes on', async () => {
    const world = applied();
    world.broken.roots = new Failure('unavailable', 'BundleUnavailable', 'No trust store.');
    await pass(world);
    expect(chain(world)).toMatchObject({
      PolicyReady: good,
      RoleReady: good,
      TrustBundleReady: 'False BundleUnavailable',
      ConnectionReady: good,
    });
  });

  it('the connection: everything else goes on', async () => {
    const world = applied();
    world.configMaps.foreign.add('payments/checkout-connection');
    await pass(world);
    expect(chain(world)).toEqual({ ...allGood, ConnectionReady: 'False ForeignConfigMap' });
  });

  it.each(['observe', 'apply'] as const)(
    'an unforeseen error at %s shows nothing of itself',
    async (stage) => {
      const world = applied();
      world.roles.broken[stage] = new Error('password=hunter2');
      await pass(world);
      expect(chain(world).RoleReady).toBe('False InternalError');
      expect(JSON.stringify(world.stored())).not.toContain('hunter2');
    },
  );

  it('is looked at again sooner, and ever later while it fails', async () => {
    const world = applied();
    world.roles.broken.observe = down;
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < 8; i += 1) waits.push((await pass(world)).afterMs);
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    world.roles.broken = {};
    await pass(world);
    world.roles.broken.observe = down;
    expect((await pass(world)).afterMs).toBe(1_000);
  });

  it('that comes back by itself makes it Ready again', async () => {
    const world = applied();
    world.roles.broken.observe = down;
    await pass(world);
    world.roles.broken = {};
    await pass(world);
    expect(chain(world)).toEqual(allGood);
    expect(world.events.map(({ event }) => `${event.type} ${event.reason}`)).toEqual([
      'Warning DatabaseUnavailable',
      'Normal Ready',
    ]);
  });
});

describe('what somebody changed behind its back', () => {
  const spoilers: readonly (readonly [string, string, (world: TestWorld) => void])[] = [
    ['an attachment', 'PolicyReady', (world) => world.policies.detachAll(roleARN)],
    ['rds_iam', 'RoleReady', (world) => world.roles.spoil('payments_checkout')],
    ['the role', 'RoleReady', (world) => world.roles.drop('payments_checkout')],
    [
      'the connection',
      'ConnectionReady',
      (world) => world.configMaps.kept.delete('payments/checkout-connection'),
    ],
    [
      'the bundle',
      'TrustBundleReady',
      (world) => world.configMaps.kept.delete('payments/rds-ca-ap-northeast-2'),
    ],
  ];

  it.each(spoilers)('%s is repaired, with one event', async (_what, link, spoil) => {
    const world = await settled();
    spoil(world);
    await pass(world);
    expect(chain(world)).toEqual(allGood);
    expect(world.events.map(({ event }) => event)).toEqual([
      { type: 'Warning', reason: 'DriftRepaired', message: expect.stringContaining(link) },
    ]);
    world.calls.length = 0;
    await pass(world);
    expect(world.effects()).toEqual([]);
  });

  it('an edit of the IamDatabase is nobody behind its back: what follows is no drift', async () => {
    const world = await settled();
    world.events.length = 0;
    const database = world.storedDatabase();
    world.put({
      ...database,
      metadata: { ...database.metadata, generation: 2 },
      spec: { ...database.spec, database: 'ledger' },
    });
    world.calls.length = 0;
    await pass(world);
    expect(
      world.effects().filter((call) => call.startsWith('change') || call.includes('replace')),
    ).not.toEqual([]);
    expect(world.events.filter(({ event }) => event.reason === 'DriftRepaired')).toEqual([]);
  });

  it('is proven anew when the role or a policy was changed, and not for a ConfigMap', async () => {
    const logins: number[] = [];
    for (const [, , spoil] of spoilers) {
      const world = await settled();
      spoil(world);
      await pass(world);
      logins.push(world.wishes.length - 1);
    }
    expect(logins).toEqual([1, 1, 1, 0, 0]);
  });
});

describe('users that share an IAM role', () => {
  const second = aUser({ metadata: { name: 'second' }, spec: { username: 'payments_second' } });

  it('share its policy, and a newcomer is no drift of those who are there', async () => {
    const world = await settled();
    world.put(second);
    world.policies.broken.set('*', new Failure('throttled', 'Throttled', 'Slow.'));
    await pass(world, 'payments/second');
    world.policies.broken.clear();
    world.events.length = 0;
    // The pass of the one now writes what the other was waiting for.
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout'), dbARN('payments_second')]);
    expect(world.events).toEqual([]);
    expect(world.wishes.map(({ username }) => username)).toEqual(['payments_checkout']);
    await pass(world, 'payments/second');
    expect(chain(world, 'payments/second')).toEqual(allGood);
  });

  it('that come together are let in together, by one write, though the role of one takes longer', async () => {
    const world = applied();
    world.put(second);
    const slow = Promise.withResolvers<void>();
    const role: TestWorld['role'] = (server) => {
      const resource = world.role(server);
      const observe: typeof resource.observe = async (desired, until) => {
        if (desired.username === 'payments_second') await slow.promise;
        return await resource.observe(desired, until);
      };
      return { ...resource, observe };
    };
    const both = [pass(world), pass({ ...world, role }, 'payments/second')];
    await turnOfTheLoop();
    expect(world.roles.has('payments_checkout')).toBe(true);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    slow.resolve();
    await Promise.all(both);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout'), dbARN('payments_second')]);
    expect(world.calls.filter((call) => call.startsWith('change policies'))).toHaveLength(1);
  });

  it('do not suffer from one that does not fit any more', async () => {
    const world = await settled();
    world.put(second);
    world.policies.quotas = { policySize: 230, versions: 5, attachedPerRole: 0 };
    await pass(world, 'payments/second');
    await pass(world);
    expect(chain(world, 'payments/second').PolicyReady).toBe('False QuotaExceeded');
    expect(chain(world)).toEqual(allGood);
    expect(world.events.map(({ about, event }) => `${about} ${event.reason}`)).toEqual([
      'payments/second QuotaExceeded',
    ]);
  });

  it('lose nothing while one of them is suspended, cannot be resolved, or is not allowed any more', async () => {
    const both = [dbARN('payments_checkout'), dbARN('payments_second')];
    const world = await settled();
    world.put(second);
    await pass(world, 'payments/second');
    const stored = world.stored('payments/second');
    world.put({ ...stored, spec: { ...stored.spec, suspend: true } });
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual(both);
    world.put({ ...stored, spec: { ...stored.spec, databaseRef: { name: 'lost' } } });
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual(both);
    world.put(stored, aDatabase({ spec: { allow: [aRule({ usernames: ['payments_checkout'] })] } }));
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual(both);
  });

  it('lose nothing while the caches may be partial', async () => {
    const world = await settled();
    world.put(second);
    await pass(world, 'payments/second');
    world.remove(world.stored('payments/second'));
    world.synced = false;
    await pass(world);
    expect(world.policies.allowed(roleARN)).toHaveLength(2);
    world.synced = true;
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });

  it('are not held on to by a stranger that was never allowed', async () => {
    const world = await settled();
    world.namespaces.set('strangers', aNamespace('strangers'));
    world.put(aUser({ metadata: { namespace: 'strangers', name: 'same' } }));
    await pass(world, 'strangers/same');
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });
});

const younger = () => aUser({ metadata: { name: 'younger', creationTimestamp: '2026-01-02T00:00:00Z' } });

describe('of two that ask for one user name', () => {
  it('the loser changes nothing, and the holder goes on', async () => {
    const world = await settled();
    world.put(younger());
    await pass(world, 'payments/younger');
    expect(world.effects()).toEqual(['report payments/younger']);
    expect(condition(world.stored('payments/younger'), 'Stalled')).toBe('True Conflict');
    await pass(world);
    expect(chain(world)).toEqual(allGood);
  });

  it('the marked goes on, though an older one turns up', async () => {
    const world = await settled();
    const older = aUser({ metadata: { name: 'older', creationTimestamp: '2025-01-01T00:00:00Z' } });
    world.put(older);
    await pass(world, 'payments/older');
    expect(condition(world.stored('payments/older'), 'Allowed')).toBe('False Conflict');
    await pass(world);
    expect(condition(world.stored(), 'Allowed')).toBe('True Admitted');
  });

  it('the mark is read each time: it may have become another one', async () => {
    const world = await settled();
    world.put(younger());
    await pass(world, 'payments/younger');
    // The holder leaves, and the role is made anew for the other one.
    world.put(deleted(world.stored()));
    await pass(world);
    await pass(world, 'payments/younger');
    expect(chain(world, 'payments/younger')).toEqual(allGood);
    // It comes again, older by its date than the one that has the role now.
    world.put(aUser({ metadata: { uid: 'uid-of-its-second-life' } }));
    await pass(world);
    expect(condition(world.stored(), 'Allowed')).toBe('False Conflict');
    await pass(world, 'payments/younger');
    expect(condition(world.stored('payments/younger'), 'Ready')).toBe('True Ready');
  });

  it('the holder goes on while the mark cannot be read again', async () => {
    const world = await settled();
    world.put(younger());
    await pass(world);
    world.broken.readMark = down;
    await pass(world);
    expect(condition(world.stored(), 'Allowed')).toBe('True Admitted');
  });
});

const names = (world: TestWorld) =>
  [...world.configMaps.kept.keys()].filter((name) => !name.includes('rds-ca'));

describe('the connection ConfigMap', () => {
  it('says what the application needs', async () => {
    const world = await settled();
    expect(world.configMaps.kept.get('payments/checkout-connection')?.data).toMatchObject({
      PGUSER: 'payments_checkout',
      PGDATABASE: 'orders',
      PGSSLMODE: 'verify-full',
      TRUST_BUNDLE: 'rds-ca-ap-northeast-2',
    });
  });

  it('gets another name: the new one before the old one goes', async () => {
    const world = await settled();
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, connection: { type: 'ConfigMap', configMapName: 'db' } } });
    await pass(world);
    expect(names(world)).toEqual(['payments/db']);
    const changes = world.effects().filter((call) => call.includes('ConfigMap'));
    expect(changes).toEqual([
      'create ConfigMap payments/db',
      'remove ConfigMap payments/checkout-connection',
    ]);
  });

  it("gets a name that is somebody else's: the old one stays", async () => {
    const world = await settled();
    world.configMaps.foreign.add('payments/db');
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, connection: { type: 'ConfigMap', configMapName: 'db' } } });
    await pass(world);
    expect(chain(world).ConnectionReady).toBe('False ForeignConfigMap');
    expect(names(world)).toEqual(['payments/checkout-connection']);
  });

  it('is not wanted any more: it goes, and that is as declared', async () => {
    const world = await settled();
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, connection: { type: 'None' } } });
    await pass(world);
    expect(names(world)).toEqual([]);
    expect(chain(world).ConnectionReady).toBe(good);
  });
});

describe('where many users are to be changed', () => {
  const noTurn: TestWorld['turnToChange'] = () => Promise.resolve(undefined);

  it('one whose turn does not come is left as it is, and looked at again in a second', async () => {
    const world = applied();
    expect(await pass({ ...world, turnToChange: noTurn })).toEqual({ afterMs: 1_000 });
    expect(world.calls).toEqual([]);
    expect(world.stored().status).toBeUndefined();
  });

  it('one that is Ready is looked at without a turn, and an access ends without one', async () => {
    const world = await settled();
    const busy = { ...world, turnToChange: noTurn };
    world.roles.drop('payments_checkout');
    await pass(busy);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(true);
    world.put(deleted(world.stored()));
    await pass(busy);
    expect(world.roles.has('payments_checkout')).toBe(false);
  });

  it('one that was deleted while it stood in line is not begun', async () => {
    const world = applied();
    const late: TestWorld['turnToChange'] = () => {
      world.remove(world.stored());
      return Promise.resolve(() => {});
    };
    await pass({ ...world, turnToChange: late });
    expect(world.calls).toEqual([]);
  });

  it('its turn ends before its login is proven, and whatever happens', async () => {
    const world = applied();
    const told: string[] = [];
    const counted: TestWorld['turnToChange'] = () => Promise.resolve(() => told.push('left'));
    const verify: TestWorld['verify'] = async (...asked) => {
      told.push('proof');
      return await world.verify(...asked);
    };
    await pass({ ...world, turnToChange: counted, verify });
    expect(told.slice(0, 2)).toEqual(['left', 'proof']);
    told.length = 0;
    world.put(aUser({ metadata: { generation: 2 } }));
    world.broken.report = new Error('f');
    await expect(pass({ ...world, turnToChange: counted, verify })).rejects.toThrow('f');
    expect(told).toContain('left');
  });
});

describe('nothing is rejected that nobody waits for', () => {
  it('when everything fails at once, in any pass', async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    try {
      const world = applied({
        spec: { principals: [{ roleARN }, { roleARN: `arn:aws:iam::${accountID}:role/payments-2` }] },
      });
      world.roles.broken.observe = new Error('a');
      world.policies.broken.set('*', new Error('b'));
      world.configMaps.broken.write = new Error('c');
      world.broken.roots = new Error('d');
      world.verdicts = [down];
      await pass(world);
      world.put(deleted(world.stored()));
      world.broken.rolesHolding = new Error('e');
      world.broken.report = new Error('f');
      await expect(pass(world)).rejects.toThrow('f');
      const aborted = AbortSignal.abort(new Error('g'));
      await Promise.allSettled([reconcileUser(key, world, aborted)]);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    } finally {
      process.off('unhandledRejection', listen);
    }
    expect(unhandled).toEqual([]);
  });
});

it('a user whose two IAM roles are both in order is Ready with both', async () => {
  const second = `arn:aws:iam::${accountID}:role/payments-2`;
  const world = await settled({ spec: { principals: [{ roleARN }, { roleARN: second }] } });
  expect(world.stored().status?.principals).toEqual([
    { roleARN, source: 'Spec', policyARN: expect.stringContaining('payments-checkout') },
    { roleARN: second, source: 'Spec', policyARN: expect.stringContaining('payments-2') },
  ]);
  world.policies.missing.add(second);
  world.policies.detachAll(second);
  await pass(world);
  expect(chain(world).PolicyReady).toBe('False RoleNotFound');
  expect(world.verdicts).toEqual([verified]);
});
