// The databases of the RDS stand-in and what a test can do to them.
import { randomBytes } from 'node:crypto';

export interface DatabaseTags {
  readonly [key: string]: string;
}

export interface Cluster {
  readonly identifier: string;
  /** Never changes, whatever the cluster is renamed to. */
  readonly resourceId: string;
  readonly region: string;
  readonly status: string;
  readonly endpoint: string | undefined;
  readonly readerEndpoint: string | undefined;
  readonly port: number;
  readonly engine: string;
  readonly engineVersion: string;
  readonly iamAuthentication: boolean;
  readonly masterUsername: string;
  readonly masterUserSecretArn: string | undefined;
  readonly masterUserSecretStatus: 'creating' | 'active' | 'rotating' | 'impaired';
  readonly pending: Pending;
  readonly tags: DatabaseTags;
}

export interface Instance extends Omit<Cluster, 'readerEndpoint'> {
  /** Set for members of a cluster, whose own IAM flag means nothing. */
  readonly clusterIdentifier: string | undefined;
  readonly writer: boolean;
  readonly caCertificateIdentifier: string;
}

interface Pending {
  readonly iamAuthentication?: boolean;
  readonly engineVersion?: string;
}

export interface Proxy {
  readonly name: string;
  /** The `prx-…` at the end of its ARN. */
  readonly resourceId: string;
  readonly region: string;
  readonly status: string;
  readonly endpoint: string;
  readonly engineFamily: string;
  readonly requireTls: boolean;
  readonly defaultAuthScheme: 'IAM_AUTH' | 'NONE';
  readonly iamAuth: 'DISABLED' | 'ENABLED' | 'REQUIRED';
  readonly roleArn: string;
  /** What it stands in front of: a cluster's or an instance's identifier. */
  readonly target: { readonly kind: 'cluster' | 'instance'; readonly identifier: string };
}

export interface BlueGreenDeployment {
  readonly identifier: string;
  readonly name: string;
  readonly region: string;
  readonly status: string;
  /** ARNs. */
  readonly source: string;
  readonly target: string;
}

type Requested<T, Needed extends keyof T> = Pick<T, Needed> & Partial<Omit<T, Needed | 'resourceId'>>;
type NewCluster = Requested<Cluster, 'identifier'>;
type NewInstance = Requested<Instance, 'identifier'>;
type NewProxy = Requested<Proxy, 'name' | 'target'>;
type NewBlueGreenDeployment = Requested<BlueGreenDeployment, 'name' | 'source' | 'target'>;

/** What a test does to the account's databases, as nobody's call: at once and without permissions. */
export interface RdsFixtures {
  createCluster(cluster: NewCluster): Cluster;
  /** Changes what is named; a new `identifier` renames it and keeps the resource id, as a switch-over does. */
  modifyCluster(identifier: string, changes: Partial<Omit<Cluster, 'resourceId'>>): Cluster;
  deleteCluster(identifier: string): void;
  /** A copy under another identifier: with a resource id of its own. */
  restoreCluster(from: string, changes: NewCluster): Cluster;
  createInstance(instance: NewInstance): Instance;
  modifyInstance(identifier: string, changes: Partial<Omit<Instance, 'resourceId'>>): Instance;
  deleteInstance(identifier: string): void;
  restoreInstance(from: string, changes: NewInstance): Instance;
  createProxy(proxy: NewProxy): Proxy;
  modifyProxy(name: string, changes: Partial<Omit<Proxy, 'name' | 'resourceId'>>): Proxy;
  deleteProxy(name: string): void;
  createBlueGreenDeployment(deployment: NewBlueGreenDeployment): BlueGreenDeployment;
  modifyBlueGreenDeployment(identifier: string, changes: { status: string }): BlueGreenDeployment;
  /** Names and endpoints change hands between two clusters, resource ids do not; the old one is called `-old1` then. */
  switchOver(identifier: string): BlueGreenDeployment;
  deleteBlueGreenDeployment(identifier: string): void;
}

export interface RdsState {
  readonly clusters: Map<string, Cluster>;
  readonly instances: Map<string, Instance>;
  readonly proxies: Map<string, Proxy>;
  readonly blueGreenDeployments: Map<string, BlueGreenDeployment>;
}

export function createRdsState(): RdsState {
  return { clusters: new Map(), instances: new Map(), proxies: new Map(), blueGreenDeployments: new Map() };
}

export function createRdsFixtures(
  state: RdsState,
  { region, accountId, partition }: { region: string; accountId: string; partition: string },
): RdsFixtures {
  const newCluster = (wish: NewCluster): Cluster => {
    // Made by AWS when nothing is given: a name that no resolver needs to know.
    const domain = `c${randomText(12)}.${wish.region ?? region}.rds.amazonaws.com`;
    return {
      region,
      status: 'available',
      endpoint: `${wish.identifier}.cluster-${domain}`,
      readerEndpoint: `${wish.identifier}.cluster-ro-${domain}`,
      port: 5432,
      engine: 'aurora-postgresql',
      engineVersion: '17.5',
      iamAuthentication: true,
      masterUsername: 'postgres',
      masterUserSecretArn: undefined,
      masterUserSecretStatus: 'active',
      pending: {},
      tags: {},
      ...wish,
      identifier: wish.identifier.toLowerCase(),
      resourceId: `cluster-${randomText(26).toUpperCase()}`,
    };
  };
  const newInstance = (wish: NewInstance): Instance => {
    const { readerEndpoint: _, ...common } = newCluster({ identifier: wish.identifier });
    return {
      ...common,
      endpoint: common.endpoint?.replace('.cluster-', '.'),
      engine: 'postgres',
      clusterIdentifier: undefined,
      writer: true,
      caCertificateIdentifier: 'rds-ca-rsa2048-g1',
      ...wish,
      identifier: wish.identifier.toLowerCase(),
      resourceId: `db-${randomText(26).toUpperCase()}`,
    };
  };
  return {
    createCluster: (wish) => added(state.clusters, newCluster(wish), 'identifier'),
    modifyCluster: (identifier, changes) => changed(state.clusters, identifier, changes, 'identifier'),
    deleteCluster: (identifier) => removed(state.clusters, identifier),
    restoreCluster: (from, changes) => {
      const { engine, engineVersion, iamAuthentication, masterUsername, port } = existing(
        state.clusters,
        from,
      );
      const copied = { engine, engineVersion, iamAuthentication, masterUsername, port };
      return added(state.clusters, newCluster({ ...copied, ...changes }), 'identifier');
    },
    createInstance: (wish) => added(state.instances, newInstance(wish), 'identifier'),
    modifyInstance: (identifier, changes) => changed(state.instances, identifier, changes, 'identifier'),
    deleteInstance: (identifier) => removed(state.instances, identifier),
    restoreInstance: (from, changes) => {
      const { engine, engineVersion, iamAuthentication, masterUsername, port } = existing(
        state.instances,
        from,
      );
      const copied = { engine, engineVersion, iamAuthentication, masterUsername, port };
      return added(state.instances, newInstance({ ...copied, ...changes }), 'identifier');
    },
    createProxy: (wish) => {
      const domain = `proxy-c${randomText(12)}.${wish.region ?? region}.rds.amazonaws.com`;
      const proxy: Proxy = {
        region,
        status: 'available',
        endpoint: `${wish.name}.${domain}`,
        engineFamily: 'POSTGRESQL',
        requireTls: true,
        defaultAuthScheme: 'IAM_AUTH',
        iamAuth: 'REQUIRED',
        roleArn: `arn:${partition}:iam::${accountId}:role/${wish.name}`,
        ...wish,
        resourceId: `prx-${randomText(17)}`,
      };
      return added(state.proxies, proxy, 'name');
    },
    modifyProxy: (name, changes) => changed(state.proxies, name, changes, 'name'),
    deleteProxy: (name) => removed(state.proxies, name),
    createBlueGreenDeployment: (wish) => {
      const deployment: BlueGreenDeployment = {
        region,
        status: 'AVAILABLE',
        identifier: `bgd-${randomText(16)}`,
        ...wish,
      };
      return added(state.blueGreenDeployments, deployment, 'identifier');
    },
    modifyBlueGreenDeployment: (identifier, changes) =>
      changed(state.blueGreenDeployments, identifier, changes, 'identifier'),
    switchOver: (identifier) => {
      const { source, target } = existing(state.blueGreenDeployments, identifier);
      const nameIn = (arn: string) => arn.slice(arn.lastIndexOf(':') + 1);
      const blue = existing(state.clusters, nameIn(source));
      const green = existing(state.clusters, nameIn(target));
      const { identifier: name, endpoint, readerEndpoint } = blue;
      const old = `${name}-old1`;
      const renamed = (host: string | undefined) => host?.replace(name, old);
      const former = { endpoint: renamed(endpoint), readerEndpoint: renamed(readerEndpoint) };
      changed(state.clusters, name, { identifier: old, ...former }, 'identifier');
      changed(state.clusters, green.identifier, { identifier: name, endpoint, readerEndpoint }, 'identifier');
      const after = { status: 'SWITCHOVER_COMPLETED', source: `${source}-old1`, target: source };
      return changed(state.blueGreenDeployments, identifier, after, 'identifier');
    },
    deleteBlueGreenDeployment: (identifier) => removed(state.blueGreenDeployments, identifier),
  };
}

function added<K extends string, T extends Record<K, string>>(map: Map<string, T>, item: T, key: K): T {
  const id = item[key];
  if (map.has(id)) throw new Error(`${id} exists already`);
  map.set(id, item);
  return item;
}

function changed<K extends string, T extends Record<K, string>>(
  map: Map<string, T>,
  id: string,
  changes: Partial<NoInfer<T>>,
  key: K,
): T {
  const old = existing(map, id);
  const item = { ...old, ...changes };
  if (item[key] !== id && map.has(item[key])) throw new Error(`${item[key]} exists already`);
  map.delete(id);
  map.set(item[key], item);
  return item;
}

function removed<T>(map: Map<string, T>, id: string): void {
  if (!map.delete(id)) throw new Error(`${id} does not exist`);
}

function existing<T>(map: ReadonlyMap<string, T>, id: string): T {
  const item = map.get(id);
  if (item === undefined) throw new Error(`${id} does not exist`);
  return item;
}

function randomText(length: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  return Array.from(randomBytes(length), (byte) => alphabet[byte % 32]).join('');
}
