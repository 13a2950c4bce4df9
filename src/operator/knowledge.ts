// What the operator remembers between passes, in memory only; all of it can be found out again.
import type { DatabaseState } from '../reconcile/database-state.ts';
import { Failure } from '../kernel/failure.ts';
import type { Loss } from '../reconcile/loss.ts';
import type { Proof, Stranger } from '../reconcile/world.ts';
import type { Mark } from '../resources/role/mark.ts';

export interface Knowledge {
  readonly states: Map<string, DatabaseState>;
  /** By server and user name: what the mark of a contested role said. */
  readonly marks: Map<string, { readonly mark: Mark | undefined }>;
  readonly vetted: Set<string>;
  readonly disowned: Map<string, Stranger>;
  readonly proofs: Map<string, Proof>;
  readonly losses: Map<string, Loss>;
  readonly declared: Map<string, string>;
  readonly seen: Map<string, string>;
  readonly waitsSince: Map<string, number>;
  readonly failures: Map<string, number>;
  /** Uids of users whose finalizer we released: until the cache hears of their end there is nothing more to do. */
  readonly ended: Set<string>;
}

export const emptyKnowledge = (): Knowledge => ({
  states: new Map(),
  marks: new Map(),
  vetted: new Set(),
  disowned: new Map(),
  proofs: new Map(),
  losses: new Map(),
  declared: new Map(),
  seen: new Map(),
  waitsSince: new Map(),
  failures: new Map(),
  ended: new Set(),
});

/** Whether a database's users have to look again: the target, or whether and why its admin works, is another. */
export function isNews(before: DatabaseState | undefined, after: DatabaseState | undefined): boolean {
  return told(before) !== told(after) || before?.server !== after?.server;
}

function told(state: DatabaseState | undefined): string {
  if (state === undefined) return '';
  const { target, admin, isGone } = state;
  return JSON.stringify([
    isGone ?? false,
    target instanceof Failure ? [target.reason, target.message] : target,
    admin instanceof Failure ? [admin.reason, admin.message] : admin === 'NotUsed' ? admin : 'ready',
  ]);
}
