// What an application needs to connect, as the keys of a ConfigMap made for envFrom.

export interface ConnectionInput {
  readonly endpoint: string;
  readonly port: number;
  readonly readerEndpoint?: string;
  /** In the order of the database's declaration. */
  readonly proxies?: readonly { readonly name: string; readonly endpoint: string }[];
  /** Name of the one declared first, whether or not it can be used now. */
  readonly firstProxy?: string;
  /** Tells a cluster (cluster-…) from an instance (db-…). */
  readonly serverResourceID: string;
  readonly username: string;
  readonly database: string;
  readonly region: string;
  /** Name of the ConfigMap with the certificate authorities, for the pod's volume. */
  readonly trustBundleName: string;
  /** Where pods mount it; the examples use the default. */
  readonly mountPath?: string;
}

export const defaultMountPath = '/etc/rds-ca';

/** No AWS_* key: it would redirect every AWS call of the application. */
export function connectionData(input: ConnectionInput): Readonly<Record<string, string>> {
  const rootCertificate = `${input.mountPath ?? defaultMountPath}/ca.crt`;
  return {
    PGHOST: input.endpoint,
    PGPORT: String(input.port),
    PGUSER: input.username,
    PGDATABASE: input.database,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: rootCertificate,
    ...(input.readerEndpoint === undefined ? {} : { PGHOST_READER: input.readerEndpoint }),
    ...proxyData(input),
    RDS_REGION: input.region,
    TRUST_BUNDLE: input.trustBundleName,
    JDBC_URL: jdbcURL(input, rootCertificate),
  };
}

/** AWS gives proxies for PostgreSQL this port, whichever the database has. */
const proxyPort = '5432';

/**
 * A token is good for one host, so a list of hosts would be of no use: PGHOST_PROXY is the proxy declared first and never
 * becomes another one by itself; where there are several, each has a key of its own.
 */
function proxyData({ proxies = [], firstProxy }: ConnectionInput): Readonly<Record<string, string>> {
  const first = proxies.find(({ name }) => name === firstProxy);
  const own = proxies.map(({ name, endpoint }) => [
    `PGHOST_PROXY_${name.toUpperCase().replaceAll('-', '_')}`,
    endpoint,
  ]);
  return {
    ...(first === undefined ? {} : { PGHOST_PROXY: first.endpoint }),
    ...(proxies.length === 0 ? {} : { PGPORT_PROXY: proxyPort }),
    ...(proxies.length === 1 && first !== undefined ? {} : Object.fromEntries(own)),
  } as const;
}

/**
 * The AWS Advanced JDBC Wrapper's own default plugins (3.0 and newer; 2.6 knows them all) plus IAM. On a plain instance
 * its compatibility guide admits only host monitoring of them.
 */
const plugins = {
  cluster: 'initialConnection,auroraConnectionTracker,failover2,efm2,iam',
  instance: 'efm2,iam',
} as const;

function jdbcURL(input: ConnectionInput, rootCertificate: string): string {
  const parameters = {
    wrapperPlugins: input.serverResourceID.startsWith('cluster-') ? plugins.cluster : plugins.instance,
    user: input.username,
    sslmode: 'verify-full',
    sslrootcert: rootCertificate,
  };
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${queryValue(value)}`);
  return `jdbc:aws-wrapper:postgresql://${input.endpoint}:${input.port}/${encodeURIComponent(input.database)}?${query.join('&')}`;
}

/** `@`, `/` and `,` may stand in a query (RFC 3986, 3.4) and stay, because the wrapper does not decode the user everywhere. */
function queryValue(value: string): string {
  return encodeURIComponent(value).replaceAll('%40', '@').replaceAll('%2F', '/').replaceAll('%2C', ',');
}
