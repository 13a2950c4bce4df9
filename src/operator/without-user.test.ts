// Access without a user, as it is told in the log and in the metrics.
import { expect, it } from 'vitest';
import { createMetrics } from '../ops/metrics.ts';
import { tellWithoutUser, type WithoutUser } from './without-user.ts';

const arn = (username: string) => `arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABC/${username}`;
const policy = (number: number, usernames: readonly string[], isNamed = false): WithoutUser => ({
  policyARN: `arn:aws:iam::111122223333:policy/iamdb/op/iamdb-checkout-${number}`,
  roleARN: 'arn:aws:iam::111122223333:role/checkout',
  arns: usernames.map(arn),
  isNamed,
});

function teller() {
  const warnings: unknown[] = [];
  const metrics = createMetrics();
  const tell = tellWithoutUser({
    log: { warn: (fields: unknown) => warnings.push(fields) },
    metrics,
    scope: () => 'cluster here',
  });
  /** Usernames that this look warns of, policy by policy. */
  const look = (found: readonly WithoutUser[] | undefined, account = 'own') => {
    const from = warnings.length;
    tell([{ account, found }]);
    return warnings.slice(from).map((fields) => (fields as { usernames: unknown }).usernames);
  };
  const gauge = async () =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith('iamdb_policy_arns_without_user{'));
  return { tell, look, gauge, warnings };
}

it('warns once of each, with policy, role, user names and what to do', () => {
  const { look, warnings } = teller();
  const found = policy(0, ['gone', 'left'], true);
  expect([look([found]), look([found]), look([found])]).toEqual([[['gone', 'left']], [], []]);
  expect(warnings).toEqual([
    {
      policyARN: found.policyARN,
      roleARN: found.roleARN,
      usernames: ['gone', 'left'],
      remedy: expect.stringContaining('iamdb.dev/scope "cluster here"') as string,
    },
  ]);
});

it('warns of what comes later alone, and again of what was gone in between', () => {
  const { look } = teller();
  expect(look([policy(0, ['gone'], true)])).toEqual([['gone']]);
  expect(look([policy(0, ['gone', 'left'], true), policy(1, ['other'], true)])).toEqual([
    ['left'],
    ['other'],
  ]);
  expect(look([])).toEqual([]);
  expect(look([policy(0, ['gone'], true)])).toEqual([['gone']]);
});

it('waits with a role that nobody names for a second look, as a move may have just begun', () => {
  const { look } = teller();
  const found = policy(0, ['gone']);
  expect([look([found]), look([found]), look([found])]).toEqual([[], [['gone']], []]);
});

it('keeps what it found while an account cannot be looked at, and warns of nothing anew', async () => {
  const { look, gauge } = teller();
  expect(look([policy(0, ['gone', 'left'], true)])).toEqual([['gone', 'left']]);
  expect(look(undefined)).toEqual([]);
  expect(await gauge()).toEqual(['iamdb_policy_arns_without_user{account="own"} 2']);
  expect(look([policy(0, ['gone', 'left'], true)])).toEqual([]);
});

it('counts by account, a policy that two identities see once, and no account that is not asked any more', async () => {
  const { tell, look, gauge } = teller();
  const found = [policy(0, ['gone', 'left'], true)];
  const other = '444455556666';
  tell([
    { account: 'own', found: [] },
    { account: other, found },
    { account: other, found },
  ]);
  expect(await gauge()).toEqual([
    'iamdb_policy_arns_without_user{account="own"} 0',
    `iamdb_policy_arns_without_user{account="${other}"} 2`,
  ]);
  look([]);
  expect(await gauge()).toEqual(['iamdb_policy_arns_without_user{account="own"} 0']);
});
