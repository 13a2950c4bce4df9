// What a pass would change, as lines that a person can review; nothing is changed.
import { converge, type Resource } from './converge.ts';
import { asFailure, type Failure } from './failure.ts';

export interface Preview {
  readonly lines: readonly string[];
  /** Why it could not be done, or not be found out. */
  readonly failure?: Failure;
}

/** `without`: the wish as it is for others alone, whose changes are not this one's to tell. */
export async function preview<Desired, Observed, Change>(
  resource: Resource<Desired, Observed, Change>,
  desired: Desired,
  signal: AbortSignal,
  without?: Desired,
): Promise<Preview> {
  const outcome = await converge(resource, desired, 'Plan', signal);
  if (outcome.result === 'blocked' || outcome.result === 'failed') {
    return { lines: [], failure: outcome.failure };
  }
  if (outcome.result !== 'planned') return { lines: [] };
  try {
    const told = (changes: readonly Change[], of: Desired) =>
      changes.flatMap((change) => resource.describe(change, of));
    const others = without === undefined ? [] : resource.plan(without, outcome.observed);
    const known = new Set('refused' in others ? [] : told(others, without ?? desired));
    return { lines: told(outcome.changes, desired).filter((line) => !known.has(line)) };
  } catch (thrown) {
    return { lines: [], failure: asFailure(thrown) };
  }
}
