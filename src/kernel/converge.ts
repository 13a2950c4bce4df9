// The one idea of the operator: everything it keeps is observed, planned and applied in the same way.
import { asFailure, Failure } from './failure.ts';

/** A plan that stops: the wish cannot or must not be fulfilled, and nothing is changed. */
export interface Refusal {
  readonly refused: Failure;
}
export type Plan<Change> = readonly Change[] | Refusal;

export interface Resource<Desired, Observed, Change> {
  /** Reads only. What does not exist is a value, never an error. */
  observe(desired: Desired, signal: AbortSignal): Promise<Observed>;
  /** Pure. Empty exactly when the wish holds. */
  plan(desired: Desired, observed: Observed): Plan<Change>;
  /** Pure. A change as lines for a person who is to judge it. */
  describe(change: Change, desired: Desired): readonly string[];
  /** Idempotent. May run the changes as one transaction and answer with its closing read. */
  apply(
    changes: readonly Change[],
    desired: Desired,
    observed: Observed,
    signal: AbortSignal,
  ): Promise<Observed | undefined>;
}

/** A resource of which each wish is another system's matter. */
export function chosen<Desired, Observed, Change>(
  choose: (desired: Desired) => Resource<Desired, Observed, Change>,
): Resource<Desired, Observed, Change> {
  return {
    observe: async (desired, signal) => await choose(desired).observe(desired, signal),
    plan: (desired, observed) => choose(desired).plan(desired, observed),
    describe: (change, desired) => choose(desired).describe(change, desired),
    apply: async (changes, desired, observed, signal) =>
      await choose(desired).apply(changes, desired, observed, signal),
  };
}

export type Outcome<Observed, Change> =
  | { readonly result: 'converged'; readonly observed: Observed }
  | { readonly result: 'changed'; readonly observed: Observed; readonly changes: readonly Change[] }
  | { readonly result: 'planned'; readonly observed: Observed; readonly changes: readonly Change[] }
  /**
   * Refused by the plan: nothing was changed (`changes` empty) or what is left cannot be done. What is there already may
   * still be all that one of several sharers needs, so it is told.
   */
  | {
      readonly result: 'blocked';
      readonly failure: Failure;
      readonly observed: Observed;
      readonly changes: readonly Change[];
    }
  | { readonly result: 'failed'; readonly failure: Failure };

/**
 * Brings one resource to its desired state: observe, plan, apply, and observe again unless apply answered. Ready needs an
 * observation made after the last change, so the plan is asked once more about what was read back.
 * The only `catch` in the middle of the program.
 */
export async function converge<Desired, Observed, Change>(
  resource: Resource<Desired, Observed, Change>,
  desired: Desired,
  mode: 'Enforce' | 'Plan',
  signal: AbortSignal,
): Promise<Outcome<Observed, Change>> {
  try {
    const observed = await resource.observe(desired, signal);
    const plan = resource.plan(desired, observed);
    if ('refused' in plan) return { result: 'blocked', failure: plan.refused, observed, changes: [] };
    if (plan.length === 0) return { result: 'converged', observed };
    if (mode === 'Plan') return { result: 'planned', observed, changes: plan };
    signal.throwIfAborted();
    const after =
      (await resource.apply(plan, desired, observed, signal)) ?? (await resource.observe(desired, signal));
    const rest = resource.plan(desired, after);
    if ('refused' in rest) {
      return { result: 'blocked', failure: rest.refused, observed: after, changes: plan };
    }
    if (rest.length > 0) return { result: 'failed', failure: notVisibleYet };
    return { result: 'changed', observed: after, changes: plan };
  } catch (thrown) {
    return { result: 'failed', failure: asFailure(thrown) };
  }
}

const notVisibleYet = new Failure(
  'unavailable',
  'NotVisibleYet',
  'The change was sent, but reading it back does not show it yet; the operator looks again.',
);
