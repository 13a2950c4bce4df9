// Every AWS action that the operator uses, as data: its own IAM policy is generated from here.

export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface PolicyInput {
  readonly partition: string;
  readonly accountID: string;
  readonly operatorID: string;
  /** Roles that policies may be attached to, as ARN patterns: by path or by name. */
  readonly principals: readonly string[];
  /** rds-db ARNs of the operator's own admin users, with authentication IAM. */
  readonly admins: readonly string[];
  /** Roles that RDS Proxies log in with, as ARN patterns. */
  readonly proxyRoles?: readonly string[];
  /** Databases are looked up in these only; absent: in all. */
  readonly regions?: readonly string[];
  /** Master secrets that RDS keeps, as ARN patterns: for admins with authentication ManagedSecret. */
  readonly masterSecrets?: readonly string[];
  /** KMS keys that encrypt them, where these are not AWS's own. */
  readonly masterKeys?: readonly string[];
  /** With --eks-cluster-name. */
  readonly eksCluster?: { readonly region: string; readonly name: string };
  /** With --inline-policies. */
  readonly inline?: boolean;
  /** Exact ARNs of the roles in spec.assumeRole; each has this policy of its own, for its account. */
  readonly assumeRoles?: readonly string[];
}

/** EKS Pod Identity tags the operator's session, and such tags go along into each role that it assumes. */
const assuming = ['sts:AssumeRole', 'sts:TagSession'] as const;

/** The operator's own minimal IAM policy: its path only, its policies only, the roles that opted in only. */
export function operatorPolicy(input: PolicyInput): {
  readonly Version: '2012-10-17';
  readonly Statement: readonly PolicyStatement[];
} {
  const ours = `arn:${input.partition}:iam::${input.accountID}:policy/iamdb/${input.operatorID}/*`;
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'ResolveTargets',
        Effect: 'Allow',
        Action: [
          'rds:DescribeDBClusters',
          'rds:DescribeDBInstances',
          'rds:DescribeDBProxies',
          'rds:DescribeDBProxyTargets',
          'rds:DescribeBlueGreenDeployments',
        ],
        Resource: '*',
        ...(input.regions === undefined
          ? {}
          : { Condition: { StringEquals: { 'aws:RequestedRegion': input.regions } } }),
      },
      {
        Sid: 'ListPoliciesAndQuotas',
        Effect: 'Allow',
        Action: ['iam:ListPolicies', 'iam:GetAccountSummary'],
        Resource: '*',
      },
      {
        Sid: 'KeepOwnPolicies',
        Effect: 'Allow',
        Action: [
          'iam:CreatePolicy',
          'iam:TagPolicy',
          'iam:GetPolicy',
          'iam:GetPolicyVersion',
          'iam:ListPolicyVersions',
          'iam:CreatePolicyVersion',
          'iam:DeletePolicyVersion',
          'iam:DeletePolicy',
          'iam:ListEntitiesForPolicy',
        ],
        Resource: ours,
      },
      {
        Sid: 'SeePrincipals',
        Effect: 'Allow',
        Action: ['iam:GetRole', 'iam:ListAttachedRolePolicies'],
        Resource: input.principals,
      },
      {
        Sid: 'AttachOwnPoliciesOnly',
        Effect: 'Allow',
        Action: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
        Resource: input.principals,
        Condition: { ArnLike: { 'iam:PolicyARN': ours } },
      },
      {
        // Whoever attached one of our policies to somebody else let them in as our users.
        Sid: 'DetachOwnPoliciesFromStrangers',
        Effect: 'Allow',
        Action: ['iam:DetachUserPolicy', 'iam:DetachGroupPolicy'],
        Resource: [
          `arn:${input.partition}:iam::${input.accountID}:user/*`,
          `arn:${input.partition}:iam::${input.accountID}:group/*`,
        ],
        Condition: { ArnLike: { 'iam:PolicyARN': ours } },
      },
      ...(input.inline === true
        ? [
            {
              // IAM has no condition on the name or the contents of an inline policy.
              Sid: 'KeepOwnInlinePolicies',
              Effect: 'Allow' as const,
              Action: ['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'],
              Resource: input.principals,
            },
          ]
        : []),
      ...proxyStatements(input),
      ...(input.eksCluster === undefined ? [] : [readPodIdentities(input, input.eksCluster)]),
      {
        Sid: 'ProveAsWorkload',
        Effect: 'Allow',
        Action: assuming,
        Resource: input.principals,
      },
      ...statementFor('ReachOtherAccounts', assuming, input.assumeRoles),
      ...statementFor('ReadMasterSecrets', ['secretsmanager:GetSecretValue'], input.masterSecrets),
      ...statementFor('DecryptMasterSecrets', ['kms:Decrypt'], input.masterKeys, {
        StringLike: { 'kms:ViaService': 'secretsmanager.*.amazonaws.com*' },
      }),
      ...statementFor('LogInAsAdmin', ['rds-db:connect'], input.admins),
    ],
  };
}

/** Without these nothing is checked of a proxy's role, and PolicyReady says so. */
function proxyStatements({ partition, accountID, proxyRoles = [] }: PolicyInput): readonly PolicyStatement[] {
  if (proxyRoles.length === 0) return [];
  return [
    {
      Sid: 'SeeProxyRoles',
      Effect: 'Allow',
      Action: ['iam:GetRole', 'iam:ListAttachedRolePolicies', 'iam:ListRolePolicies', 'iam:GetRolePolicy'],
      Resource: proxyRoles,
    },
    {
      // Whatever is attached to them.
      Sid: 'ReadPoliciesOfProxyRoles',
      Effect: 'Allow',
      Action: ['iam:GetPolicy', 'iam:GetPolicyVersion'],
      Resource: [`arn:${partition}:iam::${accountID}:policy/*`, `arn:${partition}:iam::aws:policy/*`],
    },
  ];
}
/** None where there is nothing that it would allow. */
const statementFor = (
  Sid: string,
  Action: readonly string[],
  Resource: readonly string[] = [],
  Condition?: PolicyStatement['Condition'],
): readonly PolicyStatement[] =>
  Resource.length === 0
    ? []
    : [{ Sid, Effect: 'Allow', Action, Resource, ...(Condition === undefined ? {} : { Condition }) }];

const readPodIdentities = (
  { partition, accountID }: PolicyInput,
  { region, name }: NonNullable<PolicyInput['eksCluster']>,
): PolicyStatement => ({
  Sid: 'ReadPodIdentities',
  Effect: 'Allow',
  Action: ['eks:ListPodIdentityAssociations', 'eks:DescribePodIdentityAssociation'],
  Resource: [
    `arn:${partition}:eks:${region}:${accountID}:cluster/${name}`,
    `arn:${partition}:eks:${region}:${accountID}:podidentityassociation/${name}/*`,
  ],
});
