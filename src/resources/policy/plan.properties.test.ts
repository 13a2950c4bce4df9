// Goals that hold for any policies found and any users wanted, also when the operator is killed at any change.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { documentSize } from './document.ts';
import { tagKeys, tagsOf } from './names.ts';
import { planPolicy } from './plan.ts';
import type { Contribution, DesiredPolicy, ObservedPolicies, ObservedShard, PolicyChange } from './policy.ts';
import {
  after,
  arnOf,
  roleARN,
  shard,
  sight,
  wish,
  working,
} from '../../../test/builders/policy-fixtures.ts';

const usernames = ['a', 'b', 'c', 'd', 'e'] as const;
const resourceIDs = ['cluster-A', 'db-B'] as const;
const someARN = fc
  .tuple(fc.constantFrom(...usernames), fc.constantFrom(...resourceIDs))
  .map(([username, id]) => arnOf(username, id));

const contribution: fc.Arbitrary<Contribution> = fc
  .tuple(
    fc.constantFrom(...usernames),
    fc.constantFrom('present', 'unknown', 'absent'),
    fc.subarray([...resourceIDs], { minLength: 1 }),
  )
  .map(([username, state, ids]) =>
    state === 'unknown'
      ? { state, username }
      : { state, username, arns: ids.map((id) => arnOf(username, id)) },
  );

const desired: fc.Arbitrary<DesiredPolicy> = fc
  .record({
    contributions: fc.array(contribution, { maxLength: 8 }),
    complete: fc.boolean(),
  })
  .map(({ contributions, complete }) => wish(contributions, { complete }));

const someShard: fc.Arbitrary<Omit<ObservedShard, 'number' | 'policyARN' | 'policyID'>> = fc
  .record({
    arns: fc.uniqueArray(someARN, { maxLength: 4 }),
    isEdited: fc.boolean(),
    attached: fc.boolean(),
    others: fc.subarray([{ kind: 'Role', name: 'x' } as const, { kind: 'User', name: 'eve' } as const]),
    count: fc.integer({ min: 1, max: 5 }),
    isOtherScope: fc.boolean(),
  })
  .map(({ arns, isEdited, attached, others, count, isOtherScope }) => ({
    ...shard(0, arns, { attached, others }),
    exact: arns.length > 0 && !isEdited,
    versionIDs: Array.from({ length: count }, (_, i) => `v${i + 1}`),
    defaultVersionID: `v${count}`,
    tags: tagsOf({ operatorID: 'op', roleARN }, isOtherScope ? 'ns:other' : 'all'),
  }));

/** Documents hold two or three ARNs here, so that a few users need several shards. */
const small = {
  policySize: documentSize(['a', 'b', 'c'].map((name) => arnOf(name, 'cluster-A'))),
  versions: 5,
  attachedPerRole: 20,
};

const found: fc.Arbitrary<ObservedPolicies> = fc.array(someShard, { maxLength: 4 }).map((shards) =>
  sight(
    shards.map((one, number) => {
      const { policyARN, policyID } = shard(number, []);
      return { ...one, number, policyARN, policyID };
    }),
    { quotas: small },
  ),
);

// The goal, said without looking at how it is planned.
const wants = (of: DesiredPolicy, state: Contribution['state'], arn: string): boolean =>
  of.contributions.some(
    (user) =>
      user.state === state &&
      (user.state === 'unknown' ? arn.endsWith(`/${user.username}`) : user.arns.includes(arn)),
  );
const mayStay = (of: DesiredPolicy, arn: string, from: ObservedPolicies): boolean =>
  wants(of, 'present', arn) ||
  wants(of, 'unknown', arn) ||
  !of.complete ||
  (!wants(of, 'absent', arn) &&
    from.shards.some((one) => one.tags[tagKeys.scope] !== 'all' && one.arns.includes(arn)));

function holds(of: DesiredPolicy, now: ObservedPolicies, from: ObservedPolicies): boolean {
  const works = working(now);
  const everybodyWanted = of.contributions.every(
    (user) => user.state !== 'present' || user.arns.every((arn) => works.has(arn)),
  );
  const nobodyElse = [...works].every((arn) => mayStay(of, arn, from));
  const nobodyForgotten = from.shards.every(
    (one) =>
      !one.attached ||
      one.tags[tagKeys.scope] === 'all' ||
      one.arns.every((arn) => works.has(arn) || (of.complete && wants(of, 'absent', arn))),
  );
  const asWritten = now.shards.every(
    (one) =>
      // What somebody else answers for cannot be moved, so it cannot be written anew either.
      (one.tags[tagKeys.scope] !== 'all' && documentSize(one.arns) > small.policySize) ||
      (one.exact && one.attached && one.others.length === 0) ||
      (!of.complete && one.arns.length === 0),
  );
  return everybodyWanted && nobodyElse && nobodyForgotten && asWritten;
}

/**
 * Whoever gets in now and is wanted or unknown keeps getting in, and so do all that a partial view does not show, and those
 * under another scope of whom nobody says that they leave.
 */
function mustKeep(of: DesiredPolicy, now: ObservedPolicies): readonly string[] {
  const isOutOfScope = (arn: string): boolean =>
    now.shards.some((one) => one.attached && one.tags[tagKeys.scope] !== 'all' && one.arns.includes(arn));
  return [...working(now)].filter(
    (arn) =>
      !of.complete ||
      wants(of, 'present', arn) ||
      wants(of, 'unknown', arn) ||
      (isOutOfScope(arn) && !wants(of, 'absent', arn)),
  );
}

/** Follows the plans to their end or to where a quota ends them, as far as `cut` lets each of them get; `seen` looks at every step. */
function follow(
  of: DesiredPolicy,
  start: ObservedPolicies,
  cut: (length: number, round: number) => number,
  seen: (before: ObservedPolicies, now: ObservedPolicies) => void,
): ObservedPolicies {
  let now = start;
  for (let round = 0; round < 40; round++) {
    const plan = planPolicy(of, now);
    if ('refused' in plan && plan.refused.reason !== 'QuotaExceeded') throw plan.refused;
    if ('refused' in plan || plan.length === 0) return now;
    for (const change of plan.slice(0, cut(plan.length, round))) {
      const before = now;
      now = after(before, change);
      seen(before, now);
    }
  }
  throw new Error('It never ends.');
}

test('nothing is planned exactly when the wish holds', () => {
  fc.assert(
    fc.property(desired, found, (of, start) => {
      const end = follow(
        of,
        start,
        (length) => length,
        () => {},
      );
      expect(holds(of, end, start)).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('a wish that holds with everything in its place is left alone', () => {
  fc.assert(
    fc.property(desired, found, (of, now) => {
      const isTidy =
        new Set(now.shards.flatMap(({ arns }) => arns)).size ===
        now.shards.flatMap(({ arns }) => arns).length;
      const isCurrent = now.shards.every((one) => one.tags[tagKeys.scope] === 'all');
      const fits = now.shards.every(({ arns }) => documentSize(arns) <= small.policySize);
      fc.pre(isTidy && isCurrent && fits && holds(of, now, now));
      expect(planPolicy(of, now)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test('killed after any change, nobody loses access who is to stay, and the next pass ends in the same place', () => {
  fc.assert(
    fc.property(desired, found, fc.nat(), (of, start, seed) => {
      const lost: string[] = [];
      const cut = (length: number, round: number): number => 1 + ((seed + round) % length);
      const end = follow(of, start, cut, (before, now) => {
        const works = working(now);
        lost.push(...mustKeep(of, before).filter((arn) => !works.has(arn)));
      });
      expect(lost).toEqual([]);
      expect(holds(of, end, start)).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('no version is deleted before what gives access, but of a policy that is full or goes', () => {
  const gives = ({ do: what }: PolicyChange) => what === 'write' || what === 'create' || what === 'attach';
  fc.assert(
    fc.property(desired, found, (of, now) => {
      const plan = planPolicy(of, now);
      if ('refused' in plan) return;
      for (const [index, change] of plan.entries()) {
        if (change.do !== 'delete-version') continue;
        const rest = plan.slice(index + 1);
        const own = rest.filter(({ policyARN }) => policyARN === change.policyARN);
        const count = now.shards.find(({ policyARN }) => policyARN === change.policyARN)?.versionIDs?.length;
        const isFull = count === small.versions && own.some((one) => one.do === 'write');
        expect(isFull || own.some((one) => one.do === 'delete') || !rest.some(gives)).toBe(true);
      }
    }),
    { numRuns: 400 },
  );
});

test('every policy that was written has room for one more version in the end', () => {
  fc.assert(
    fc.property(desired, found, (of, start) => {
      const written = new Set<string>();
      const whole = (length: number): number => length;
      const end = follow(of, start, whole, (before, now) => {
        for (const { policyARN, defaultVersionID } of now.shards) {
          const was = before.shards.find((one) => one.policyARN === policyARN);
          if (was !== undefined && was.defaultVersionID !== defaultVersionID) written.add(policyARN);
        }
      });
      const full = end.shards.filter(({ versionIDs = [] }) => versionIDs.length >= small.versions);
      expect(full.filter(({ policyARN }) => written.has(policyARN))).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

test('with too few attachments nobody loses access for it, whoever leaves still leaves, and the rest is refused', () => {
  fc.assert(
    fc.property(desired, found, fc.integer({ min: 0, max: 2 }), (of, start, more) => {
      const attached = start.shards.filter((one) => one.attached).length;
      const tight = { ...start, quotas: { ...small, attachedPerRole: attached + more } };
      const lost: string[] = [];
      const end = follow(
        of,
        tight,
        (length) => length,
        (before, now) => {
          const works = working(now);
          lost.push(...mustKeep(of, before).filter((arn) => !works.has(arn)));
        },
      );
      expect(lost).toEqual([]);
      expect([...working(end)].filter((arn) => !mayStay(of, arn, start))).toEqual([]);
      const isDone = of.contributions.every(
        (user) => user.state !== 'present' || user.arns.every((arn) => working(end).has(arn)),
      );
      expect(isDone || 'refused' in planPolicy(of, end)).toBe(true);
    }),
    { numRuns: 400 },
  );
});

const usersOf = (arns: readonly string[]): readonly Contribution[] =>
  arns.map((arn) => ({ state: 'present', username: arn.slice(arn.indexOf('/') + 1), arns: [arn] }));

test('one more user rewrites at most one policy, or makes one', () => {
  fc.assert(
    fc.property(fc.uniqueArray(someARN, { maxLength: 9 }), someARN, (before, extra) => {
      let now = sight([], { quotas: small });
      const first = planPolicy(wish(usersOf(before)), now);
      if ('refused' in first) throw first.refused;
      for (const change of first) now = after(now, change);
      const plan = planPolicy(wish(usersOf([...before, extra])), now);
      if ('refused' in plan) throw plan.refused;
      expect(new Set(plan.map(({ policyARN }) => policyARN)).size).toBeLessThanOrEqual(1);
    }),
  );
});
