// Who a database role belongs to, as its mark records it.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { RoleOwner } from '../resources/role/owner.ts';

export function ownerOf(
  user: IamDatabaseUser,
  namespaceUID: string,
  database: IamDatabase | undefined,
  serverResourceID: string,
  operatorID: string,
): RoleOwner {
  const { metadata } = user;
  return {
    operatorID,
    trustedOperatorIDs: database?.spec.trustedOperatorIDs ?? [],
    namespaceUID,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    serverResourceID,
  };
}
