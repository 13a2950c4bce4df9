import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { aDatabase, aTarget, aUser, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld, verified } from '../../test/builders/world.ts';
import type { DatabaseSpec } from '../api/schema.ts';
import { Failure } from '../kernel/failure.ts';
import { formatMark } from '../resources/role/mark.ts';
import { reconcileUser } from './user.ts';

type Delivery = DatabaseSpec['role']['delivery'];
const signal = new AbortController().signal;
const pass = (world: TestWorld) => reconcileUser('payments/checkout', world, signal);
const find = (world: TestWorld, type: string) =>
  world.stored().status?.conditions?.find((one) => one.type === type);
const condition = (world: TestWorld, type: string) =>
  `${find(world, type)?.status} ${find(world, type)?.reason}`;
const map = (world: TestWorld) => world.configMaps.kept.get('payments/checkout-sql');
const script = (world: TestWorld) => map(world)?.data['role.sql'] ?? '';
/** As a DBA finds it out of what the ConfigMap holds. */
const checksum = (world: TestWorld) => `(sha256 ${createHash('sha256').update(script(world)).digest('hex')})`;
const roleLeft = (world: TestWorld) =>
  world.events.find(({ event }) => event.reason === 'RoleLeft')?.event.message;
const arn = dbARN('payments_checkout');

const spec = (delivery: Delivery) => ({ role: { delivery } });
/** The mark of another tenant. */
const theirs = formatMark({
  operatorID: 'op-1',
  namespaceUID: 'uid-of-theirs',
  namespace: 'theirs',
  name: 'checkout',
  uid: 'uid-of-their-user',
  serverResourceID: 'cluster-ABC',
  groups: [],
  databases: [],
  settings: [],
});

/** No admin, as the database pass leaves it then. */
function deliver(world: TestWorld, delivery: Delivery): void {
  world.put(aDatabase({ metadata: { generation: 2 }, spec: spec(delivery) }));
  const known = world.known.get('orders');
  if (delivery !== 'Managed') {
    world.known.set('orders', { target: aTarget(), admin: 'NotUsed', server: undefined });
  } else if (known?.server === undefined) {
    world.known.set('orders', {
      target: aTarget(),
      admin: { serverVersion: '17.4' },
      server: world.open(aDatabase(), aTarget()),
    });
  }
}
async function settled(delivery: Delivery, user = aUser()): Promise<TestWorld> {
  const world = aWorld();
  deliver(world, delivery);
  world.put(user);
  await pass(world);
  expect(condition(world, 'Ready')).toBe('True Ready');
  return world;
}

describe('a role that somebody else keeps', () => {
  it('is told as SQL, is never looked at, and the policy and the proof go on', async () => {
    const world = await settled('SQL');
    expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
    expect(find(world, 'RoleReady')?.message).toContain('kubectl get configmap -n payments checkout-sql');
    expect(script(world)).toContain('CREATE ROLE "payments_checkout"');
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
    expect(condition(world, 'AccessVerified')).toBe('True Verified');
    expect(world.calls.filter((call) => call.includes('role'))).toEqual([]);
  });

  it('is told with the checksum of the SQL, which nobody else can write: of what gives it and of what ends it', async () => {
    const world = await settled('SQL');
    const given = checksum(world);
    expect(find(world, 'RoleReady')?.message).toContain(given);
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, expirationTime: '2020-01-01T00:00:00Z' } });
    await pass(world);
    for (const type of ['Ready', 'RoleReady']) expect(find(world, type)?.message).toContain(checksum(world));
    expect(checksum(world)).not.toBe(given);
    world.put(deleted(world.stored()));
    await pass(world);
    expect(roleLeft(world)).toContain(checksum(world));
  });

  it('is to be run after the switch while a blue/green deployment is under way', async () => {
    const world = aWorld();
    deliver(world, 'SQL');
    const target = aTarget({ isInBlueGreen: true });
    world.known.set('orders', { target, admin: 'NotUsed', server: undefined });
    world.put(aUser());
    await pass(world);
    expect(find(world, 'RoleReady')?.message).toContain('after the switch of the blue/green deployment');
  });

  it('is nowhere with None', async () => {
    const world = await settled('None');
    expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
    expect(map(world)).toBeUndefined();
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
  });

  it('holds Ready back when the proof says that it is not there', async () => {
    const world = aWorld();
    deliver(world, 'SQL');
    world.verdicts = [{ status: 'False', reason: 'TokenRefused', message: 'Refused.' }, verified];
    world.put(aUser());
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False TokenRefused');
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
  });

  it('is not told over what is not ours, and lets nobody in meanwhile', async () => {
    const world = aWorld();
    deliver(world, 'SQL');
    world.configMaps.foreign.add('payments/checkout-sql');
    world.put(aUser());
    await pass(world);
    expect(condition(world, 'RoleReady')).toBe('False ForeignConfigMap');
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('is not told at all under a name that cannot be', async () => {
    const world = aWorld();
    deliver(world, 'SQL');
    world.put(aUser({ spec: { memberOf: ['payments_checkout'] } }));
    world.put(
      aDatabase({
        spec: {
          ...spec('SQL'),
          allow: [
            {
              namespaces: { names: ['payments'] },
              usernames: ['*'],
              memberOf: ['payments_checkout'],
              principals: [roleARN],
            },
          ],
        },
      }),
    );
    await pass(world);
    expect(condition(world, 'RoleReady')).toBe('False PrivilegedGroup');
    expect(map(world)).toBeUndefined();
  });

  it('is told anew when somebody changed the ConfigMap', async () => {
    const world = await settled('SQL');
    const kept = map(world);
    if (kept !== undefined) world.configMaps.kept.set('payments/checkout-sql', { ...kept, data: {} });
    await pass(world);
    expect(script(world)).toContain('CREATE ROLE');
    expect(world.events.map(({ event }) => event.reason)).toContain('DriftRepaired');
  });

  it('is told line by line in the plan of plan mode, and nothing is written', async () => {
    const world = aWorld();
    deliver(world, 'SQL');
    world.put(aUser({ spec: { mode: 'Plan' } }));
    await pass(world);
    expect(world.stored().status?.plan).toContain(
      'ConfigMap payments/checkout-sql: role.sql: --   CREATE ROLE "payments_checkout" LOGIN CONNECTION LIMIT -1;',
    );
    expect(world.effects()).toEqual(['report payments/checkout']);
  });

  it('ends by the SQL that stays, without an owner whose end would take it along', async () => {
    const world = await settled('SQL');
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(script(world)).toContain('DROP ROLE "payments_checkout"');
    expect(map(world)?.ownerReferences).toEqual([]);
    expect(world.events.map(({ event }) => event.reason)).toContain('RoleLeft');
  });

  it.each([
    ['Disable', /NOLOGIN/, 'RoleLeft'],
    ['Retain', /released by iamdb-operator/, 'Retained'],
  ] as const)('ends by deletionPolicy %s in SQL too', async (deletionPolicy, told, event) => {
    const world = await settled('SQL', aUser({ spec: { deletionPolicy } }));
    world.put(deleted(world.stored()));
    await pass(world);
    expect(script(world)).toMatch(told);
    expect(script(world)).not.toContain('DROP ROLE');
    expect(world.events.map((one) => one.event.reason)).toEqual(expect.arrayContaining([event]));
  });

  it('needs neither ConfigMap nor database to end: a namespace that goes takes the one along', async () => {
    const world = await settled('SQL');
    world.configMaps.kept.delete('payments/checkout-sql');
    const target = new Failure('unavailable', 'DatabaseStopped', 'Stopped.');
    world.known.set('orders', { target, admin: 'NotUsed', server: undefined });
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(map(world)).toBeUndefined();
    expect(roleLeft(world)).toContain('somebody else to end');
  });

  it('ends with None by whoever keeps it', async () => {
    const world = await settled('None');
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(roleLeft(world)).toContain('somebody else to end');
  });

  it('whose time is over is told as SQL, and comes back as it was when that is extended', async () => {
    const world = await settled('SQL');
    const lasting = world.stored();
    world.put({ ...lasting, spec: { ...lasting.spec, expirationTime: '2020-01-01T00:00:00Z' } });
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False Expired');
    expect(find(world, 'Ready')?.message).toContain('checkout-sql');
    expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
    expect(script(world)).toContain('NOLOGIN');
    expect(script(world)).not.toContain('DROP ROLE');
    expect(world.policies.allowed(roleARN)).toEqual([]);
    world.put({ ...world.stored(), spec: lasting.spec });
    await pass(world);
    expect(script(world)).toContain('CREATE ROLE');
    expect(condition(world, 'Ready')).toBe('True Ready');
  });
});

describe('a change of who keeps the role', () => {
  it('to Managed takes the script away only once the operator has the role', async () => {
    const world = await settled('SQL');
    deliver(world, 'Managed');
    world.roles.broken.apply = new Failure('denied', 'MissingCreateRole', 'No.');
    await pass(world);
    expect(script(world)).toContain('CREATE ROLE');
    delete world.roles.broken.apply;
    await pass(world);
    expect(condition(world, 'RoleReady')).toBe('True AsDeclared');
    expect(map(world)).toBeUndefined();
  });

  it('from Managed leaves the role as it is', async () => {
    const world = await settled('Managed');
    expect(world.roles.has('payments_checkout')).toBe(true);
    world.calls.length = 0;
    deliver(world, 'SQL');
    await pass(world);
    expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
    expect(world.calls.filter((call) => / role /.test(call))).toEqual([]);
    expect(world.roles.has('payments_checkout')).toBe(true);
  });

  describe.each(['SQL', 'None'] as const)(
    "to %s, once the role was seen to be somebody else's,",
    (delivery) => {
      const owned = (adopt: readonly string[]) => {
        const [rule] = aDatabase().spec.allow;
        if (rule === undefined) throw new Error('no rule');
        return aDatabase({
          metadata: { generation: 3 },
          spec: { ...spec(delivery), allow: [{ ...rule, adopt: [...adopt] }] },
        });
      };
      async function seen(letInBefore: boolean, comment?: string): Promise<TestWorld> {
        const world = letInBefore ? await settled('Managed') : aWorld();
        deliver(world, 'Managed');
        world.roles.drop('payments_checkout');
        world.roles.make('payments_checkout', comment);
        world.put(letInBefore ? world.stored() : aUser());
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
        deliver(world, delivery);
        await pass(world);
        return world;
      }
      const isShut = (world: TestWorld) => {
        expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
        expect(condition(world, 'AccessVerified')).toBe('Unknown Waiting');
        expect(world.policies.allowed(roleARN)).toEqual([]);
      };

      it.each([[true], [false]])(
        'lets nobody in as it (served before: %s), also after a restart',
        async (before) => {
          const world = await seen(before);
          isShut(world);
          expect(find(world, 'RoleReady')?.message).toContain('names it in adopt');
          expect(find(world, 'RoleReady')?.message).toContain('takes out what they hold of it');
          world.restart();
          deliver(world, delivery);
          await pass(world);
          isShut(world);
        },
      );

      it('takes nothing away by what a status says alone', async () => {
        const world = await settled(delivery);
        const { status, ...user } = world.stored();
        const conditions = status?.conditions?.map((one) =>
          one.type === 'RoleReady'
            ? { ...one, status: 'False' as const, reason: 'RoleNotOurs' as const }
            : one,
        );
        world.put({ ...user, status: { ...status, ...(conditions && { conditions }) } });
        world.restart();
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
        expect(find(world, 'RoleReady')?.message).toContain(
          'what stands there stays until the operator looks again',
        );
        expect(world.policies.allowed(roleARN)).toEqual([arn]);
      });

      it.each([
        ["another tenant's mark", theirs],
        ['a mark that this version cannot read', 'Kept by iamdb-operator for somebody: {"v":2}'],
      ])('lets nobody in as one that carries %s, whatever is in adopt', async (_what, comment) => {
        const world = await seen(true, comment);
        world.put(owned(['payments_checkout']));
        await pass(world);
        isShut(world);
        expect(find(world, 'RoleReady')?.message).toContain('sets role.delivery to Managed');
        expect(find(world, 'RoleReady')?.message).not.toContain('names it in adopt');
      });

      it('lets nobody in by adopt once only the status tells of it, until Managed has looked', async () => {
        const world = await seen(false);
        world.restart();
        world.put(owned(['payments_checkout']));
        await pass(world);
        isShut(world);
        expect(find(world, 'RoleReady')?.message).toContain('sets role.delivery to Managed');
        deliver(world, 'Managed');
        world.put(aDatabase({ spec: { allow: owned(['payments_checkout']).spec.allow } }));
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('True AsDeclared');
        world.put(owned([]));
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
        expect(world.policies.allowed(roleARN)).toEqual([arn]);
      });

      it('goes on saying so where a ConfigMap of somebody else is in the way of the script, also after a restart', async () => {
        const world = await seen(false);
        world.configMaps.foreign.add('payments/checkout-sql');
        await pass(world);
        isShut(world);
        world.restart();
        await pass(world);
        isShut(world);
        world.configMaps.foreign.clear();
        await pass(world);
        isShut(world);
        expect(map(world)).toBeUndefined();
      });

      it('goes by what this process knows, where the status is older', async () => {
        const world = await seen(false);
        const { status } = world.stored();
        world.put(owned(['payments_checkout']));
        await pass(world);
        const now = world.stored();
        world.put(status === undefined ? now : { ...now, status });
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
      });

      it('lets nobody in as one that was seen in plan mode alone', async () => {
        const world = await settled('Managed');
        world.policies.deleteAll(roleARN);
        world.roles.drop('payments_checkout');
        world.roles.make('payments_checkout', theirs);
        const { spec: lasting } = world.stored();
        world.put({ ...world.stored(), spec: { ...lasting, mode: 'Plan' } });
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
        deliver(world, delivery);
        world.put({ ...world.stored(), spec: lasting });
        await pass(world);
        isShut(world);
      });

      it('lets nobody in by an access that ended and is given back', async () => {
        const world = await seen(false);
        const lasting = world.stored();
        world.put({ ...lasting, spec: { ...lasting.spec, expirationTime: '2020-01-01T00:00:00Z' } });
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
        world.put({ ...world.stored(), spec: lasting.spec });
        await pass(world);
        isShut(world);
      });

      it('says so in plan mode', async () => {
        const world = await seen(false);
        const user = world.stored();
        world.put({ ...user, spec: { ...user.spec, mode: 'Plan' } });
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
      });

      it('lets the user in where the owner of the database says that it is theirs, for good', async () => {
        const world = await seen(false);
        world.put(owned(['payments_other']));
        await pass(world);
        isShut(world);
        for (const adopt of [['payments_checkout'], []]) {
          world.put(owned(adopt));
          await pass(world);
          expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
          expect(world.policies.allowed(roleARN)).toEqual([arn]);
        }
      });

      it('lets the user in again by Managed, once that role is gone', async () => {
        const world = await seen(false);
        world.roles.drop('payments_checkout');
        deliver(world, 'Managed');
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('True AsDeclared');
        deliver(world, delivery);
        await pass(world);
        expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
        expect(world.policies.allowed(roleARN)).toEqual([arn]);
      });
    },
  );

  it('back to Managed looks at the role, though the database is as it was when it was last left alone', async () => {
    const world = aWorld();
    const asleep = aDatabase({ spec: { resync: { policy: 'OnChange', intervalSeconds: 600 } } });
    world.put(asleep, aUser());
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
    deliver(world, 'SQL');
    await pass(world);
    expect(condition(world, 'RoleReady')).toBe('Unknown NotManaged');
    world.roles.drop('payments_checkout');
    world.roles.make('payments_checkout', theirs);
    deliver(world, 'Managed');
    world.put(asleep);
    await pass(world);
    expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
  });

  it('is told in plan mode: the script would go', async () => {
    const world = await settled('SQL');
    deliver(world, 'Managed');
    const user = world.stored();
    world.put({ ...user, spec: { ...user.spec, mode: 'Plan' } });
    await pass(world);
    expect(world.stored().status?.plan).toContain('ConfigMap payments/checkout-sql: delete');
  });
});
