// What policies allow: tables over statements, conditions, boundaries and session policies.
import { describe, expect, test } from 'vitest';
import { parsePolicy, type PolicyDocument } from './policy-document.ts';
import { type AccessRequest, evaluate, type PolicySet } from './policy-evaluation.ts';

const role = 'arn:aws:iam::111122223333:role/payments/checkout';
const policy = 'arn:aws:iam::111122223333:policy/iamdb/op/checkout';
const dbUser = 'arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:cluster-ABC/checkout';

function document(...statements: object[]): PolicyDocument {
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }));
}

function request(
  action: string,
  resource: string,
  context: Record<string, string | string[]> = {},
): AccessRequest {
  return {
    action,
    resource,
    context: new Map(Object.entries(context).map(([key, value]) => [key, [value].flat()])),
  };
}

function allows(statements: readonly object[], asked: AccessRequest): boolean {
  const policies: PolicySet = {
    identity: [document(...statements)],
    boundary: undefined,
    session: undefined,
  };
  return evaluate(policies, asked).effect === 'allow';
}

describe('one Allow statement', () => {
  test.each<[string, string, string, boolean]>([
    // Action pattern, resource pattern, what is asked, verdict.
    ['iam:GetRole', role, `iam:GetRole ${role}`, true],
    ['IAM:getrole', role, `iam:GetRole ${role}`, true],
    ['iam:Get*', role, `iam:GetRole ${role}`, true],
    ['iam:GetRol?', role, `iam:GetRole ${role}`, true],
    ['iam:GetRol', role, `iam:GetRole ${role}`, false],
    ['iam:*', role, `rds:DescribeDBClusters ${role}`, false],
    ['*', '*', `iam:GetRole ${role}`, true],
    ['iam:GetRole', 'arn:aws:iam::111122223333:role/*', `iam:GetRole ${role}`, true],
    ['iam:GetRole', 'arn:aws:iam::111122223333:role/payments/*', `iam:GetRole ${role}`, true],
    ['iam:GetRole', 'arn:aws:iam::111122223333:role/checkout', `iam:GetRole ${role}`, false],
    ['iam:GetRole', 'arn:aws:iam::111122223333:role/Payments/*', `iam:GetRole ${role}`, false],
    ['iam:GetRole', 'arn:aws:iam::444455556666:role/*', `iam:GetRole ${role}`, false],
    ['iam:GetRole', 'arn:aws:iam::*:role/*', `iam:GetRole ${role}`, true],
    ['iam:GetRole', 'arn:aws-cn:iam::111122223333:role/*', `iam:GetRole ${role}`, false],
    ['iam:ListPolicies', 'arn:aws:iam::111122223333:policy/*', 'iam:ListPolicies *', false],
    ['iam:ListPolicies', '*', 'iam:ListPolicies *', true],
    ['rds-db:connect', dbUser, `rds-db:connect ${dbUser}`, true],
    ['rds-db:connect', dbUser.replace('ABC', 'XYZ'), `rds-db:connect ${dbUser}`, false],
    ['rds-db:connect', dbUser.replace('checkout', 'Checkout'), `rds-db:connect ${dbUser}`, false],
    ['rds-db:connect', dbUser.replace('ap-northeast-2', 'us-east-1'), `rds-db:connect ${dbUser}`, false],
    ['rds-db:connect', dbUser.replace('dbuser:', 'dbuser/'), `rds-db:connect ${dbUser}`, false],
    [
      'rds-db:connect',
      dbUser.replace('cluster-ABC/checkout', '*/checkout'),
      `rds-db:connect ${dbUser}`,
      true,
    ],
    ['rds-db:connect', 'arn:aws:rds-db:*:*:dbuser:*', `rds-db:connect ${dbUser}`, true],
  ])('%s on %s for %s: %s', (action, resource, asked, verdict) => {
    const [wantedAction = '', wantedResource = ''] = asked.split(' ');
    expect(
      allows(
        [{ Effect: 'Allow', Action: action, Resource: resource }],
        request(wantedAction, wantedResource),
      ),
    ).toBe(verdict);
  });

  test('many stars do not take for ever', () => {
    const pattern = `arn:aws:iam::111122223333:role/${'*a'.repeat(40)}`;
    const resource = `arn:aws:iam::111122223333:role/${'a'.repeat(2000)}b`;
    const started = performance.now();
    expect(
      allows([{ Effect: 'Allow', Action: '*', Resource: pattern }], request('iam:GetRole', resource)),
    ).toBe(false);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('several statements', () => {
  const all = { Effect: 'Allow', Action: '*', Resource: '*' };
  test.each<[string, object[], boolean]>([
    ['nothing allows', [], false],
    ['a Deny wins over an Allow', [all, { Effect: 'Deny', Action: 'iam:*', Resource: '*' }], false],
    ['a Deny elsewhere is no matter', [all, { Effect: 'Deny', Action: 'rds:*', Resource: '*' }], true],
    ['NotAction spares what it names', [{ ...all, Action: undefined, NotAction: 'iam:GetRole' }], false],
    ['NotAction takes the rest', [{ ...all, Action: undefined, NotAction: 'iam:PutRolePolicy' }], true],
    ['NotResource spares what it names', [{ ...all, Resource: undefined, NotResource: role }], false],
    [
      'a Deny with NotResource protects all others',
      [all, { Effect: 'Deny', Action: '*', NotResource: 'arn:aws:iam::111122223333:role/payments/*' }],
      true,
    ],
  ])('%s', (_, statements, verdict) => {
    const identity = statements.length === 0 ? [] : [document(...statements)];
    const decision = evaluate(
      { identity, boundary: undefined, session: undefined },
      request('iam:GetRole', role),
    );
    expect(decision.effect === 'allow').toBe(verdict);
  });
});

function attach(context: Record<string, string | string[]>): AccessRequest {
  return request('iam:AttachRolePolicy', role, context);
}

describe('conditions', () => {
  const own = { 'iam:policyarn': policy };
  const tag = { 'iam:resourcetag/iamdb': 'yes' };
  test.each<[string, object, Record<string, string | string[]>, boolean]>([
    ['ArnLike in the path', { ArnLike: { 'iam:PolicyARN': policy.replace('checkout', '*') } }, own, true],
    ['ArnLike elsewhere', { ArnLike: { 'iam:PolicyARN': 'arn:aws:iam::*:policy/other/*' } }, own, false],
    [
      'ArnEquals takes wildcards as ArnLike does',
      { ArnEquals: { 'iam:PolicyARN': 'arn:aws:iam::*:policy/iamdb/*' } },
      own,
      true,
    ],
    ['ArnLike crosses no colon', { ArnLike: { 'iam:PolicyARN': 'arn:aws:iam:*' } }, own, false],
    ['ArnLike without the key', { ArnLike: { 'iam:PolicyARN': '*' } }, {}, false],
    ['StringEquals is literal', { StringEquals: { 'iam:PolicyARN': 'arn:aws:iam::*:policy/*' } }, own, false],
    ['StringEquals, one of several', { StringEquals: { 'iam:PolicyARN': ['x', policy] } }, own, true],
    ['StringLike', { StringLike: { 'iam:PolicyARN': 'arn:*:policy/iamdb/*' } }, own, true],
    ['keys in any case', { StringEquals: { 'IAM:policyArn': policy } }, own, true],
    ['a tag of the resource', { StringEquals: { 'iam:ResourceTag/iamdb': 'yes' } }, tag, true],
    ['another value of the tag', { StringEquals: { 'iam:ResourceTag/iamdb': 'Yes' } }, tag, false],
    ['any case', { StringEqualsIgnoreCase: { 'iam:ResourceTag/iamdb': 'YES' } }, tag, true],
    ['no such tag', { StringEquals: { 'aws:ResourceTag/iamdb': 'yes' } }, {}, false],
    ['no such tag, negated', { StringNotEquals: { 'aws:ResourceTag/iamdb': 'no' } }, {}, true],
    ['a negated list', { StringNotEquals: { 'iam:ResourceTag/iamdb': ['no', 'yes'] } }, tag, false],
    ['IfExists, absent', { StringEqualsIfExists: { 'aws:ResourceTag/iamdb': 'yes' } }, {}, true],
    ['IfExists, present and wrong', { StringEqualsIfExists: { 'iam:ResourceTag/iamdb': 'no' } }, tag, false],
    ['Null true, absent', { Null: { 'aws:RequestTag/team': 'true' } }, {}, true],
    ['Null false, absent', { Null: { 'aws:RequestTag/team': 'false' } }, {}, false],
    [
      'two operators, both must hold',
      {
        StringEquals: { 'iam:ResourceTag/iamdb': 'yes' },
        ArnLike: { 'iam:PolicyARN': 'arn:aws:iam::*:policy/x' },
      },
      { ...own, ...tag },
      false,
    ],
    [
      'ForAllValues',
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a', 'b'] } },
      { 'aws:tagkeys': ['a', 'c'] },
      false,
    ],
    ['ForAllValues without the key', { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a'] } }, {}, true],
    [
      'ForAnyValue',
      { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['a', 'b'] } },
      { 'aws:tagkeys': ['a', 'c'] },
      true,
    ],
    ['ForAnyValue without the key', { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['a'] } }, {}, false],
    ['Bool', { Bool: { 'aws:SecureTransport': 'true' } }, { 'aws:securetransport': 'true' }, true],
    [
      'a date to come',
      { DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } },
      { 'aws:currenttime': '2029-12-31T23:59:59Z' },
      true,
    ],
    [
      'a date gone by',
      { DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } },
      { 'aws:currenttime': '2030-01-01T00:00:00Z' },
      false,
    ],
    ['a number', { NumericGreaterThan: { 'aws:EpochTime': '10' } }, { 'aws:epochtime': '9' }, false],
    [
      'a variable',
      { StringEquals: { 'iam:ResourceTag/iamdb': '${aws:username}' } },
      { ...tag, 'aws:username': 'yes' },
      true,
    ],
    [
      'a variable that the request lacks',
      { StringEquals: { 'iam:ResourceTag/iamdb': '${aws:username}' } },
      tag,
      false,
    ],
    ['an unknown key', { StringNotEquals: { 'aws:SourceVpc': 'vpc-1' } }, {}, false],
    [
      'an operator that is not judged',
      { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } },
      { 'aws:sourceip': '10.0.0.1' },
      false,
    ],
  ])('%s', (_, condition, context, verdict) => {
    const statement = {
      Effect: 'Allow',
      Action: 'iam:AttachRolePolicy',
      Resource: '*',
      Condition: condition,
    };
    expect(allows([statement], attach(context))).toBe(verdict);
  });

  test('that cannot be judged do not weaken a Deny', () => {
    const deny = {
      Effect: 'Deny',
      Action: '*',
      Resource: '*',
      Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } },
    };
    expect(allows([{ Effect: 'Allow', Action: '*', Resource: '*' }, deny], attach({}))).toBe(false);
  });

  test('a star that comes out of a variable is no wildcard', () => {
    const statement = {
      Effect: 'Allow',
      Action: 'iam:GetRole',
      Resource: 'arn:aws:iam::111122223333:role/${aws:username}/*',
    };
    expect(allows([statement], request('iam:GetRole', role, { 'aws:username': '*' }))).toBe(false);
    expect(allows([statement], request('iam:GetRole', role, { 'aws:username': 'payments' }))).toBe(true);
    expect(allows([statement], request('iam:GetRole', role))).toBe(false);
  });
});

describe('a boundary and a session policy', () => {
  const everything = document({ Effect: 'Allow', Action: '*', Resource: '*' });
  const connectOnly = document({ Effect: 'Allow', Action: 'rds-db:connect', Resource: dbUser });
  const denying = document(
    { Effect: 'Deny', Action: 'iam:*', Resource: '*' },
    { Effect: 'Allow', Action: '*', Resource: '*' },
  );
  test.each<[string, PolicySet, object]>([
    ['none', { identity: [everything], boundary: undefined, session: undefined }, { effect: 'allow' }],
    [
      'a boundary that lacks it',
      { identity: [everything], boundary: connectOnly, session: undefined },
      { effect: 'deny', explicit: false, by: 'permissions boundary' },
    ],
    [
      'a session policy that lacks it',
      { identity: [everything], boundary: everything, session: connectOnly },
      { effect: 'deny', explicit: false, by: 'session policy' },
    ],
    [
      'a Deny in a session policy',
      { identity: [everything], boundary: undefined, session: denying },
      { effect: 'deny', explicit: true, by: 'session policy' },
    ],
    [
      'neither gives what the identity lacks',
      { identity: [connectOnly], boundary: everything, session: everything },
      { effect: 'deny', explicit: false, by: 'identity-based policy' },
    ],
  ])('%s', (_, policies, decision) => {
    expect(evaluate(policies, request('iam:GetRole', role))).toEqual(decision);
  });
});

describe('the grammar', () => {
  const statement = { Effect: 'Allow', Action: 'iam:GetRole', Resource: '*' };
  test.each<[string, object]>([
    ['a version that never was', { Version: '2013-10-17', Statement: [statement] }],
    ['no statement', { Version: '2012-10-17', Statement: [] }],
    ['an unknown element in a statement', { Version: '2012-10-17', Statement: [{ ...statement, Extra: 1 }] }],
    ['no effect', { Version: '2012-10-17', Statement: [{ ...statement, Effect: undefined }] }],
    ['an effect in lower case', { Version: '2012-10-17', Statement: [{ ...statement, Effect: 'allow' }] }],
    ['no action', { Version: '2012-10-17', Statement: [{ ...statement, Action: undefined }] }],
    [
      'both Action and NotAction',
      { Version: '2012-10-17', Statement: [{ ...statement, NotAction: 'iam:*' }] },
    ],
    [
      'an action without a vendor',
      { Version: '2012-10-17', Statement: [{ ...statement, Action: 'GetRole' }] },
    ],
    ['no resource', { Version: '2012-10-17', Statement: [{ ...statement, Resource: [] }] }],
    [
      'a resource that is no ARN',
      { Version: '2012-10-17', Statement: [{ ...statement, Resource: 'role/x' }] },
    ],
    [
      'an unknown partition',
      { Version: '2012-10-17', Statement: [{ ...statement, Resource: 'arn:x:iam::1:role/x' }] },
    ],
    ['a principal', { Version: '2012-10-17', Statement: [{ ...statement, Principal: '*' }] }],
    [
      'the same Sid twice',
      {
        Version: '2012-10-17',
        Statement: [
          { ...statement, Sid: 'A' },
          { ...statement, Sid: 'A' },
        ],
      },
    ],
    ['a Sid with a hyphen', { Version: '2012-10-17', Statement: [{ ...statement, Sid: 'a-b' }] }],
    [
      'an unknown condition operator',
      { Version: '2012-10-17', Statement: [{ ...statement, Condition: { StringIs: { 'aws:x': 'y' } } }] },
    ],
    [
      'an open variable',
      { Version: '2012-10-17', Statement: [{ ...statement, Resource: 'arn:aws:iam::1:role/${x' }] },
    ],
  ])('refuses %s', (_, policyDocument) => {
    expect(() => parsePolicy(JSON.stringify(policyDocument))).toThrow(
      expect.objectContaining({ code: 'MalformedPolicyDocument' }),
    );
  });
});
