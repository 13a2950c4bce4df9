// What each user contributes to the things it shares with others: policies and trust bundles.
import type { IamDatabaseUser } from '../api/objects.ts';
import { endingOf } from './ending.ts';
import { isExpired } from './expiry.ts';
import type { Loss } from './loss.ts';
import { modeOf, type Moded, ownersMode } from './mode.ts';
import { hasBegun, isRefusedByOwner, type Standing } from './standing.ts';
import { isSuspended, ownersSuspend } from './suspension.ts';

/** Present puts in; absent takes out, on evidence only; unknown leaves as observed; released leaves for good. */
export type Stance = 'present' | 'absent' | 'unknown' | 'released';

interface Judged extends Moded {
  readonly losses: ReadonlyMap<string, Loss>;
  now(): number;
}

/**
 * A user that is leaving is absent, or released where its access is to outlive it; one that is eligible and has begun is
 * present. One that never began is absent too, unless it is about to begin: nothing of it can be there, and a stranger's
 * object must not hold on to what another leaves behind. One that lost its permission is absent once its grace is over,
 * and one whose time is over at once.
 * Everything else (suspended, planned, not resolved, not allowed any
 * more, contested) is no evidence for anything.
 */
export function stanceOf(user: IamDatabaseUser, standing: Standing, view: Judged): Stance {
  if (!hasBegun(user)) return standing.state === 'eligible' ? 'unknown' : 'absent';
  const isTakenBack = isRefusedByOwner(standing);
  const left = isTakenBack ? ownersSuspend(user, view) : isSuspended(user, view);
  if (left) return 'unknown';
  if (user.metadata.deletionTimestamp !== undefined) {
    return endingOf(user, standing, view) === 'Retain' ? 'released' : 'absent';
  }
  if ((isTakenBack ? ownersMode(user, view) : modeOf(user, view)) === 'Plan') return 'unknown';
  if (standing.state !== 'unresolved' && isExpired(user, view.now())) return 'absent';
  if (standing.state === 'eligible') return 'present';
  const isLost = standing.state === 'refused' && view.losses.get(user.metadata.uid)?.verdict === 'ended';
  return isLost ? 'absent' : 'unknown';
}
