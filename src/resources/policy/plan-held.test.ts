// A role without room for all the policies that are to be attached to it: what is done now, what waits, and who loses nothing by it.
import { describe, expect, test } from 'vitest';
import {
  after,
  arnOf,
  present,
  shard,
  sight,
  wish,
  working,
} from '../../../test/builders/policy-fixtures.ts';
import { planPolicy } from './plan.ts';
import type { DesiredPolicy, ObservedPolicies, PolicyChange } from './policy.ts';

const [a, b, c, x] = ['a', 'b', 'c', 'x'].map((name) => arnOf(name)) as [string, string, string, string];

function changes(desired: DesiredPolicy, observed: ObservedPolicies): readonly PolicyChange[] {
  const plan = planPolicy(desired, observed);
  if ('refused' in plan) throw plan.refused;
  return plan;
}

/** The role with these policies, and at most this many attached. */
const roleWith = (attachedPerRole: number, ...shards: Parameters<typeof sight>[0]) =>
  sight(shards, { quotas: { policySize: 6144, versions: 5, attachedPerRole } });

const onePass = (desired: DesiredPolicy, observed: ObservedPolicies) =>
  changes(desired, observed).reduce(after, observed);

describe('a policy that gives what another one is to give, where one that is detached finds no room', () => {
  // Both were edited by hand, so neither is known to work: `a` is to be in the first only once that is written.
  const first = shard(0, [a], { exact: false });
  const double = shard(1, [a, c, x], { exact: false });
  const detached = shard(2, [b], { attached: false });
  const desired = wish([present('a'), present('b'), present('c')]);

  test('keeps all who are to stay, and loses at once whoever is to go', () => {
    const held = onePass(desired, roleWith(2, first, double, detached));
    expect(held.shards.find(({ number }) => number === 1)).toMatchObject({ arns: [a, c], attached: true });
    expect(working(held)).toEqual(new Set([a, c]));
  });

  test('is as it should be in one pass where there is room', () => {
    const done = onePass(desired, roleWith(3, first, double, detached));
    expect(done.shards.find(({ number }) => number === 1)).toMatchObject({ arns: [c], attached: true });
    expect(working(done)).toEqual(new Set([a, b, c]));
    expect(changes(desired, done)).toEqual([]);
  });

  test('goes as soon as nobody needs it, and its room is used', () => {
    const only = shard(1, [a], { exact: false });
    const wanted = wish([present('a'), present('b')]);
    const held = onePass(wanted, roleWith(2, first, only, detached));
    expect(working(held)).toEqual(new Set([a]));
    const freed = onePass(wanted, held);
    expect(new Set(freed.shards.map(({ number }) => number))).toEqual(new Set([0, 2]));
    expect(working(onePass(wanted, freed))).toEqual(new Set([a, b]));
  });
});

test('as many are attached as there is room for, and a policy to be made waits its turn', () => {
  const [one, two] = [shard(0, [a], { attached: false }), shard(1, [b], { attached: false })];
  const desired = wish([present('a'), present('b')]);
  const attached = (room: number) =>
    changes(desired, sight([one, two], { quotas: { policySize: 6144, versions: 5, attachedPerRole: room } }));
  expect(attached(2).map(({ policyARN }) => policyARN)).toEqual([one.policyARN, two.policyARN]);
  expect(attached(1)).toEqual([{ do: 'attach', policyARN: one.policyARN, roleName: 'checkout' }]);
});

test('a role without its quota told is tried, since AWS says itself when it is full', () => {
  const untold = { policySize: 6144, versions: 5, attachedPerRole: undefined };
  const observed = sight([], { role: { exists: true, attachedPolicies: 500 }, quotas: untold });
  expect(changes(wish([present('a')]), observed).map((change) => change.do)).toEqual(['create', 'attach']);
});

test('a role with more policies than its quota, since that was lowered, loses none of them', () => {
  const observed = sight([shard(0, [a])], {
    role: { exists: true, attachedPolicies: 12 },
    quotas: { policySize: 6144, versions: 5, attachedPerRole: 10 },
  });
  expect(changes(wish([present('a')]), observed)).toEqual([]);
  expect(planPolicy(wish([present('a')]), { ...observed, shards: [] })).toMatchObject({
    refused: { reason: 'QuotaExceeded', message: expect.stringContaining('has 12 of at most 10') as unknown },
  });
});
