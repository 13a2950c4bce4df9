// Reads what Describe answers about clusters, instances, proxies and blue/green deployments.
import type {
  BlueGreenDeployment,
  DBCluster,
  DBInstance,
  DBProxy,
  DBProxyTarget,
  MasterUserSecret,
} from '@aws-sdk/client-rds';
import type { Deployment } from '../../resources/target/blue-green.ts';
import type { ProxyFacts, ProxyTargetFacts } from '../../resources/target/proxy.ts';
import type { ServerFacts } from '../../resources/target/target.ts';

export function clusterFacts(cluster: DBCluster): ServerFacts {
  return {
    ...present('arn', cluster.DBClusterArn),
    ...present('resourceID', cluster.DbClusterResourceId),
    ...present('engine', cluster.Engine),
    ...present('engineVersion', cluster.EngineVersion),
    ...present('status', cluster.Status),
    ...present('endpoint', cluster.Endpoint),
    ...present('port', cluster.Port),
    ...present('readerEndpoint', cluster.ReaderEndpoint),
    iamAuthentication: cluster.IAMDatabaseAuthenticationEnabled === true,
    ...present('pendingIamAuthentication', cluster.PendingModifiedValues?.IAMDatabaseAuthenticationEnabled),
    ...masterSecret(cluster.MasterUserSecret),
  };
}

export function instanceFacts(instance: DBInstance): ServerFacts {
  return {
    ...present('arn', instance.DBInstanceArn),
    ...present('resourceID', instance.DbiResourceId),
    ...present('engine', instance.Engine),
    ...present('engineVersion', instance.EngineVersion),
    ...present('status', instance.DBInstanceStatus),
    ...present('endpoint', instance.Endpoint?.Address),
    ...present('port', instance.Endpoint?.Port),
    iamAuthentication: instance.IAMDatabaseAuthenticationEnabled === true,
    ...present('pendingIamAuthentication', instance.PendingModifiedValues?.IAMDatabaseAuthenticationEnabled),
    ...present('clusterIdentifier', instance.DBClusterIdentifier),
    ...masterSecret(instance.MasterUserSecret),
  };
}

const masterSecret = (secret: MasterUserSecret | undefined) =>
  secret === undefined
    ? {}
    : { masterSecret: { ...present('arn', secret.SecretArn), ...present('status', secret.SecretStatus) } };

export function proxyFacts(proxy: DBProxy): ProxyFacts {
  return {
    ...present('arn', proxy.DBProxyArn),
    ...present('status', proxy.Status),
    ...present('endpoint', proxy.Endpoint),
    ...present('roleARN', proxy.RoleArn),
    endToEndIAM: proxy.DefaultAuthScheme === 'IAM_AUTH',
  };
}

/** The cluster, where it is one or a member of one; else the instance. */
export function targetFacts(target: DBProxyTarget): ProxyTargetFacts {
  const { Type, RdsResourceId, TrackedClusterId = '' } = target;
  if (TrackedClusterId !== '') return { kind: 'Cluster', identifier: TrackedClusterId };
  return {
    kind: Type === 'TRACKED_CLUSTER' ? 'Cluster' : 'Instance',
    ...present('identifier', RdsResourceId),
  };
}

export function deploymentFacts(deployment: BlueGreenDeployment): Deployment {
  return {
    ...present('source', deployment.Source),
    ...present('target', deployment.Target),
    ...present('status', deployment.Status),
  };
}

/** Empty texts and port 0 stand for nothing, as in the answer about a cluster that is being created. */
function present<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  const found: Partial<Record<K, V>> = {};
  if (value !== undefined && value !== '' && value !== 0) found[name] = value;
  return found;
}
