// Eventually consistent state: every change keeps the state before it until the change has propagated.
import { AwsError } from './errors.ts';

export interface History<State> {
  /** What was written, at once; writes are checked against it. */
  latest(): State;
  /** What readers and the policy evaluation see. */
  visible(): State;
  change(next: (state: State) => State): void;
  /** A change for set-up: visible at once, or as soon as what it builds on is. */
  seed(next: (state: State) => State): void;
}

/** A past state in which the change cannot be made yet stays as it is. */
function seeded<State>(state: State, next: (state: State) => State): State {
  try {
    return next(state);
  } catch (error) {
    if (error instanceof AwsError) return state;
    throw error;
  }
}

export function createHistory<State>(
  initial: State,
  now: () => number,
  delayMs: () => number,
): History<State> {
  let latest = initial;
  let entries: { at: number; state: State }[] = [{ at: Number.NEGATIVE_INFINITY, state: initial }];

  return {
    latest: () => latest,
    visible: () => {
      const limit = now() - delayMs();
      const index = Math.max(
        0,
        entries.findLastIndex((entry) => entry.at <= limit),
      );
      entries = entries.slice(index);
      return entries[0]?.state ?? latest;
    },
    change: (next) => {
      latest = next(latest);
      entries.push({ at: now(), state: latest });
    },
    seed: (next) => {
      latest = next(latest);
      entries = entries.map(({ at, state }, index) => ({
        at,
        state: index === entries.length - 1 ? latest : seeded(state, next),
      }));
    },
  };
}
