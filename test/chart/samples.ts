// One value other than the default for each that the chart has; a new value needs one here.

const labels = { team: 'platform' };

export const samples: Readonly<Record<string, unknown>> = {
  nameOverride: 'iamdb',
  fullnameOverride: 'database-access',
  commonLabels: labels,
  'image.repository': '111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/iamdb-operator',
  'image.tag': '9.9.9',
  'image.digest': `sha256:${'0'.repeat(64)}`,
  'image.pullPolicy': 'Always',
  imagePullSecrets: [{ name: 'registry' }],
  replicas: 3,
  'podDisruptionBudget.enabled': false,
  'podDisruptionBudget.maxUnavailable': '50%',
  'crds.install': false,
  'crds.keep': false,
  'serviceAccount.create': false,
  'serviceAccount.name': 'database-access',
  'serviceAccount.annotations': {
    'eks.amazonaws.com/role-arn': 'arn:aws:iam::111122223333:role/iamdb-operator',
  },
  'rbac.create': false,
  'rbac.aggregate': false,
  'admissionPolicies.enabled': false,
  podSecurityContext: { runAsUser: 1001, fsGroup: 1001 },
  securityContext: { runAsUser: 1001 },
  resources: { requests: { cpu: 1, memory: '1Gi' }, limits: { memory: '1Gi' } },
  nodeSelector: { pool: 'system' },
  tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: ['system'] }] }],
      },
    },
  },
  topologySpreadConstraints: [
    { maxSkew: 2, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
  ],
  priorityClassName: 'system-cluster-critical',
  terminationGracePeriodSeconds: 60,
  annotations: { note: 'of the deployment' },
  podAnnotations: { note: 'of the pods' },
  podLabels: { network: 'databases' },
  livenessProbe: { initialDelaySeconds: 5 },
  readinessProbe: { initialDelaySeconds: 1 },
  'service.enabled': false,
  'service.annotations': { note: 'of the service' },
  'serviceMonitor.enabled': true,
  'serviceMonitor.interval': '30s',
  'serviceMonitor.scrapeTimeout': '10s',
  'serviceMonitor.labels': { release: 'prometheus' },
  'serviceMonitor.relabelings': [{ action: 'labeldrop', regex: 'pod' }],
  'serviceMonitor.metricRelabelings': [{ action: 'drop', regex: 'nodejs_.*', sourceLabels: ['__name__'] }],
  'podMonitor.enabled': true,
  'podMonitor.interval': '1m30s',
  'podMonitor.scrapeTimeout': '15s',
  'podMonitor.labels': { release: 'prometheus' },
  'podMonitor.relabelings': [{ action: 'labeldrop', regex: 'container' }],
  'podMonitor.metricRelabelings': [{ action: 'drop', regex: 'process_.*', sourceLabels: ['__name__'] }],
  'prometheusRule.enabled': true,
  'prometheusRule.labels': { release: 'prometheus' },
  'prometheusRule.runbookURL': 'https://wiki.example.com/iamdb-alerts',
  'prometheusRule.without': ['IamdbUserNotReady'],
  'prometheusRule.extraRules': [{ alert: 'Own', expr: 'vector(1)' }],
  'grafanaDashboard.enabled': true,
  'grafanaDashboard.namespace': 'payments',
  'grafanaDashboard.labels': { dashboards: 'databases' },
  'grafanaDashboard.annotations': { grafana_folder: 'Databases' },
  'networkPolicy.enabled': true,
  'networkPolicy.metricsFrom': [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }],
  'networkPolicy.httpsPorts': [8443],
  'networkPolicy.postgresPorts': [5432, 6432],
  'networkPolicy.extraEgress': [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
  extraArgs: ['--log-level=debug'],
  extraEnv: [{ name: 'AWS_REGION', value: 'ap-northeast-2' }],
  extraVolumes: [{ name: 'scratch', emptyDir: {} }],
  extraVolumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
  extraObjects: [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: '{{ .Release.Name }}-object', namespace: '{{ .Release.Namespace }}' },
    },
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: as-text\n  namespace: "{{ .Release.Namespace }}"\n',
  ],
  operatorID: 'production.eu-1',
  'leaderElection.enabled': false,
  workers: 1_500_000,
  'postgres.poolSize': 7,
  'trustStore.url': 'https://mirror.example.com/truststore',
  bundleMountPath: '/var/run/rds-ca',
  allowLocalAddresses: true,
  proveAsOperator: true,
  watchNamespaces: 'payments,shop',
  proveWithServiceAccountsIn: 'payments,shop',
  mode: 'Plan',
  proofsPerSecond: 2.5,
  'aws.inlinePolicies': true,
  'aws.eksClusterName': 'prod-1',
  'aws.iamWritesPerSecond': 0,
  'aws.iamReadsPerSecond': 0.5,
  listenAddress: '[::]:9090',
  profilingPort: 6060,
  logLevel: 'trace',
  timeScale: 0.05,
};

/** `{'a.b': 1}` as `{a: {b: 1}}`, each over what was there before. */
export function nested(
  paths: Readonly<Record<string, unknown>>,
  base: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return Object.entries(paths).reduce((tree, [path, value]) => put(tree, path.split('.'), value), base);
}

function put(
  tree: Readonly<Record<string, unknown>>,
  [name = '', ...rest]: readonly string[],
  value: unknown,
): Readonly<Record<string, unknown>> {
  if (rest.length === 0) return { ...tree, [name]: value };
  return { ...tree, [name]: put((tree[name] ?? {}) as Readonly<Record<string, unknown>>, rest, value) };
}
