// What an AWS account holds before the operator comes: its role with exactly the published policy, and workload roles.
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import type { Account } from '../aws/account.ts';
import type { Aws } from '../aws/aws.ts';

export const region = 'ap-northeast-2';
export const accountID = '111122223333';
export const operatorID = 'stage';
export const operatorRoleARN = `arn:aws:iam::${accountID}:role/iamdb-operator`;

/** Encrypts master secrets, where they are told so. */
export const masterKeyARN = `arn:aws:kms:${region}:${accountID}:key/master-secrets`;

/** May be assumed by the pods of the cluster; the stage hands out its keys instead. */
export function createOperatorRole(
  aws: Aws,
  admins: readonly string[],
  options: {
    readonly inline?: boolean;
    readonly proxyRoles?: readonly string[];
    readonly assumeRoles?: readonly string[];
    readonly eksCluster?: { readonly region: string; readonly name: string };
  } = {},
): string {
  const role = aws.createRole({
    name: 'iamdb-operator',
    trustPolicy: trusting('pods.eks.amazonaws.com', 'Service'),
    policies: {
      operator: operatorPolicy({
        partition: aws.partition,
        accountID,
        operatorID,
        principals: [`arn:${aws.partition}:iam::${accountID}:role/payments-*`],
        admins,
        regions: [aws.region],
        masterSecrets: [`arn:${aws.partition}:secretsmanager:${aws.region}:${accountID}:secret:rds!*`],
        masterKeys: [masterKeyARN],
        ...options,
      }),
    },
  });
  return role.arn;
}

/** A workload's role; `provable` ones trust the operator to assume them for the proof, and the account's people to try. */
export function createWorkloadRole(
  aws: Account,
  name: string,
  options: { readonly provable?: boolean; readonly operator?: string } = {},
): string {
  const { operator = `arn:${aws.partition}:iam::${accountID}:role/iamdb-operator` } = options;
  const trustPolicy =
    options.provable === false
      ? trusting('pods.eks.amazonaws.com', 'Service')
      : trusting([operator, `arn:${aws.partition}:iam::${aws.accountId}:root`], 'AWS');
  return aws.createRole({ name, trustPolicy }).arn;
}

const trusting = (principal: string | readonly string[], kind: 'AWS' | 'Service') => ({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { [kind]: principal }, Action: ['sts:AssumeRole', 'sts:TagSession'] },
  ],
});
