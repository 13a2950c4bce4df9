// How the access of a deleted user ends.
import type { IamDatabaseUser } from '../api/objects.ts';
import { isExpired } from './expiry.ts';
import { modeOf, type Moded, ownersMode } from './mode.ts';
import { isRefusedByOwner, type Standing } from './standing.ts';

export type Ending = IamDatabaseUser['spec']['deletionPolicy'];

/**
 * In plan mode a deletion ends nothing. But who may not have the access any more, or whose time is over, cannot leave it
 * behind by deleting the object, whatever the object says.
 */
export function endingOf(user: IamDatabaseUser, standing: Standing, view: Moded & { now(): number }): Ending {
  if (ownersMode(user, view) === 'Plan') return 'Retain';
  const asked = modeOf(user, view) === 'Plan' ? 'Retain' : user.spec.deletionPolicy;
  const isOver = isRefusedByOwner(standing) || isExpired(user, view.now());
  return asked === 'Retain' && isOver ? 'Disable' : asked;
}

/** What that is for the role. */
export const roleAfter = { Delete: 'absent', Disable: 'disabled', Retain: 'released' } as const;
