// The whole scene: bed, AWS account, cluster with the operator installed as it ships, and one Aurora database.
import { writeFile } from 'node:fs/promises';
import type { IamDatabase } from '../../src/api/objects.ts';
import { startAws, type Aws } from '../aws/aws.ts';
import type { AwsAuthority } from '../bed/aws-authority.ts';
import { type Bed, type Database, startBed } from '../bed/bed.ts';
import { type ConnectProxy, startConnectProxy } from '../bed/connect-proxy.ts';
import { createChildren } from '../bed/children.ts';
import { type KubeRelay, startKubeRelay } from '../bed/kube-relay.ts';
import { createStatementFaults, type StatementFaults } from '../bed/pg-relay.ts';
import { type Admin, createIamAdmin, createPasswordAdmin } from '../bed/postgres-admin.ts';
import { type PostgresMajor, postgresMajors } from '../bed/postgres-program.ts';
import {
  accountID,
  createOperatorRole,
  createWorkloadRole,
  operatorID,
  region as usualRegion,
} from './account.ts';
import {
  apply,
  applyCRDs,
  applyNamespace,
  installOperatorAccount,
  operatorAccount,
  operatorNamespace,
} from './cluster.ts';
import { createCluster } from './cluster-in-rds.ts';
import { createElsewhere, type Elsewhere, otherAccountID, reachARN } from './elsewhere.ts';
import { type Moto, startMoto } from '../moto/moto.ts';
import { type OperatorProcess, operatorProcess } from './operator-process.ts';

export interface Stage {
  readonly bed: Bed;
  readonly aws: Aws;
  readonly operator: Replica;
  /** One more of the same settings but for those that are given, with credentials of its own; not started. */
  replica(name: string, settings?: Readonly<Record<string, string>>): Promise<Replica>;
  readonly database: Database;
  readonly admin: Admin;
  /** With the option `elsewhere`. */
  readonly elsewhere: Elsewhere | undefined;
  /** With the option `closedNetwork`. */
  readonly proxy: ConnectProxy | undefined;
  /** With the option `relays`. */
  readonly relays: Relays | undefined;
  /** Of the administrator, for people's own kubectl. */
  readonly kubeconfig: string;
  /** An IamDatabase for the stage's server, open for namespace payments. */
  iamDatabase(changes?: {
    readonly name?: string;
    readonly spec?: Partial<IamDatabase['spec']>;
  }): DatabaseManifest;
  stop(): Promise<void>;
}

/** Through which operators reach the API server and PostgreSQL, to fail what tests tell them to. */
export interface Relays {
  readonly kube: KubeRelay;
  readonly statements: StatementFaults;
}

export interface Replica extends OperatorProcess {
  /** Name of its AWS session. */
  readonly name: string;
  /** How the API server's audit log names its token. */
  readonly credentialID: string;
  readonly token: string;
}

export interface DatabaseManifest {
  readonly apiVersion: string;
  readonly kind: 'IamDatabase';
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

export interface StageOptions {
  /** Where the test is about just this one. */
  readonly postgres?: PostgresMajor;
  /** Where any would do: 17 unless given, and what IAMDB_TEST_POSTGRES says goes before both. */
  readonly usualPostgres?: PostgresMajor;
  /** ManagedSecret: RDS keeps the password of the admin, who is the master user. */
  readonly admin?: 'IAM' | 'Secret' | 'ManagedSecret';
  readonly settings?: Readonly<Record<string, string>>;
  /** PEM of roots that the operator's Node is to know besides its own. */
  readonly extraRoots?: string;
  /** A second account with a database of its own, which the operator reaches by assuming a role there. */
  readonly elsewhere?: boolean;
  /** AWS, under its own names, is reached through a proxy alone. */
  readonly closedNetwork?: boolean;
  /** Operators reach the API server and PostgreSQL through relays that can fail. */
  readonly relays?: boolean;
  /** Where everything is; default Seoul, in the partition of most. */
  readonly place?: { readonly partition: string; readonly region: string };
  readonly progress?: (text: string) => void;
}

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const { partition, region } = options.place ?? { partition: 'aws', region: usualRegion };
  const { admin: authentication = 'IAM', settings = {}, progress } = options;
  const major = options.postgres ?? wantedMajor() ?? options.usualPostgres ?? 17;
  const children = createChildren();
  const stops: (() => Promise<void>)[] = [() => children.stop()];
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  try {
    const moto =
      process.env['IAMDB_TEST_AWS'] === 'moto'
        ? await startMoto({ children, region, accountID, ...(progress === undefined ? {} : { progress }) })
        : undefined;
    const aws = await startAws({
      region,
      partition,
      accountId: accountID,
      ...(moto === undefined ? {} : { backend: moto.backend }),
    });
    stops.push(() => aws.close());
    const statements = options.relays === true ? createStatementFaults() : undefined;
    const bed = await startBed({
      postgres: options.elsewhere === true ? [major, major] : [major],
      region,
      servers: [{ partition }, { accountId: otherAccountID }],
      aws: authorityOf(aws),
      statements,
      ...(progress === undefined ? {} : { progress }),
    });
    stops.push(() => bed.stop());
    const relays = statements && { statements, kube: await startKubeRelay(bed.kube) };
    if (relays !== undefined) stops.push(() => relays.kube.stop());
    const [first, second] = bed.databases;
    if (first === undefined) throw new Error('the bed has no database');
    const database = await asOnAws(first, moto, bed);

    const admin =
      authentication === 'IAM'
        ? await createIamAdmin(database.postgres)
        : await createPasswordAdmin(database.postgres);
    const resourceID = moto === undefined ? createCluster(aws, database) : database.gate.server.resourceId;
    if (authentication === 'ManagedSecret') keepMasterSecret(aws, admin);
    const adminARN = `arn:${partition}:rds-db:${region}:${accountID}:dbuser:${resourceID}/${admin.username}`;
    const clusterName = settings['eks-cluster-name'];
    const operatorRole = createOperatorRole(aws, [adminARN], {
      inline: settings['inline-policies'] === 'true',
      proxyRoles: [`arn:aws:iam::${accountID}:role/*-proxy-role`],
      assumeRoles: [reachARN],
      ...(clusterName === undefined ? {} : { eksCluster: { region, name: clusterName } }),
    });
    const elsewhere = second === undefined ? undefined : await createElsewhere(aws, second);
    createWorkloadRole(aws, 'payments-checkout');

    progress?.('installing CRDs and the operator');
    await applyCRDs(bed.kube);
    await installOperatorAccount(bed.kube, {
      tokenNamespaces: settings['prove-with-service-accounts-in']?.split(',') ?? [],
      watched: settings['watch-namespaces']?.split(',') ?? [],
    });
    await applyNamespace(bed.kube, 'payments');
    if (authentication === 'Secret' && admin.password !== undefined)
      await applyAdminSecret(bed, admin.username, admin.password);

    const proxy = options.closedNetwork === true ? await wayOut(aws) : undefined;
    if (proxy !== undefined) stops.push(() => proxy.stop());
    const roots = [options.extraRoots, proxy?.root].filter((pem) => pem !== undefined).join('');
    const extraRoots = roots === '' ? undefined : `${bed.folder('roots')}/extra.pem`;
    if (extraRoots !== undefined) await writeFile(extraRoots, roots);
    const kubeconfig = `${bed.folder('admin')}/admin.kubeconfig`;
    await bed.kube.kubeconfig(kubeconfig);
    const replica: Stage['replica'] = async (name, changed = {}) => {
      const own = bed.folder(name);
      const operatorConfig = `${own}/operator.kubeconfig`;
      const day = 86_400;
      // A token and a session of its own, by which its calls can be told from those of another.
      const home = changed['namespace'] ?? operatorNamespace;
      const token = await bed.kube.serviceAccountToken(home, operatorAccount, undefined, day);
      await bed.kube.kubeconfig(operatorConfig, token, relays?.kube.url);
      const running = operatorProcess({
        children,
        folder: own,
        kubeconfig: operatorConfig,
        env: {
          ...environmentOf(aws, operatorRole, name, proxy),
          ...(extraRoots === undefined ? {} : { NODE_EXTRA_CA_CERTS: extraRoots }),
        },
        settings: {
          'operator-id': operatorID,
          namespace: operatorNamespace,
          'trust-store-url': bed.trustStore.url,
          'allow-local-addresses': 'true',
          'listen-address': '',
          'log-level': 'debug',
          ...settings,
          ...changed,
        },
      });
      return { ...running, name, credentialID: `JTI=${idOf(token)}`, token };
    };
    const operator = await replica('operator');

    return {
      bed,
      aws,
      operator,
      replica,
      database,
      admin,
      elsewhere,
      proxy,
      relays,
      kubeconfig,
      iamDatabase: (changes = {}) => iamDatabase(aws, database, authentication, admin, changes),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function wantedMajor(): PostgresMajor | undefined {
  const text = process.env['IAMDB_TEST_POSTGRES'] ?? '';
  const major = postgresMajors.find((one) => String(one) === text);
  if (major === undefined && text !== '') {
    throw new Error(`IAMDB_TEST_POSTGRES is "${text}", and none of ${postgresMajors.join(', ')}`);
  }
  return major;
}

const wayOut = async (aws: Aws): Promise<ConnectProxy> =>
  await startConnectProxy({
    names: ['*.amazonaws.com', `*.${aws.region}.amazonaws.com`],
    to: Number(new URL(aws.baseUrl).port),
  });

/** In a closed network AWS has its own names, which lead nowhere. */
function environmentOf(
  aws: Aws,
  role: string,
  session: string,
  proxy: ConnectProxy | undefined,
): Readonly<Record<string, string>> {
  // As EKS Pod Identity gives it.
  const key = aws.createAccessKey(role, { name: session, hasTransitiveTags: true });
  const environment = aws.environment(key);
  if (proxy === undefined) return environment;
  const own = Object.entries(environment).filter(([name]) => !name.startsWith('AWS_ENDPOINT_URL'));
  return { ...Object.fromEntries(own), HTTPS_PROXY: proxy.url };
}

/** The `jti` of a ServiceAccount's token. */
function idOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    readonly jti?: string;
  };
  return claims.jti ?? '';
}

/** What the gate asks of AWS. */
export const authorityOf = (aws: Aws): AwsAuthority => ({
  credentials: {
    lookup: (accessKeyId) => {
      const found = aws.lookupCredential(accessKeyId);
      if (found === undefined) return undefined;
      const { expiresAt, ...rest } = found;
      return { ...rest, ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }) };
    },
  },
  authorize: aws.authorize,
});

/** Where AWS makes the cluster, its endpoints and resource id are those that it was given there. */
async function asOnAws(database: Database, moto: Moto | undefined, { trust }: Bed): Promise<Database> {
  if (moto === undefined) return database;
  const { gate, endpoint, postgres } = database;
  const { port } = endpoint;
  const engineVersion = `${postgres.major}.5`;
  const { resourceID, host, readerHost } = await moto.createCluster({
    identifier: 'orders-prod',
    engineVersion,
    port,
  });
  gate.setServer({ resourceId: resourceID });
  gate.setEndpoints([
    { host, port },
    { host: readerHost, port },
  ]);
  gate.setCertificate(await trust.current.issue([host, readerHost]));
  return { ...database, endpoint: { host, port }, readerEndpoint: { host: readerHost, port } };
}

/** As RDS does it for --manage-master-user-password. */
function keepMasterSecret(aws: Aws, { username, password }: Admin): void {
  const text = JSON.stringify({ username, password });
  const arn = aws.secrets.createSecret({ name: 'rds!cluster-1a2b3c', text });
  aws.rds.modifyCluster('orders-prod', { masterUsername: username, masterUserSecretArn: arn });
}

async function applyAdminSecret(bed: Bed, username: string, password: string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  await apply(bed.kube, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'orders-admin', namespace: operatorNamespace },
    data: { username: base64(username), password: base64(password) },
  });
}

function iamDatabase(
  { partition, region }: Aws,
  { gate }: Database,
  authentication: 'IAM' | 'Secret' | 'ManagedSecret',
  { username }: Admin,
  changes: { readonly name?: string; readonly spec?: Partial<IamDatabase['spec']> },
): DatabaseManifest {
  return {
    apiVersion: 'iamdb.dev/v1alpha1',
    kind: 'IamDatabase',
    metadata: { name: changes.name ?? 'orders' },
    spec: {
      target: { type: 'Cluster', cluster: { identifier: 'orders-prod', region } },
      database: 'orders',
      connectTo: { host: '127.0.0.1', port: gate.port },
      admin: {
        username,
        authentication,
        ...(authentication === 'Secret' ? { secretRef: { name: 'orders-admin' } } : {}),
      },
      allow: [
        {
          namespaces: { names: ['payments'] },
          usernames: ['payments_*'],
          memberOf: ['orders_readwrite', 'orders_readonly'],
          principals: [`arn:${partition}:iam::${accountID}:role/payments-*`],
        },
      ],
      ...changes.spec,
    },
  };
}
