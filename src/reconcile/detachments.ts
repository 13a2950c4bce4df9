// How often policies were found detached from their role, to tell when somebody else does not want them there.
import type { ObservedPolicies, PolicyChange } from '../resources/policy/policy.ts';
import type { Outcome } from '../kernel/converge.ts';

export interface Detachments {
  /** Policies that are not attached to the role again until somebody asks for it. */
  contested(roleARN: string): ReadonlySet<string>;
  /** It was there, detached, and was attached again: told at once, as reading it back may fail. */
  attachedAgain(roleARN: string, policyARN: string): void;
  /** Takes in what a pass over the role found and did. */
  note(roleARN: string, outcome: Outcome<ObservedPolicies, PolicyChange>): void;
  /** Somebody changed the spec or asked for another try. */
  forgive(roleARN: string): void;
}

/** Found detached so often within the window, a policy is attached no more; it was attached again each time before. */
const patience = 3;
export const detachmentWindowMs = 3_600_000;

interface Known {
  /** When it was attached again. */
  readonly again: readonly number[];
  /** Not attached any more, however long that lasts. */
  readonly stopped: boolean;
}

const nothing: Known = { again: [], stopped: false };

export function createDetachments(options: { readonly windowMs: number; now(): number }): Detachments {
  const byRole = new Map<string, ReadonlyMap<string, Known>>();
  const recent = ({ again }: Known) => again.filter((at) => options.now() - at < options.windowMs);
  const isContested = (known: Known) => known.stopped || recent(known).length >= patience - 1;

  return {
    contested: (roleARN) =>
      new Set(
        [...(byRole.get(roleARN) ?? [])].flatMap(([policyARN, known]) =>
          isContested(known) ? [policyARN] : [],
        ),
      ),
    attachedAgain: (roleARN, policyARN) => {
      const before = byRole.get(roleARN) ?? new Map<string, Known>();
      const again = [...recent(before.get(policyARN) ?? nothing), options.now()];
      byRole.set(roleARN, new Map([...before, [policyARN, { again, stopped: false }]]));
    },
    note: (roleARN, outcome) => {
      if (outcome.result === 'failed') return;
      const before = byRole.get(roleARN);
      // A policy that is not there any more is forgotten: one that is made anew is another.
      const after = outcome.observed.shards.flatMap(({ policyARN, attached }): [string, Known][] => {
        const known = before?.get(policyARN) ?? nothing;
        // Attached by whoever took it away: they have made peace with it.
        const stopped = !attached && isContested(known);
        return stopped || recent(known).length > 0 ? [[policyARN, { ...known, stopped }]] : [];
      });
      if (after.length === 0) byRole.delete(roleARN);
      else byRole.set(roleARN, new Map(after));
    },
    forgive: (roleARN) => {
      byRole.delete(roleARN);
    },
  };
}
