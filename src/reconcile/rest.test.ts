// A database that may sleep is not logged in to without a reason; one that may not is, each time.
import { describe, expect, it } from 'vitest';
import { aDatabase, aTarget, aUser, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld, verified } from '../../test/builders/world.ts';
import { annotations } from '../api/names.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { reconcileDatabase } from './database.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const { signal } = new AbortController();
const key = 'payments/checkout';
type Resync = IamDatabase['spec']['resync'];
const hourMs = 3_600_000;
const onChange: Resync = { policy: 'OnChange', intervalSeconds: 600 };

/** What logs in to the database, of all that the passes did. */
const logins = (world: TestWorld) =>
  world.calls.filter((call) => /^(rehearse|observe role|prove|read mark)/.test(call));

async function pass(world: TestWorld) {
  world.calls.length = 0;
  await reconcileDatabase('orders', world, signal);
  const { afterMs } = await reconcileUser(key, world, signal);
  return afterMs ?? Number.POSITIVE_INFINITY;
}

async function settled(resync: Resync, spec: Partial<IamDatabaseUser['spec']> = {}) {
  const world = aWorld();
  world.known.clear();
  world.put(aDatabase({ spec: { resync } }), aUser({ spec }));
  await pass(world);
  await pass(world);
  return world;
}

const asked = <T extends IamDatabase | IamDatabaseUser>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, annotations: { [annotations.reconcileRequestedAt]: 'now' } },
});
const edited = <T extends IamDatabase | IamDatabaseUser>(object: T, spec: Partial<T['spec']> = {}): T => ({
  ...object,
  metadata: { ...object.metadata, generation: object.metadata.generation + 1 },
  spec: { ...object.spec, ...spec },
});

describe('a database that may sleep', () => {
  it('is left asleep by passes that find nothing new, hour after hour', async () => {
    const world = await settled(onChange);
    for (let hour = 0; hour < 30; hour += 1) {
      world.time += 3_600_000;
      expect(await pass(world)).toBeLessThanOrEqual(660_000);
      expect(logins(world)).toEqual([]);
    }
    expect(world.stored().status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  it('has its policies put right all the same', async () => {
    const world = await settled(onChange);
    const before = world.policies.allowed(roleARN);
    world.policies.detachAll(roleARN);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual(before);
  });

  it.each<[string, (world: TestWorld) => void, readonly string[]]>([
    [
      'the user is edited',
      (world) => world.put(edited(world.stored(), { connectionLimit: 5 })),
      ['role', 'prove'],
    ],
    ['a look at the user is asked for', (world) => world.put(asked(world.stored())), ['role', 'prove']],
    ['the database is edited', (world) => world.put(edited(world.storedDatabase())), ['rehearse', 'role']],
    [
      'a look at the database is asked for',
      (world) => world.put(asked(world.storedDatabase())),
      ['rehearse', 'role'],
    ],
    [
      'it is another server',
      (world) => {
        world.resolved = aTarget({ serverResourceID: 'cluster-NEW', resourceIDs: ['cluster-NEW'] });
      },
      ['role', 'prove'],
    ],
    [
      'the operator starts',
      (world) => {
        world.restart();
        world.known.clear();
      },
      ['rehearse', 'role'],
    ],
  ])('is woken once when %s', async (_, change, expected) => {
    const world = await settled(onChange);
    change(world);
    await pass(world);
    const found = logins(world).map((call) => call.replace('observe role', 'role').split(' ')[0] ?? '');
    expect(new Set(found)).toEqual(new Set(expected));
    await pass(world);
    expect(logins(world)).toEqual([]);
  });

  it('is tried again while it does not answer', async () => {
    const world = await settled(onChange);
    world.roles.broken.observe = new Failure('unavailable', 'DatabaseUnavailable', 'It wakes up.');
    world.put(edited(world.stored()));
    await pass(world);
    world.roles.broken = {};
    await pass(world);
    expect(logins(world)).not.toEqual([]);
    expect(world.stored().status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  it.each(['TokenRefused', 'LoginForbidden', 'WrongIdentity'] as const)(
    'is woken ever more seldom by a login that was answered %s, until somebody edits, asks or moves it',
    async (reason) => {
      const world = await settled(onChange);
      world.verdicts = [{ status: 'False', reason, message: 'No.', restMs: 24 * hourMs }];
      const refuse = async (change: () => void) => {
        change();
        await pass(world);
        expect(logins(world).some((call) => call.startsWith('prove'))).toBe(true);
        const at: number[] = [];
        for (let minutes = 10; minutes <= 640; minutes += 10) {
          world.time += 600_000;
          await pass(world);
          if (logins(world).length > 0) at.push(minutes);
        }
        const told = world.stored().status?.conditions?.find(({ type }) => type === 'AccessVerified');
        expect([told?.status, told?.reason]).toEqual(['False', reason]);
        expect(told?.message).toContain(annotations.reconcileRequestedAt);
        return at;
      };
      expect(await refuse(() => world.put(edited(world.stored())))).toEqual([10, 20, 40, 80, 160, 320, 640]);
      // It has stood for long, and what somebody does at the object is looked at at once.
      expect(await refuse(() => world.put(asked(world.stored())))).toEqual([640]);
      const moved = aTarget({ endpoint: 'moved.eu-west-1.rds.amazonaws.com' });
      expect(await refuse(() => (world.resolved = moved))).toEqual([]);
    },
  );

  it.each([
    ['TokenRefused', 'False', 24],
    ['CertificateRejected', 'False', 1],
    ['NotProven', 'Unknown', 24],
  ] as const)(
    'is woken once more, %s being %s for long, after %i h: it may have healed',
    async (reason, status, hours) => {
      const world = await settled(onChange);
      world.verdicts = [{ status, reason, message: 'No.', restMs: hours * hourMs }];
      world.put(edited(world.stored()));
      await pass(world);
      world.time += 2 * hours * hourMs;
      await pass(world);
      expect(logins(world)).toEqual(['prove payments_checkout']);
      world.time += hours * hourMs - 1;
      await pass(world);
      expect(logins(world)).toEqual([]);
      const told = world.stored().status?.conditions?.find(({ type }) => type === 'AccessVerified');
      expect(told?.message).toContain(`for ${hours * 60} minutes (resync)`);
      world.time += 1;
      world.verdicts = [verified];
      await pass(world);
      expect(logins(world)).toEqual(['prove payments_checkout']);
      expect(world.stored().status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    },
  );

  it('is woken at once by other roots than those its certificate was rejected by; not by roots that cannot be had', async () => {
    const world = await settled(onChange);
    world.verdicts = [{ status: 'False', reason: 'CertificateRejected', message: 'No.', restMs: hourMs }];
    world.put(edited(world.stored()));
    await pass(world);
    world.broken.roots = new Failure('unavailable', 'BundleUnavailable', 'No answer.');
    await pass(world);
    expect(logins(world)).toEqual([]);
    delete world.broken.roots;
    await pass(world);
    expect(logins(world)).toEqual([]);
    world.roots = async () => await Promise.resolve('renewed roots');
    world.verdicts = [verified];
    await pass(world);
    expect(logins(world)).toEqual(['prove payments_checkout']);
  });

  it.each([
    ['CertificateRejected', 'denied', false],
    ['AdminLoginRefused', 'denied', true],
    ['MissingCreateRole', 'denied', true],
    ['DatabaseUnavailable', 'unavailable', true],
  ] as const)('whose admin fails by %s (%s) is woken at each look: %s', async (reason, kind, isWoken) => {
    const world = await settled(onChange);
    world.advice = 'Advice.';
    world.broken.rehearse = new Failure(kind, reason, 'No.');
    world.put(edited(world.storedDatabase()));
    await pass(world);
    for (let looks = 0; looks < 5; looks += 1) {
      world.time += 600_000;
      await pass(world);
      expect(logins(world).includes('rehearse')).toBe(isWoken);
    }
    const told = world.storedDatabase().status?.conditions?.find(({ type }) => type === 'AdminReady');
    expect(told).toMatchObject({ reason, message: 'No. Advice.' });
    delete world.broken.rehearse;
    world.time += 600_000;
    await pass(world);
    expect(world.storedDatabase().status?.conditions?.find(({ type }) => type === 'AdminReady')?.status).toBe(
      'True',
    );
  });

  it.each(['Unreachable', 'NotTrusted'] as const)(
    'is tried again while %s: that passes, or is no login',
    async (reason) => {
      const world = await settled(onChange);
      world.verdicts = [{ status: 'False', reason, message: 'No.' }];
      world.put(edited(world.stored()));
      await pass(world);
      await pass(world);
      expect(logins(world).some((call) => call.startsWith('prove'))).toBe(true);
    },
  );

  it('is left asleep once an access has ended, and woken when it is given back', async () => {
    const expirationTime = '2026-03-01T00:00:00Z';
    const world = await settled(onChange, { expirationTime });
    expect(world.roles.mayLogIn('payments_checkout')).toBe(false);
    await pass(world);
    expect(logins(world)).toEqual([]);
    world.put(edited(world.stored(), { expirationTime: '2027-01-01T00:00:00Z' }));
    await pass(world);
    expect(world.roles.mayLogIn('payments_checkout')).toBe(true);
  });
});

it('a database that is looked at by interval is, each time', async () => {
  const world = await settled({ policy: 'Periodic', intervalSeconds: 600 });
  await pass(world);
  expect(logins(world).map((call) => call.split(' ')[0])).toEqual(['rehearse', 'observe']);
});
