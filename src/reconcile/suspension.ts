// Whether a user is to be left alone.
import type { IamDatabaseUser } from '../api/objects.ts';
import type { View } from './standing.ts';

/** Either object's suspend says it; a database that does not exist says nothing. */
export const isSuspended = (user: IamDatabaseUser, view: Pick<View, 'database'>): boolean =>
  user.spec.suspend || ownersSuspend(user, view);

/** What the database says: a team's own suspend, or plan mode, does not keep what the owner takes back. */
export const ownersSuspend = ({ spec }: IamDatabaseUser, view: Pick<View, 'database'>): boolean =>
  view.database(spec.databaseRef.name)?.spec.suspend === true;
