// What is known of our policies and has hardly changed unseen: versions never change, and counts tell of most of the rest.
import type { Tags } from '../../resources/policy/names.ts';
import type { Entity } from '../../resources/policy/policy.ts';

export interface KnownPolicy {
  readonly policyID: string;
  tags?: { readonly value: Tags; readonly at: number } | undefined;
  document?: { readonly versionID: string; readonly text: string } | undefined;
  /** With the AttachmentCount that was listed when they were read. */
  entities?: { readonly value: readonly Entity[]; readonly count: number; readonly at: number } | undefined;
  /** Oldest first. */
  versions?: readonly string[] | undefined;
}

export interface Memory {
  /** What is known of a policy that is listed; nothing if another policy had that ARN before. */
  of(policy: { readonly policyARN: string; readonly policyID: string }): KnownPolicy;
  find(policyARN: string): KnownPolicy | undefined;
  forget(policyARN: string): void;
  /** Those whose names begin so. */
  named(prefix: string): readonly KnownPolicy[];
}

export function createMemory(): Memory {
  const policies = new Map<string, KnownPolicy>();
  return {
    of: ({ policyARN, policyID }) => {
      const known = policies.get(policyARN);
      if (known?.policyID === policyID) return known;
      const fresh: KnownPolicy = { policyID };
      policies.set(policyARN, fresh);
      return fresh;
    },
    find: (policyARN) => policies.get(policyARN),
    forget: (policyARN) => {
      policies.delete(policyARN);
    },
    named: (prefix) =>
      [...policies].flatMap(([policyARN, known]) =>
        policyARN.slice(policyARN.lastIndexOf('/') + 1).startsWith(prefix) ? [known] : [],
      ),
  };
}
