// Every setting of the operator, as one table; with main.ts the only reader of the environment.

interface Setting {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly default: string | number | boolean;
  readonly sentence: string;
  /** Of a number: the least that makes sense; 0 unless told. */
  readonly least?: number;
  /** Of a text: what it has to be, unless it is the default, and how to say so. */
  readonly form?: { readonly pattern: RegExp; readonly takes: string };
  /** Where the chart's values hold it; null where the chart itself decides. */
  readonly helm: string | null;
}

const namespaceList = {
  pattern: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(,[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/,
  takes: 'names of namespaces with commas between them',
};

export const settings = {
  'operator-id': {
    type: 'string',
    default: '',
    sentence:
      'Name of this installation in every mark it leaves. Default: the uid of the kube-system namespace. Set it in production, so that a rebuilt cluster can take its roles back: list it in trustedOperatorIDs of the IamDatabases until that is done.',
    form: {
      // It stands in labels, in the path of policies and in the name of the Lease.
      pattern: /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/,
      takes: 'at most 63 of a-z, 0-9, - and ., beginning and ending with a letter or digit',
    },
    helm: 'operatorID',
  },
  namespace: {
    type: 'string',
    default: '',
    sentence: "The operator's own namespace, for its Lease and admin Secrets. Default: POD_NAMESPACE.",
    helm: null,
  },
  'leader-elect': {
    type: 'boolean',
    default: true,
    sentence:
      'Wait for the Lease before doing anything, so that several replicas may run. Off, another installation of the same operator id is neither noticed nor does it notice this one.',
    helm: 'leaderElection.enabled',
  },
  mode: {
    type: 'string',
    default: 'Enforce',
    sentence:
      'Enforce, or Plan: nothing outside the status of our own objects is written, and what would be changed is told there.',
    form: { pattern: /^(Enforce|Plan)$/, takes: 'Enforce or Plan' },
    helm: 'mode',
  },
  workers: {
    type: 'integer',
    default: 1_000,
    least: 1,
    sentence:
      'Users reconciled at the same time: they share queries and policy changes. Connections, logins and IAM writes have limits of their own.',
    helm: 'workers',
  },
  'pool-size': {
    type: 'integer',
    default: 4,
    least: 1,
    sentence: 'Admin connections to one PostgreSQL server, at most.',
    helm: 'postgres.poolSize',
  },
  'trust-store-url': {
    type: 'string',
    default: '',
    sentence:
      "Mirror of Amazon's RDS trust store; <url>/<region>/<region>-bundle.pem is fetched. Default: Amazon's own.",
    form: { pattern: /^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/, takes: 'an http or https URL without a query' },
    helm: 'trustStore.url',
  },
  'bundle-mount-path': {
    type: 'string',
    default: '/etc/rds-ca',
    sentence:
      'Where applications mount the trust bundle; PGSSLROOTCERT in the connection ConfigMap points there.',
    form: { pattern: /^\/[A-Za-z0-9._/-]*[A-Za-z0-9._-]$/, takes: 'an absolute path' },
    helm: 'bundleMountPath',
  },
  'allow-local-addresses': {
    type: 'boolean',
    default: false,
    sentence: 'Let IamDatabases point to loopback and link-local addresses. For tests.',
    helm: 'allowLocalAddresses',
  },
  'prove-as-operator': {
    type: 'boolean',
    default: false,
    sentence: "Prove logins with the operator's own identity where the workload's cannot be had.",
    helm: 'proveAsOperator',
  },
  'watch-namespaces': {
    type: 'string',
    default: '',
    sentence:
      'Namespaces, with commas, whose IamDatabaseUsers are served; they have to exist. Needs --operator-id, and fewer rights. What was made for users of other namespaces is left as it is. Default: all.',
    form: namespaceList,
    helm: 'watchNamespaces',
  },
  'prove-with-service-accounts-in': {
    type: 'string',
    default: '',
    sentence:
      'Namespaces, with commas, in which logins are proven by tokens of the ServiceAccounts in principals. Needs serviceaccounts/token create there (token-rules.yaml). Default: none.',
    form: namespaceList,
    helm: 'proveWithServiceAccountsIn',
  },
  'proofs-per-second': {
    type: 'number',
    default: 20,
    sentence: 'Logins for proof at one database server a second, at most; 0 is no limit.',
    helm: 'proofsPerSecond',
  },
  'iam-writes-per-second': {
    type: 'number',
    default: 5,
    sentence: 'IAM writes a second, at most; 0 is no limit.',
    helm: 'aws.iamWritesPerSecond',
  },
  'iam-reads-per-second': {
    type: 'number',
    default: 20,
    sentence: 'IAM reads a second, at most; 0 is no limit.',
    helm: 'aws.iamReadsPerSecond',
  },
  'inline-policies': {
    type: 'boolean',
    default: false,
    sentence:
      'Keep inline policies on roles for IamDatabases with policy.delivery Inline. Needs iam:PutRolePolicy on them (operator-policy-inline.json), which IAM cannot limit to certain contents.',
    helm: 'aws.inlinePolicies',
  },
  'eks-cluster-name': {
    type: 'string',
    default: '',
    sentence:
      "Name of the EKS cluster whose Pod Identity associations give ServiceAccounts in principals their IAM role, in the operator's region (operator-policy-pod-identity.json). Default: only the IRSA annotation is read.",
    form: {
      pattern: /^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/,
      takes: 'the name of an EKS cluster',
    },
    helm: 'aws.eksClusterName',
  },
  'listen-address': {
    type: 'string',
    default: ':8080',
    sentence: 'Address of health and metrics; empty for none.',
    form: {
      pattern:
        /^(?:|(?:[^\s:[\]]*|\[[0-9a-fA-F:.]+\]):(?:6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|\d{1,4}))$/,
      takes: 'host:port, [IPv6 address]:port, :port for every address, or nothing',
    },
    helm: 'listenAddress',
  },
  'profiling-port': {
    type: 'integer',
    default: 0,
    sentence:
      'Port on 127.0.0.1 where /debug/cpu and /debug/heap answer with profiles of so many ?seconds=; reach it by kubectl port-forward. 0 for none.',
    helm: 'profilingPort',
  },
  'log-level': {
    type: 'string',
    default: 'info',
    sentence: 'trace, debug, info, warn or error.',
    form: { pattern: /^(trace|debug|info|warn|error)$/, takes: 'trace, debug, info, warn or error' },
    helm: 'logLevel',
  },
  'time-scale': {
    type: 'number',
    default: 1,
    least: 0.001,
    sentence: 'Factor on every timer (lease, back-off, resync, propagation, proof). For tests.',
    helm: 'timeScale',
  },
} as const satisfies Record<string, Setting>;

type Settings = typeof settings;
type Value<S> = S extends { type: 'string' } ? string : S extends { type: 'boolean' } ? boolean : number;
export type Config = { readonly [K in keyof Settings]: Value<Settings[K]> };

/** A setting that cannot be read: said at start, and nothing is begun. */
export class ConfigError extends Error {}

/**
 * Reads `--name=value` (or `--name` for a boolean), then `IAMDB_NAME`, then the default.
 * @throws ConfigError naming the setting and what it takes
 */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const given = new Map<string, string>();
  for (const arg of args) {
    const match = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg);
    const name = match?.[1];
    if (name === undefined || !Object.hasOwn(settings, name)) {
      throw new ConfigError(`unknown argument ${arg}; the settings are: ${Object.keys(settings).join(', ')}`);
    }
    const { type } = (settings as Readonly<Record<string, Setting>>)[name] ?? { type: 'string' };
    const value = match?.[2] ?? (type === 'boolean' ? 'true' : undefined);
    if (value === undefined) throw new ConfigError(`--${name} needs a value: --${name}=...`);
    given.set(name, value);
  }
  const values = Object.entries<Setting>(settings).map(([name, setting]) => {
    const text = given.get(name) ?? env[`IAMDB_${name.toUpperCase().replaceAll('-', '_')}`];
    return [name, text === undefined ? setting.default : parse(name, setting, text)];
  });
  const config = Object.fromEntries(values) as Config;
  if (config['watch-namespaces'] !== '' && config['operator-id'] === '') {
    throw new ConfigError(
      '--watch-namespaces needs --operator-id: the right to read the uid of kube-system is not among the fewer rights, and every installation needs a name of its own',
    );
  }
  return withPlatformDefaults(config, env);
}

const withPlatformDefaults = (config: Config, env: Readonly<Record<string, string | undefined>>): Config =>
  config.namespace === '' ? { ...config, namespace: env['POD_NAMESPACE'] ?? 'iamdb-system' } : config;

function parse(name: string, setting: Setting, text: string): string | number | boolean {
  switch (setting.type) {
    case 'string':
      if (text === setting.default || setting.form?.pattern.test(text) !== false) return text;
      throw new ConfigError(`--${name} takes ${setting.form.takes}, not ${JSON.stringify(text)}`);
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true';
      throw new ConfigError(`--${name} takes true or false, not ${JSON.stringify(text)}`);
    case 'integer':
    case 'number': {
      const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
      const least = setting.least ?? 0;
      const fits = number >= least && (setting.type === 'number' || Number.isSafeInteger(number));
      if (fits) return number;
      throw new ConfigError(
        `--${name} takes ${setting.type === 'integer' ? 'a whole number' : 'a number'} of ${least} or more, not ${JSON.stringify(text)}`,
      );
    }
    default:
      return setting.type satisfies never;
  }
}
