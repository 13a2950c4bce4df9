import { expect, it } from 'vitest';
import * as names from './names.ts';

it("objects of a running cluster carry these names: with other ones they would hang, or be nobody's", () => {
  expect({ ...names }).toEqual({
    group: 'iamdb.dev',
    version: 'v1alpha1',
    apiVersion: 'iamdb.dev/v1alpha1',
    userFinalizer: 'iamdb.dev/access',
    databaseFinalizer: 'iamdb.dev/users',
    labels: {
      managedBy: 'app.kubernetes.io/managed-by',
      operatorID: 'iamdb.dev/operator-id',
      kind: 'iamdb.dev/kind',
    },
    managedByValue: 'iamdb-operator',
    leasePrefix: 'iamdb-operator-',
    irsaAnnotation: 'eks.amazonaws.com/role-arn',
    annotations: {
      ownerUID: 'iamdb.dev/owner-uid',
      policiesHandedOver: 'iamdb.dev/policies-handed-over',
      reconcileRequestedAt: 'iamdb.dev/reconcile-requested-at',
      works: 'iamdb.dev/works',
      confirmRevocation: 'iamdb.dev/confirm-revocation',
    },
  });
});
