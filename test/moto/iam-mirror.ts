// IAM on moto and what tests set up and look at, kept alike: what was set up is made there, what was done there is read back.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  GetAccountAuthorizationDetailsCommand,
  GetPolicyCommand,
  type IAMClient,
  type ManagedPolicyDetail,
  PutRolePolicyCommand,
  type RoleDetail,
} from '@aws-sdk/client-iam';
import {
  defaultDocument,
  type IamState,
  isAwsManaged,
  type ManagedPolicy,
  policyKey,
  type Role,
} from '../aws/iam/state.ts';

/** Makes on moto what was set up since. Users stay here: nothing but their keys matters. */
export async function pushIam(iam: IAMClient, before: IamState, after: IamState): Promise<void> {
  for (const [key, policy] of after.policies) {
    if (before.policies.has(key) || isAwsManaged(policy.arn)) continue;
    await iam.send(
      new CreatePolicyCommand({
        PolicyName: policy.name,
        Path: policy.path,
        PolicyDocument: defaultDocument(policy),
        Tags: [...policy.tags].map(([Key, Value]) => ({ Key, Value })),
      }),
    );
  }
  for (const [key, role] of after.roles) await pushRole(iam, before.roles.get(key), role);
}

async function pushRole(iam: IAMClient, before: Role | undefined, role: Role): Promise<void> {
  const RoleName = role.name;
  if (before === undefined) {
    await iam.send(
      new CreateRoleCommand({ RoleName, Path: role.path, AssumeRolePolicyDocument: role.trustPolicy }),
    );
  }
  for (const [PolicyName, PolicyDocument] of role.inline) {
    if (before?.inline.get(PolicyName) === PolicyDocument) continue;
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
  }
  for (const PolicyArn of role.attached) {
    if (before?.attached.includes(PolicyArn) === true) continue;
    await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
  }
}

/** All roles and policies as moto has them now; `known` keeps its users, AWS's own policies and the ids of its roles. */
export async function pullIam(iam: IAMClient, known: IamState): Promise<IamState> {
  const roles: Role[] = [];
  const policies: ManagedPolicy[] = [...known.policies.values()].filter(({ arn }) => isAwsManaged(arn));
  let marker: string | undefined;
  do {
    const page = await iam.send(
      new GetAccountAuthorizationDetailsCommand({ Filter: ['Role', 'LocalManagedPolicy'], Marker: marker }),
    );
    roles.push(...(page.RoleDetailList ?? []).map((role) => roleFrom(role, known)));
    policies.push(...(await Promise.all((page.Policies ?? []).map((policy) => policyFrom(iam, policy)))));
    marker = page.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  return {
    users: known.users,
    groups: known.groups,
    roles: new Map(roles.map((role) => [role.name.toLowerCase(), role])),
    policies: new Map(policies.map((policy) => [policyKey(policy.arn), policy])),
  };
}

function roleFrom(detail: RoleDetail, known: IamState): Role {
  const name = detail.RoleName ?? '';
  const before = known.roles.get(name.toLowerCase());
  return {
    arn: detail.Arn ?? '',
    name,
    path: detail.Path ?? '/',
    // Keys that were given out before moto knew the role carry the id that it had here.
    id: before?.id ?? detail.RoleId ?? '',
    tags: tagsFrom(detail.Tags),
    createdAt: detail.CreateDate?.getTime() ?? 0,
    attached: (detail.AttachedManagedPolicies ?? []).map(({ PolicyArn = '' }) => PolicyArn),
    inline: new Map(
      (detail.RolePolicyList ?? []).map(({ PolicyName = '', PolicyDocument = '' }) => [
        PolicyName,
        plain(PolicyDocument),
      ]),
    ),
    boundary: before?.boundary,
    trustPolicy: plain(detail.AssumeRolePolicyDocument ?? ''),
    description: undefined,
    maxSessionDuration: before?.maxSessionDuration ?? 3600,
  };
}

/** Its details lack name, id and tags. */
async function policyFrom(iam: IAMClient, detail: ManagedPolicyDetail): Promise<ManagedPolicy> {
  const arn = detail.Arn ?? '';
  const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn: arn }));
  const versions = (detail.PolicyVersionList ?? []).map(({ VersionId = '', Document = '', CreateDate }) => ({
    id: VersionId,
    document: plain(Document),
    createdAt: CreateDate?.getTime() ?? 0,
  }));
  return {
    arn,
    name: Policy?.PolicyName ?? '',
    path: detail.Path ?? '/',
    id: Policy?.PolicyId ?? '',
    description: detail.Description,
    tags: tagsFrom(Policy?.Tags),
    createdAt: detail.CreateDate?.getTime() ?? 0,
    updatedAt: detail.UpdateDate?.getTime() ?? 0,
    defaultVersionId: detail.DefaultVersionId ?? '',
    nextVersion: versions.length + 1,
    versions,
  };
}

const tagsFrom = (
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] = [],
) => new Map(tags.map(({ Key = '', Value = '' }) => [Key, Value]));

/** Some of moto's documents are URL-encoded as AWS's are, some are not. */
const plain = (text: string) => (text.startsWith('%7B') ? decodeURIComponent(text) : text);
