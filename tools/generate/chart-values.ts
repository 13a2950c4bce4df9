// The chart's own values, as one table: the default, what it may be, and what it does. chart-settings.ts adds the operator's settings.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One value, with its default. */
export interface Leaf {
  readonly sentence: string;
  readonly default: Json;
  readonly schema: JsonSchema;
}
/** Values below one name. */
export interface Group {
  readonly sentence?: string;
  readonly below: Values;
}
export interface Values {
  readonly [name: string]: Leaf | Group;
}

export const isGroup = (entry: Leaf | Group): entry is Group => 'below' in entry;

export const leaf = (sentence: string, fallback: Json, schema: JsonSchema): Leaf => ({
  sentence,
  default: fallback,
  schema,
});
const group = (below: Values, sentence?: string): Group => ({
  below,
  ...(sentence === undefined ? {} : { sentence }),
});
const text = (sentence: string, fallback = '', schema: JsonSchema = {}) =>
  leaf(sentence, fallback, { type: 'string', ...schema });
const flag = (sentence: string, fallback: boolean) => leaf(sentence, fallback, { type: 'boolean' });
const count = (sentence: string, fallback: number, minimum = 0) =>
  leaf(sentence, fallback, { type: 'integer', minimum });
const strings = { type: 'object', additionalProperties: { type: 'string' } };
const texts = (sentence: string, fallback: Readonly<Record<string, string>> = {}) =>
  leaf(sentence, fallback, strings);
const objects = (sentence: string, fallback: readonly Json[] = [], items: JsonSchema = { type: 'object' }) =>
  leaf(sentence, fallback, { type: 'array', items });
const object = (sentence: string, fallback: Readonly<Record<string, Json>> = {}, schema: JsonSchema = {}) =>
  leaf(sentence, fallback, { type: 'object', ...schema });

const quantity = { type: ['string', 'number'] };
const quantities = { type: 'object', additionalProperties: quantity };
const duration = { pattern: String.raw`^$|^(\d+(ms|[smh]))+$` };
const ports = (sentence: string, fallback: readonly number[]) =>
  leaf(sentence, fallback, { type: 'array', items: { type: 'integer', minimum: 1, maximum: 65_535 } });
const endpoints = {
  interval: text("How often to scrape; empty for Prometheus' own.", '', duration),
  scrapeTimeout: text("Empty for Prometheus' own.", '', duration),
  labels: texts('By which Prometheus selects it, such as release: prometheus.'),
  relabelings: objects('Before the scrape.'),
  metricRelabelings: objects('Before the samples are stored.'),
};

export const chartValues: Values = {
  nameOverride: text("Instead of the chart's name in names and labels.", '', { maxLength: 63 }),
  fullnameOverride: text('Name of everything that is installed.', '', { maxLength: 63 }),
  commonLabels: texts('Labels of everything that is installed.'),
  image: group({
    repository: text('Where the image is, without tag.', 'iamdb-operator', { minLength: 1 }),
    tag: text("Default: the chart's appVersion."),
    digest: text('sha256:...; goes before the tag.', '', { pattern: '^$|^sha256:[0-9a-f]{64}$' }),
    pullPolicy: text('', 'IfNotPresent', { enum: ['Always', 'IfNotPresent', 'Never'] }),
  }),
  imagePullSecrets: objects("Secrets in the operator's namespace: [{name: ...}].", [], {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' } },
    additionalProperties: false,
  }),
  replicas: count('One leads, the others stand by with full caches.', 2),
  podDisruptionBudget: group({
    enabled: flag('Made where there is more than one replica.', true),
    maxUnavailable: leaf('A number or a percentage.', 1, { type: ['integer', 'string'] }),
  }),
  crds: group({
    install: flag('Install and upgrade the CustomResourceDefinitions with the chart.', true),
    keep: flag(
      'Leave them, and with them every IamDatabase and IamDatabaseUser, when the chart is uninstalled.',
      true,
    ),
  }),
  serviceAccount: group({
    create: flag('Make the ServiceAccount.', true),
    name: text('Default: the full name, or "default" where none is made.'),
    annotations: texts(
      'For IRSA: eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/iamdb-operator. EKS Pod Identity needs none.',
    ),
  }),
  rbac: group({
    create: flag('Make the Roles and their bindings.', true),
    aggregate: flag(
      "Let whoever has the cluster's view, edit or admin role in a namespace read, or write, IamDatabaseUsers there; and make a ClusterRole, bound to nobody, with which they may read IamDatabases.",
      true,
    ),
  }),
  admissionPolicies: group({
    enabled: flag(
      "Let the API server hold the operator to what RBAC cannot say: only ConfigMaps that carry the operator's label, none in kube-system, and only short tokens for AWS; and let only who may patch iamdatabases set or remove the finalizer of IamDatabaseUsers.",
      true,
    ),
  }),
  podSecurityContext: object('Fit for namespaces that enforce the restricted level.', {
    runAsNonRoot: true,
    runAsUser: 65_532,
    runAsGroup: 65_532,
    fsGroup: 65_532,
    seccompProfile: { type: 'RuntimeDefault' },
  }),
  securityContext: object('Of the container.', {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }),
  resources: object(
    'Without a CPU limit, so that it is not throttled at start.',
    { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    {
      properties: {
        requests: quantities,
        limits: quantities,
        claims: { type: 'array', items: { type: 'object' } },
      },
      additionalProperties: false,
    },
  ),
  nodeSelector: texts('', { 'kubernetes.io/os': 'linux' }),
  tolerations: objects('', [], {
    type: 'object',
    properties: {
      key: { type: 'string' },
      operator: { enum: ['Exists', 'Equal', 'Lt', 'Gt'] },
      value: { type: 'string' },
      effect: { enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
      tolerationSeconds: { type: 'integer' },
    },
    additionalProperties: false,
  }),
  affinity: object(''),
  topologySpreadConstraints: objects("Those without a labelSelector get the operator's.", [
    { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
    { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
  ]),
  priorityClassName: text(''),
  terminationGracePeriodSeconds: count('It ends by itself within 20 seconds.', 30, 20),
  annotations: texts('Of the Deployment.'),
  podAnnotations: texts(''),
  podLabels: texts(''),
  livenessProbe: object(
    'More fields of the probe of /healthz.',
    { periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 3 },
    { not: { required: ['httpGet'] } },
  ),
  readinessProbe: object(
    'More fields of the probe of /readyz, which says no until the caches are synced.',
    { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
    { not: { required: ['httpGet'] } },
  ),
  service: group({
    enabled: flag('A Service of the metrics; the ServiceMonitor needs it.', true),
    annotations: texts(''),
  }),
  serviceMonitor: group({
    enabled: flag('For the Prometheus operator: scrape the Service.', false),
    ...endpoints,
  }),
  podMonitor: group({
    enabled: flag('For the Prometheus operator: scrape the pods, without a Service.', false),
    ...endpoints,
  }),
  prometheusRule: group({
    enabled: flag('For the Prometheus operator: the alerts of docs/reference/alerts.md.', false),
    labels: texts('By which Prometheus selects it, such as release: prometheus.'),
    runbookURL: text(
      'URL at which you publish that page; each alert links there, with its name as anchor. Default: no link.',
    ),
    without: leaf('Names of alerts that are not wanted.', [], { type: 'array', items: { type: 'string' } }),
    extraRules: objects('More rules of the group.'),
  }),
  grafanaDashboard: group({
    enabled: flag("A ConfigMap for the sidecar of Grafana's chart.", false),
    namespace: text("Default: the operator's own."),
    labels: texts('By which the sidecar finds it.', { grafana_dashboard: '1' }),
    annotations: texts('Such as grafana_folder: Databases.'),
  }),
  networkPolicy: group({
    enabled: flag(
      'Let in only metrics and probes, and out only DNS, HTTPS, PostgreSQL and the Pod Identity agent.',
      false,
    ),
    metricsFrom: objects('NetworkPolicy peers that may scrape; empty for everybody.'),
    httpsPorts: ports('Of the API server, AWS and the trust store.', [443, 6443]),
    postgresPorts: ports('Of the databases.', [5432]),
    extraEgress: objects('More egress rules.'),
  }),
  extraArgs: leaf('More arguments; the last one of a name counts.', [], {
    type: 'array',
    items: { type: 'string' },
  }),
  extraEnv: objects('More environment of the container.'),
  extraVolumes: objects('More volumes of the pod.'),
  extraVolumeMounts: objects('More mounts of the container.'),
  extraObjects: leaf('More manifests, as objects or as text; both may hold template expressions.', [], {
    type: 'array',
    items: { type: ['object', 'string'] },
  }),
};
