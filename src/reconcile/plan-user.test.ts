import { describe, expect, it } from 'vitest';
import { aDatabase, aRule, aUser, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import type { ConditionType } from '../api/conditions.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileDatabase } from './database.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const key = 'payments/checkout';
const pass = (world: TestWorld, of = key) => reconcileUser(of, world, signal);
const condition = (world: TestWorld, type: ConditionType, of = key) => {
  const found = world.stored(of).status?.conditions?.find((one) => one.type === type);
  return found === undefined ? '-' : `${found.status} ${found.reason}`;
};
const planOf = (world: TestWorld) => world.stored().status?.plan ?? [];
/** All that a pass wrote, but for the status. */
const written = (world: TestWorld) => world.effects().filter((call) => !call.startsWith('report'));

describe('a user in plan mode', () => {
  it.each<[string, () => TestWorld]>([
    ['of its own', () => put(aWorld(), aDatabase(), aUser({ spec: { mode: 'Plan' } }))],
    ['of its database', () => put(aWorld(), aDatabase({ spec: { mode: 'Plan' } }), aUser())],
    ['of the operator', () => put(aWorld({ mode: 'Plan' }), aDatabase(), aUser())],
  ])('%s is told what would be changed, and nothing is written', async (_sentence, make) => {
    const world = make();
    await pass(world);
    expect(written(world)).toEqual([]);
    expect(world.wishes).toEqual([]);
    expect(world.stored().metadata.finalizers).toBeUndefined();
    expect(condition(world, 'Ready')).toBe('False Planned');
    expect(condition(world, 'Reconciling')).toBe('-');
    expect(condition(world, 'Stalled')).toBe('-');
    expect(condition(world, 'Allowed')).toBe('True Admitted');
    expect(condition(world, 'RoleReady')).toBe('Unknown Planned');
    expect(planOf(world)).toEqual(
      expect.arrayContaining([
        'SQL: CREATE ROLE "payments_checkout" LOGIN CONNECTION LIMIT -1;',
        'SQL: GRANT rds_iam TO "payments_checkout";',
        expect.stringContaining(`: allow rds-db:connect on ${dbARN('payments_checkout')}`),
        expect.stringContaining(': attach to role payments-checkout'),
        'ConfigMap payments/checkout-connection: create',
        'ConfigMap payments/checkout-connection: PGUSER=payments_checkout',
        expect.stringContaining('ConfigMap payments/rds-ca-ap-northeast-2: create'),
      ]),
    );
    expect(world.events.map(({ event }) => [event.type, event.reason])).toEqual([['Normal', 'Planned']]);
  });

  it('has nothing written by a second pass that finds the same', async () => {
    const world = put(aWorld(), aDatabase(), aUser({ spec: { mode: 'Plan' } }));
    await pass(world);
    world.calls.length = 0;
    await pass(world);
    expect(world.effects()).toEqual([]);
  });

  it('that worked before works on, is told the drift, and what others bring is not its plan', async () => {
    const world = put(aWorld(), aDatabase(), aUser());
    await pass(world);
    world.roles.spoil('payments_checkout');
    const user = world.stored();
    const other = aUser({ metadata: { name: 'other' }, spec: { username: 'payments_other' } });
    put(world, { ...user, spec: { ...user.spec, mode: 'Plan' } }, other);
    world.calls.length = 0;
    await pass(world);
    expect(written(world)).toEqual([]);
    expect(planOf(world)).toEqual(['SQL: GRANT rds_iam TO "payments_checkout";']);
    await pass(world, 'payments/other');
    expect(world.policies.allowed(roleARN).toSorted()).toEqual([
      dbARN('payments_checkout'),
      dbARN('payments_other'),
    ]);
  });

  it('brings nothing into what it shares with others, and takes nothing out', async () => {
    const other = aUser({ metadata: { name: 'other' }, spec: { username: 'payments_other' } });
    const world = put(aWorld(), aDatabase(), other, aUser({ spec: { mode: 'Plan' } }));
    await pass(world, 'payments/other');
    await pass(world);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_other')]);
    expect(planOf(world).filter((line) => line.startsWith('IAM'))).toEqual([
      expect.stringContaining(`: allow rds-db:connect on ${dbARN('payments_checkout')}`),
    ]);
  });

  it('is told what cannot be done, and no policy for a role that is not its own', async () => {
    const world = put(aWorld(), aDatabase(), aUser({ spec: { mode: 'Plan' } }));
    world.roles.make('payments_checkout', 'mine');
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False Planned');
    expect(condition(world, 'RoleReady')).toBe('False RoleNotOurs');
    expect(condition(world, 'PolicyReady')).toBe('Unknown Waiting');
    expect(condition(world, 'Stalled')).toBe('-');
    expect(planOf(world).filter((line) => !line.startsWith('ConfigMap'))).toEqual([]);
  });

  it('is told why it is not allowed, as ever', async () => {
    const world = put(aWorld(), aDatabase({ spec: { allow: [] } }), aUser({ spec: { mode: 'Plan' } }));
    await pass(world);
    expect(condition(world, 'Ready')).toBe('False NamespaceNotAllowed');
    expect(world.stored().status).not.toHaveProperty('plan');
  });

  it('is served once it is to be, and the plan is gone from its status', async () => {
    const world = put(aWorld(), aDatabase(), aUser({ spec: { mode: 'Plan' } }));
    await pass(world);
    const user = world.stored();
    put(world, { ...user, spec: { ...user.spec, mode: 'Enforce' } });
    await pass(world);
    expect(condition(world, 'Ready')).toBe('True Ready');
    expect(world.stored().status).not.toHaveProperty('plan');
  });

  it('is told a plan of many lines cut to what a status holds', async () => {
    const groups = Array.from({ length: 250 }, (_, n) => `group_${n}`);
    const world = put(
      aWorld(),
      aDatabase({ spec: { allow: [aRule({ memberOf: groups })] } }),
      aUser({ spec: { mode: 'Plan', memberOf: groups } }),
    );
    for (const group of groups) world.roles.groups.add(group);
    await pass(world);
    expect(planOf(world)).toHaveLength(200);
    expect(planOf(world).at(-1)).toMatch(/^\.\.\. and \d+ more lines$/);
    expect(Math.max(...planOf(world).map((line) => line.length))).toBeLessThanOrEqual(1024);
  });
});

describe('a user that is deleted in plan mode', () => {
  it('and never began just goes', async () => {
    const world = put(aWorld(), aDatabase(), deleted(aUser({ spec: { mode: 'Plan' } })));
    await pass(world);
    expect(world.calls).toEqual([]);
  });

  it.each<[string, Parameters<typeof aWorld>[0], 'Enforce' | 'Plan']>([
    ['by itself', {}, 'Plan'],
    ['by the operator', { mode: 'Plan' }, 'Enforce'],
  ])('%s leaves its access behind, with a warning', async (_sentence, settings, mode) => {
    const before = put(aWorld(), aDatabase(), aUser());
    await pass(before);
    // Another process, in another mode, over the same outside world.
    const world = aWorld(settings, { outside: before });
    const user = before.stored();
    world.calls.length = 0;
    put(world, aDatabase(), deleted({ ...user, spec: { ...user.spec, mode } }));
    await pass(world);
    expect(world.user(key)).toBeUndefined();
    expect(world.roles.mayLogIn('payments_checkout')).toBe(true);
    expect(world.roles.markOf('payments_checkout')).toBeUndefined();
    expect(world.policies.released(roleARN)).toEqual([dbARN('payments_checkout')]);
    expect(world.configMaps.kept.size).toBe(2);
    expect(world.events.map(({ event }) => [event.type, event.reason])).toEqual([['Warning', 'Retained']]);
    expect(world.events[0]?.event.message).toContain('plan mode');
  });
});

describe('what is left without a user', () => {
  it('stays while the operator plans', async () => {
    const before = put(aWorld(), aDatabase(), aUser());
    await pass(before);
    const world = aWorld({ mode: 'Plan' }, { outside: before });
    world.calls.length = 0;
    put(world, aDatabase());
    await world.convergePolicy(roleARN, signal);
    await world.convergeBundle('payments', 'rds-ca-ap-northeast-2', signal);
    expect(written(world)).toEqual([]);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN('payments_checkout')]);
  });
});

describe('a database in plan mode', () => {
  it.each<[string, () => TestWorld]>([
    ['of its own', () => put(aWorld(), aDatabase({ metadata: { finalizers: [] }, spec: { mode: 'Plan' } }))],
    ['of the operator', () => put(aWorld({ mode: 'Plan' }), aDatabase({ metadata: { finalizers: [] } }))],
  ])('%s is looked at and gets no finalizer', async (_sentence, make) => {
    const world = make();
    await reconcileDatabase('orders', world, signal);
    expect(world.storedDatabase().metadata.finalizers).toEqual([]);
    expect(world.storedDatabase().status?.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'True' });
  });
});

it('a failure of looking is told, and asked again', async () => {
  const world = put(aWorld(), aDatabase(), aUser({ spec: { mode: 'Plan' } }));
  world.policies.broken.set('*', new Failure('throttled', 'Throttled', 'AWS asks to slow down.'));
  const { afterMs } = await pass(world);
  expect(condition(world, 'PolicyReady')).toBe('False Throttled');
  expect(condition(world, 'Ready')).toBe('False Planned');
  expect(afterMs).toBeLessThanOrEqual(60_000);
});

function put(world: TestWorld, ...objects: readonly (IamDatabase | IamDatabaseUser)[]): TestWorld {
  world.put(...objects);
  return world;
}
