// Whether a user is to be left alone.
import type { IamDatabaseUser } from '../api/objects.ts';
import type { View } from './standing.ts';

/** Either object's suspend says it; a database that does not exist says nothing. */
export function isSuspended(user: IamDatabaseUser, view: Pick<View, 'database'>): boolean {
  return user.spec.suspend || view.database(user.spec.databaseRef.name)?.spec.suspend === true;
}
