// The operator's rights in Kubernetes and in AWS, from permissions.ts and operator-policy.ts.
import { group } from '../../src/api/names.ts';
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import {
  clusterRules,
  clusterScopedRules,
  copyRules,
  eventRules,
  namespaceRules,
  operatorIDPlaceholder,
  type Rule,
  tokenRules,
  watchedRules,
} from '../../src/systems/permissions.ts';
import { yaml } from './crds.ts';

const plain = ({ apiGroups, resources, resourceNames, verbs }: Rule) => ({
  apiGroups,
  resources,
  ...(resourceNames === undefined ? {} : { resourceNames }),
  verbs,
});

/** What people may do with the users of a namespace; IamDatabases belong to the platform team. */
const usersRule = (verbs: readonly string[]) => ({
  apiGroups: [group],
  resources: ['iamdatabaseusers'],
  verbs,
});
/** For those whom the platform team lets see the databases: what belongs to no namespace is in nobody's view role. */
const databaseViewerRule = {
  apiGroups: [group],
  resources: ['iamdatabases'],
  verbs: ['get', 'list', 'watch'],
};

/** File name to text: rules to be put into ClusterRoles and a Role, and the IAM policy with example values. */
export function roleFiles(): Readonly<Record<string, string>> {
  return {
    'charts/iamdb-operator/files/cluster-rules.yaml': yaml(clusterRules.map(plain)),
    'charts/iamdb-operator/files/cluster-scoped-rules.yaml': yaml(clusterScopedRules.map(plain)),
    'charts/iamdb-operator/files/watched-rules.yaml': yaml(watchedRules.map(plain)),
    'charts/iamdb-operator/files/copy-rules.yaml': yaml(copyRules.map(plain)),
    'charts/iamdb-operator/files/event-rules.yaml': yaml(eventRules.map(plain)),
    'charts/iamdb-operator/files/namespace-rules.yaml': yaml(namespaceRules.map(plain)),
    'charts/iamdb-operator/files/view-rules.yaml': yaml([usersRule(['get', 'list', 'watch'])]),
    'charts/iamdb-operator/files/edit-rules.yaml': yaml([
      usersRule(['create', 'update', 'patch', 'delete', 'deletecollection']),
    ]),
    'charts/iamdb-operator/files/database-viewer-rules.yaml': yaml([databaseViewerRule]),
    'charts/iamdb-operator/files/token-rules.yaml': yaml(tokenRules.map(plain)),
    'docs/reference/operator-policy-assume-role.json': `${JSON.stringify(operatorPolicy({ ...examplePolicy, assumeRoles: ['arn:aws:iam::444455556666:role/iamdb'] }), null, 2)}\n`,
    'docs/reference/operator-policy-inline.json': `${JSON.stringify(operatorPolicy({ ...examplePolicy, inline: true }), null, 2)}\n`,
    'docs/reference/operator-policy-proxies.json': `${JSON.stringify(operatorPolicy({ ...examplePolicy, proxyRoles: ['arn:aws:iam::111122223333:role/*-proxy'] }), null, 2)}\n`,
    'docs/reference/operator-policy-managed-secret.json': `${JSON.stringify(operatorPolicy({ ...examplePolicy, masterSecrets: ['arn:aws:secretsmanager:ap-northeast-2:111122223333:secret:rds!*'], masterKeys: ['arn:aws:kms:ap-northeast-2:111122223333:key/KEY_ID'] }), null, 2)}\n`,
    'docs/reference/operator-policy-pod-identity.json': `${JSON.stringify(operatorPolicy({ ...examplePolicy, eksCluster: { region: 'ap-northeast-2', name: 'CLUSTER_NAME' } }), null, 2)}\n`,
    'docs/reference/operator-policy.json': `${JSON.stringify(operatorPolicy(examplePolicy), null, 2)}\n`,
  };
}

const examplePolicy = {
  partition: 'aws',
  accountID: '111122223333',
  operatorID: operatorIDPlaceholder,
  principals: ['arn:aws:iam::111122223333:role/payments-*'],
  admins: ['arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:cluster-ABC/iamdb_admin'],
};
