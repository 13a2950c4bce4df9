// How the access of a deleted user ends.
import type { IamDatabaseUser } from '../api/objects.ts';
import type { Standing } from './standing.ts';

export type Ending = IamDatabaseUser['spec']['deletionPolicy'];

/** Who may not have the access any more cannot leave it behind by deleting the object either. */
export function endingOf({ spec }: IamDatabaseUser, standing: Standing): Ending {
  return spec.deletionPolicy === 'Retain' && standing.state === 'refused' ? 'Disable' : spec.deletionPolicy;
}

/** What that is for the role. */
export const roleAfter = { Delete: 'absent', Disable: 'disabled', Retain: 'released' } as const;
