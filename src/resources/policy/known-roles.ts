// Which IAM roles have policies of ours, read off the policies themselves: finds what no object asks for any more.
import { Failure } from '../../kernel/failure.ts';
import { readDocument } from './document.ts';
import { accountOf, parseDbUserARN, parseRoleARN } from './arn.ts';
import { policyPath, tagKeys, type Tags } from './names.ts';
import type { ListedPolicy, PolicyPort } from './port.ts';

export interface KnownPolicy {
  readonly policyARN: string;
  readonly tags: Tags;
  readonly roleARN: string;
  /** What it allows to connect to. */
  readonly arns: readonly string[];
  /** The database users of those. */
  readonly usernames: readonly string[];
}

/** All policies under the operator's path whose tags name a role. Throws Failure. */
export async function knownPolicies(
  iam: Pick<PolicyPort, 'overview' | 'tags' | 'document'>,
  operatorID: string,
  signal: AbortSignal,
): Promise<readonly KnownPolicy[]> {
  const listed = await iam.overview(policyPath(operatorID), signal);
  const known = await Promise.all(listed.map((policy) => knownPolicy(iam, policy, signal)));
  return known.filter((policy) => policy !== undefined);
}

async function knownPolicy(
  iam: Pick<PolicyPort, 'tags' | 'document'>,
  policy: ListedPolicy,
  signal: AbortSignal,
): Promise<KnownPolicy | undefined> {
  const tags = (await unlessGone(iam.tags(policy, signal))) ?? {};
  const roleARN = tags[tagKeys.roleARN];
  // A name that no tag can hold stands there as its hash: such a policy is found only through objects that name the role.
  if (roleARN === undefined || !isRole(roleARN)) return undefined;
  // A policy reaches roles of its own account only; whoever wrote another one there, it was not us.
  if (accountOf(roleARN) !== accountOf(policy.policyARN)) return undefined;
  const document = await unlessGone(iam.document(policy, signal));
  if (document === undefined) return undefined;
  const { arns } = readDocument(document);
  const usernames = arns.flatMap((arn) => parseDbUserARN(arn)?.username ?? []);
  return { policyARN: policy.policyARN, tags, roleARN, arns, usernames };
}

/** Undefined for one that was listed and is not given out: it is being deleted, or was made a moment ago. */
async function unlessGone<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.reason === 'NotVisibleYet') return undefined;
    throw thrown;
  }
}

function isRole(text: string): boolean {
  try {
    parseRoleARN(text);
    return true;
  } catch {
    return false;
  }
}
