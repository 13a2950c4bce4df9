// Every Kubernetes verb that the operator uses, as data: its Roles are generated from here.
import { group, leasePrefix } from '../api/names.ts';

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  /** Absent: all of them. */
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
  readonly why: string;
}

/** Stands in what is generated for an operator id that only the chart's values know, and is no such id itself. */
export const operatorIDPlaceholder = 'OPERATOR_ID';

const clusterScoped: readonly Rule[] = [
  {
    apiGroups: [group],
    resources: ['iamdatabases'],
    verbs: ['list', 'watch', 'patch'],
    why: 'reads what is declared; patch sets and releases the finalizer, and is what the admission policy asks of whoever does so on iamdatabaseusers',
  },
  {
    apiGroups: [group],
    resources: ['iamdatabases/status'],
    verbs: ['patch'],
    why: 'reports',
  },
  {
    apiGroups: [''],
    resources: ['namespaces'],
    verbs: ['list', 'watch'],
    why: 'labels and uids for allow rules and marks',
  },
];

const otherInstallations: Rule = {
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  verbs: ['list'],
  why: 'another installation with the same operator id is noticed, and nothing done beside it',
};

/** With --watch-namespaces: on what belongs to no namespace, and on the Leases of one name in all of them. */
export const clusterScopedRules: readonly Rule[] = [
  ...clusterScoped,
  { ...otherInstallations, resourceNames: [`${leasePrefix}${operatorIDPlaceholder}`] },
];

const events: Rule = {
  apiGroups: ['events.k8s.io'],
  resources: ['events'],
  verbs: ['create', 'patch'],
  why: 'tells what happened',
};

/** Where there are IamDatabaseUsers: in every namespace, or in each of --watch-namespaces by a Role of its own. */
export const watchedRules: readonly Rule[] = [
  {
    apiGroups: [group],
    resources: ['iamdatabaseusers'],
    verbs: ['list', 'watch', 'patch'],
    why: 'reads what is declared; patch sets and releases the finalizer',
  },
  {
    apiGroups: [group],
    resources: ['iamdatabaseusers/status'],
    verbs: ['patch'],
    why: 'reports',
  },
  {
    apiGroups: [''],
    resources: ['serviceaccounts'],
    verbs: ['list', 'watch'],
    why: 'the IAM role that a ServiceAccount in principals is annotated with; only metadata is asked for',
  },
  {
    apiGroups: [''],
    resources: ['configmaps'],
    verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
    why: 'trust bundles and connection details',
  },
  events,
];

/** With --watch-namespaces: in the operator's own namespace. */
export const copyRules: readonly Rule[] = [
  {
    apiGroups: [''],
    resources: ['configmaps'],
    verbs: ['get', 'list', 'watch', 'create', 'update'],
    why: 'the copy of the trust bundles for a start without them',
  },
];
/** With --watch-namespaces: in namespace default, where events about objects without a namespace live. */
export const eventRules: readonly Rule[] = [events];

/** In every namespace, without --watch-namespaces. */
export const clusterRules: readonly Rule[] = [
  ...clusterScoped,
  {
    apiGroups: [''],
    resources: ['namespaces'],
    verbs: ['get'],
    why: "kube-system's uid as the default operator id",
  },
  otherInstallations,
  ...watchedRules,
];

/** In the operator's own namespace only. */
export const namespaceRules: readonly Rule[] = [
  {
    apiGroups: [''],
    resources: ['secrets'],
    verbs: ['get'],
    why: "the admin's password, with authentication Secret",
  },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'create', 'update'],
    why: 'one leader at a time',
  },
];

/** In each namespace of --prove-with-service-accounts-in, by a Role of its own there: RBAC cannot limit audiences. */
export const tokenRules: readonly Rule[] = [
  {
    apiGroups: [''],
    resources: ['serviceaccounts/token'],
    verbs: ['create'],
    why: 'proves logins as the workload does, by tokens of its ServiceAccount for sts.amazonaws.com',
  },
];
