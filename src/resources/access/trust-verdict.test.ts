import { describe, expect, it } from 'vitest';
import { notTrusted, notTrustedForPods } from './trust-verdict.ts';

const roleARN = 'arn:aws:iam::111122223333:role/checkout';
const identity = {
  issuer: 'https://oidc.eks.test/id/ABC',
  subject: 'system:serviceaccount:payments:checkout',
};
const provider = 'arn:aws:iam::111122223333:oidc-provider/oidc.eks.test/id/ABC';
const action = 'sts:AssumeRoleWithWebIdentity';
const statement = (condition: unknown, effect = 'Allow') =>
  JSON.stringify({
    Statement: [{ Effect: effect, Principal: { Federated: provider }, Action: action, Condition: condition }],
  });
const subject = { 'oidc.eks.test/id/ABC:sub': identity.subject };
const audience = { 'oidc.eks.test/id/ABC:aud': 'sts.amazonaws.com' };
const toPaste = `{"Effect":"Allow","Principal":{"Federated":"${provider}"},"Action":"${action}","Condition":{"StringEquals":{"oidc.eks.test/id/ABC:sub":"${identity.subject}","oidc.eks.test/id/ABC:aud":"sts.amazonaws.com"}}}`;

describe('a ServiceAccount that may not become its role', () => {
  it.each([
    [
      'the policy cannot be read',
      undefined,
      `AWS refused ${action}, and the trust policy could not be read. Add to its trust policy: ${toPaste}`,
    ],
    [
      'another issuer is trusted',
      '{}',
      `its trust policy does not trust this cluster's issuer. Add to its trust policy: ${toPaste}`,
    ],
    [
      'another ServiceAccount is trusted',
      statement({ StringEquals: { ...subject, 'oidc.eks.test/id/ABC:sub': 'system:serviceaccount:a:b' } }),
      `its trust policy trusts another ServiceAccount (sub). Add to its trust policy: ${toPaste}`,
    ],
    [
      'another audience is asked for',
      statement({ StringEquals: { ...subject, 'oidc.eks.test/id/ABC:aud': 'other' } }),
      `its trust policy asks for another audience (aud). Add to its trust policy: ${toPaste}`,
    ],
    [
      'something else is asked for',
      statement({ StringEquals: { ...subject, ...audience, 'aws:PrincipalTag/team': 'pay' } }),
      `its trust policy has a condition besides issuer, sub and aud. Without it this would do: ${toPaste}`,
    ],
    [
      'it is denied',
      statement({ StringEquals: subject }, 'Deny'),
      'its trust policy denies it explicitly. Take that statement away.',
    ],
    [
      'the policy is right',
      statement({ StringEquals: { ...subject, ...audience } }),
      `its trust policy is right. Check that the IAM OIDC provider ${provider} exists with the audience sts.amazonaws.com and the issuer's present keys, and look for SCPs.`,
    ],
  ])('is told why, with what to paste: %s', (_, document, why) => {
    expect(notTrusted({ namespace: 'payments', name: 'checkout' }, roleARN, identity, document)).toEqual({
      status: 'False',
      reason: 'NotTrusted',
      message: `ServiceAccount payments/checkout may not become ${roleARN}: ${why}`,
      retryAfterMs: 30_000,
    });
  });

  it('has a token that says who it is', () => {
    const { message } = notTrusted({ namespace: 'payments', name: 'checkout' }, roleARN, undefined, '{}');
    expect(message).toBe(
      `ServiceAccount payments/checkout may not become ${roleARN}: the API server's token names no issuer and subject.`,
    );
  });
});

describe('pods that do not get their role', () => {
  const pods = { namespace: 'payments', serviceAccount: 'checkout', roleARN, hasSessionTags: true };
  const both = ['sts:AssumeRole', 'sts:TagSession'];
  const trust = (...statements: readonly object[]) => JSON.stringify({ Statement: statements });
  const allow = { Effect: 'Allow', Principal: { Service: 'pods.eks.amazonaws.com' }, Action: both };
  const add =
    '{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"payments","aws:RequestTag/kubernetes-service-account":"checkout"}}}';

  it.each([
    [trust(), 'its trust policy does not let pods.eks.amazonaws.com assume it.'],
    [
      trust({ ...allow, Action: 'sts:AssumeRole' }),
      'its trust policy does not allow sts:TagSession, and EKS tags each session.',
    ],
    [
      trust({ ...allow, Condition: { StringEquals: { 'aws:RequestTag/kubernetes-namespace': 'other' } } }),
      'the conditions of its trust policy are for the session tags of other pods.',
    ],
    [
      trust(allow, { ...allow, Effect: 'Deny' }),
      'its trust policy denies it explicitly. Take that statement away.',
    ],
  ])('are told why, with what to paste: %#', (document, why) => {
    expect(notTrustedForPods(pods, document)).toEqual({
      status: 'False',
      reason: 'NotTrusted',
      message: `The pods of ServiceAccount payments/checkout do not get ${roleARN} by EKS Pod Identity: ${why} Add to it: ${add}`,
      retryAfterMs: 30_000,
    });
  });

  it('are accused of nothing where it fits', () => {
    expect(notTrustedForPods(pods, trust(allow))).toBeUndefined();
  });
});
