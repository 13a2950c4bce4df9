// Whether a user's changes are made, or only told.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';

export type Mode = IamDatabaseUser['spec']['mode'];

export interface Moded {
  database(name: string): IamDatabase | undefined;
  readonly settings: { readonly mode: Mode };
}

/** Any of the three that says Plan wins: the object, its database, the operator's setting. */
export const modeOf = (user: IamDatabaseUser, view: Moded): Mode =>
  user.spec.mode === 'Plan' ? 'Plan' : ownersMode(user, view);

/** What those say who own more than the object. */
export const ownersMode = ({ spec }: IamDatabaseUser, view: Moded): Mode =>
  view.settings.mode === 'Plan' ? 'Plan' : (view.database(spec.databaseRef.name)?.spec.mode ?? 'Enforce');
