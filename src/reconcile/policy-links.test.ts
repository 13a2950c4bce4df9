import { describe, expect, it } from 'vitest';
import { aDatabase, aUser, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld, verified } from '../../test/builders/world.ts';
import { annotations } from '../api/names.ts';
import type { DatabaseSpec } from '../api/schema.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

type Delivery = DatabaseSpec['policy']['delivery'];
const signal = new AbortController().signal;
const pass = (world: TestWorld) => reconcileUser('payments/checkout', world, signal);
const arn = dbARN('payments_checkout');
const find = (world: TestWorld, type: string) =>
  world.stored().status?.conditions?.find((one) => one.type === type);
const condition = (world: TestWorld, type: string) =>
  `${find(world, type)?.status} ${find(world, type)?.reason}`;
const document = (world: TestWorld) => world.configMaps.kept.get('payments/checkout-policy');
const refused = new Failure('denied', 'AccessDenied', 'AWS refused the operator iam:ListPolicies.');

/** The owner edits the IamDatabase; what people say by annotation stays. */
function deliver(world: TestWorld, delivery: Delivery, notes: Readonly<Record<string, string>> = {}): void {
  world.put(aDatabase({ metadata: { generation: 2, annotations: notes }, spec: { policy: { delivery } } }));
}
async function settled(delivery: Delivery): Promise<TestWorld> {
  const world = aWorld();
  world.put(aDatabase({ spec: { policy: { delivery } } }), aUser());
  await pass(world);
  expect(condition(world, 'Ready')).toBe('True Ready');
  return world;
}

describe('policies that somebody else keeps', () => {
  it('are described in a ConfigMap of the user, and the operator makes none', async () => {
    const world = await settled('Document');
    expect(condition(world, 'PolicyReady')).toBe('Unknown NotManaged');
    expect(condition(world, 'AccessVerified')).toBe('True Verified');
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(document(world)?.data['arns']).toBe(arn);
    expect(JSON.parse(document(world)?.data['policy.json'] ?? '')).toEqual({
      Version: '2012-10-17',
      Statement: [{ Sid: 'IamdbConnect', Effect: 'Allow', Action: 'rds-db:connect', Resource: [arn] }],
    });
    expect(world.stored().status?.principals).toEqual([{ roleARN, source: 'Spec' }]);
  });

  it('are nowhere with delivery None', async () => {
    const world = await settled('None');
    expect(condition(world, 'PolicyReady')).toBe('Unknown NotManaged');
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(document(world)).toBeUndefined();
  });

  it.each<Delivery>(['Document', 'None'])('need no right of the operator in IAM (%s)', async (delivery) => {
    const world = aWorld();
    world.policies.broken.set('*', refused);
    world.broken.rolesHolding = refused;
    world.put(aDatabase({ spec: { policy: { delivery } } }), aUser());
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(document(world)).toBeUndefined();
  });

  it('of the operator hold a deletion up where IAM denies it their end', async () => {
    const world = await settled('Managed');
    world.policies.broken.set('*', refused);
    world.put(deleted(world.stored()));
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False AccessDenied');
    expect(world.user('payments/checkout')).toBeDefined();
  });

  it('hold Ready back when the proof says that they do not let the user in', async () => {
    const world = aWorld();
    world.verdicts = [{ status: 'False', reason: 'TokenRefused', message: 'Refused.' }];
    world.put(aDatabase({ spec: { policy: { delivery: 'Document' } } }), aUser());
    await pass(world);
    // Nothing of ours is on its way through IAM.
    expect(world.wishes[0]?.changedAt).toBeUndefined();
    expect(condition(world, 'Ready')).toBe('False TokenRefused');
    world.verdicts = [verified];
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
  });

  it('are described in the plan of plan mode, and nothing is written', async () => {
    const world = aWorld();
    world.put(aDatabase({ spec: { policy: { delivery: 'Document' } } }), aUser({ spec: { mode: 'Plan' } }));
    await pass(world);
    expect(world.stored().status?.plan?.join('\n')).toContain('checkout-policy');
    expect(document(world)).toBeUndefined();
    expect(world.effects()).toEqual(['report payments/checkout']);
  });

  it('are not described over what is not ours', async () => {
    const world = aWorld();
    world.configMaps.foreign.add('payments/checkout-policy');
    world.put(aDatabase({ spec: { policy: { delivery: 'Document' } } }), aUser());
    await pass(world);
    expect(condition(world, 'PolicyReady')).toBe('False ForeignConfigMap');
    expect(condition(world, 'ConnectionReady')).toBe('True AsDeclared');
  });

  it('are described anew when somebody changed the ConfigMap', async () => {
    const world = await settled('Document');
    const kept = document(world);
    if (kept !== undefined) world.configMaps.kept.set('payments/checkout-policy', { ...kept, data: {} });
    await pass(world);
    expect(document(world)?.data['arns']).toBe(arn);
    expect(world.events.map(({ event }) => event.reason)).toContain('DriftRepaired');
  });

  it('do not take the connection ConfigMap with them', async () => {
    const world = await settled('Document');
    expect([...world.configMaps.kept.keys()].toSorted()).toEqual([
      'payments/checkout-connection',
      'payments/checkout-policy',
      'payments/rds-ca-ap-northeast-2',
    ]);
    await pass(world);
    expect(world.configMaps.kept.size).toBe(3);
  });
});

describe('tags of a policy', () => {
  const tagsOf = (world: TestWorld) => world.policies.tags(roleARN);
  const named = (name: string, tags: Readonly<Record<string, string>>, delivery: Delivery = 'Managed') =>
    aDatabase({ metadata: { name }, spec: { policy: { delivery, tags } } });

  it('are those of every database whose users it lets in; the first by name decides', async () => {
    const world = aWorld();
    const orders = world.known.get('orders');
    for (const name of ['another', 'zoo']) if (orders !== undefined) world.known.set(name, orders);
    world.put(
      named('orders', { team: 'pay', cost: '1' }),
      named('another', { team: 'bill' }),
      named('zoo', { zoo: 'yes' }, 'None'),
      aUser(),
      aUser({ metadata: { name: 'b' }, spec: { username: 'payments_b', databaseRef: { name: 'another' } } }),
      aUser({ metadata: { name: 'c' }, spec: { username: 'payments_c', databaseRef: { name: 'zoo' } } }),
    );
    await pass(world);
    expect(tagsOf(world)).toMatchObject({ team: 'bill', cost: '1', 'iamdb.dev/operator-id': 'op-1' });
    expect(tagsOf(world)).not.toHaveProperty('zoo');
  });
});

describe('inline policies', () => {
  const inlined = async (delivery: Delivery = 'Inline') => {
    const world = aWorld({}, { inline: true });
    world.put(aDatabase({ spec: { policy: { delivery } } }), aUser());
    await pass(world);
    return world;
  };

  it('hold the user, and no managed one does', async () => {
    const world = await inlined();
    expect(condition(world, 'Ready')).toBe('True Ready');
    expect(world.policies.allowedInline(roleARN)).toEqual([arn]);
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('are not kept by an operator that was not given the right, which says so and looks for none', async () => {
    const world = aWorld();
    world.put(aDatabase({ spec: { policy: { delivery: 'Inline' } } }), aUser());
    await pass(world);
    expect(condition(world, 'PolicyReady')).toBe('False InlineNotEnabled');
    expect(world.calls.filter((call) => call.includes('inline'))).toEqual([]);
  });

  it.each<[Delivery, Delivery]>([
    ['Managed', 'Inline'],
    ['Inline', 'Managed'],
  ])('and managed ones change places, the new before the old: %s to %s', async (from, to) => {
    const world = await inlined(from);
    world.calls.length = 0;
    deliver(world, to);
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
    expect(world.policies.allowedInline(roleARN)).toEqual(to === 'Inline' ? [arn] : []);
    expect(world.policies.allowed(roleARN)).toEqual(to === 'Managed' ? [arn] : []);
    const changes = world.calls.filter((call) => call.startsWith('change') && call.includes('polic'));
    expect(changes.map((call) => call.includes('inline'))).toEqual([to === 'Inline', from === 'Inline']);
  });

  it('keep the user while the managed one cannot be made', async () => {
    const world = await inlined();
    deliver(world, 'Managed');
    world.policies.broken.set(roleARN, refused);
    await pass(world);
    expect(world.policies.allowedInline(roleARN)).toEqual([arn]);
  });

  it('lose a user that is deleted, and hold the deletion up until they do', async () => {
    const world = await inlined();
    world.policies.broken.set('inline', refused);
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeDefined();
    world.policies.broken.clear();
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(world.policies.allowedInline(roleARN)).toEqual([]);
  });
});

describe('a change of delivery', () => {
  it.each<Delivery>(['Document', 'None'])(
    'to %s leaves what lets the user in until it is handed over',
    async (delivery) => {
      const world = await settled('Managed');
      deliver(world, delivery);
      await pass(world);
      expect(world.policies.allowed(roleARN)).toEqual([arn]);
      expect(find(world, 'PolicyReady')?.message).toContain(
        'kubectl annotate iamdatabase orders iamdb.dev/policies-handed-over="2"',
      );
      deliver(world, delivery, { [annotations.policiesHandedOver]: '1' });
      await pass(world);
      expect(world.policies.allowed(roleARN)).toEqual([arn]);
      deliver(world, delivery, { [annotations.policiesHandedOver]: '2' });
      await pass(world);
      expect(world.policies.allowed(roleARN)).toEqual([]);
      expect(find(world, 'PolicyReady')?.message).not.toContain('kubectl');
    },
  );

  it('back to Managed attaches the policy before the document goes', async () => {
    const world = await settled('Document');
    deliver(world, 'Managed');
    world.policies.missing.add(roleARN);
    await pass(world);
    expect(condition(world, 'PolicyReady')).toBe('False RoleNotFound');
    expect(document(world)).toBeDefined();
    world.policies.missing.clear();
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
    expect(document(world)).toBeUndefined();
    expect(condition(world, 'Ready')).toBe('True Ready');
  });

  it('leaves the users of other databases alone, who share the role', async () => {
    const world = await settled('Managed');
    const orders = world.known.get('orders');
    if (orders !== undefined) world.known.set('other', orders);
    world.put(
      aDatabase({ metadata: { name: 'other' }, spec: { policy: { delivery: 'None' } } }),
      aUser({ metadata: { name: 'b' }, spec: { username: 'payments_b', databaseRef: { name: 'other' } } }),
    );
    await reconcileUser('payments/b', world, signal);
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
  });

  it('does not keep a deleted user in the policy that was left', async () => {
    const world = await settled('Managed');
    deliver(world, 'Document');
    await pass(world);
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });
});
