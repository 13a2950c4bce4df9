// When the end of a role is given up: its database is gone, or its owner lets users go while it cannot be reached.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { Reason } from '../api/conditions.ts';
import type { DatabaseState } from './database-state.ts';
import { Failure } from './kernel/failure.ts';
import type { Event } from './world.ts';

/** AWS shows databases late and by region: only what it answers again and again for so long is believed. */
export const goneAfterMs = 900_000;
/** A connection that fails once is no database that cannot be reached. */
export const patienceMs = 60_000;

/** Waiting for these is waiting for the database itself. */
export const unreachable: ReadonlySet<Reason> = new Set([
  'DatabaseUnavailable',
  'DatabaseStopped',
  'TargetMissing',
  'TargetNotReady',
  'AdminLoginRefused',
]);

/**
 * Since when AWS answers that there is no such database, and whether it is gone. Any other answer, and none, begins anew.
 * Times are in milliseconds, scaled.
 */
export function missingOf(
  target: DatabaseState['target'],
  before: DatabaseState | undefined,
  now: number,
  timeScale: number,
): Pick<DatabaseState, 'missingSince' | 'isGone'> {
  // What was declared wrongly is missing as well, but not gone.
  const isMissing =
    target instanceof Failure && target.reason === 'TargetMissing' && target.kind === 'missing';
  if (!isMissing) return {};
  const missingSince = before?.missingSince ?? now;
  return { missingSince, isGone: now - missingSince >= goneAfterMs * timeScale };
}

/** Whether a deleted user may go although its role was not ended. */
export function isGivenUp(
  user: IamDatabaseUser,
  failure: Failure,
  database: IamDatabase | undefined,
  state: DatabaseState | undefined,
  { now, timeScale }: { readonly now: number; readonly timeScale: number },
): boolean {
  if (!unreachable.has(failure.reason) || database === undefined) return false;
  if (state?.isGone === true) return true;
  const { deletionTimestamp } = user.metadata;
  const waited = deletionTimestamp === undefined ? 0 : now - Date.parse(deletionTimestamp);
  return database.spec.orphanOnUnreachable && waited >= patienceMs * timeScale;
}

export const roleGivenUp = ({ spec }: IamDatabaseUser, state: DatabaseState | undefined): Event => ({
  type: 'Warning',
  reason: 'RoleGivenUp',
  message:
    state?.isGone === true
      ? `AWS has not known the database of IamDatabase ${spec.databaseRef.name} for a quarter of an hour: role "${spec.username}" in it was not looked at.`
      : `IamDatabase ${spec.databaseRef.name} cannot be reached and lets users go (orphanOnUnreachable): role "${spec.username}" was not ended. Its IAM access is gone; once the database is there again, DROP ROLE.`,
});

/** Whoever waits for a database has to know how long, and how not to. */
export function withWayOut({ kind, reason, message, cause, retryAfterMs }: Failure): Failure {
  const way =
    kind === 'missing' && reason === 'TargetMissing'
      ? 'once AWS has said so for 15 minutes, the role is given up'
      : 'to let users go without it, set spec.orphanOnUnreachable of the IamDatabase';
  return new Failure(kind, reason, `${message} The end of the role waits for the database; ${way}.`, {
    cause,
    retryAfterMs,
  });
}
