// Who stands in which policy, where there are several: what is full, what is too long, and what others wrote.
import { describe, expect, test } from 'vitest';
import {
  after,
  arnOf,
  present,
  roleARN,
  shard,
  sight,
  wish,
  working,
} from '../../../test/builders/policy-fixtures.ts';
import { documentSize } from './document.ts';
import { tagsOf } from './names.ts';
import { planPolicy } from './plan.ts';
import type { DesiredPolicy, ObservedPolicies, ObservedShard } from './policy.ts';

const arns = (...names: readonly string[]) => names.map((name) => arnOf(name));
const wanting = (...names: readonly string[]) => wish(names.map((name) => present(name)));

/** Policies that hold three short names, and not four. */
const small = (...shards: readonly ObservedShard[]): ObservedPolicies =>
  sight(shards, {
    quotas: { policySize: documentSize(arns('a', 'b', 'c')), versions: 5, attachedPerRole: 20 },
  });

/** The user names in each policy by its number, after one pass; nobody who worked and is wanted may lose that on the way. */
function onePass(desired: DesiredPolicy, start: ObservedPolicies): Record<number, string> {
  const plan = planPolicy(desired, start);
  if ('refused' in plan) throw plan.refused;
  let now = start;
  const wanted = desired.contributions.flatMap((user) => (user.state === 'present' ? user.arns : []));
  const mustWork = wanted.filter((arn) => working(start).has(arn));
  for (const change of plan) {
    now = after(now, change);
    expect(mustWork.filter((arn) => !working(now).has(arn))).toEqual([]);
  }
  return Object.fromEntries(
    now.shards.map(({ number, arns: held }) => [
      number,
      held.map((arn) => arn.slice(arn.lastIndexOf('/') + 1)).join(' '),
    ]),
  );
}

describe('a new user', () => {
  test('goes into the lowest policy with room, in whatever order and state they are found', () => {
    const found = small(shard(1, arns('b')), shard(0, arns('a'), { exact: false }));
    expect(onePass(wanting('a', 'b', 'n'), found)).toEqual({ 0: 'a n', 1: 'b' });
  });

  test('fills a policy to its last character, and needs another one after that', () => {
    expect(onePass(wanting('a', 'b', 'c'), small(shard(0, arns('a', 'b'))))).toEqual({ 0: 'a b c' });
    expect(onePass(wanting('a', 'b', 'cc'), small(shard(0, arns('a', 'b'))))).toEqual({ 0: 'a b', 1: 'cc' });
  });

  test('gets a policy of its own where all are full and one more may be attached', () => {
    const full = small(shard(0, arns('a', 'b', 'c')));
    const last = { ...full, quotas: { ...full.quotas, attachedPerRole: 2 } };
    expect(onePass(wanting('a', 'b', 'c', 'n'), last)).toEqual({ 0: 'a b c', 1: 'n' });
  });

  test('may take the room that somebody leaves by moving', () => {
    const long = 'z'.repeat(63);
    const found = small(shard(0, arns('a', 'b', long)));
    expect(onePass(wanting('a', 'b', long, 'n'), found)).toEqual({ 0: 'a b n', 1: long });
  });
});

describe('a policy that is too long', () => {
  test('gives up as many as it has to, to one new policy, each of them once', () => {
    expect(onePass(wanting('a', 'b', 'c', 'd', 'e'), small(shard(0, arns('a', 'b', 'c', 'd', 'e'))))).toEqual(
      {
        0: 'a b c',
        1: 'd e',
      },
    );
  });

  test('and another one do not wait for each other: nobody moves into one that somebody moves out of', () => {
    const long = 'z'.repeat(63);
    const found = small(shard(0, arns('a', 'b', long)), shard(1, arns('c', 'd', 'e', 'f')));
    expect(onePass(wanting('a', 'b', long, 'c', 'd', 'e', 'f'), found)).toMatchObject({
      0: 'a b',
      1: 'c d e',
    });
  });

  test('of another scope keeps those of whom we know nothing, and gives up ours', () => {
    const tags = tagsOf({ operatorID: 'op', roleARN }, 'ns:elsewhere');
    const found = small(shard(0, arns('a', 'b', 'c', 'theirs'), { tags }));
    const { 0: left = '', 1: moved } = onePass(wanting('a', 'b', 'c'), found);
    expect(left.split(' ')).toContain('theirs');
    expect(documentSize(left.split(' ').map((name) => arnOf(name)))).toBeLessThanOrEqual(
      found.quotas.policySize,
    );
    expect([...left.split(' '), ...(moved ?? '').split(' ')].toSorted()).toEqual(['a', 'b', 'c', 'theirs']);
  });
});
