// The cluster that RDS tells of and the server behind the gate as one thing: same endpoints, same resource id.
import type { Account } from '../aws/account.ts';
import type { Database } from '../bed/bed.ts';

/** Answers with its resource id. The name is the same in every account, which must not matter. */
export function createCluster(
  { rds }: Pick<Account, 'rds'>,
  { gate, endpoint, readerEndpoint, postgres }: Database,
): string {
  const { resourceId } = rds.createCluster({
    identifier: 'orders-prod',
    endpoint: endpoint.host,
    readerEndpoint: readerEndpoint.host,
    port: endpoint.port,
    engineVersion: `${postgres.major}.5`,
  });
  gate.setServer({ resourceId });
  return resourceId;
}

/** The same cluster made anew, as a restore does it: of another resource id, which it answers. */
export function recreateCluster(aws: Pick<Account, 'rds'>, database: Database): string {
  aws.rds.deleteCluster('orders-prod');
  return createCluster(aws, database);
}
