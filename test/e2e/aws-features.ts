// Which features of AWS each end-to-end file needs beyond the common ones, and which implementation behind the front has them.

/** Roles, managed policies, AssumeRole and the description of clusters are common; signatures, permissions and faults are the front's. */
export type Feature =
  /** A cluster that is stopped, renamed or restored, or whose IAM authentication is switched. */
  | 'cluster changes'
  /** AssumeRole and AssumeRoleWithWebIdentity are refused where the trust policy does not admit the caller. */
  | 'trust policies'
  /** LimitExceeded; reads and decisions that lag behind writes; policies that cannot be deleted while attached. */
  | 'limits and delays'
  /** Users and policies set up or changed by a test while the operator runs, and IAM's own history of them. */
  | 'changes by tests'
  /** Databases and roles of another account. */
  | 'other accounts'
  /** Regions, names and ARNs of China's. */
  | 'other partitions'
  /** With end-to-end IAM, and the roles of their own. */
  | 'proxies'
  /** Pod Identity associations. */
  | 'EKS'
  /** An endpoint under AWS's own names, over TLS. */
  | 'names of AWS'
  | 'inline policies';

type Implementation = 'moto';

const has: Readonly<Record<Implementation, ReadonlySet<Feature>>> = {
  moto: new Set<Feature>(['inline policies']),
};

/** Every end-to-end file that calls AWS. */
export const needs = {
  accounts: ['other accounts'],
  'admin-change': [],
  'admin-rotation': [],
  asleep: ['cluster changes'],
  'at-size': ['cluster changes'],
  'blue-green': ['cluster changes'],
  adoption: [],
  'closed-network': ['names of AWS'],
  crash: ['limits and delays'],
  detached: [],
  drift: ['changes by tests'],
  endings: [],
  gone: ['cluster changes'],
  'half-open': [],
  leadership: ['limits and delays'],
  'least-privilege': ['limits and delays', 'changes by tests', 'other accounts', 'proxies', 'EKS'],
  'least-privilege-namespaces': ['trust policies'],
  'lock-out': [],
  'managed-secret': ['cluster changes'],
  marks: [],
  metrics: [],
  'missing-rights': [],
  partition: ['other partitions'],
  'permission-lost': [],
  'plan-mode': [],
  'pod-identity': ['EKS'],
  'policy-delivery': [],
  'policy-inline': ['inline policies'],
  proxies: ['proxies'],
  'proof-by-token': ['trust policies'],
  refusals: ['cluster changes', 'changes by tests'],
  'refusals-iam': ['limits and delays', 'changes by tests'],
  'refusals-outside': ['trust policies', 'changes by tests'],
  'refusals-rest': ['cluster changes'],
  'refusals-server': [],
  'refusals-settings': [],
  restart: ['limits and delays'],
  'role-delivery': [],
  secrets: ['trust policies'],
  'service-accounts': [],
  settings: [],
  sharing: [],
  spine: [],
  'two-installations': [],
  'watch-namespaces': [],
  'wrong-resource-id': ['cluster changes'],
} as const satisfies Readonly<Record<string, readonly Feature[]>>;

const all = Object.entries<readonly Feature[]>(needs);
const lacking = (features: readonly Feature[], implementation: Implementation) =>
  features.filter((feature) => !has[implementation].has(feature));

/** Files that need nothing that it lacks. */
export const filesOn = (implementation: Implementation): readonly string[] =>
  all.filter(([, features]) => lacking(features, implementation).length === 0).map(([file]) => file);

/** The others, each with what it lacks for them. */
export const lackingOn = (
  implementation: Implementation,
): readonly (readonly [string, readonly Feature[]])[] =>
  all
    .map(([file, features]) => [file, lacking(features, implementation)] as const)
    .filter(([, missing]) => missing.length > 0);
