import { describe, expect, it } from 'vitest';
import { aDatabase, aUser, accountID, begun, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { principalsOf } from './principals.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const other = `arn:aws:iam::${accountID}:role/payments-other`;
const third = `arn:aws:iam::${accountID}:role/payments-third`;
const account = (name = 'checkout') => ({ serviceAccount: { name } });
const arn = dbARN('payments_checkout');

describe('the principals of a user are', () => {
  const facts = new Map<string, { roleARN: string | undefined }>([
    ['payments/checkout', { roleARN }],
    ['payments/bare', { roleARN: undefined }],
    ['payments/empty', { roleARN: '' }],
    ['payments/odd', { roleARN: 'payments-checkout' }],
    ['payments/wild', { roleARN: `arn:aws:iam::${accountID}:role/*` }],
    ['payments/lines', { roleARN: `${roleARN}\n` }],
    ['billing/theirs', { roleARN: other }],
  ]);
  const view = { serviceAccount: (namespace: string, name: string) => facts.get(`${namespace}/${name}`) };
  const of = (...principals: IamDatabaseUser['spec']['principals']) =>
    principalsOf(aUser({ spec: { principals } }), view);

  it('the roles that it names and those that its ServiceAccounts name, in its order', () => {
    expect(of({ roleARN: other }, account())).toEqual({
      resolved: [
        { roleARN: other, source: 'Spec' },
        { roleARN, source: 'IRSA', serviceAccount: 'checkout' },
      ],
      unresolved: [],
    });
  });

  it('each role once, by its ServiceAccount where it has one', () => {
    const once = [{ roleARN, source: 'IRSA', serviceAccount: 'checkout' }];
    expect(of({ roleARN }, account()).resolved).toEqual(once);
    expect(of(account(), { roleARN }, account()).resolved).toEqual(once);
  });

  it.each([
    ['missing', 'ServiceAccountNotFound', 'Create it with the annotation eks.amazonaws.com/role-arn'],
    ['theirs', 'ServiceAccountNotFound', 'no ServiceAccount theirs in namespace payments'],
    ['bare', 'ServiceAccountWithoutRole', 'kubectl annotate serviceaccount -n payments bare'],
    ['empty', 'ServiceAccountWithoutRole', 'kubectl annotate serviceaccount'],
    ['odd', 'ServiceAccountWithoutRole', 'is not the ARN of an IAM role'],
    ['wild', 'ServiceAccountWithoutRole', 'is not the ARN of an IAM role'],
    ['lines', 'ServiceAccountWithoutRole', 'is not the ARN of an IAM role'],
  ])('not known for ServiceAccount %s: %s, with what to do', (name, reason, advice) => {
    const { resolved, unresolved } = of(account(name));
    expect(resolved).toEqual([]);
    expect(unresolved.map((failure) => failure.reason)).toEqual([reason]);
    expect(unresolved[0]?.message).toContain(advice);
    expect(unresolved[0]?.message).not.toContain('\n');
  });
});

const pass = (world: TestWorld, key = 'payments/checkout') => reconcileUser(key, world, signal);
const condition = (world: TestWorld, type: string) => {
  const found = world.stored().status?.conditions?.find((one) => one.type === type);
  return `${found?.status} ${found?.reason}`;
};

/** A user by ServiceAccount checkout, which names the role. */
function applied(principals: IamDatabaseUser['spec']['principals'] = [account()]): TestWorld {
  const world = aWorld();
  world.annotate('checkout', roleARN);
  world.put(aDatabase(), aUser({ spec: { principals } }));
  return world;
}
async function settled(principals?: IamDatabaseUser['spec']['principals']): Promise<TestWorld> {
  const world = applied(principals);
  await pass(world);
  expect(condition(world, 'Ready')).toBe('True Ready');
  return world;
}

describe('a user by ServiceAccount', () => {
  it("is let in by the ServiceAccount's role, and its status says where that was found", async () => {
    const world = await settled();
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
    expect(world.stored().status?.principals).toEqual([
      { roleARN, source: 'IRSA', policyARN: expect.stringContaining('/iamdb/op-1/') },
    ]);
  });

  it('follows another annotation: the new role has it, the old one loses it, and the login is proven anew', async () => {
    const world = await settled();
    world.annotate('checkout', other);
    await pass(world);
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.allowed(other)).toEqual([arn]);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.wishes.map(({ principals }) => principals.map((one) => one.roleARN))).toEqual([
      [roleARN],
      [other],
    ]);
    expect(condition(world, 'Ready')).toBe('True Ready');
  });

  it('whose annotation names a role that is not allowed is refused, and that role gets nothing', async () => {
    const world = await settled();
    const forbidden = `arn:aws:iam::${accountID}:role/billing-app`;
    world.annotate('checkout', forbidden);
    await pass(world);
    expect(condition(world, 'Allowed')).toBe('False PrincipalNotAllowed');
    expect(world.policies.allowed(forbidden)).toEqual([]);
  });

  it('whose annotation names a role of another account is refused', async () => {
    const world = await settled();
    world.annotate('checkout', roleARN.replace(accountID, '999999999999'));
    await pass(world);
    expect(condition(world, 'Allowed')).toBe('False PrincipalNotAllowed');
  });

  it.each([
    ['deleted', undefined, 'False ServiceAccountNotFound'],
    ['without annotation', null, 'False ServiceAccountWithoutRole'],
  ])(
    'that is %s later keeps what it has, says so, and is served again once it is back',
    async (_, to, said) => {
      const world = await settled();
      world.annotate('checkout', to);
      await pass(world);
      // Others' passes over the role and a sweep take nothing either.
      await world.convergePolicy(roleARN, signal);
      world.restart();
      await pass(world);
      await world.convergePolicy(roleARN, signal);
      expect(condition(world, 'PolicyReady')).toBe(said);
      expect(condition(world, 'RoleReady')).toBe('True AsDeclared');
      expect(condition(world, 'AccessVerified')).toBe('Unknown Waiting');
      expect(world.policies.allowed(roleARN)).toEqual([arn]);
      world.annotate('checkout', roleARN);
      await pass(world);
      expect(condition(world, 'Ready')).toBe('True Ready');
    },
  );

  it('that is not there from the start gets nothing into any policy, whoever else uses it', async () => {
    const world = await settled();
    world.put(
      aUser({ metadata: { name: 'b' }, spec: { username: 'payments_b', principals: [account('b')] } }),
    );
    await pass(world, 'payments/b');
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
  });

  it('beside a role that is named is served by that role meanwhile', async () => {
    const world = applied([{ roleARN: third }, account('later')]);
    await pass(world);
    expect(world.policies.allowed(third)).toEqual([arn]);
    expect(condition(world, 'PolicyReady')).toBe('False ServiceAccountNotFound');
  });

  it('that is deleted with its ServiceAccount leaves nothing behind', async () => {
    const world = await settled();
    world.annotate('checkout', undefined);
    world.put(deleted(world.stored()));
    await pass(world);
    expect(world.user('payments/checkout')).toBeUndefined();
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('that was never begun, of the same user name, takes nothing from the one who is', async () => {
    const world = await settled();
    world.namespaces.delete('billing');
    world.put(aUser({ metadata: { namespace: 'billing' }, spec: { principals: [account('none')] } }));
    await pass(world, 'billing/checkout');
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
  });

  it('that lost the claim and is deleted, with no role known, takes nothing from the holder', async () => {
    const world = await settled();
    const loser = begun(aUser({ metadata: { name: 'loser' }, spec: { principals: [account('none')] } }));
    world.put(deleted(loser));
    await pass(world, 'payments/loser');
    await world.convergePolicy(roleARN, signal);
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
  });
});

describe('a user by ServiceAccount with an EKS Pod Identity association', () => {
  const to = (role: string, podRoleARN = role) => ({ roleARN: role, podRoleARN, hasSessionTags: true });

  it("is let in by the association's role, before any annotation, and says so", async () => {
    const world = applied();
    world.associate('checkout', to(other));
    await pass(world);
    expect(world.policies.allowed(other)).toEqual([arn]);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.stored().status?.principals).toMatchObject([{ roleARN: other, source: 'PodIdentity' }]);
  });

  it('is proven in that role, never by a token of its own, with what EKS assumes for its pods', async () => {
    const world = aWorld({ proveWithServiceAccountsIn: ['payments'] });
    world.annotate('checkout', null);
    world.associate('checkout', to(other, roleARN));
    world.put(aDatabase(), aUser({ spec: { principals: [account()] } }));
    await pass(world);
    expect(world.wishes[0]?.principals).toEqual([
      {
        roleARN: other,
        resourceARNs: [arn],
        pods: { namespace: 'payments', serviceAccount: 'checkout', roleARN, hasSessionTags: true },
      },
    ]);
  });

  it('keeps what it has while the association is not known, and is told why', async () => {
    const world = await settled();
    world.associate('checkout', new Failure('denied', 'AccessDenied', 'AWS refused it.'));
    await pass(world);
    await world.convergePolicy(roleARN, signal);
    expect(condition(world, 'PolicyReady')).toBe('False AccessDenied');
    expect(world.policies.allowed(roleARN)).toEqual([arn]);
  });

  it('follows to the association and back to the annotation', async () => {
    const world = await settled();
    world.associate('checkout', to(other));
    await pass(world);
    await world.convergePolicy(roleARN, signal);
    expect([world.policies.allowed(roleARN), world.policies.allowed(other)]).toEqual([[], [arn]]);
    world.associate('checkout', undefined);
    await pass(world);
    await world.convergePolicy(other, signal);
    expect([world.policies.allowed(roleARN), world.policies.allowed(other)]).toEqual([[arn], []]);
  });

  it('needs its ServiceAccount: no pod runs without one', async () => {
    const world = aWorld();
    world.associate('checkout', to(other));
    world.put(aDatabase(), aUser({ spec: { principals: [account()] } }));
    await pass(world);
    expect(condition(world, 'PolicyReady')).toBe('False ServiceAccountNotFound');
  });

  it('is not let in by a role that is not allowed', async () => {
    const world = applied();
    const forbidden = `arn:aws:iam::${accountID}:role/billing-app`;
    world.associate('checkout', to(forbidden));
    await pass(world);
    expect(condition(world, 'Allowed')).toBe('False PrincipalNotAllowed');
    expect(world.policies.allowed(forbidden)).toEqual([]);
  });
});
