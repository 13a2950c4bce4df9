// What we wrote and IAM has not shown yet: until it does, what it shows is no observation.
import { Failure } from '../../kernel/failure.ts';
import type { ListedPolicy } from '../../resources/policy/port.ts';

/** How a policy was left. What is undefined is not known, and so matches anything. */
export interface Left {
  readonly exists: boolean | undefined;
  readonly defaultVersionID: string | undefined;
  readonly attachmentCount: number | undefined;
}

export interface OwnWrites {
  /** Remembers how a policy was left, in place of what was remembered before. */
  leave(policyARN: string, left: Left, order: number): void;
  /** What was left and not seen yet. */
  pending(policyARN: string): Left | undefined;
  /** The order that a reading of policies with such names must follow. */
  lastOrder(namePrefix: string): number;
  /**
   * Compares a reading with the writes that ended before it began. Throws NotVisibleYet for a write that does not show, unless it was made so
   * long ago that somebody else must have changed it since; then the reading is believed.
   */
  check(namePrefix: string, policies: ReadonlyMap<string, ListedPolicy>, order: number): void;
}

export function createOwnWrites(settleMs: number, now: () => number): OwnWrites {
  const pending = new Map<string, { left: Left; at: number; order: number }>();

  return {
    leave: (policyARN, left, order) => {
      pending.set(policyARN, { left, at: now(), order });
    },
    pending: (policyARN) => pending.get(policyARN)?.left,
    lastOrder: (namePrefix) => {
      let last = 0;
      for (const [policyARN, { order }] of pending) {
        if (isNamed(policyARN, namePrefix)) last = Math.max(last, order);
      }
      return last;
    },
    check: (namePrefix, policies, readOrder) => {
      for (const [policyARN, { left, at, order }] of pending) {
        if (order > readOrder || !isNamed(policyARN, namePrefix)) continue;
        if (!shows(policies.get(policyARN), left) && now() - at < settleMs) {
          throw new Failure(
            'unavailable',
            'NotVisibleYet',
            `IAM does not show the last change to policy ${policyARN} yet; the operator looks again.`,
          );
        }
        pending.delete(policyARN);
      }
    },
  };
}

function shows(policy: ListedPolicy | undefined, left: Left): boolean {
  if (left.exists === undefined) return true;
  if (policy === undefined) return !left.exists;
  return (
    left.exists &&
    (left.defaultVersionID ?? policy.defaultVersionID) === policy.defaultVersionID &&
    (left.attachmentCount ?? policy.attachmentCount) === policy.attachmentCount
  );
}

function isNamed(policyARN: string, namePrefix: string): boolean {
  return policyARN.slice(policyARN.lastIndexOf('/') + 1).startsWith(namePrefix);
}
