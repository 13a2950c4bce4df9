// `operator-policy`: the AWS policy that the operator needs, from the same data as its published one.
import { Command, InvalidArgumentError } from 'commander';
import { roleARNPattern } from '../api/schema-parts.ts';
import { whyNotUsername } from '../api/username.ts';
import { operatorPolicy } from '../systems/operator-policy.ts';

interface Options {
  readonly account: string;
  readonly partition: string;
  readonly region: readonly string[];
  readonly operatorId: string;
  readonly roleArn: readonly string[];
  readonly admin: readonly (readonly [resourceID: string, username: string])[];
  readonly proxyRoleArn: readonly string[];
  readonly managedSecrets?: boolean;
  readonly kmsKey: readonly string[];
  readonly assumeRole: readonly string[];
  readonly inlinePolicies?: boolean;
  readonly eksCluster?: { readonly region: string; readonly name: string };
}

const matching = (pattern: RegExp, why: string) => (text: string) => {
  if (!pattern.test(text)) throw new InvalidArgumentError(why);
  return text;
};

const rolePattern = matching(
  /^arn:aws[a-z-]{0,13}:iam::[0-9]{12}:role\/[A-Za-z0-9+=,.@_/*?-]{1,512}$/,
  'It is the ARN of an IAM role; * may stand in its name.',
);

export function operatorPolicyCommand(print: (text: string) => void): Command {
  return new Command('operator-policy')
    .description("print the operator's own minimal IAM policy")
    .requiredOption(
      '--account <id>',
      'AWS account of the databases',
      matching(/^[0-9]{12}$/, 'It has 12 digits.'),
    )
    .requiredOption(
      '--region <name...>',
      'regions of the databases',
      each(matching(/^[a-z]{2}(-[a-z]+)+-[0-9]+$/, 'It is a region, as eu-central-1.')),
    )
    .requiredOption(
      '--operator-id <id>',
      "the operator's --operator-id",
      matching(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/, 'It is a DNS name.'),
    )
    .requiredOption(
      '--role-arn <pattern...>',
      'IAM roles of workloads, as arn:aws:iam::111122223333:role/payments-*',
      each(rolePattern),
    )
    .option(
      '--proxy-role-arn <pattern...>',
      'IAM roles of RDS Proxies, so that they can be checked for the right to log in',
      each(rolePattern),
      [],
    )
    .option(
      '--assume-role <arn...>',
      'roles in spec.assumeRole of IamDatabases, for databases in other accounts; each needs this policy for its own account',
      each(matching(new RegExp(roleARNPattern), 'It is the exact ARN of an IAM role.')),
      [],
    )
    .option(
      '--partition <name>',
      'AWS partition',
      matching(/^aws[a-z-]{0,13}$/, 'It is aws, aws-cn or alike.'),
      'aws',
    )
    .option(
      '--admin <resource id/username...>',
      'admins that log in by token, as cluster-ABC/iamdb_admin',
      each(adminOf),
      [],
    )
    .option('--managed-secrets', 'admins with authentication ManagedSecret')
    .option(
      '--kms-key <arn...>',
      "keys that encrypt the managed secrets, where these are not AWS's own",
      each(
        matching(
          /^arn:aws[a-z-]{0,13}:kms:[a-z0-9-]+:[0-9]{12}:key\/[A-Za-z0-9-]+$/,
          'It is the ARN of a KMS key.',
        ),
      ),
      [],
    )
    .option('--inline-policies', 'the operator runs with --inline-policies')
    .option(
      '--eks-cluster <region/name>',
      'the operator runs with --eks-cluster-name, in that region',
      clusterOf,
    )
    .action((options: Options) => print(policyOf(options)));
}

function policyOf({ account: accountID, partition, region, roleArn, admin, ...rest }: Options): string {
  const policy = operatorPolicy({
    partition,
    accountID,
    operatorID: rest.operatorId,
    principals: roleArn,
    admins: region.flatMap((name) =>
      admin.map(
        ([resourceID, username]) =>
          `arn:${partition}:rds-db:${name}:${accountID}:dbuser:${resourceID}/${username}`,
      ),
    ),
    regions: region,
    masterSecrets:
      rest.managedSecrets === true
        ? region.map((name) => `arn:${partition}:secretsmanager:${name}:${accountID}:secret:rds!*`)
        : [],
    masterKeys: rest.kmsKey,
    proxyRoles: rest.proxyRoleArn,
    assumeRoles: rest.assumeRole,
    inline: rest.inlinePolicies === true,
    ...(rest.eksCluster === undefined ? {} : { eksCluster: rest.eksCluster }),
  });
  return `${JSON.stringify(policy, null, 2)}\n`;
}

const each =
  <T>(read: (text: string) => T) =>
  (text: string, before: readonly T[] = []): readonly T[] => [...before, read(text)];

function clusterOf(text: string): { readonly region: string; readonly name: string } {
  const [, region, name] =
    /^([a-z]{2}(?:-[a-z]+)+-[0-9]+)\/([0-9A-Za-z][A-Za-z0-9_-]{0,99})$/.exec(text) ?? [];
  if (region === undefined || name === undefined) {
    throw new InvalidArgumentError('It is a region and the name of an EKS cluster: eu-central-1/prod.');
  }
  return { region, name };
}

function adminOf(text: string): readonly [string, string] {
  const [resourceID = '', username = '', ...rest] = text.split('/');
  if (
    rest.length > 0 ||
    !/^(cluster|db)-[A-Za-z0-9]+$/.test(resourceID) ||
    whyNotUsername(username) !== undefined
  ) {
    throw new InvalidArgumentError('It is a resource id and a user name: cluster-ABC/iamdb_admin.');
  }
  return [resourceID, username];
}
