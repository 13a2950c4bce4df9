import { expect, it } from 'vitest';
import { arnOf, shard, sight } from '../../../test/builders/policy-fixtures.ts';
import { accountOf } from './arn.ts';
import { policyThatAllows } from './policy.ts';

it('a user is let in by the policy that is attached, as we write it, and allows them', () => {
  const arn = arnOf('a');
  const other = shard(0, [arnOf('b')]);
  const own = shard(1, [arn]);
  expect(policyThatAllows(sight([other, own]), arn)).toBe(own.policyARN);
  for (const useless of [
    shard(1, [arn], { attached: false }),
    shard(1, [arn], { exact: false }),
    shard(1, []),
  ]) {
    expect(policyThatAllows(sight([other, useless]), arn)).toBeUndefined();
  }
});

it('an ARN names an account, or none', () => {
  expect(accountOf('arn:aws:iam::111122223333:role/x')).toBe('111122223333');
  expect(accountOf('role/x')).toBe('');
});
