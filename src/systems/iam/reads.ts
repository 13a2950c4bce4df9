// What is read of policies and roles besides the listing, each only when it may be news.
import {
  GetAccountSummaryCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  ListAttachedRolePoliciesCommand,
  ListEntitiesForPolicyCommand,
  type ListEntitiesForPolicyCommandOutput,
  ListPolicyVersionsCommand,
} from '@aws-sdk/client-iam';
import { Failure } from '../../kernel/failure.ts';
import type { AccessPorts } from '../../resources/access/access.ts';
import { type Entity, fixedQuotas, type Quotas } from '../../resources/policy/policy.ts';
import type { CurrentPolicy, PolicyPort } from '../../resources/policy/port.ts';
import type { Calls } from './calls.ts';
import type { Clock } from './clock.ts';
import { listedPolicy } from './listings.ts';
import type { Memory } from './memory.ts';

export interface ReadSettings {
  /** After this time tags, attachments and quotas are read again although nothing speaks for a change. */
  readonly lookAgainMs: number;
  /** How long IAM may take to show what was written. */
  readonly settleMs: number;
}

/** Told whenever it was read. */
export type OnQuota = (quota: {
  /** Policies of the account, or attached to the fullest role of those that were looked at lately. */
  readonly name: 'policies' | 'attached_policies_per_role';
  readonly used?: number | undefined;
  readonly limit?: number | undefined;
}) => void;

type Reads = Pick<
  PolicyPort,
  | 'tags'
  | 'document'
  | 'entities'
  | 'versions'
  | 'role'
  | 'quotas'
  | 'current'
  | 'forget'
  | 'readAttachmentsAgain'
> &
  Pick<AccessPorts, 'trustPolicy'>;

/** Quotas are read again so many times as often as tags: every five minutes where those are read daily. */
const quotasShare = 288;
/** Attachments that are read again at once: a look at everything costs so many calls more. */
const readAgainAtOnce = 50;

export function createReads(
  calls: Calls,
  memory: Memory,
  { lookAgainMs, settleMs }: ReadSettings,
  clock: Clock,
  onQuota: OnQuota = () => {},
): Reads {
  const fullness = new Map<string, { readonly attached: number; readonly at: number }>();
  let quotas: { value: Quotas; at: number } | undefined;
  const isFresh = (read: { readonly at: number } | undefined): boolean =>
    read !== undefined && clock.now() - read.at < lookAgainMs;

  const current: Reads['current'] = async (policyARN, signal) => {
    const answer = await calls.read(
      'GetPolicy',
      signal,
      (client, options) => client.send(new GetPolicyCommand({ PolicyArn: policyARN }), options),
      notThere,
    );
    if (answer === undefined) return undefined;
    const listed = listedPolicy(answer.Policy);
    const pairs = (answer.Policy?.Tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''] as const);
    const policy: CurrentPolicy = { ...listed, tags: Object.fromEntries(pairs) };
    memory.of(policy).tags = { value: policy.tags, at: clock.now() };
    return policy;
  };

  return {
    current,

    forget: (namePrefix) => {
      for (const known of memory.named(namePrefix)) {
        known.tags = undefined;
        known.entities = undefined;
      }
    },

    readAttachmentsAgain: async (policyARNs, signal) => {
      const remembered = policyARNs.flatMap((policyARN) => {
        const known = memory.find(policyARN);
        const { entities } = known ?? {};
        const isDue = entities !== undefined && entities.count > 0 && clock.now() - entities.at >= settleMs;
        return known !== undefined && isDue ? [{ policyARN, known, entities }] : [];
      });
      const oldest = remembered.toSorted((a, b) => a.entities.at - b.entities.at).slice(0, readAgainAtOnce);
      await Promise.all(
        oldest.map(async ({ policyARN, known, entities }) => {
          const value = await listEntities(calls, policyARN, signal);
          // Unless we wrote meanwhile, or somebody else read.
          if (known.entities === entities) known.entities = { ...entities, value, at: clock.now() };
        }),
      );
    },

    tags: async (policy, signal) => {
      const known = memory.of(policy);
      if (known.tags !== undefined && isFresh(known.tags)) return known.tags.value;
      const read = await current(policy.policyARN, signal);
      if (read === undefined) throw changed(policy.policyARN);
      return read.tags;
    },

    document: async (policy, signal) => {
      const { policyARN, defaultVersionID } = policy;
      const known = memory.of(policy);
      if (known.document?.versionID === defaultVersionID) return known.document.text;
      const answer = await calls.read(
        'GetPolicyVersion',
        signal,
        (client, options) =>
          client.send(
            new GetPolicyVersionCommand({ PolicyArn: policyARN, VersionId: defaultVersionID }),
            options,
          ),
        notThere,
      );
      const text = answer?.PolicyVersion?.Document;
      if (text === undefined) throw changed(policyARN);
      known.document = { versionID: defaultVersionID, text };
      return text;
    },

    entities: async (policy, signal) => {
      const { policyARN, attachmentCount } = policy;
      const known = memory.of(policy);
      if (attachmentCount > 0) {
        if (known.entities?.count === attachmentCount && isFresh(known.entities)) return known.entities.value;
        const value = await listEntities(calls, policyARN, signal);
        known.entities = { value, count: attachmentCount, at: clock.now() };
      } else {
        known.entities = { value: [], count: 0, at: clock.now() };
      }
      return known.entities.value;
    },

    versions: async (policy, signal) => {
      const known = memory.of(policy);
      if (known.versions?.includes(policy.defaultVersionID) === true) return known.versions;
      known.versions = await listVersions(calls, policy.policyARN, signal);
      return known.versions;
    },

    role: async (name, signal) => {
      const [answer, attachedPolicies] = await Promise.all([
        calls.read(
          'GetRole',
          signal,
          (client, options) => client.send(new GetRoleCommand({ RoleName: name }), options),
          notThere,
        ),
        countAttached(calls, name, signal),
      ]);
      const roleARN = answer?.Role?.Arn;
      fullness.set(name, { attached: attachedPolicies, at: clock.now() });
      for (const [known, { at }] of fullness) if (clock.now() - at >= lookAgainMs) fullness.delete(known);
      const fullest = Math.max(...[...fullness.values()].map(({ attached }) => attached));
      onQuota({ name: 'attached_policies_per_role', used: fullest });
      return roleARN === undefined ? undefined : { roleARN, attachedPolicies };
    },

    trustPolicy: async (roleARN, signal) => {
      const answer = await calls.read(
        'GetRole',
        signal,
        (client, options) =>
          client.send(new GetRoleCommand({ RoleName: roleARN.slice(roleARN.lastIndexOf('/') + 1) }), options),
        notThere,
      );
      // The same name at another path is another role.
      return answer?.Role?.Arn === roleARN ? answer.Role.AssumeRolePolicyDocument : undefined;
    },

    quotas: async (signal) => {
      // Somebody who was told of a full quota raises it and wants to see that noticed.
      if (quotas !== undefined && clock.now() - quotas.at < lookAgainMs / quotasShare) return quotas.value;
      const answer = await calls.read(
        'GetAccountSummary',
        signal,
        (client, options) => client.send(new GetAccountSummaryCommand({}), options),
        // An optional right: without it AWS itself says when a quota is reached.
        { AccessDenied: () => undefined },
      );
      const summary = answer?.SummaryMap;
      const value: Quotas = {
        policySize: summary?.PolicySizeQuota ?? fixedQuotas.policySize,
        versions: summary?.VersionsPerPolicyQuota ?? fixedQuotas.versions,
        attachedPerRole: summary?.AttachedPoliciesPerRoleQuota,
      };
      quotas = { value, at: clock.now() };
      onQuota({ name: 'policies', used: summary?.Policies, limit: summary?.PoliciesQuota });
      onQuota({ name: 'attached_policies_per_role', limit: value.attachedPerRole });
      return value;
    },
  };
}

const notThere = { NoSuchEntity: () => undefined };

async function listEntities(
  calls: Calls,
  policyARN: string,
  signal: AbortSignal,
): Promise<readonly Entity[]> {
  const entities: Entity[] = [];
  let marker: string | undefined;
  do {
    const page: ListEntitiesForPolicyCommandOutput | undefined = await calls.read(
      'ListEntitiesForPolicy',
      signal,
      (client, options) =>
        client.send(
          new ListEntitiesForPolicyCommand({
            PolicyArn: policyARN,
            PolicyUsageFilter: 'PermissionsPolicy',
            Marker: marker,
          }),
          options,
        ),
      notThere,
    );
    if (page === undefined) throw changed(policyARN);
    entities.push(
      ...(page.PolicyRoles ?? []).map(({ RoleName = '' }) => ({ kind: 'Role', name: RoleName }) as const),
      ...(page.PolicyUsers ?? []).map(({ UserName = '' }) => ({ kind: 'User', name: UserName }) as const),
      ...(page.PolicyGroups ?? []).map(({ GroupName = '' }) => ({ kind: 'Group', name: GroupName }) as const),
    );
    marker = page.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  return entities;
}

async function listVersions(
  calls: Calls,
  policyARN: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const versions: string[] = [];
  let marker: string | undefined;
  do {
    const page = await calls.read(
      'ListPolicyVersions',
      signal,
      (client, options) =>
        client.send(new ListPolicyVersionsCommand({ PolicyArn: policyARN, Marker: marker }), options),
      notThere,
    );
    if (page === undefined) throw changed(policyARN);
    versions.push(...(page.Versions ?? []).flatMap(({ VersionId }) => VersionId ?? []));
    marker = page.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  // v2 before v10.
  return versions.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
}

async function countAttached(calls: Calls, roleName: string, signal: AbortSignal): Promise<number> {
  let count = 0;
  let marker: string | undefined;
  do {
    const page = await calls.read(
      'ListAttachedRolePolicies',
      signal,
      (client, options) =>
        client.send(new ListAttachedRolePoliciesCommand({ RoleName: roleName, Marker: marker }), options),
      notThere,
    );
    count += page?.AttachedPolicies?.length ?? 0;
    marker = page?.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  return count;
}

function changed(policyARN: string): Failure {
  return new Failure(
    'unavailable',
    'NotVisibleYet',
    `IAM lists policy ${policyARN}, but does not give it out; the operator looks again.`,
  );
}
