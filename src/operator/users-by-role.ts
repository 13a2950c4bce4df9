// Which users have to do with an IAM role: those that name it, by themselves or by a ServiceAccount, and those that might.
import type { IamDatabaseUser } from '../api/objects.ts';
import { hasBegun } from '../reconcile/standing.ts';
import { type AssociationView, principalsOf, serviceAccountsOf } from '../reconcile/principals.ts';
import type { StoreReader } from '../controller/store.ts';
import type { ServiceAccountObject } from './service-accounts.ts';

export interface UsersOfRole {
  /** The role is one of their principals. */
  readonly naming: readonly IamDatabaseUser[];
  /** A ServiceAccount of theirs has no role now, so whatever stands for them in any role's policies may be theirs yet. */
  readonly possible: readonly IamDatabaseUser[];
}

export const userIndexes = {
  principal: ({ spec }: IamDatabaseUser) => spec.principals.flatMap(({ roleARN }) => roleARN ?? []),
  serviceAccount: (user: IamDatabaseUser) =>
    serviceAccountsOf(user).map((name) => `${user.metadata.namespace}/${name}`),
  /** All that name any, to be found together. */
  byServiceAccount: (user: IamDatabaseUser) => (serviceAccountsOf(user).length > 0 ? ['yes'] : []),
} as const;

export function usersByRole(
  users: StoreReader<IamDatabaseUser, keyof typeof userIndexes>,
  serviceAccounts: StoreReader<ServiceAccountObject, 'role'>,
  view: AssociationView,
): (roleARN: string) => UsersOfRole {
  return (roleARN) => {
    const byAccount = serviceAccounts
      .byIndex('role', roleARN)
      .flatMap(({ metadata }) => users.byIndex('serviceAccount', `${metadata.namespace}/${metadata.name}`));
    const byAssociation = view
      .associatedWith(roleARN)
      .flatMap((account) => users.byIndex('serviceAccount', account));
    // An association stands before the annotation, whose role nobody is then.
    const naming = new Set(
      [...users.byIndex('principal', roleARN), ...byAccount, ...byAssociation].filter((user) =>
        principalsOf(user, view).resolved.some((principal) => principal.roleARN === roleARN),
      ),
    );
    // Who never began left nothing anywhere.
    const possible = users
      .byIndex('byServiceAccount', 'yes')
      .filter(
        (user) => !naming.has(user) && hasBegun(user) && principalsOf(user, view).unresolved.length > 0,
      );
    return { naming: [...naming], possible };
  };
}
