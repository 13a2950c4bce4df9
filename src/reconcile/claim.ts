// Who holds a user name on a server, when several objects ask for it.
import type { IamDatabaseUser } from '../api/objects.ts';

/** Oldest first: creationTimestamp, then namespace/name. */
export function byAge(a: IamDatabaseUser, b: IamDatabaseUser): number {
  return ageKey(a) < ageKey(b) ? -1 : 1;
}

const ageKey = ({ metadata: m }: IamDatabaseUser) => `${m.creationTimestamp} ${m.namespace}/${m.name}`;

/**
 * The holder among objects that are allowed and resolved and ask for the same user name on the same server. The role's
 * mark outranks age: who may keep the role by it holds the name, as for anybody else there would be nothing to hold. Age
 * decides where there is no mark, or where it lets none of them.
 */
export function holderOf(
  claimants: readonly IamDatabaseUser[],
  mayKeepRole: (claimant: IamDatabaseUser) => boolean,
): IamDatabaseUser | undefined {
  return claimants.find(mayKeepRole) ?? claimants.toSorted(byAge)[0];
}
