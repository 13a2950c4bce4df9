// RDS's resources as they are described: the fields that the operator reads, under AWS's names.
import { list, type XmlValue } from '../xml.ts';
import type { BlueGreenDeployment, Cluster, DatabaseTags, Instance, Proxy, RdsState } from './state.ts';

export interface RdsAccount {
  readonly partition: string;
  readonly accountId: string;
  readonly state: RdsState;
  /** The most items in one answer, whatever MaxRecords asks for. */
  pageSize(): number;
}

export function rdsArn(account: RdsAccount, region: string, kind: string, name: string): string {
  return `arn:${account.partition}:rds:${region}:${account.accountId}:${kind}:${name}`;
}

export function clusterArn(account: RdsAccount, { region, identifier }: Cluster): string {
  return rdsArn(account, region, 'cluster', identifier);
}

export function instanceArn(account: RdsAccount, { region, identifier }: Instance): string {
  return rdsArn(account, region, 'db', identifier);
}

export function inRegion<T extends { readonly region: string }>(
  items: ReadonlyMap<string, T>,
  region: string,
): readonly T[] {
  return [...items.values()].filter((item) => item.region === region);
}

function shownTags(tags: DatabaseTags): XmlValue {
  return list(
    'Tag',
    Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
  );
}

function shownPending(pending: Cluster['pending']): Record<string, XmlValue> | undefined {
  return Object.keys(pending).length === 0
    ? undefined
    : {
        IAMDatabaseAuthenticationEnabled: pending.iamAuthentication,
        EngineVersion: pending.engineVersion,
      };
}

function shownSecret({
  masterUserSecretArn: arn,
  masterUserSecretStatus: status,
}: Pick<Cluster, 'masterUserSecretArn' | 'masterUserSecretStatus'>): XmlValue {
  return arn === undefined ? undefined : { SecretArn: arn, SecretStatus: status };
}

export function shownCluster(account: RdsAccount, cluster: Cluster): XmlValue {
  const members = [...account.state.instances.values()].filter(
    ({ clusterIdentifier, region }) => clusterIdentifier === cluster.identifier && region === cluster.region,
  );
  return {
    DBClusterIdentifier: cluster.identifier,
    DbClusterResourceId: cluster.resourceId,
    DBClusterArn: clusterArn(account, cluster),
    Engine: cluster.engine,
    EngineVersion: cluster.engineVersion,
    Status: cluster.status,
    Endpoint: cluster.endpoint,
    ReaderEndpoint: cluster.readerEndpoint,
    Port: cluster.port,
    MasterUsername: cluster.masterUsername,
    MasterUserSecret: shownSecret(cluster),
    IAMDatabaseAuthenticationEnabled: cluster.iamAuthentication,
    PendingModifiedValues: shownPending(cluster.pending),
    DBClusterMembers: list(
      'DBClusterMember',
      members.map(({ identifier, writer }) => ({
        DBInstanceIdentifier: identifier,
        IsClusterWriter: writer,
        PromotionTier: 1,
      })),
    ),
    TagList: shownTags(cluster.tags),
  };
}

export function shownInstance(account: RdsAccount, instance: Instance): XmlValue {
  return {
    DBInstanceIdentifier: instance.identifier,
    DbiResourceId: instance.resourceId,
    DBInstanceArn: instanceArn(account, instance),
    DBClusterIdentifier: instance.clusterIdentifier,
    Engine: instance.engine,
    EngineVersion: instance.engineVersion,
    DBInstanceStatus: instance.status,
    // There is no endpoint before the instance has been created.
    Endpoint:
      instance.endpoint === undefined || instance.status === 'creating'
        ? undefined
        : { Address: instance.endpoint, Port: instance.port },
    MasterUsername: instance.masterUsername,
    MasterUserSecret: shownSecret(instance),
    IAMDatabaseAuthenticationEnabled: instance.iamAuthentication,
    // Instances, unlike clusters, always have the element.
    PendingModifiedValues: shownPending(instance.pending) ?? {},
    CACertificateIdentifier: instance.caCertificateIdentifier,
    CertificateDetails: { CAIdentifier: instance.caCertificateIdentifier },
    TagList: shownTags(instance.tags),
  };
}

export function shownProxy(account: RdsAccount, proxy: Proxy): XmlValue {
  return {
    DBProxyName: proxy.name,
    DBProxyArn: rdsArn(account, proxy.region, 'db-proxy', proxy.resourceId),
    Status: proxy.status,
    EngineFamily: proxy.engineFamily,
    Endpoint: proxy.endpoint,
    RequireTLS: proxy.requireTls,
    RoleArn: proxy.roleArn,
    DefaultAuthScheme: proxy.defaultAuthScheme,
    // End-to-end IAM keeps no secrets, so there is nothing to list.
    Auth: list(
      'member',
      proxy.defaultAuthScheme === 'IAM_AUTH' ? [] : [{ AuthScheme: 'SECRETS', IAMAuth: proxy.iamAuth }],
    ),
  };
}

export function shownTargets(account: RdsAccount, { target, region }: Proxy): readonly XmlValue[] {
  const health = { State: 'AVAILABLE' };
  const instances = inRegion(account.state.instances, region).filter(({ identifier, clusterIdentifier }) =>
    target.kind === 'cluster' ? clusterIdentifier === target.identifier : identifier === target.identifier,
  );
  const tracked =
    target.kind === 'cluster'
      ? [
          {
            RdsResourceId: target.identifier,
            TrackedClusterId: target.identifier,
            Type: 'TRACKED_CLUSTER',
          },
        ]
      : [];
  return [
    ...tracked,
    ...instances.map((instance) => ({
      TargetArn: instanceArn(account, instance),
      Endpoint: instance.endpoint,
      Port: instance.port,
      RdsResourceId: instance.identifier,
      TrackedClusterId: target.kind === 'cluster' ? target.identifier : undefined,
      Type: 'RDS_INSTANCE',
      Role: instance.writer ? 'READ_WRITE' : 'READ_ONLY',
      TargetHealth: health,
    })),
  ];
}

export function shownDeployment(deployment: BlueGreenDeployment): XmlValue {
  return {
    BlueGreenDeploymentIdentifier: deployment.identifier,
    BlueGreenDeploymentName: deployment.name,
    Source: deployment.source,
    Target: deployment.target,
    Status: deployment.status,
  };
}
