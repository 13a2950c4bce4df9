// Which roles are left as they were found, so that a database may sleep: nothing about them changed, and nobody asked.
import { annotations } from '../api/names.ts';
import type { IamDatabase, IamDatabaseUser, Metadata } from '../api/objects.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';

/** Whether nothing but a change is a reason to log in to a database. */
export const maySleep = ({ spec }: IamDatabase): boolean => spec.resync.policy === 'OnChange';

/** Everything of an object that may be news to a database. */
const edited = ({ generation, annotations: notes }: Metadata) => [
  generation,
  notes?.[annotations.reconcileRequestedAt],
];

/** As what a rehearsal was made; undefined where it is made at each look. */
export const rehearsedAs = (database: IamDatabase): string | undefined =>
  maySleep(database) ? JSON.stringify(edited(database.metadata)) : undefined;

/** As what a role was looked at; undefined where it is looked at each time. `wish`: what it is to be. */
export const seenAs = (
  user: IamDatabaseUser,
  database: IamDatabase,
  target: ResolvedTarget,
  wish: unknown,
): string | undefined =>
  maySleep(database)
    ? JSON.stringify([edited(user.metadata), edited(database.metadata), target, wish])
    : undefined;
