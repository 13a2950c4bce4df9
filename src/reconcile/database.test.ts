import { describe, expect, it } from 'vitest';
import { aDatabase, aTarget, aUser, begun, deleted } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import { annotations } from '../api/names.ts';
import type { ConditionType } from '../api/conditions.ts';
import { reconcileDatabase } from './database.ts';
import { Failure } from '../kernel/failure.ts';

const signal = new AbortController().signal;
const pass = (world: TestWorld) => reconcileDatabase('orders', world, signal);
const condition = (world: TestWorld, type: ConditionType) => {
  const found = world.storedDatabase().status?.conditions?.find((one) => one.type === type);
  return found === undefined ? '-' : `${found.status} ${found.reason}`;
};

/** A database that was just applied: nothing is known of it. */
function applied(
  overrides: Parameters<typeof aDatabase>[0] = {},
  settings: Partial<TestWorld['settings']> = {},
) {
  const world = aWorld(settings);
  world.known.clear();
  world.put(aDatabase({ ...overrides, metadata: { finalizers: [], ...overrides.metadata } }));
  return world;
}

async function settled(overrides: Parameters<typeof aDatabase>[0] = {}) {
  const world = applied(overrides);
  await pass(world);
  world.calls.length = 0;
  world.events.length = 0;
  return world;
}

describe('a database that was just applied', () => {
  it('is Ready after one pass, with what was found out about it', async () => {
    const world = applied();
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
    expect(condition(world, 'AdminReady')).toBe('True Rehearsed');
    expect(world.storedDatabase().status).toMatchObject({
      observedGeneration: 1,
      endpoint: aTarget().endpoint,
      port: 5432,
      resourceIDs: ['cluster-ABC'],
      accountID: '111122223333',
      partition: 'aws',
      engine: 'aurora-postgresql',
      engineVersion: '16.6',
      serverVersion: '17.4',
    });
    expect(world.events.map(({ event }) => event.reason)).toEqual(['Ready']);
  });

  it('whose finalizer may not be set is told so, and its users are; nothing is asked of AWS or the server', async () => {
    const world = applied();
    world.broken.hold = new Failure('denied', 'KubernetesUnavailable', 'A right is missing.');
    const { afterMs } = await pass(world);
    const told = world.storedDatabase().status?.conditions?.find(({ type }) => type === 'TargetResolved');
    expect(told).toMatchObject({
      status: 'False',
      reason: 'KubernetesUnavailable',
      message: 'A right is missing.',
    });
    expect(condition(world, 'Ready')).toBe('False KubernetesUnavailable');
    expect(world.known.get('orders')?.target).toBe(world.broken.hold);
    expect(world.calls).not.toContain('look at the target');
    expect(afterMs).toBeLessThanOrEqual(15_000);
    world.broken = {};
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
  });

  it('that somebody changed meanwhile is tried again, and nothing is said of it', async () => {
    const world = applied();
    world.broken.hold = new Failure('unavailable', 'KubernetesUnavailable', 'The object changed.');
    await expect(pass(world)).rejects.toThrow('The object changed.');
    expect(world.storedDatabase().status).toBeUndefined();
    expect(world.known.has('orders')).toBe(false);
  });

  it('that lost its finalizer, and may not be given it again, is told so; what was found serves its users on', async () => {
    const world = await settled();
    const { metadata, ...rest } = world.storedDatabase();
    world.put({ ...rest, metadata: { ...metadata, finalizers: [] } });
    world.broken.hold = new Failure('denied', 'KubernetesUnavailable', 'A right is missing.');
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False KubernetesUnavailable');
    expect(world.known.get('orders')).toMatchObject({ target: aTarget() });
  });

  it('is looked at again together with the others, so that they share what is asked of AWS', async () => {
    const world = applied({ spec: { resync: { policy: 'Periodic', intervalSeconds: 600 } } });
    const { metadata, ...rest } = aDatabase({
      spec: { resync: { policy: 'Periodic', intervalSeconds: 600 } },
    });
    world.put({ ...rest, metadata: { ...metadata, name: 'reports', uid: 'another' } });
    const due: number[] = [];
    for (const name of ['orders', 'reports']) {
      world.time += 17_000;
      const { afterMs = 0 } = await reconcileDatabase(name, world, signal);
      due.push(world.time + afterMs);
    }
    expect(new Set(due).size).toBe(1);
    expect((due[0] ?? 0) % 600_000).toBe(0);
  });

  it('with a proxy that cannot be used is not Ready, and is used by its users all the same', async () => {
    const world = applied();
    const trouble = new Failure('missing', 'ProxyNotFound', 'AWS knows no RDS Proxy orders-proxy.');
    world.resolved = aTarget({ troubles: [trouble] });
    await pass(world);
    expect(condition(world, 'TargetResolved')).toBe('False ProxyNotFound');
    expect(condition(world, 'AdminReady')).toBe('True Rehearsed');
    expect(condition(world, 'Ready')).toBe('False ProxyNotFound');
    expect(world.storedDatabase().status?.endpoint).toBe(aTarget().endpoint);
    expect(world.known.get('orders')?.server).toBeDefined();
  });

  it('is told what should be known of its admin, beside what the rehearsal says', async () => {
    const world = applied();
    world.advice = 'The secret is impaired.';
    await pass(world);
    const said = () =>
      world.storedDatabase().status?.conditions?.find(({ type }) => type === 'AdminReady')?.message;
    expect(said()).toBe(
      'The admin may create roles and grant rds_iam without losing its login. The secret is impaired.',
    );
    world.broken.rehearse = new Failure('denied', 'AdminLoginRefused', 'It was refused.');
    await pass(world);
    expect(said()).toBe('It was refused. The secret is impaired.');
  });

  it('without the admin that Managed roles need is told so, whatever let it into the cluster', async () => {
    const database = aDatabase({ metadata: { finalizers: [] } });
    const { admin: _, ...spec } = database.spec;
    const world = aWorld();
    world.known.clear();
    world.put({ ...database, spec });
    await pass(world);
    expect(condition(world, 'AdminReady')).toBe('False AdminSecretMissing');
    expect(world.calls).not.toContain('rehearse');
  });

  it.each(['SQL', 'None'] as const)(
    'is Ready without a login of the operator where roles are delivered by %s, and an open server is closed',
    async (delivery) => {
      const world = applied({ spec: { role: { delivery } } });
      await pass(world);
      expect(condition(world, 'Ready')).toBe('True Ready');
      expect(condition(world, 'AdminReady')).toBe('Unknown NotManaged');
      expect(world.storedDatabase().status?.serverVersion).toBeUndefined();
      expect(world.calls).toContain('close orders');
      expect(world.calls).not.toContain('rehearse');
      expect(world.known.get('orders')).toMatchObject({ admin: 'NotUsed', server: undefined });
    },
  );

  it('has the finalizer before its users can begin', async () => {
    const world = applied();
    await pass(world);
    expect(world.calls.indexOf('hold orders')).toBe(0);
    expect(world.calls.indexOf('learn orders')).toBeGreaterThan(0);
  });

  it('is known to its users before its status is written', async () => {
    const world = applied();
    await pass(world);
    expect(world.calls.indexOf('learn orders')).toBeLessThan(world.calls.indexOf('report orders'));
  });

  it('has nothing written by a second pass, and no event', async () => {
    const world = await settled();
    await pass(world);
    expect(world.effects()).toEqual(['look at the target', 'rehearse', 'learn orders']);
    expect(world.events).toEqual([]);
  });

  it('is looked at again at its resync', async () => {
    const world = await settled({ spec: { resync: { policy: 'Periodic', intervalSeconds: 60 } } });
    const { afterMs } = await pass(world);
    expect(afterMs).toBeGreaterThanOrEqual(54_000);
    expect(afterMs).toBeLessThanOrEqual(66_000);
  });

  it('echoes a request by annotation', async () => {
    const world = await settled();
    const { metadata, ...rest } = world.storedDatabase();
    world.put({
      ...rest,
      metadata: { ...metadata, annotations: { [annotations.reconcileRequestedAt]: 'x' } },
    });
    await pass(world);
    expect(world.storedDatabase().status?.lastHandledReconcileAt).toBe('x');
  });
});

describe('what goes wrong', () => {
  it.each<[string, Failure, ready: string, admin: string]>([
    [
      'a target that is missing',
      new Failure('missing', 'TargetMissing', 'No.'),
      'False TargetMissing',
      'Unknown Waiting',
    ],
    [
      'IAM authentication that is off',
      new Failure('invalid', 'IamAuthenticationOff', 'Off.'),
      'False IamAuthenticationOff',
      'Unknown Waiting',
    ],
    [
      'AWS that asks to slow down at the first look',
      new Failure('throttled', 'Throttled', 'Slow.'),
      'False Throttled',
      'Unknown Waiting',
    ],
  ])('%s is told, and the admin waits', async (_sentence, failure, ready, admin) => {
    const world = applied();
    world.broken.resolve = failure;
    await pass(world);
    expect(condition(world, 'Ready')).toBe(ready);
    expect(condition(world, 'AdminReady')).toBe(admin);
    expect(world.known.get('orders')?.target).toBe(failure);
    expect(world.calls).not.toContain('rehearse');
  });

  it('an admin that would lock itself out is told, and the target holds', async () => {
    const world = applied();
    world.broken.rehearse = new Failure('invalid', 'AdminWouldLoseLogin', 'It would.');
    await pass(world);
    expect(condition(world, 'TargetResolved')).toBe('True Resolved');
    expect(condition(world, 'Ready')).toBe('False AdminWouldLoseLogin');
    expect(condition(world, 'Stalled')).toBe('True AdminWouldLoseLogin');
    expect(world.storedDatabase().status?.endpoint).toBe(aTarget().endpoint);
  });

  it('nobody foresaw shows nothing of itself', async () => {
    const world = applied();
    world.broken.rehearse = new Error('password=hunter2');
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False InternalError');
    expect(JSON.stringify(world.storedDatabase())).not.toContain('hunter2');
  });

  it('with an address that is a metadata service is refused before anything is dialled', async () => {
    const world = applied({ spec: { connectTo: { host: '169.254.169.254', port: 80 } } });
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False AddressRefused');
    expect(world.calls).not.toContain('rehearse');
  });

  it('is no trouble for tests, which may dial loopback', async () => {
    const world = applied(
      { spec: { connectTo: { host: '127.0.0.1', port: 5432 } } },
      { allowLocalAddresses: true },
    );
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
  });

  it('is looked at again sooner, ever later while it fails, and forgotten when it is mended', async () => {
    const world = applied();
    world.broken.rehearse = new Failure('unavailable', 'DatabaseUnavailable', 'No answer.');
    const waits = [];
    for (let i = 0; i < 4; i += 1) waits.push((await pass(world)).afterMs);
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000]);
    world.broken = {};
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
    world.broken.rehearse = new Failure('unavailable', 'DatabaseUnavailable', 'No answer.');
    expect((await pass(world)).afterMs).toBe(1_000);
  });
});

describe('a target that was resolved', () => {
  it.each<[string, Error]>([
    ['AWS asks to slow down', new Failure('throttled', 'Throttled', 'Slow.')],
    ['AWS refuses the look', new Failure('denied', 'AccessDenied', 'No.')],
    ['AWS does not answer', new Failure('unavailable', 'AwsUnavailable', 'No answer.')],
    ['something unforeseen happens', new Error('x')],
  ])('stays as it was while %s', async (_sentence, error) => {
    const world = await settled();
    world.broken.resolve = error;
    await pass(world);
    expect(world.known.get('orders')?.target).toEqual(aTarget());
    expect(condition(world, 'TargetResolved')).toBe('True Resolved');
  });

  it.each<[string, Failure]>([
    ['missing', new Failure('missing', 'TargetMissing', 'Gone.')],
    ['stopped', new Failure('unavailable', 'DatabaseStopped', 'Stopped.')],
    ['without IAM authentication', new Failure('invalid', 'IamAuthenticationOff', 'Off.')],
    ['not ready', new Failure('unavailable', 'TargetNotReady', 'Modifying.')],
  ])('does not once AWS says that it is %s', async (_sentence, failure) => {
    const world = await settled();
    world.broken.resolve = failure;
    await pass(world);
    expect(world.known.get('orders')?.target).toBe(failure);
    expect(condition(world, 'Ready')).toBe(`False ${failure.reason}`);
  });
});

const leaving = async (...users: readonly ReturnType<typeof aUser>[]) => {
  const world = await settled();
  world.put(deleted(world.storedDatabase()), ...users);
  return world;
};

describe('a database that is deleted', () => {
  it('goes at once when nobody uses it, and is forgotten', async () => {
    const world = await leaving();
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.effects()).toEqual(['release orders', 'learn orders']);
    expect([world.known.size, world.failures.size]).toEqual([0, 0]);
  });

  it('waits for its users, is kept working for them, and says how many and who', async () => {
    const users = ['d', 'b', 'c', 'a'].map((name) =>
      begun(aUser({ metadata: { name }, spec: { username: `payments_${name}` } })),
    );
    const world = await leaving(...users);
    await pass(world);
    expect(world.effects()).not.toContain('release orders');
    expect(world.effects()).toContain('rehearse');
    const ready = world.storedDatabase().status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({
      reason: 'InUse',
      message: expect.stringContaining(
        '4 IamDatabaseUser(s) name this database: payments/a, payments/b, payments/c and 1 more',
      ),
    });
  });

  it('is tried again as one that stays is, while users wait for what is wrong with it or for a switch', async () => {
    const stays = await settled({ spec: { resync: { policy: 'Periodic', intervalSeconds: 3600 } } });
    const goes = await leaving(begun(aUser()));
    goes.put(deleted({ ...stays.storedDatabase(), metadata: goes.storedDatabase().metadata }));
    for (const world of [stays, goes]) world.time = 0;
    const both = async () => [(await pass(stays)).afterMs, (await pass(goes)).afterMs];
    for (const world of [stays, goes]) world.resolved = aTarget({ isInBlueGreen: true });
    expect(await both()).toEqual([60_000, 60_000]);
    for (const world of [stays, goes]) {
      world.resolved = aTarget();
      world.broken.rehearse = new Failure('unavailable', 'DatabaseUnavailable', 'No answer.');
    }
    expect(await both()).toEqual([1_000, 1_000]);
    expect(await both()).toEqual([2_000, 2_000]);
  });

  it('does not wait for one that never began, which anybody in any namespace could apply', async () => {
    const world = await leaving(aUser({ metadata: { namespace: 'strangers' } }));
    await pass(world);
    expect(world.effects()).toContain('release orders');
  });

  it('that was never held goes by itself', async () => {
    const world = applied();
    world.put(deleted(world.storedDatabase()));
    await pass(world);
    expect(world.calls).toEqual([]);
  });

  it('and suspended waits for its users without being looked at', async () => {
    const world = await leaving(begun(aUser()));
    const database = world.storedDatabase();
    world.put({ ...database, spec: { ...database.spec, suspend: true } });
    await pass(world);
    expect(world.calls).toEqual(['report orders']);
    expect(condition(world, 'Ready')).toBe('True Suspended');
  });

  it('is forgotten when it is gone', async () => {
    const world = await settled();
    world.remove(world.storedDatabase());
    await pass(world);
    expect(world.calls).toEqual(['learn orders']);
    expect(world.known.size).toBe(0);
  });
});

describe('a suspended database', () => {
  it('is not looked at, says so, and keeps what is known of it', async () => {
    const world = await settled();
    const database = world.storedDatabase();
    world.put({ ...database, spec: { ...database.spec, suspend: true } });
    expect(await pass(world)).toEqual({ afterMs: undefined });
    expect(world.calls).toEqual(['report orders']);
    expect(condition(world, 'Ready')).toBe('True Suspended');
    expect(condition(world, 'AdminReady')).toBe('True Rehearsed');
    expect(world.storedDatabase().status?.endpoint).toBe(aTarget().endpoint);
    expect(world.known.has('orders')).toBe(true);
    await pass(world);
    expect(world.effects()).toEqual(['report orders']);
  });
});
