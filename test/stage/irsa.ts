// An IAM role that the pods of one ServiceAccount may have (IRSA), as EKS's guide has it made.
import { createHash, createPublicKey } from 'node:crypto';
import type { Stage } from './stage.ts';

/** Makes the cluster's issuer known to the account too; gives the role's ARN. */
export function createIrsaRole({ aws, bed }: Stage, namespace: string, serviceAccount: string): string {
  const provider = registerIssuer({ aws, bed });
  const host = bed.kube.serviceAccountIssuer.replace('https://', '');
  const StringEquals = {
    [`${host}:sub`]: `system:serviceaccount:${namespace}:${serviceAccount}`,
    [`${host}:aud`]: 'sts.amazonaws.com',
  };
  const action = { Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity' };
  const statement = { ...action, Principal: { Federated: provider }, Condition: { StringEquals } };
  return aws.createRole({
    name: `${namespace}-${serviceAccount}`,
    trustPolicy: { Version: '2012-10-17', Statement: [statement] },
  }).arn;
}

/** As the account's administrator does it once for a cluster; gives the provider's ARN. */
export function registerIssuer({ aws, bed }: Pick<Stage, 'aws' | 'bed'>): string {
  const { serviceAccountIssuer: issuer, serviceAccountPublicKeyPem } = bed.kube;
  const key = createPublicKey(serviceAccountPublicKeyPem);
  // The API server names its keys so.
  const kid = createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('base64url');
  return aws.registerOidcProvider({ issuer, jwks: { keys: [{ ...key.export({ format: 'jwk' }), kid }] } });
}
