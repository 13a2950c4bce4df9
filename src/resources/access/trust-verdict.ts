// The verdicts on trust policies that keep a workload from becoming its role, each with the statement to paste.
import { faultOfPodTrust, type Pods, podTrustStatement } from './pod-trust.ts';
import { faultOfTrust, providerARN, stsAudience, trustStatement, type WebIdentity } from './trust.ts';
import type { AccessVerdict, ServiceAccountName } from './verdict.ts';

/** STS refuses the workload's own token, so the workload itself cannot become the role either. */
export function notTrusted(
  { namespace, name }: ServiceAccountName,
  roleARN: string,
  identity: WebIdentity | undefined,
  document: string | undefined,
): AccessVerdict {
  const who = `ServiceAccount ${namespace}/${name} may not become ${roleARN}`;
  return {
    status: 'False',
    reason: 'NotTrusted',
    message: `${who}: ${whyNotTrusted(roleARN, identity, document)}`,
    retryAfterMs: 30_000,
  };
}

function whyNotTrusted(
  roleARN: string,
  identity: WebIdentity | undefined,
  document: string | undefined,
): string {
  if (identity === undefined) return "the API server's token names no issuer and subject.";
  const add = `Add to its trust policy: ${trustStatement(roleARN, identity)}`;
  if (document === undefined) {
    return `AWS refused sts:AssumeRoleWithWebIdentity, and the trust policy could not be read. ${add}`;
  }
  const fault = faultOfTrust(document, roleARN, identity);
  switch (fault) {
    case 'issuer':
      return `its trust policy does not trust this cluster's issuer. ${add}`;
    case 'sub':
      return `its trust policy trusts another ServiceAccount (sub). ${add}`;
    case 'aud':
      return `its trust policy asks for another audience (aud). ${add}`;
    case 'condition':
      return `its trust policy has a condition besides issuer, sub and aud. Without it this would do: ${trustStatement(roleARN, identity)}`;
    case 'denied':
      return 'its trust policy denies it explicitly. Take that statement away.';
    case 'none':
      return `its trust policy is right. Check that the IAM OIDC provider ${providerARN(roleARN, identity)} exists with the audience ${stsAudience} and the issuer's present keys, and look for SCPs.`;
    default:
      return fault satisfies never;
  }
}

/** Undefined where nothing in the trust policy keeps EKS from giving the role to the pods. */
export function notTrustedForPods(pods: Pods, document: string): AccessVerdict | undefined {
  const fault = faultOfPodTrust(document, pods);
  if (fault === 'none') return undefined;
  const why = {
    service: 'its trust policy does not let pods.eks.amazonaws.com assume it.',
    tagging: 'its trust policy does not allow sts:TagSession, and EKS tags each session.',
    tags: 'the conditions of its trust policy are for the session tags of other pods.',
    denied: 'its trust policy denies it explicitly. Take that statement away.',
  }[fault];
  return {
    status: 'False',
    reason: 'NotTrusted',
    message: `The pods of ServiceAccount ${pods.namespace}/${pods.serviceAccount} do not get ${pods.roleARN} by EKS Pod Identity: ${why} Add to it: ${podTrustStatement(pods)}`,
    retryAfterMs: 30_000,
  };
}
