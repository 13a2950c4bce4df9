// Whose a database role is.

/** The IamDatabaseUser that a role belongs to, and by whose hand. */
export interface RoleOwner {
  readonly operatorID: string;
  /** Operators whose roles may be taken over, as when moving to a new cluster. */
  readonly trustedOperatorIDs: readonly string[];
  readonly namespaceUID: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serverResourceID: string;
}
