// How the access of a deleted user ends.
import type { IamDatabaseUser } from '../api/objects.ts';
import { isExpired } from './expiry.ts';
import { modeOf, type Moded, ownersMode } from './mode.ts';
import type { Standing } from './standing.ts';

export type Ending = IamDatabaseUser['spec']['deletionPolicy'];

/**
 * In plan mode a deletion ends nothing. But who may not have the access any more, or whose time is over, cannot leave it
 * behind by deleting the object, whatever the object says.
 */
export function endingOf(user: IamDatabaseUser, standing: Standing, view: Moded & { now(): number }): Ending {
  if (ownersMode(user, view) === 'Plan') return 'Retain';
  const asked = modeOf(user, view) === 'Plan' ? 'Retain' : user.spec.deletionPolicy;
  const isDisallowed = standing.state === 'refused' && standing.by === 'owner';
  return asked === 'Retain' && (isDisallowed || isExpired(user, view.now())) ? 'Disable' : asked;
}

/** What that is for the role. */
export const roleAfter = { Delete: 'absent', Disable: 'disabled', Retain: 'released' } as const;
