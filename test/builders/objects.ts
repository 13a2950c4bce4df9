// Objects as the API server would return them, each a small function with what a test wants to be otherwise.
import { apiVersion, databaseFinalizer, userFinalizer } from '../../src/api/names.ts';
import type { IamDatabase, IamDatabaseUser, Metadata } from '../../src/api/objects.ts';
import type { AllowRule } from '../../src/api/schema.ts';
import type { NamespaceFacts } from '../../src/reconcile/allow.ts';
import type { ResolvedTarget } from '../../src/resources/target/target.ts';

export const accountID = '111122223333';
export const region = 'ap-northeast-2';
export const roleARN = `arn:aws:iam::${accountID}:role/payments-checkout`;
export const serverResourceID = 'cluster-ABC';

export const dbARN = (username: string, resourceID = serverResourceID) =>
  `arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceID}/${username}`;

type MetadataOverrides = Partial<Metadata>;

/** Has not begun; `namespace` and `name` are payments/checkout unless told. */
export function aUser(
  overrides: {
    readonly metadata?: MetadataOverrides;
    readonly spec?: Partial<IamDatabaseUser['spec']>;
    readonly status?: IamDatabaseUser['status'];
  } = {},
): IamDatabaseUser {
  const { namespace = 'payments', name = 'checkout' } = overrides.metadata ?? {};
  return {
    apiVersion,
    kind: 'IamDatabaseUser',
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...overrides.metadata,
    },
    spec: {
      databaseRef: { name: 'orders' },
      username: 'payments_checkout',
      memberOf: [],
      connectionLimit: -1,
      settings: {},
      principals: [{ roleARN }],
      trustBundle: {},
      connection: { type: 'ConfigMap' },
      probe: { as: 'Auto' },
      deletionPolicy: 'Delete',
      mode: 'Enforce',
      suspend: false,
      ...overrides.spec,
    },
    ...(overrides.status === undefined ? {} : { status: overrides.status }),
  };
}

/** The same object after its first effect. */
export const begun = (user: IamDatabaseUser): IamDatabaseUser => ({
  ...user,
  metadata: { ...user.metadata, finalizers: [...(user.metadata.finalizers ?? []), userFinalizer] },
});

/** The same object once somebody has deleted it. */
export const deleted = <T extends IamDatabase | IamDatabaseUser>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: '2026-02-01T00:00:00Z' },
});

export function aRule(overrides: Partial<AllowRule> = {}): AllowRule {
  return {
    namespaces: { names: ['payments'] },
    usernames: ['payments_*'],
    principals: [`arn:aws:iam::${accountID}:role/payments-*`],
    ...overrides,
  };
}

/** Admits namespace payments, user names payments_* and roles payments-*. */
export function aDatabase(
  overrides: {
    readonly metadata?: MetadataOverrides;
    readonly spec?: Partial<IamDatabase['spec']>;
    readonly status?: IamDatabase['status'];
  } = {},
): IamDatabase {
  const { name = 'orders' } = overrides.metadata ?? {};
  return {
    apiVersion,
    kind: 'IamDatabase',
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      finalizers: [databaseFinalizer],
      ...overrides.metadata,
    },
    spec: {
      target: { type: 'Cluster', cluster: { identifier: 'orders-prod', region } },
      database: 'orders',
      admin: { username: 'iamdb_admin', authentication: 'IAM' },
      allow: [aRule()],
      role: { delivery: 'Managed' },
      policy: { delivery: 'Managed' },
      trustedOperatorIDs: [],
      probe: { policy: 'Periodic', intervalSeconds: 3600 },
      resync: { policy: 'Periodic', intervalSeconds: 600 },
      onPermissionLost: { graceSeconds: 300 },
      orphanOnUnreachable: false,
      mode: 'Enforce',
      suspend: false,
      ...overrides.spec,
    },
    ...(overrides.status === undefined ? {} : { status: overrides.status }),
  };
}

export function aNamespace(name = 'payments', labels: Readonly<Record<string, string>> = {}): NamespaceFacts {
  return { name, uid: `uid-${name}`, labels };
}

export function aTarget(overrides: Partial<ResolvedTarget> = {}): ResolvedTarget {
  return {
    partition: 'aws',
    accountID,
    region,
    endpoint: 'orders-prod.cluster-xyz.ap-northeast-2.rds.amazonaws.com',
    port: 5432,
    resourceIDs: [serverResourceID],
    serverResourceID,
    engine: 'aurora-postgresql',
    engineVersion: '16.6',
    ...overrides,
  };
}
