// How our policies are named and marked in IAM: path, name and tags, all computed, nothing remembered.
import { createHash } from 'node:crypto';
import { group, labels, managedByValue } from '../../api/names.ts';
import { Failure } from '../../kernel/failure.ts';
import { parseRoleARN } from './arn.ts';

/** Whose policies: one operator's for one role. */
export interface PolicyOwner {
  readonly operatorID: string;
  readonly roleARN: string;
}

export type Tags = Readonly<Record<string, string>>;

/** Keys and values stay within `[\p{L}\p{Z}\p{N}_.:/=+\-@]`, which is what IAM admits in tags. */
export const tagKeys = {
  operatorID: labels.operatorID,
  roleARN: `${group}/role-arn`,
  scope: `${group}/scope`,
  managedBy: labels.managedBy,
} as const;

/** Throws Failure `invalid` for an operator id that cannot stand in a path, a tag and an ARN pattern. */
export function policyPath(operatorID: string): string {
  if (!/^[A-Za-z0-9_.@=+-]{1,128}$/.test(operatorID)) {
    throw new Failure(
      'invalid',
      'InternalError',
      'The operator id may have 1 to 128 letters, digits and _ . @ = + - only.',
    );
  }
  return `/iamdb/${operatorID}/`;
}

/** Names are unique in an account without regard to case or path: the hash tells operators and roles apart. */
export function namePrefix({ operatorID, roleARN }: PolicyOwner): string {
  const hash = sha256(`${operatorID}\n${roleARN}`).slice(0, 16);
  return `iamdb-${parseRoleARN(roleARN).name}-${hash}-`;
}

export function shardName(owner: PolicyOwner, number: number): string {
  return `${namePrefix(owner)}${number}`;
}

/** The number of a name that IAM would take for one of ours, whatever its case; undefined for other names. */
export function shardNumber(owner: PolicyOwner, name: string): number | undefined {
  const prefix = namePrefix(owner).toLowerCase();
  if (!name.toLowerCase().startsWith(prefix)) return undefined;
  const digits = name.slice(prefix.length);
  return /^(?:0|[1-9][0-9]{0,4})$/.test(digits) ? Number(digits) : undefined;
}

export function shardARN(owner: PolicyOwner, number: number): string {
  const { partition, accountID } = parseRoleARN(owner.roleARN);
  return `arn:${partition}:iam::${accountID}:policy${policyPath(owner.operatorID)}${shardName(owner, number)}`;
}

export function tagsOf(owner: PolicyOwner, scope: string): Tags {
  return {
    [tagKeys.operatorID]: tagValue(owner.operatorID),
    [tagKeys.roleARN]: tagValue(owner.roleARN),
    [tagKeys.scope]: tagValue(scope),
    [tagKeys.managedBy]: managedByValue,
  };
}

/** Ours by path, name and tags, all three; the scope does not matter for that. */
export function isOurs(
  owner: PolicyOwner,
  policy: { readonly path: string; readonly name: string; readonly tags: Tags },
): boolean {
  const number = shardNumber(owner, policy.name);
  return (
    number !== undefined &&
    policy.name === shardName(owner, number) &&
    policy.path === policyPath(owner.operatorID) &&
    policy.tags[tagKeys.operatorID] === tagValue(owner.operatorID) &&
    policy.tags[tagKeys.roleARN] === tagValue(owner.roleARN)
  );
}

/** The text itself where a tag can hold it (256 characters; no comma, which a role name may have), else its hash. */
export function tagValue(text: string): string {
  return /^[A-Za-z0-9 _.:/=+\-@]{0,256}$/.test(text) ? text : `sha256:${sha256(text)}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
