import { describe, expect, it } from 'vitest';
import { faultOfTrust, type TrustFault, trustStatement, webIdentityOf } from './trust.ts';

const roleARN = 'arn:aws:iam::111122223333:role/apps/payments-checkout';
const host = 'oidc.eks.ap-northeast-2.amazonaws.com/id/ABC';
const identity = { issuer: `https://${host}`, subject: 'system:serviceaccount:payments:checkout' };
const provider = `arn:aws:iam::111122223333:oidc-provider/${host}`;

const statement = (changes: object = {}) => ({
  Effect: 'Allow',
  Principal: { Federated: provider },
  Action: 'sts:AssumeRoleWithWebIdentity',
  Condition: { StringEquals: { [`${host}:sub`]: identity.subject, [`${host}:aud`]: 'sts.amazonaws.com' } },
  ...changes,
});
const policy = (...statements: readonly object[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });
const when = (operator: string, key: string, value: unknown) =>
  policy(statement({ Condition: { [operator]: { [`${host}:${key}`]: value } } }));
const fault = (document: string) => faultOfTrust(document, roleARN, identity);

describe('a trust policy', () => {
  it.each<[string, TrustFault, string]>([
    ['as it should be', 'none', policy(statement())],
    ['as IAM gives it', 'none', encodeURIComponent(policy(statement()))],
    ['made of our own statement', 'none', policy(JSON.parse(trustStatement(roleARN, identity)) as object)],
    ['with one statement that is no list', 'none', JSON.stringify({ Statement: statement() })],
    ['with lists', 'none', policy(statement({ Action: ['sts:TagSession', 'sts:AssumeRoleWith*'] }))],
    ['with several issuers', 'none', policy(statement({ Principal: { Federated: ['x', provider] } }))],
    ['without conditions', 'none', policy(statement({ Condition: undefined }))],
    ['that likes the namespace', 'none', when('StringLike', 'sub', 'system:serviceaccount:payments:*')],
    [
      'that likes one character',
      'none',
      when('StringLike', 'sub', 'system:serviceaccount:payments:checkou?'),
    ],
    ['that likes another namespace', 'sub', when('StringLike', 'sub', 'system:serviceaccount:pay:*')],
    ['that likes one character too many', 'sub', when('StringLike', 'sub', `${identity.subject}?`)],
    ['that takes * for a text', 'sub', when('StringEquals', 'sub', 'system:serviceaccount:payments:*')],
    ['of another ServiceAccount', 'sub', when('StringEquals', 'sub', `${identity.subject}-2`)],
    ['of several ServiceAccounts', 'none', when('StringEquals', 'sub', ['x', identity.subject])],
    [
      'that does not care for case',
      'none',
      when('StringEqualsIgnoreCase', 'sub', identity.subject.toUpperCase()),
    ],
    ['of each of many values', 'none', when('ForAnyValue:StringEquals', 'aud', ['sts.amazonaws.com'])],
    ['that cares for case', 'sub', when('StringEquals', 'sub', identity.subject.toUpperCase())],
    ['that likes another case', 'sub', when('StringLike', 'sub', 'SYSTEM:*')],
    [
      'that does not care for case, of another ServiceAccount',
      'sub',
      when('StringEqualsIgnoreCase', 'sub', `${identity.subject}-2`),
    ],
    ['of all of many values, none of which fits', 'aud', when('ForAllValues:StringEquals', 'aud', ['x'])],
    ['of any of many values, none of which fits', 'aud', when('ForAnyValue:StringLike', 'aud', ['x'])],
    ['that asks only where it is told', 'aud', when('StringEqualsIfExists', 'aud', 'x')],
    ['with values that are no texts', 'aud', when('StringEquals', 'aud', [7, null])],
    ['for everybody', 'none', policy(statement({ Principal: '*' }))],
    ['for every federation', 'none', policy(statement({ Principal: { Federated: '*' } }))],
    ['with actions that are no texts', 'issuer', policy(statement({ Action: [7, null] }))],
    ['that neither allows nor denies', 'issuer', policy(statement({ Effect: 'Maybe' }))],
    ['of another audience', 'aud', when('StringEquals', 'aud', 'kubernetes.default.svc')],
    ['of an operator that is not known', 'none', when('StringNotEquals', 'sub', 'x')],
    ['of another condition', 'condition', policy(statement({ Condition: { Bool: { 'aws:x': 'true' } } }))],
    ['of another issuer', 'issuer', policy(statement({ Principal: { Federated: `${provider}D` } }))],
    [
      'of another account',
      'issuer',
      policy(statement({ Principal: { Federated: provider.replace('1111', '9999') } })),
    ],
    ['for services', 'issuer', policy(statement({ Principal: { Service: 'pods.eks.amazonaws.com' } }))],
    ['for another action', 'issuer', policy(statement({ Action: 'sts:AssumeRole' }))],
    ['that denies', 'denied', policy(statement(), statement({ Effect: 'Deny' }))],
    [
      'that denies another',
      'none',
      policy(
        statement(),
        statement({ Effect: 'Deny', Condition: { StringEquals: { [`${host}:sub`]: 'x' } } }),
      ),
    ],
    [
      'that nearly fits twice',
      'aud',
      policy(
        statement({ Condition: { StringEquals: { [`${host}:sub`]: 'x' } } }),
        statement({ Condition: { StringEquals: { [`${host}:aud`]: 'x' } } }),
      ),
    ],
    ['that is empty', 'issuer', '{}'],
    ['that is no JSON', 'issuer', '%'],
  ])('%s: %s', (_sentence, expected, document) => {
    expect(fault(document)).toBe(expected);
  });

  it('of any stars is judged at once', () => {
    const stars = `${'*a'.repeat(1_000)}b`;
    expect(
      faultOfTrust(when('StringLike', 'sub', stars), roleARN, { ...identity, subject: 'a'.repeat(5_000) }),
    ).toBe('sub');
  });

  it('in China names the provider there', () => {
    expect(trustStatement(roleARN.replace('aws', 'aws-cn'), identity)).toContain(
      `arn:aws-cn:iam::111122223333:oidc`,
    );
  });
});

describe('a token', () => {
  const jwt = (claims: string) => `e30.${Buffer.from(claims).toString('base64url')}.x`;
  it('says who issued it, and for whom', () => {
    expect(webIdentityOf(jwt('{"iss":"i","sub":"s","aud":["a"]}'))).toEqual({ issuer: 'i', subject: 's' });
  });
  it.each(['', 'a.b', jwt('{}'), jwt('[]'), jwt('{"iss":1,"sub":"s"}'), jwt('{')])(
    '%j says nothing',
    (token) => {
      expect(webIdentityOf(token)).toBeUndefined();
    },
  );
});
