// Who holds a user name on a server, when several objects ask for it.
import type { IamDatabaseUser } from '../api/objects.ts';

/** Oldest first: creationTimestamp, then namespace/name. */
export function byAge(a: IamDatabaseUser, b: IamDatabaseUser): number {
  return ageKey(a) < ageKey(b) ? -1 : 1;
}

const ageKey = ({ metadata: m }: IamDatabaseUser) => `${m.creationTimestamp} ${m.namespace}/${m.name}`;

/** The object that the role's mark names, as far as a claim needs it. */
export interface Marked {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The holder among objects that are allowed and resolved and ask for the same user name on the same server. The role's
 * mark outranks age; age decides where there is no mark, or where it names none of them.
 */
export function holderOf(
  claimants: readonly IamDatabaseUser[],
  marked: Marked | undefined,
): IamDatabaseUser | undefined {
  const named = claimants.find(
    ({ metadata }) => metadata.namespace === marked?.namespace && metadata.name === marked.name,
  );
  return named ?? claimants.toSorted(byAge)[0];
}
