import { describe, expect, it } from 'vitest';
import { faultOfPodTrust, type Pods, podTrustStatement } from './pod-trust.ts';

const pods: Pods = {
  namespace: 'payments',
  serviceAccount: 'shop',
  roleARN: 'arn:aws:iam::111122223333:role/payments-shop',
  hasSessionTags: true,
};
const untagged: Pods = { ...pods, hasSessionTags: false };
const both = ['sts:AssumeRole', 'sts:TagSession'];
const eks = { Service: 'pods.eks.amazonaws.com' };
const allow = (more: object = {}) => ({ Effect: 'Allow', Principal: eks, Action: both, ...more });
const fault = (statements: unknown, of: Pods = pods) =>
  faultOfPodTrust(JSON.stringify({ Version: '2012-10-17', Statement: statements }), of);
const tags = (namespace: string, operator = 'StringEquals', key = 'aws:RequestTag/kubernetes-namespace') => ({
  Condition: { [operator]: { [key]: namespace } },
});

describe('the trust policy of a role for pods', () => {
  it.each<[string, unknown, string]>([
    ["EKS's guide", [allow()], 'none'],
    ['one statement that is no list', allow(), 'none'],
    [
      'two statements, one for each action',
      [allow({ Action: 'sts:AssumeRole' }), allow({ Action: 'sts:TagSession' })],
      'none',
    ],
    ['wildcards', [allow({ Action: 'sts:*' })], 'none'],
    ['everybody', [allow({ Principal: '*' })], 'none'],
    ['several services', [allow({ Principal: { Service: ['ec2.amazonaws.com', eks.Service] } })], 'none'],
    ['nothing', [], 'service'],
    ['another service', [allow({ Principal: { Service: 'ec2.amazonaws.com' } })], 'service'],
    ['an AWS principal', [allow({ Principal: { AWS: eks.Service } })], 'service'],
    ['tagging alone', [allow({ Action: 'sts:TagSession' })], 'service'],
    ['assuming alone', [allow({ Action: 'sts:AssumeRole' })], 'tagging'],
    ['a denial', [allow(), { ...allow({ Action: 'sts:AssumeRole' }), Effect: 'Deny' }], 'denied'],
    ['a denial of tagging', [allow(), { ...allow({ Action: 'sts:TagSession' }), Effect: 'Deny' }], 'denied'],
    ['a denial under a condition', [allow(), { ...allow(tags('payments')), Effect: 'Deny' }], 'none'],
    ['nothing but a denial under a condition', [{ ...allow(tags('payments')), Effect: 'Deny' }], 'service'],
    ['an action that is no text', [allow({ Action: [7, null] })], 'service'],
    [
      'a denial for others',
      [allow(), { ...allow({ Principal: { Service: 'ec2.amazonaws.com' } }), Effect: 'Deny' }],
      'none',
    ],
    ['these pods', [allow(tags('payments'))], 'none'],
    [
      'these pods, in another case of the key',
      [allow(tags('payments', 'StringEquals', 'AWS:requesttag/Kubernetes-Namespace'))],
      'none',
    ],
    ['a pattern that fits', [allow(tags('pay*', 'StringLike'))], 'none'],
    ['other pods', [allow(tags('billing'))], 'tags'],
    [
      'another ServiceAccount',
      [allow(tags('other', 'StringEquals', 'aws:RequestTag/kubernetes-service-account'))],
      'tags',
    ],
    ['other pods and these', [allow(tags('billing')), allow(tags('payments'))], 'none'],
    ['something that is not judged', [allow(tags('1', 'StringEquals', 'aws:SourceAccount'))], 'none'],
  ])('that allows %s', (_, statements, expected) => {
    expect(fault(statements)).toBe(expected);
  });

  it('needs no tagging where the association has the tags switched off, and cannot ask for them', () => {
    expect(fault([allow({ Action: 'sts:AssumeRole' })], untagged)).toBe('none');
    expect(fault([allow(tags('payments'))], untagged)).toBe('tags');
    expect(fault([allow(tags('payments', 'StringEqualsIfExists'))], untagged)).toBe('none');
    expect(fault([allow({ Effect: 'Deny' })], untagged)).toBe('denied');
  });

  it('that cannot be read allows nothing', () => {
    expect(faultOfPodTrust('not JSON', pods)).toBe('service');
    expect(faultOfPodTrust(encodeURIComponent(JSON.stringify({ Statement: [allow()] })), pods)).toBe('none');
  });

  it.each([
    ['with tags', pods],
    ['without', untagged],
  ])('is mended by the statement, %s', (_, of) => {
    const statement = JSON.parse(podTrustStatement(of)) as object;
    expect(fault([statement], of)).toBe('none');
    expect(fault([statement], { ...of, namespace: 'billing' })).toBe(of.hasSessionTags ? 'tags' : 'none');
  });
});
