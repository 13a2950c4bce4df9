// Reads clusters and instances as Describe answers them.
import type { DBCluster, DBInstance } from '@aws-sdk/client-rds';
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
  };
}

/** Empty texts and port 0 stand for nothing, as in the answer about a cluster that is being created. */
function present<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  const found: Partial<Record<K, V>> = {};
  if (value !== undefined && value !== '' && value !== 0) found[name] = value;
  return found;
}
