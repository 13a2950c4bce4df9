// The fixed names by which the API, its marks and its finalizer are known in a cluster.

export const group = 'iamdb.dev';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}` as const;

/** Held by an IamDatabaseUser from before its first outside effect until nothing of it is left. */
export const userFinalizer = `${group}/access`;
/** Held by an IamDatabase while any IamDatabaseUser names it. */
export const databaseFinalizer = `${group}/users`;

/** Marks of the ConfigMaps that we keep; see "Mark" in the API reference. */
export const labels = {
  managedBy: 'app.kubernetes.io/managed-by',
  operatorID: `${group}/operator-id`,
  kind: `${group}/kind`,
} as const;
export const managedByValue = 'iamdb-operator';

/**
 * With the operator id behind it the name of the Lease in the operator's own namespace; one of the same name in another is
 * of another installation with that id.
 */
export const leasePrefix = 'iamdb-operator-';

/** EKS's own, on a ServiceAccount: the IAM role that its pods act as (IRSA). */
export const irsaAnnotation = 'eks.amazonaws.com/role-arn';

export const annotations = {
  /** On a ConfigMap of ours: uid of the IamDatabaseUser it belongs to. */
  ownerUID: `${group}/owner-uid`,
  /**
   * On an IamDatabase whose policies the operator does not keep any more, set by a person once the others are in place: its
   * generation. What the operator wrote before is taken away then.
   */
  policiesHandedOver: `${group}/policies-handed-over`,
  /** On either kind, set by a person: any new value asks for a pass now; echoed in status. */
  reconcileRequestedAt: `${group}/reconcile-requested-at`,
  /** On the Lease: "true" once this installation works beside no other of its operator id. */
  works: `${group}/works`,
  /** On an IamDatabase, set by a person: the generation whose many lost permissions are meant. */
  confirmRevocation: `${group}/confirm-revocation`,
} as const;
