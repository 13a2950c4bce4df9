import { describe, expect, it } from 'vitest';
import { connectStatement, lackingConnect } from './role-rights.ts';

const arn = 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABC/payments_checkout';
const policy = (...statements: readonly object[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });
const allow = (changes: object = {}) => ({
  Effect: 'Allow',
  Action: 'rds-db:connect',
  Resource: arn,
  ...changes,
});
const may = (identity: readonly string[], boundary?: string) =>
  lackingConnect({ identity, boundary }, [arn]).length === 0;

describe('a role may connect as a database user', () => {
  it.each<[string, readonly string[], string?]>([
    ['by the exact ARN', [policy(allow())]],
    ['by the statement that we give', [policy(JSON.parse(connectStatement([arn])) as object)]],
    ['by a document as IAM gives it', [encodeURIComponent(policy(allow()))]],
    ['by one policy of several', [policy(allow({ Action: 's3:*' })), policy(allow())]],
    ['by a statement that is no list', [JSON.stringify({ Statement: allow() })]],
    ['by lists', [policy(allow({ Action: ['s3:Get*', 'RDS-DB:Connect'], Resource: ['x', arn] }))]],
    ['by wildcards', [policy(allow({ Action: '*', Resource: '*' }))]],
    ['by all users of the server', [policy(allow({ Resource: arn.replace('payments_checkout', '*') }))]],
    ['by one character', [policy(allow({ Resource: arn.replace('payments_checkou', 'payments?checkou') }))]],
    [
      'by a variable, which may stand for anything',
      [policy(allow({ Resource: arn.replace('payments_checkout', '${aws:userid}') }))],
    ],
    ['by all but others', [policy(allow({ Resource: undefined, NotResource: `${arn}_2` }))]],
    ['by all actions but others', [policy(allow({ Action: undefined, NotAction: 'iam:*' }))]],
    [
      'where a condition may hold',
      [policy(allow({ Condition: { StringEquals: { 'aws:ResourceTag/a': 'b' } } }))],
    ],
    [
      'where a denial may not hold',
      [policy(allow(), allow({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }))],
    ],
    [
      'where a denial is about a variable',
      [policy(allow(), allow({ Effect: 'Deny', Resource: arn.replace('payments', '${aws:userid}') }))],
    ],
    ['where another user is denied', [policy(allow(), allow({ Effect: 'Deny', Resource: `${arn}_2` }))]],
    ['within its boundary', [policy(allow())], policy(allow({ Action: 'rds-db:*', Resource: '*' }))],
  ])('%s', (_how, identity, boundary) => {
    expect(may(identity, boundary)).toBe(true);
  });
});

describe('a role may not connect as a database user', () => {
  it.each<[string, readonly string[], string?]>([
    ['without policies', []],
    ['by another user', [policy(allow({ Resource: `${arn}_2` }))]],
    ['by the same user on another server', [policy(allow({ Resource: arn.replace('ABC', 'DEF') }))]],
    ['by a name in another case', [policy(allow({ Resource: arn.toUpperCase() }))]],
    ['by another action', [policy(allow({ Action: 'rds:*' }))]],
    ['by all but this one', [policy(allow({ Resource: undefined, NotResource: arn }))]],
    ['by all actions but this one', [policy(allow({ Action: undefined, NotAction: 'rds-db:*' }))]],
    ['by a statement without resources', [policy(allow({ Resource: undefined }))]],
    ['by a statement without actions', [policy(allow({ Action: undefined }))]],
    ['by values that are no texts', [policy(allow({ Action: [7] }), allow({ Resource: [7, null] }))]],
    ['by nothing but a denial of others', [policy(allow({ Effect: 'Deny', Resource: `${arn}_2` }))]],
    [
      'by nothing but a denial that may not hold',
      [policy(allow({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }))],
    ],
    ['by a denial', [policy(allow()), policy(allow({ Effect: 'Deny', Resource: '*' }))]],
    ['by something that is no document', ['not JSON', '[]', '{"Statement":[7,null]}']],
    ['beyond its boundary', [policy(allow())], policy(allow({ Action: 's3:*' }))],
    [
      'denied by its boundary',
      [policy(allow())],
      policy(allow(), allow({ Effect: 'Deny', Action: 'rds-db:connect' })),
    ],
  ])('%s', (_how, identity, boundary) => {
    expect(may(identity, boundary)).toBe(false);
  });

  it('on those only that it lacks', () => {
    const other = arn.replace('ABC', 'GREEN');
    expect(lackingConnect({ identity: [policy(allow())], boundary: undefined }, [arn, other])).toEqual([
      other,
    ]);
  });
});
