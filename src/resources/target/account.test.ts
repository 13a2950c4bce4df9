import { expect, it } from 'vitest';
import { checkAccount } from './account.ts';

const target = { partition: 'aws', accountID: '444455556666' };
it.each<[string, string | undefined, boolean]>([
  ['no role', undefined, true],
  ['a role in its account', 'arn:aws:iam::444455556666:role/iamdb', true],
  ['a role in another account', 'arn:aws:iam::111122223333:role/iamdb', false],
  ['a role of another partition', 'arn:aws-cn:iam::444455556666:role/iamdb', false],
])('a database with %s', (_, arn, isRight) => {
  const failure = checkAccount(target, arn === undefined ? undefined : { arn });
  expect(failure?.reason).toBe(isRight ? undefined : 'TargetMissing');
});

it('tells both accounts, and where to name a role', () => {
  expect(checkAccount(target, { arn: 'arn:aws-cn:iam::111122223333:role/iamdb' })).toMatchObject({
    kind: 'invalid',
    message:
      'The database is in account 444455556666 of partition aws, and spec.assumeRole names a role in account 111122223333 of partition aws-cn: name a role in the account of the database.',
  });
});
