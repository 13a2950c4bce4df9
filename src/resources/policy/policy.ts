// What is wanted of the policies of one IAM role, what is there, and what can be done about the difference.
import type { Failure } from '../../kernel/failure.ts';
import type { Tags } from './names.ts';

/**
 * What one user contributes to the policies of an IAM role. A user name may contribute more than once, for users on
 * several servers: an ARN stays if any of them wants it or leaves it open.
 */
export type Contribution =
  /** These exact rds-db ARNs of the user are allowed. */
  | { readonly state: 'present'; readonly username: string; readonly arns: readonly string[] }
  /** Suspended, not resolved, not judged: whatever stands for that user name stays as observed. */
  | {
      readonly state: 'unknown';
      readonly username: string;
      /** Its own ARNs, where its database is known: then it does not hold on to those of other known databases. */
      readonly arns?: readonly string[];
    }
  /** Leaving, on evidence: these ARNs go even where the recorded scope is not ours today. */
  | { readonly state: 'absent'; readonly username: string; readonly arns: readonly string[] }
  /** Leaving, and to keep its access: these ARNs stay allowed and are not ours any more. */
  | { readonly state: 'released'; readonly username: string; readonly arns: readonly string[] };

export interface DesiredPolicy {
  readonly roleARN: string;
  readonly operatorID: string;
  /**
   * Which namespaces this operator watches, recorded with each policy. An ARN without any contribution goes only from a
   * policy that was written under the same scope; from others it would be somebody's whom we do not see.
   */
  readonly scope: string;
  readonly contributions: readonly Contribution[];
  /** Resource ids of the databases that are resolved: a user that is unknown and lives elsewhere does not keep ARNs on them. */
  readonly resourceIDs: ReadonlySet<string>;
  /** Policies that somebody else detached again and again: they are not attached any more. */
  readonly contested?: ReadonlySet<string>;
  /** What the owners of the databases want each policy to be tagged with, besides our own marks. */
  readonly tags?: Tags;
  /** False while the view of the objects may be partial: then nothing is removed. */
  readonly complete: boolean;
}

/** What a policy may be attached to. */
export interface Entity {
  readonly kind: 'Role' | 'User' | 'Group';
  readonly name: string;
}

/** One managed policy of ours for the role. */
export interface ObservedShard {
  readonly number: number;
  readonly policyARN: string;
  /** IAM's own id: another one means that the policy was deleted and made anew. */
  readonly policyID: string;
  readonly tags: Tags;
  readonly defaultVersionID: string;
  /** Oldest first; undefined until something has to be done about versions. */
  readonly versionIDs: readonly string[] | undefined;
  /** Exact ARNs that the default version allows and that are ours. */
  readonly arns: readonly string[];
  /** Exact ARNs that it allows and that were let go: they stay until a person removes them, or a user takes them back. */
  readonly released: readonly string[];
  /** Whether the default version is exactly as we write it. */
  readonly exact: boolean;
  /** Whether it is attached to the role. */
  readonly attached: boolean;
  /** What else it is attached to; nobody but a stranger does that. */
  readonly others: readonly Entity[];
}

export type ObservedRole =
  /** It could not be looked at, so nothing may be attached to it; what is to be taken away is. */
  | { readonly exists: 'unknown'; readonly failure: Failure }
  | { readonly exists: false }
  | { readonly exists: true; readonly attachedPolicies: number };

export interface ObservedPolicies {
  readonly shards: readonly ObservedShard[];
  /** Policies under our path that have a name of ours and not our tags. */
  readonly foreign: readonly { readonly number: number; readonly policyARN: string }[];
  /** Undefined: not looked at, because nothing has to be attached. */
  readonly role: ObservedRole | undefined;
  readonly quotas: Quotas;
}

export interface Quotas {
  /** Characters of a document. */
  readonly policySize: number;
  readonly versions: number;
  /** Undefined where it cannot be read; then AWS says so when it is reached. */
  readonly attachedPerRole: number | undefined;
}

/** AWS's fixed figures, for where the account's own are not read. */
export const fixedQuotas: Quotas = { policySize: 6144, versions: 5, attachedPerRole: undefined };

export type PolicyChange =
  | {
      readonly do: 'create';
      readonly number: number;
      readonly policyARN: string;
      readonly arns: readonly string[];
      readonly tags: Tags;
    }
  | { readonly do: 'attach'; readonly policyARN: string; readonly roleName: string }
  | {
      /** A new default version. */
      readonly do: 'write';
      readonly policyARN: string;
      readonly arns: readonly string[];
      readonly released: readonly string[];
      readonly added: readonly string[];
      readonly removed: readonly string[];
    }
  | { readonly do: 'tag'; readonly policyARN: string; readonly tags: Tags }
  | { readonly do: 'delete-version'; readonly policyARN: string; readonly versionID: string }
  | { readonly do: 'detach'; readonly policyARN: string; readonly entity: Entity }
  | { readonly do: 'delete'; readonly policyARN: string };

/** The policy that lets a user in by this ARN, if one does. */
export function policyThatAllows(observed: ObservedPolicies, arn: string): string | undefined {
  return observed.shards.find((shard) => shard.attached && shard.exact && shard.arns.includes(arn))
    ?.policyARN;
}
