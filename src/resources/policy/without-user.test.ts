// What a policy allows for nobody who is declared, as a table.
import { expect, it } from 'vitest';
import { arnOf, present, shard, unknown, wish } from '../../../test/builders/policy-fixtures.ts';
import { tagsOf } from './names.ts';
import type { Contribution } from './policy.ts';
import { arnsWithoutUser } from './without-user.ts';

const owner = { operatorID: 'op', roleARN: wish([]).roleARN };
const ofOldCluster = { tags: tagsOf(owner, 'cluster before') };
const [left, kept] = [arnOf('left'), arnOf('kept')];
const leaves = (state: 'absent' | 'released'): Contribution => ({ state, username: 'left', arns: [left] });

it.each<[string, readonly Contribution[], readonly string[]]>([
  ['nobody is declared', [], [kept, left]],
  ['one is present', [present('kept')], [left]],
  ['one is not judged yet, and its ARN known', [present('kept'), { ...unknown('left'), arns: [left] }], []],
  ['one of that name has no ARN yet', [present('kept'), unknown('left')], []],
  ['one of that name has no database yet', [present('kept'), { ...leaves('absent'), arns: [] }], []],
  ['one is about to go', [present('kept'), leaves('absent')], []],
  ['one is let go', [present('kept'), leaves('released')], []],
  ['one of that name is on another server', [present('kept'), present('left', 'cluster-XYZ')], [left]],
])('of a policy of another cluster, where %s', (_, contributions, expected) => {
  expect(arnsWithoutUser(wish(contributions), shard(0, [left, kept], ofOldCluster))).toEqual(expected);
});

it('nothing of a policy of this cluster: there it goes', () => {
  expect(arnsWithoutUser(wish([]), shard(0, [left, kept]))).toEqual([]);
});

it('also where nothing may be removed, as in plan mode', () => {
  const planned = wish([present('kept')], { complete: false });
  expect(arnsWithoutUser(planned, shard(0, [left, kept], ofOldCluster))).toEqual([left]);
});
