// What a test file has seen of reasons on real parts: which were told of an object, and which of those were over later.
import type { Condition, ConditionType, Reason } from '../../src/api/conditions.ts';

/** Reasons of a condition that holds; they have nothing to recover from. */
export const goodReasons: ReadonlySet<Reason> = new Set([
  'Ready',
  'Admitted',
  'Resolved',
  'AsDeclared',
  'Verified',
  'Rehearsed',
]);

interface Told {
  readonly object: string;
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: Reason;
  readonly whileDeleting: boolean;
}

let open: readonly Told[] = [];
const told = new Set<Reason>();
const over = new Set<Reason>();

/** A condition that a test waited for, on an object named by kind, namespace and name. */
export function noteCondition(
  object: string,
  { type, status, reason }: Condition,
  whileDeleting: boolean,
): void {
  told.add(reason);
  if (!goodReasons.has(reason)) {
    open = [...open, { object, type, status, reason, whileDeleting }];
    return;
  }
  over.add(reason);
  // Ready needs every condition that is not False, but says nothing of one that is Unknown and may be.
  close(
    (one) => one.object === object && (one.type === type || (type === 'Ready' && one.status === 'False')),
  );
}

/** What only held up a deletion is over with it. */
export function noteGone(object: string): void {
  close((one) => one.object === object && one.whileDeleting);
}

function close(isOver: (one: Told) => boolean): void {
  for (const one of open) if (isOver(one)) over.add(one.reason);
  open = open.filter((one) => !isOver(one));
}

/** What is missing for the claim that this file shows a reason and how it ends. */
export function missingFor(reason: Reason): string | undefined {
  if (!told.has(reason)) return `no test here waits for ${reason}`;
  return over.has(reason) ? undefined : `no test here sees an object recover from ${reason}`;
}
