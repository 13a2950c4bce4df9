// For tests: policies as they would be observed, and what each change does to them by IAM's own rules.
import { documentSize } from '../../src/resources/policy/document.ts';
import { shardARN, shardName, tagsOf } from '../../src/resources/policy/names.ts';
import {
  type DesiredPolicy,
  fixedQuotas,
  type ObservedPolicies,
  type ObservedShard,
  type PolicyChange,
} from '../../src/resources/policy/policy.ts';

export const roleARN = 'arn:aws:iam::111122223333:role/team/checkout';

export function arnOf(username: string, resourceID = 'cluster-ABC'): string {
  return `arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:${resourceID}/${username}`;
}

export function present(
  username: string,
  ...resourceIDs: readonly string[]
): DesiredPolicy['contributions'][number] {
  const ids = resourceIDs.length === 0 ? ['cluster-ABC'] : resourceIDs;
  return { state: 'present', username, arns: ids.map((id) => arnOf(username, id)) };
}

export const unknown = (username: string): DesiredPolicy['contributions'][number] => ({
  state: 'unknown',
  username,
});

export function wish(
  contributions: DesiredPolicy['contributions'],
  more: Partial<DesiredPolicy> = {},
): DesiredPolicy {
  return {
    roleARN,
    operatorID: 'op',
    scope: 'all',
    contributions,
    resourceIDs: new Set(),
    complete: true,
    ...more,
  };
}

export function shard(
  number: number,
  arns: readonly string[],
  more: Partial<ObservedShard> = {},
): ObservedShard {
  const owner = { operatorID: 'op', roleARN };
  return {
    number,
    policyARN: shardARN(owner, number),
    policyID: `ANPA${number}`,
    tags: tagsOf(owner, 'all'),
    defaultVersionID: 'v1',
    versionIDs: ['v1'],
    arns: arns.toSorted(),
    released: [],
    exact: arns.length > 0,
    attached: true,
    others: [],
    ...more,
  };
}

export function sight(
  shards: readonly ObservedShard[],
  more: Partial<ObservedPolicies> = {},
): ObservedPolicies {
  return {
    shards,
    foreign: [],
    role: { exists: true, attachedPolicies: shards.filter(({ attached }) => attached).length },
    quotas: { ...fixedQuotas, attachedPerRole: 10 },
    ...more,
  };
}

/** What would be observed after a change; throws where IAM would refuse it. */
export function after(observed: ObservedPolicies, change: PolicyChange): ObservedPolicies {
  const target = observed.shards.find(({ policyARN }) => policyARN === change.policyARN);
  const withShard = (next: ObservedShard): ObservedPolicies => ({
    ...observed,
    shards: [...observed.shards.filter(({ policyARN }) => policyARN !== change.policyARN), next],
  });
  const count = (by: number): Pick<ObservedPolicies, 'role'> => ({
    role:
      observed.role?.exists === true
        ? { exists: true, attachedPolicies: observed.role.attachedPolicies + by }
        : observed.role,
  });
  const demand = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`IAM refuses ${change.do} of ${change.policyARN}: ${what}`);
  };
  if (change.do === 'create') {
    demand(target === undefined, 'it exists');
    demand(!observed.foreign.some(({ number }) => number === change.number), 'the name is taken');
    demand(documentSize(change.arns) <= observed.quotas.policySize, 'it is too long');
    const owner = { operatorID: 'op', roleARN };
    demand(change.policyARN.endsWith(`/${shardName(owner, change.number)}`), 'name and number differ');
    return withShard(shard(change.number, change.arns, { attached: false, tags: change.tags }));
  }
  if (target === undefined)
    throw new Error(`IAM refuses ${change.do} of ${change.policyARN}: it does not exist`);
  switch (change.do) {
    case 'attach': {
      const used = observed.role?.exists === true ? observed.role.attachedPolicies : 0;
      demand(observed.role?.exists === true, 'no such role');
      demand(target.attached || used < (observed.quotas.attachedPerRole ?? 99), 'too many attached');
      return { ...withShard({ ...target, attached: true }), ...count(target.attached ? 0 : 1) };
    }
    case 'write': {
      const versions = target.versionIDs ?? [];
      demand(versions.length < observed.quotas.versions, 'too many versions');
      const size = documentSize(change.arns, change.released);
      demand(size <= observed.quotas.policySize, 'it is too long');
      const next = `v${Math.max(...versions.map((id) => Number(id.slice(1)))) + 1}`;
      return withShard({
        ...target,
        arns: change.arns,
        released: change.released,
        exact: true,
        defaultVersionID: next,
        versionIDs: [...versions, next],
      });
    }
    case 'tag':
      return withShard({ ...target, tags: { ...target.tags, ...change.tags } });
    case 'delete-version':
      demand(change.versionID !== target.defaultVersionID, 'it is the default version');
      return withShard({ ...target, versionIDs: target.versionIDs?.filter((id) => id !== change.versionID) });
    case 'detach': {
      const { entity } = change;
      if (entity.kind === 'Role' && entity.name === 'checkout') {
        return { ...withShard({ ...target, attached: false }), ...count(target.attached ? -1 : 0) };
      }
      return withShard({
        ...target,
        others: target.others.filter(({ kind, name }) => kind !== entity.kind || name !== entity.name),
      });
    }
    case 'delete':
      demand(!target.attached && target.others.length === 0, 'it is attached');
      demand((target.versionIDs ?? []).length <= 1, 'it has old versions');
      return {
        ...observed,
        shards: observed.shards.filter(({ policyARN }) => policyARN !== change.policyARN),
      };
    default:
      return change satisfies never;
  }
}

/** The ARNs by which the role gets in now. */
export function working(observed: ObservedPolicies): ReadonlySet<string> {
  return new Set(observed.shards.flatMap((one) => (one.attached ? [...one.arns, ...one.released] : [])));
}
