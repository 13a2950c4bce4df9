// Describing clusters, instances, proxies and blue/green deployments through the real RDS client.
import {
  DescribeBlueGreenDeploymentsCommand,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  DescribeDBProxiesCommand,
  DescribeDBProxyTargetsCommand,
  paginateDescribeDBClusters,
} from '@aws-sdk/client-rds';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Aws, startAws } from './aws.ts';
import { type Clients, clientsFor } from './clients.ts';

const accountId = '111122223333';
let aws: Aws;
let rds: Clients['rds'];

beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId });
  rds = clientsFor(aws, aws.administrator).rds;
});
afterEach(() => aws.close());

async function idOf(identifier: string): Promise<string | undefined> {
  const { DBClusters } = await rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: identifier }));
  return DBClusters?.[0]?.DbClusterResourceId;
}

async function find(Name: string, ...Values: string[]): Promise<unknown> {
  const { DBClusters } = await rds.send(new DescribeDBClustersCommand({ Filters: [{ Name, Values }] }));
  return DBClusters?.map(({ DBClusterIdentifier }) => DBClusterIdentifier);
}

describe('a cluster', () => {
  test('is described with what the operator reads', async () => {
    const { resourceId } = aws.rds.createCluster({
      identifier: 'orders',
      endpoint: 'orders.cluster-abc.ap-northeast-2.rds.amazonaws.com',
      readerEndpoint: 'orders.cluster-ro-abc.ap-northeast-2.rds.amazonaws.com',
      port: 5433,
      engine: 'aurora-postgresql',
      engineVersion: '16.6',
      iamAuthentication: false,
      pending: { iamAuthentication: true },
      masterUserSecretArn: `arn:aws:secretsmanager:ap-northeast-2:${accountId}:secret:rds!cluster-1`,
    });
    aws.rds.createInstance({
      identifier: 'orders-1',
      clusterIdentifier: 'orders',
      engine: 'aurora-postgresql',
    });
    aws.rds.createInstance({ identifier: 'legacy' });
    const { DBClusters, Marker } = await rds.send(
      new DescribeDBClustersCommand({ DBClusterIdentifier: 'Orders' }),
    );
    expect(resourceId).toMatch(/^cluster-[A-Z2-7]{26}$/);
    expect(Marker).toBeUndefined();
    expect(DBClusters).toMatchObject([
      {
        DBClusterIdentifier: 'orders',
        DbClusterResourceId: resourceId,
        DBClusterArn: `arn:aws:rds:ap-northeast-2:${accountId}:cluster:orders`,
        Engine: 'aurora-postgresql',
        EngineVersion: '16.6',
        Status: 'available',
        Endpoint: 'orders.cluster-abc.ap-northeast-2.rds.amazonaws.com',
        ReaderEndpoint: 'orders.cluster-ro-abc.ap-northeast-2.rds.amazonaws.com',
        Port: 5433,
        IAMDatabaseAuthenticationEnabled: false,
        PendingModifiedValues: { IAMDatabaseAuthenticationEnabled: true },
        MasterUsername: 'postgres',
        MasterUserSecret: { SecretStatus: 'active' },
        DBClusterMembers: [{ DBInstanceIdentifier: 'orders-1', IsClusterWriter: true }],
      },
    ]);
  });

  test('that does not exist is DBClusterNotFoundFault', async () => {
    await expect(
      rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: 'missing' })),
    ).rejects.toMatchObject({
      name: 'DBClusterNotFoundFault',
      message: 'DBCluster missing not found.',
      $metadata: { httpStatusCode: 404 },
    });
  });

  test('has another resource id once restored or made again, and the same one once renamed', async () => {
    const first = aws.rds.createCluster({ identifier: 'orders', engineVersion: '15.3' });
    const copy = aws.rds.restoreCluster('orders', { identifier: 'orders-copy' });
    expect(copy).toMatchObject({ engineVersion: '15.3' });
    expect(copy.resourceId).not.toBe(first.resourceId);
    aws.rds.modifyCluster('orders', { identifier: 'orders-old' });
    aws.rds.modifyCluster('orders-copy', { identifier: 'orders' });

    expect(await idOf('orders-old')).toBe(first.resourceId);
    expect(await idOf('orders')).toBe(copy.resourceId);
    aws.rds.deleteCluster('orders');
    await expect(idOf('orders')).rejects.toMatchObject({ name: 'DBClusterNotFoundFault' });
    expect(aws.rds.createCluster({ identifier: 'orders' }).resourceId).not.toBe(copy.resourceId);
  });

  test('is found by filters; a filter that AWS does not know is refused', async () => {
    aws.rds.createCluster({ identifier: 'a' });
    const { resourceId } = aws.rds.createCluster({ identifier: 'b', engine: 'postgres' });
    expect(await find('db-cluster-id', 'a', 'b', 'c')).toEqual(['a', 'b']);
    expect(await find('db-cluster-id', `arn:aws:rds:ap-northeast-2:${accountId}:cluster:a`)).toEqual(['a']);
    expect(await find('db-cluster-resource-id', resourceId)).toEqual(['b']);
    expect(await find('engine', 'aurora-postgresql')).toEqual(['a']);
    await expect(find('status', 'available')).rejects.toMatchObject({
      name: 'InvalidParameterValue',
      message: 'Unrecognized filter name: status',
    });
  });

  test('comes in pages, of at least 20 when asked', async () => {
    for (let i = 0; i < 5; i++) aws.rds.createCluster({ identifier: `c${i}` });
    aws.pageSize = 2;
    const sizes: number[] = [];
    for await (const page of paginateDescribeDBClusters({ client: rds }, {})) {
      sizes.push(page.DBClusters?.length ?? 0);
    }
    expect(sizes).toEqual([2, 2, 1]);
    await expect(rds.send(new DescribeDBClustersCommand({ MaxRecords: 19 }))).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
  });

  test('is seen in its own region only', async () => {
    aws.rds.createCluster({ identifier: 'virginia', region: 'us-east-1' });
    const { DBClusters } = await rds.send(new DescribeDBClustersCommand({}));
    expect(DBClusters).toEqual([]);
    const abroad = clientsFor({ baseUrl: aws.baseUrl, region: 'us-east-1' }, aws.administrator).rds;
    const { DBClusters: there } = await abroad.send(new DescribeDBClustersCommand({}));
    expect(there?.[0]?.DBClusterArn).toBe(`arn:aws:rds:us-east-1:${accountId}:cluster:virginia`);
  });
});

describe('an instance', () => {
  test('has no endpoint while it is being created', async () => {
    const { resourceId } = aws.rds.createInstance({
      identifier: 'legacy',
      status: 'creating',
      endpoint: 'legacy.abc.ap-northeast-2.rds.amazonaws.com',
    });
    const describeIt = new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'legacy' });
    const { DBInstances: creating } = await rds.send(describeIt);
    expect(creating?.[0]).toMatchObject({ DbiResourceId: resourceId, DBInstanceStatus: 'creating' });
    expect(creating?.[0]?.Endpoint).toBeUndefined();
    aws.rds.modifyInstance('legacy', { status: 'available' });
    const { DBInstances: available } = await rds.send(describeIt);
    expect(available?.[0]).toMatchObject({
      DBInstanceArn: `arn:aws:rds:ap-northeast-2:${accountId}:db:legacy`,
      Endpoint: { Address: 'legacy.abc.ap-northeast-2.rds.amazonaws.com', Port: 5432 },
      CACertificateIdentifier: 'rds-ca-rsa2048-g1',
      IAMDatabaseAuthenticationEnabled: true,
    });
    expect(available?.[0]?.DBClusterIdentifier).toBeUndefined();
  });

  test('that does not exist is DBInstanceNotFoundFault', async () => {
    await expect(
      rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'missing' })),
    ).rejects.toMatchObject({
      name: 'DBInstanceNotFoundFault',
      message: 'DBInstance missing not found.',
      $metadata: { httpStatusCode: 404 },
    });
  });

  test('is found by its cluster', async () => {
    aws.rds.createCluster({ identifier: 'orders' });
    aws.rds.createInstance({ identifier: 'orders-1', clusterIdentifier: 'orders' });
    aws.rds.createInstance({ identifier: 'legacy' });
    const { DBInstances } = await rds.send(
      new DescribeDBInstancesCommand({ Filters: [{ Name: 'db-cluster-id', Values: ['orders'] }] }),
    );
    expect(DBInstances?.map(({ DBInstanceIdentifier }) => DBInstanceIdentifier)).toEqual(['orders-1']);
  });
});

test('a proxy shows its id only in its ARN, how it authenticates, and its targets', async () => {
  aws.rds.createCluster({ identifier: 'orders' });
  aws.rds.createInstance({ identifier: 'orders-1', clusterIdentifier: 'orders' });
  const { resourceId } = aws.rds.createProxy({
    name: 'orders-proxy',
    target: { kind: 'cluster', identifier: 'orders' },
  });
  aws.rds.createProxy({
    name: 'by-secret',
    defaultAuthScheme: 'NONE',
    target: { kind: 'cluster', identifier: 'orders' },
  });
  const { DBProxies } = await rds.send(new DescribeDBProxiesCommand({}));
  expect(DBProxies).toMatchObject([
    { DBProxyName: 'by-secret', DefaultAuthScheme: 'NONE', Auth: [{ IAMAuth: 'REQUIRED' }] },
    {
      DBProxyName: 'orders-proxy',
      DBProxyArn: `arn:aws:rds:ap-northeast-2:${accountId}:db-proxy:${resourceId}`,
      DefaultAuthScheme: 'IAM_AUTH',
      Auth: [],
    },
  ]);
  const { Targets } = await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: 'orders-proxy' }));
  expect(Targets).toMatchObject([
    { Type: 'TRACKED_CLUSTER', TrackedClusterId: 'orders' },
    { Type: 'RDS_INSTANCE', RdsResourceId: 'orders-1', Role: 'READ_WRITE' },
  ]);
  await expect(rds.send(new DescribeDBProxiesCommand({ DBProxyName: 'missing' }))).rejects.toMatchObject({
    name: 'DBProxyNotFoundFault',
  });
});

test('a proxy is changed, pointed elsewhere and gone, in its own region only', async () => {
  aws.rds.createCluster({ identifier: 'orders' });
  aws.rds.createInstance({ identifier: 'legacy' });
  const { resourceId } = aws.rds.createProxy({
    name: 'p',
    target: { kind: 'cluster', identifier: 'orders' },
  });
  aws.rds.createProxy({
    name: 'abroad',
    region: 'us-east-1',
    target: { kind: 'cluster', identifier: 'orders' },
  });
  const shown = async () => (await rds.send(new DescribeDBProxiesCommand({}))).DBProxies;
  const targets = async (DBProxyName: string) =>
    (await rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName }))).Targets;
  expect((await shown())?.map(({ DBProxyName }) => DBProxyName)).toEqual(['p']);
  expect(await targets('p')).toMatchObject([{ Type: 'TRACKED_CLUSTER' }]);
  await expect(targets('abroad')).rejects.toMatchObject({ name: 'DBProxyNotFoundFault' });

  const changed = aws.rds.modifyProxy('p', {
    status: 'suspended',
    defaultAuthScheme: 'NONE',
    target: { kind: 'instance', identifier: 'legacy' },
  });
  expect(changed.resourceId).toBe(resourceId);
  expect(await shown()).toMatchObject([{ Status: 'suspended', DefaultAuthScheme: 'NONE' }]);
  expect(await targets('p')).toMatchObject([{ Type: 'RDS_INSTANCE', RdsResourceId: 'legacy' }]);
  aws.rds.deleteProxy('p');
  expect(await shown()).toEqual([]);
  await expect(targets('p')).rejects.toMatchObject({ name: 'DBProxyNotFoundFault' });
});

test('proxies and deployments are shown to those only who may see them', async () => {
  const bare = clientsFor(aws, aws.createAccessKey(aws.createUser({ name: 'bare' }).arn)).rds;
  aws.rds.createProxy({ name: 'p', target: { kind: 'cluster', identifier: 'orders' } });
  const asked = [
    () => bare.send(new DescribeDBProxiesCommand({})),
    () => bare.send(new DescribeDBProxyTargetsCommand({ DBProxyName: 'p' })),
    () => bare.send(new DescribeBlueGreenDeploymentsCommand({})),
  ];
  for (const ask of asked) await expect(ask()).rejects.toMatchObject({ name: 'AccessDenied' });
});

test('a switch-over exchanges names and endpoints, and no resource ids', async () => {
  const blue = aws.rds.createCluster({ identifier: 'orders' });
  const green = aws.rds.createCluster({ identifier: 'orders-green' });
  const arn = (name: string) => `arn:aws:rds:ap-northeast-2:${accountId}:cluster:${name}`;
  const { identifier } = aws.rds.createBlueGreenDeployment({
    name: 'upgrade',
    source: arn('orders'),
    target: arn('orders-green'),
  });
  aws.rds.switchOver(identifier);
  const { DBClusters } = await rds.send(new DescribeDBClustersCommand({}));
  expect(DBClusters).toMatchObject([
    { DBClusterIdentifier: 'orders', DbClusterResourceId: green.resourceId, Endpoint: blue.endpoint },
    { DBClusterIdentifier: 'orders-old1', DbClusterResourceId: blue.resourceId },
  ]);
  expect(DBClusters?.[1]?.Endpoint).toMatch(/^orders-old1\.cluster-/);
  const { BlueGreenDeployments } = await rds.send(new DescribeBlueGreenDeploymentsCommand({}));
  expect(BlueGreenDeployments).toMatchObject([{ Status: 'SWITCHOVER_COMPLETED', Target: arn('orders') }]);
});

test('a blue/green deployment is found by its source and changes its status', async () => {
  const source = `arn:aws:rds:ap-northeast-2:${accountId}:cluster:orders`;
  const { identifier } = aws.rds.createBlueGreenDeployment({
    name: 'upgrade',
    source,
    target: `${source}-green`,
  });
  aws.rds.modifyBlueGreenDeployment(identifier, { status: 'SWITCHOVER_IN_PROGRESS' });
  const bySource = async (value: string): Promise<unknown> => {
    const { BlueGreenDeployments } = await rds.send(
      new DescribeBlueGreenDeploymentsCommand({ Filters: [{ Name: 'source', Values: [value] }] }),
    );
    return BlueGreenDeployments;
  };
  expect(await bySource(source)).toMatchObject([
    { BlueGreenDeploymentIdentifier: identifier, Source: source, Status: 'SWITCHOVER_IN_PROGRESS' },
  ]);
  expect(await bySource(`${source}x`)).toEqual([]);
  await expect(
    rds.send(new DescribeBlueGreenDeploymentsCommand({ BlueGreenDeploymentIdentifier: 'bgd-missing' })),
  ).rejects.toMatchObject({ name: 'BlueGreenDeploymentNotFoundFault' });
});
