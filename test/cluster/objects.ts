// What a platform team and an application team declare, and the pods of the latter.
import { region } from '../stage/account.ts';
import type { Manifest } from '../chart/helm.ts';
import { databasePort, databaseService, roleARN, serviceHost, teamNamespace, testLabel } from './names.ts';
import type { Workload } from './workload.ts';

/** Of everything but the operator. */
export const image = process.env['IAMDB_TEST_PODS_IMAGE'] ?? '';

/** Many enough that IAM's rate keeps the operator busy for seconds. */
export const batch = Array.from({ length: 20 }, (_, place) => `batch-${String(place + 1).padStart(2, '0')}`);
export const applications = ['checkout', 'late', 'returning', ...batch];

export const database: Manifest = {
  apiVersion: 'iamdb.dev/v1alpha1',
  kind: 'IamDatabase',
  metadata: { name: 'orders', labels: testLabel },
  spec: {
    target: { type: 'Cluster', cluster: { identifier: 'orders-prod', region } },
    connectTo: { host: serviceHost(databaseService), port: databasePort },
    database: 'orders',
    admin: { username: 'iamdb_admin' },
    allow: [
      {
        namespaces: { names: [teamNamespace] },
        usernames: ['payments_*'],
        memberOf: ['orders_readwrite'],
        principals: [roleARN('payments-*')],
      },
    ],
  },
};

export const username = (name: string) => `payments_${name.replaceAll('-', '_')}`;
export const user = (name: string): Manifest => ({
  apiVersion: 'iamdb.dev/v1alpha1',
  kind: 'IamDatabaseUser',
  metadata: { name, namespace: teamNamespace, labels: testLabel },
  spec: {
    databaseRef: { name: 'orders' },
    username: username(name),
    memberOf: ['orders_readwrite'],
    principals: [{ serviceAccount: { name } }],
  },
});
export const workload = (name: string, pod: string, changes: Partial<Workload> = {}): Workload => ({
  name: pod,
  image,
  serviceAccount: name,
  roleARN: roleARN(`payments-${name}`),
  user: name,
  ...changes,
});
