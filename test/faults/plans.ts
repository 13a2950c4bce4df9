// Every fault at every write of a user's life, as a list: the writes are recorded, not typed.
import type { KubeFault, WatchFault } from '../bed/kube-relay.ts';
import type { StatementFault } from '../bed/pg-relay.ts';
import type { FaultKind } from '../aws/faults.ts';

export const steps = ['create', 'update', 'remove'] as const;
export type Step = (typeof steps)[number];

/** How many writes of each kind, and notifications, an undisturbed step brings. */
export type Counts = Readonly<Record<Place, number>>;
export type Place = 'kube' | 'iam' | 'sql' | 'watch';

/** One fault, at the write or notification that comes after `after` others of its kind in the step. */
export type Plan =
  | { readonly at: 'kube'; readonly after: number; readonly how: KubeFault }
  | { readonly at: 'iam'; readonly after: number; readonly how: FaultKind }
  | { readonly at: 'sql'; readonly after: number; readonly how: StatementFault }
  | { readonly at: 'watch'; readonly after: number; readonly how: WatchFault };

const kube: readonly KubeFault[] = [409, 403, 404, 429, 500, 503, 'reset', 'resetAfterEffect', 'slow'];
const iam: readonly FaultKind[] = [
  'Throttling',
  'AccessDenied',
  'ExpiredToken',
  'ServiceUnavailable',
  'InternalFailure',
  'LimitExceeded',
  'ConcurrentModification',
  'EntityAlreadyExists',
  'NoSuchEntity',
  'DeleteConflict',
  'reset',
  'resetAfterEffect',
  'timeout',
  'timeoutAfterEffect',
];
/**
 * Ended by an administrator, deadlock, lock not to be had, statement took too long, server read-only, a role that is there
 * already, one that is not, and what a concurrent change of the same row ends in.
 */
const sql: readonly StatementFault[] = [
  ...['57P01', '40P01', '55P03', '57014', '25006', '42710', '42704', 'XX000'].map((sqlState) => ({
    sqlState,
  })),
  'cut',
  'cutAfterEffect',
  'silent',
];
const watch: readonly WatchFault[] = ['lost', 'twice', 'late', 'stale', 'cut', 'silent', 'expired'];

/** All plans of a step, in an order that spreads what takes long. */
export function plansOf(counts: Counts): readonly Plan[] {
  const each = <How>(count: number, faults: readonly How[]) =>
    faults.flatMap((how) => Array.from({ length: count }, (_, after) => ({ after, how })));
  return [
    ...each(counts.iam, iam).map((one): Plan => ({ at: 'iam', ...one })),
    ...each(counts.watch, watch).map((one): Plan => ({ at: 'watch', ...one })),
    ...each(counts.sql, sql).map((one): Plan => ({ at: 'sql', ...one })),
    ...each(counts.kube, kube).map((one): Plan => ({ at: 'kube', ...one })),
  ];
}

export function nameOf(step: Step, { at, after, how }: Plan): string {
  const what = typeof how === 'object' ? how.sqlState : String(how);
  return `${step}, ${at} ${after + 1}: ${what}`;
}

/** Lives, each with at most one plan for each of its steps, so that all plans are lived through in as few as possible. */
export function livesOf(
  plans: Readonly<Record<Step, readonly Plan[]>>,
): readonly Partial<Record<Step, Plan>>[] {
  const longest = Math.max(...steps.map((step) => plans[step].length));
  return Array.from({ length: longest }, (_, index) =>
    Object.fromEntries(
      steps.flatMap((step) => {
        const plan = plans[step][index];
        return plan === undefined ? [] : [[step, plan]];
      }),
    ),
  );
}
