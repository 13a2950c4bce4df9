import { describe, expect, it } from 'vitest';
import {
  aDatabase,
  aNamespace,
  aRule,
  aTarget,
  aUser,
  dbARN,
  deleted,
  roleARN,
} from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import type { IamDatabase } from '../api/objects.ts';
import { reconcileDatabase } from './database.ts';
import { Failure } from '../kernel/failure.ts';
import { mostAtOnce } from './loss.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const key = 'payments/checkout';
const pass = (world: TestWorld, of = key) => reconcileUser(of, world, signal);
const conditionOf = (world: TestWorld, type: string, of = key) =>
  world.stored(of).status?.conditions?.find((one) => one.type === type);
const ready = (world: TestWorld, of = key) => conditionOf(world, 'Ready', of);
const mayEnter = (world: TestWorld, username = 'payments_checkout') => ({
  role: world.roles.mayLogIn(username),
  policy: world.policies.allowed(roleARN).includes(dbARN(username)),
});
const open = { role: true, policy: true };
const shut = { role: false, policy: false };
const nobody: Partial<IamDatabase['spec']> = { allow: [] };

/** Users that work; the first is payments/checkout. */
async function working(count = 1, spec: Partial<IamDatabase['spec']> = {}): Promise<TestWorld> {
  const world = aWorld();
  world.put(aDatabase({ spec }), aUser(), ...Array.from({ length: count - 1 }, (_, n) => another(n)));
  for (const of of keys(count)) await pass(world, of);
  world.calls.length = 0;
  world.events.length = 0;
  return world;
}
const another = (n: number) =>
  aUser({ metadata: { name: `user-${n}` }, spec: { username: `payments_${n}` } });
const keys = (count: number) => [key, ...Array.from({ length: count - 1 }, (_, n) => `payments/user-${n}`)];

const atOnce = { onPermissionLost: { graceSeconds: 0 } };

describe('a user that works and is not allowed any more', () => {
  it.each<[string, (world: TestWorld) => void, reason: string]>([
    ['as the rule is gone', (world) => world.put(aDatabase({ spec: nobody })), 'NamespaceNotAllowed'],
    [
      'as its namespace lost the label',
      (world) => {
        const namespaces = { selector: { matchLabels: { team: 'pay' } } };
        world.put(aDatabase({ spec: { allow: [aRule({ namespaces })] } }));
        world.namespaces.set('payments', aNamespace('payments', { team: 'other' }));
      },
      'NamespaceNotAllowed',
    ],
    [
      'as its principal is not in the rule',
      (world) => world.put(aDatabase({ spec: { allow: [aRule({ principals: [`${roleARN}-other`] })] } })),
      'PrincipalNotAllowed',
    ],
  ])('%s is told until when it keeps its access, keeps it, and loses it then', async (_, lose, reason) => {
    const world = await working();
    lose(world);
    const { afterMs } = await pass(world);
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'PermissionLost' });
    expect(ready(world)?.message).toContain('ends at 2026-03-01T00:05:00Z');
    expect(conditionOf(world, 'Stalled')?.reason).toBe('PermissionLost');
    expect(conditionOf(world, 'Allowed')).toMatchObject({ status: 'False', reason });
    expect(afterMs).toBeLessThanOrEqual(300_000);
    expect(mayEnter(world)).toEqual(open);
    world.time += 299_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(open);
    world.time += 1_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
    expect(world.roles.markOf('payments_checkout')).toMatchObject({ name: 'checkout' });
    expect(ready(world)).toMatchObject({ reason: 'PermissionLost' });
    expect(ready(world)?.message).toContain('access has ended');
    expect(world.events.map(({ event }) => event.reason)).toEqual(['PermissionLost', 'AccessEnded']);
    world.calls.length = 0;
    await pass(world);
    expect(world.effects()).toEqual([]);
  });

  it('has it all back once it is allowed again, and a new grace the next time', async () => {
    const world = await working(1, { onPermissionLost: { graceSeconds: 0 } });
    world.put(aDatabase({ spec: { ...nobody, onPermissionLost: { graceSeconds: 0 } } }));
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
    world.put(aDatabase());
    await pass(world);
    expect(ready(world)).toMatchObject({ status: 'True' });
    expect(mayEnter(world)).toEqual(open);
    world.put(aDatabase({ spec: nobody }));
    world.time += 3_600_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(open);
  });

  it('that is allowed again within its grace was never without access', async () => {
    const world = await working();
    world.put(aDatabase({ spec: nobody }));
    await pass(world);
    world.put(aDatabase());
    world.time += 600_000;
    await pass(world);
    expect(ready(world)).toMatchObject({ status: 'True' });
    expect(world.effects().filter((call) => call.startsWith('change'))).toEqual([]);
  });

  it('has its grace begin anew with the operator, so that nobody is ended by a restart', async () => {
    const world = await working();
    world.put(aDatabase({ spec: nobody }));
    await pass(world);
    world.time += 290_000;
    world.restart();
    await pass(world);
    world.time += 290_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(open);
    world.time += 10_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
  });

  it('that has lost its access is not told after a restart that it still has it', async () => {
    const world = await working(1, atOnce);
    world.put(aDatabase({ spec: { ...nobody, ...atOnce } }));
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
    world.put(aDatabase({ spec: nobody }));
    world.restart();
    for (const _ of [1, 2]) {
      await pass(world);
      expect(ready(world)?.message).toContain('had ended when the operator last looked');
      expect(ready(world)?.message).not.toMatch(/access ends/);
      expect(conditionOf(world, 'RoleReady')).toMatchObject({ status: 'Unknown', reason: 'PermissionLost' });
    }
    world.time += 300_000;
    await pass(world);
    expect(ready(world)?.message).toContain('Its access has ended; the role is kept.');
  });

  it('that has lost its right in IAM, and whose role others keep, is not told after a restart that it still has it', async () => {
    const byOthers = { role: { delivery: 'None' } } as const;
    const world = await working(1, { ...atOnce, ...byOthers });
    expect(mayEnter(world).policy).toBe(true);
    world.put(aDatabase({ spec: { ...nobody, ...atOnce, ...byOthers } }));
    await pass(world);
    expect(mayEnter(world).policy).toBe(false);
    world.put(aDatabase({ spec: { ...nobody, ...byOthers } }));
    world.restart();
    await pass(world);
    expect(ready(world)?.message).toContain('had ended when the operator last looked');
  });

  it('that has lost a part of its access only is told when it ends', async () => {
    const world = await working(1, atOnce);
    world.put(aDatabase({ spec: { ...nobody, ...atOnce } }));
    world.roles.broken.observe = new Failure('unavailable', 'DatabaseUnavailable', 'It does not answer.');
    await pass(world);
    expect(mayEnter(world)).toEqual({ role: true, policy: false });
    world.put(aDatabase({ spec: nobody }));
    world.restart();
    await pass(world);
    expect(ready(world)?.message).toContain('Its access ends at');
    expect(ready(world)?.message).not.toContain('had ended');
  });

  it('is told what keeps its access from being ended, which is tried again', async () => {
    const world = await working(1, { onPermissionLost: { graceSeconds: 0 } });
    world.put(aDatabase({ spec: { ...nobody, onPermissionLost: { graceSeconds: 0 } } }));
    world.roles.broken.observe = new Failure('unavailable', 'DatabaseUnavailable', 'It does not answer.');
    const { afterMs } = await pass(world);
    expect(mayEnter(world)).toEqual({ role: true, policy: false });
    expect(ready(world)?.message).toContain('It does not answer.');
    expect(afterMs).toBeLessThanOrEqual(60_000);
    world.roles.broken = {};
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
  });

  it.each<[string, (world: TestWorld) => void]>([
    [
      'is suspended by its database',
      (world) => world.put(aDatabase({ spec: { ...nobody, ...atOnce, suspend: true } })),
    ],
    [
      'is planned by its database',
      (world) => world.put(aDatabase({ spec: { ...nobody, ...atOnce, mode: 'Plan' } })),
    ],
    [
      'cannot be resolved',
      (world) =>
        world.known.set('orders', {
          target: new Failure('missing', 'TargetMissing', 'Gone.'),
          admin: { serverVersion: '17.4' },
          server: undefined,
        }),
    ],
    ['is seen by half a cache', (world) => (world.synced = false)],
    ['has a namespace that was not seen', (world) => world.namespaces.clear()],
  ])('but %s loses nothing', async (_sentence, blur) => {
    const world = await working(1, { onPermissionLost: { graceSeconds: 0 } });
    world.put(aDatabase({ spec: { ...nobody, onPermissionLost: { graceSeconds: 0 } } }));
    blur(world);
    await pass(world);
    world.time += 3_600_000;
    await pass(world);
    expect(mayEnter(world)).toEqual(open);
  });

  it.each([{ suspend: true }, { mode: 'Plan' }] as const)('does not keep it by its own %o', async (own) => {
    const world = await working(1, atOnce);
    world.put(aDatabase({ spec: { ...nobody, ...atOnce } }));
    world.put({ ...world.stored(), spec: { ...world.stored().spec, ...own } });
    await pass(world);
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
  });

  it('by another database that cannot be seen now loses nothing', async () => {
    const spec = { onPermissionLost: { graceSeconds: 0 } };
    const other = aDatabase({ metadata: { name: 'other' }, spec: { database: 'ledger' } });
    const world = aWorld();
    const state = world.known.get('orders');
    if (state === undefined) throw new Error('no state');
    world.known.set('other', { ...state, target: aTarget() });
    world.put(aDatabase({ spec }), other, aUser({ spec: { connectDatabases: ['ledger'] } }));
    await pass(world);
    expect(ready(world)).toMatchObject({ status: 'True' });
    world.known.delete('other');
    await pass(world);
    expect(ready(world)).toMatchObject({ reason: 'DatabaseNotAllowed' });
    expect(mayEnter(world)).toEqual(open);
    world.known.set('other', state);
    world.put({ ...other, spec: { ...other.spec, allow: [] } });
    await pass(world);
    expect(mayEnter(world)).toEqual(shut);
  });
});

describe('how many may lose access at once', () => {
  it.each([
    [0, 5],
    [5, 5],
    [29, 5],
    [30, 6],
    [1000, 200],
  ])('of %i it is %i', (begun, most) => {
    expect(mostAtOnce(begun)).toBe(most);
  });
});

describe('a change by which too many would lose access', () => {
  const spec = { onPermissionLost: { graceSeconds: 0 } };
  const passAll = async (world: TestWorld) => {
    for (const of of keys(6)) await pass(world, of);
  };
  const usernames = ['payments_checkout', ...Array.from({ length: 5 }, (_, n) => `payments_${n}`)];
  const without = (generation: number, confirmed?: string) =>
    aDatabase({
      metadata: {
        generation,
        ...(confirmed === undefined ? {} : { annotations: { 'iamdb.dev/confirm-revocation': confirmed } }),
      },
      spec: { ...spec, ...nobody },
    });

  it('is held, told on each user and on the database, until a person names its generation', async () => {
    const world = await working(6, spec);
    world.put(without(2));
    await passAll(world);
    world.time += 3_600_000;
    await passAll(world);
    for (const of of keys(6)) {
      expect(ready(world, of)).toMatchObject({ status: 'False', reason: 'MassRevocationHeld' });
      expect(conditionOf(world, 'Stalled', of)?.reason).toBe('MassRevocationHeld');
    }
    expect(ready(world)?.message).toContain('iamdb.dev/confirm-revocation=2');
    expect(usernames.map((name) => mayEnter(world, name))).toEqual(usernames.map(() => open));
    expect(world.calls).toContain('event wake orders');
    await reconcileDatabase('orders', world, signal);
    const told = world.storedDatabase().status?.conditions?.find(({ type }) => type === 'Ready');
    expect(told).toMatchObject({ status: 'False', reason: 'MassRevocationHeld' });
    expect(told?.message).toContain('6 user(s)');

    world.put(without(2, '1'));
    await passAll(world);
    expect(mayEnter(world)).toEqual(open);
    world.put(without(2, '2'));
    await passAll(world);
    expect(usernames.map((name) => mayEnter(world, name))).toEqual(usernames.map(() => shut));
    await reconcileDatabase('orders', world, signal);
    expect(world.storedDatabase().status?.conditions?.[0]).toMatchObject({ status: 'True' });
  });

  it('does not tell those whose access ended before a restart that they keep it', async () => {
    const world = await working(6, spec);
    world.put(without(2, '2'));
    await passAll(world);
    world.put(without(3, '2'));
    world.restart();
    for (const _ of [1, 2]) {
      await passAll(world);
      expect(ready(world)).toMatchObject({ reason: 'MassRevocationHeld' });
      expect(ready(world)?.message).toContain('had ended when the operator last looked');
    }
  });

  it('is over for all once the rule is back', async () => {
    const world = await working(6, spec);
    world.put(without(2));
    await passAll(world);
    world.put(aDatabase({ metadata: { generation: 3 }, spec }));
    await passAll(world);
    for (const of of keys(6)) expect(ready(world, of)).toMatchObject({ status: 'True' });
    await reconcileDatabase('orders', world, signal);
    expect(world.storedDatabase().status?.conditions?.[0]).toMatchObject({ status: 'True' });
  });

  it('does not count those who are being deleted', async () => {
    const again = await working(6, spec);
    again.put(deleted(again.stored('payments/user-0')), without(2));
    await pass(again);
    expect(mayEnter(again)).toEqual(shut);
  });
});
