// What the policies need of IAM. Every method throws Failure; "not there" is a value where it can be meant.
import type { Tags } from './names.ts';
import type { Entity, Quotas } from './policy.ts';

export interface ListedPolicy {
  readonly policyARN: string;
  readonly policyID: string;
  readonly name: string;
  readonly path: string;
  readonly defaultVersionID: string;
  /** Of users, groups and roles together. */
  readonly attachmentCount: number;
}

export interface IamRoleFacts {
  readonly roleARN: string;
  readonly attachedPolicies: number;
}

export interface PolicyPort {
  /**
   * The policies under a path whose names begin so, whatever the case, as IAM shows them by now. Throws NotVisibleYet while
   * IAM does not show what was written here before.
   */
  policies(path: string, namePrefix: string, signal: AbortSignal): Promise<readonly ListedPolicy[]>;
  /** All policies under a path, as IAM shows them by now: what was written a moment ago may be missing. */
  overview(path: string, signal: AbortSignal): Promise<readonly ListedPolicy[]>;
  tags(policy: ListedPolicy, signal: AbortSignal): Promise<Tags>;
  /** Of the default version, as it came. */
  document(policy: ListedPolicy, signal: AbortSignal): Promise<string>;
  entities(policy: ListedPolicy, signal: AbortSignal): Promise<readonly Entity[]>;
  /** Oldest first. */
  versions(policy: ListedPolicy, signal: AbortSignal): Promise<readonly string[]>;
  /** Reads tags and attachments of policies whose names begin so anew, the next time that somebody asks. */
  forget(namePrefix: string): void;
  /**
   * Of these policies, reads the attachments again that were read longest ago, as far as they are remembered: one that was
   * moved to another role leaves the number as it was.
   */
  readAttachmentsAgain(policyARNs: readonly string[], signal: AbortSignal): Promise<void>;
  role(name: string, signal: AbortSignal): Promise<IamRoleFacts | undefined>;
  quotas(signal: AbortSignal): Promise<Quotas>;
  /** Read at this moment, past every cache; undefined if it is not there. */
  current(policyARN: string, signal: AbortSignal): Promise<CurrentPolicy | undefined>;

  /**
   * `taken`: the account has one of that name, at any path. `taken-lately`: for so short a time that it may be one of ours
   * that IAM does not show yet.
   */
  create(policy: NewPolicy, signal: AbortSignal): Promise<'made' | 'taken' | 'taken-lately'>;
  attach(policyARN: string, roleName: string, signal: AbortSignal): Promise<void>;
  detach(policyARN: string, entity: Entity, signal: AbortSignal): Promise<void>;
  /** Makes the document the default version. */
  write(policyARN: string, document: string, signal: AbortSignal): Promise<void>;
  deleteVersion(policyARN: string, versionID: string, signal: AbortSignal): Promise<void>;
  delete(policyARN: string, signal: AbortSignal): Promise<void>;
  tag(policyARN: string, tags: Tags, signal: AbortSignal): Promise<void>;

  /**
   * The inline policy of a role by that name; undefined if there is none. `known`: an answer of today will do. Throws
   * NotVisibleYet while IAM does not show what was written here before.
   */
  inline(
    roleName: string,
    name: string,
    age: 'fresh' | 'known',
    signal: AbortSignal,
  ): Promise<string | undefined>;
  putInline(roleName: string, name: string, document: string, signal: AbortSignal): Promise<void>;
  deleteInline(roleName: string, name: string, signal: AbortSignal): Promise<void>;
}

export interface NewPolicy {
  readonly policyARN: string;
  readonly name: string;
  readonly path: string;
  readonly document: string;
  readonly tags: Tags;
}

export interface CurrentPolicy extends ListedPolicy {
  readonly tags: Tags;
}
