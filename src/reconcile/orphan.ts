// When the end of a role is given up: its database is gone, or its owner lets users go while it cannot be reached.
import type { Reason } from '../api/conditions.ts';
import { userFinalizer } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { policyPath } from '../resources/policy/names.ts';
import type { DatabaseState } from './database-state.ts';
import { Failure } from '../kernel/failure.ts';
import type { Event, World } from './world.ts';

/** AWS shows databases late and by region: only what it answers again and again for so long is believed. */
export const goneAfterMs = 900_000;
/** A connection that fails once is no database that cannot be reached. */
export const patienceMs = 60_000;

/**
 * Waiting for these is waiting for the database itself: no session of the admin that could change anything is to be had
 * (ADR 39). A server that is only busy is none of them: it answers, and whoever is to lose its access may be what keeps
 * it busy. Nor is AWS that does not answer, which is no news about the database.
 */
export const unreachable: ReadonlySet<Reason> = new Set([
  'DatabaseUnavailable',
  'DatabaseStopped',
  'TargetMissing',
  'TargetNotReady',
  'IamAuthenticationOff',
  'EngineNotSupported',
  'PartitionNotSupported',
  'AddressRefused',
  'CertificateRejected',
  'ReadOnlyServer',
  'AdminLoginRefused',
  'AdminSecretMissing',
  'ManagedSecretUnavailable',
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

/**
 * Whether a deleted user may go although its role was not ended. To be told of each try, as one that succeeds, or is
 * refused by a server that answers, begins the wait anew.
 */
export function isGivenUp(
  { metadata: { uid }, spec }: IamDatabaseUser,
  failure: Failure | undefined,
  world: World,
): boolean {
  const [database, state] = [world.database(spec.databaseRef.name), world.stateOf(spec.databaseRef.name)];
  if (failure === undefined || !unreachable.has(failure.reason) || database === undefined) {
    world.waitsSince.delete(uid);
    return false;
  }
  const now = world.now();
  const first = world.waitsSince.get(uid) ?? now;
  world.waitsSince.set(uid, first);
  const isLet = database.spec.orphanOnUnreachable && now - first >= patienceMs * world.settings.timeScale;
  return state?.isGone === true || isLet;
}

export const roleGivenUp = ({ spec }: IamDatabaseUser, state: DatabaseState | undefined): Event => ({
  type: 'Warning',
  reason: 'RoleGivenUp',
  message:
    state?.isGone === true
      ? `AWS has not known the database of IamDatabase ${spec.databaseRef.name} for a quarter of an hour: role "${spec.username}" in it was not looked at.`
      : `IamDatabase ${spec.databaseRef.name} cannot be reached and lets users go (orphanOnUnreachable): role "${spec.username}" was not ended, nor were sessions that it may have. Its IAM access is gone; once the database is there again, DROP ROLE.`,
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

/**
 * Of a database that can be reached, and whose role cannot be ended before a person mends something: a right that the admin
 * or the operator lacks. Where that is not to be, there is a way as well.
 */
export function withWayOutOfRole(failure: Failure): Failure {
  const { kind, reason, message, cause, retryAfterMs } = failure;
  const passes = kind === 'unavailable' || kind === 'throttled' || kind === 'unexpected';
  if (passes || unreachable.has(reason) || reason === 'AssumeRoleRefused') return failure;
  const way =
    'Or let users go and leave their roles as they are: spec.role.delivery None of the IamDatabase, after reading what that means (troubleshooting: an object does not go away).';
  return new Failure(kind, reason, `${message} ${way}`, { cause, retryAfterMs });
}

/**
 * Of an account that lets the operator in no more. Nothing is given up there by itself: who is in its policies may still get
 * in. Before what AWS refused, because a status holds only so much.
 */
export function withWayOutOfAccount(
  { kind, reason, message, cause, retryAfterMs }: Failure,
  { spec }: IamDatabaseUser,
  { operatorID }: Pick<World, 'operatorID'>,
): Failure {
  const left = `role "${spec.username}" in the database, and its ARNs in the policies of its IAM roles (managed ones under ${policyPath(operatorID)}, and inline ones)`;
  const way = `The access is not ended in full while the operator may not assume the role; it goes on once that is mended. If the account is never to be entered again, end by hand what may be left: ${left}. Then, and only then, take finalizer ${userFinalizer} off this object: nobody looks after it from there on.`;
  return new Failure(kind, reason, `${way} ${message}`, { cause, retryAfterMs });
}
