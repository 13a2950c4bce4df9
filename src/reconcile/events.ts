// Which changes are worth an event: transitions of Ready, and repairs of what somebody else changed.
import type { Condition } from '../api/conditions.ts';
import type { Event } from './world.ts';

/** The event of a transition of Ready, if there is one. Being on the way is not news. */
export function transitionOf(before: readonly Condition[], after: readonly Condition[]): Event | undefined {
  const was = before.find(({ type }) => type === 'Ready');
  const is = after.find(({ type }) => type === 'Ready');
  if (is === undefined || is.status === 'Unknown') return undefined;
  if (was?.status === is.status && was.reason === is.reason) return undefined;
  const isMeant = is.status === 'True' || meant.has(is.reason);
  return { type: isMeant ? 'Normal' : 'Warning', reason: is.reason, message: is.message };
}

/** Not Ready, and as somebody wished it. */
const meant: ReadonlySet<Condition['reason']> = new Set(['Planned', 'Expired']);

/** The event of a repair: something was changed for an object that was Ready and that nobody edited. */
export function repairOf(
  what: string,
  changes: readonly { readonly do: string }[],
  before: readonly Condition[],
  generation: number,
): Event | undefined {
  const ready = before.find(({ type }) => type === 'Ready');
  if (changes.length === 0 || ready?.status !== 'True' || ready.observedGeneration !== generation)
    return undefined;
  const done = [...new Set(changes.map((change) => change.do))].join(', ');
  return {
    type: 'Warning',
    reason: 'DriftRepaired',
    message: `${what} was not as declared any more; repaired: ${done}.`,
  };
}
