// Targets resolved over the real SDK from the AWS stand-in: pages, sharing, errors, and permissions.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RdsDirectory } from '../../src/resources/target/resource.ts';
import { resolveTarget } from '../../src/resources/target/resource.ts';
import { rdsDirectory } from '../../src/systems/rds/directory.ts';
import type { AwsCall } from '../../src/systems/sts/calls.ts';
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import { type Aws, startAws } from '../aws/aws.ts';
import { clientsFor } from '../aws/clients.ts';

const region = 'ap-northeast-2';
const accountId = '111122223333';
const { signal } = new AbortController();

let aws: Aws;
let operator: ReturnType<Aws['createAccessKey']>;
beforeAll(async () => {
  aws = await startAws({ region, accountId });
  const policy = operatorPolicy({
    partition: 'aws',
    accountID: accountId,
    operatorID: 'test',
    principals: [`arn:aws:iam::${accountId}:role/*`],
    admins: [],
  });
  // Under the published policy, so that a right that it lacks fails here.
  operator = aws.createAccessKey(aws.createUser({ name: 'operator', policies: { operator: policy } }).arn);
  aws.rds.createCluster({ identifier: 'orders-prod' });
  aws.rds.createInstance({ identifier: 'reports' });
  for (let place = 1; place <= 5; place++) aws.rds.createCluster({ identifier: `filler-${place}` });
});
afterAll(async () => {
  await aws.close();
});

let clock: number;
let heard: AwsCall[];
let directory: RdsDirectory;
beforeEach(() => {
  clock = 0;
  heard = [];
  aws.faults.clear();
  aws.clearCalls();
  aws.pageSize = 1000;
  directory = open(operator);
});

function open(credential: Parameters<typeof clientsFor>[1]): RdsDirectory {
  const { rds } = clientsFor(aws, credential);
  return rdsDirectory({
    clientFor: () => rds,
    timing: { keepMs: 10_000, timeoutMs: 5_000 },
    now: () => clock,
    onCall: (call) => heard.push(call),
  });
}

const cluster = (identifier: string) => ({ type: 'Cluster', cluster: { identifier, region } }) as const;
const instance = (identifier: string) => ({ type: 'Instance', instance: { identifier, region } }) as const;
const calls = (): readonly string[] =>
  aws.calls.map(
    ({ action, parameters }) =>
      `${action} ${parameters['DBClusterIdentifier'] ?? parameters['DBInstanceIdentifier'] ?? parameters['DBProxyName'] ?? '*'}`,
  );
/** Those about servers. */
const serverCalls = () => calls().filter((call) => !call.startsWith('DescribeBlueGreenDeployments'));

describe('a target', () => {
  it('is found as a cluster, with what policies and tokens need', async () => {
    const target = await resolveTarget(directory, cluster('Orders-Prod'), signal);
    expect(target).toMatchObject({
      partition: 'aws',
      accountID: accountId,
      region,
      port: 5432,
      engine: 'aurora-postgresql',
      engineVersion: '17.5',
    });
    expect(target.endpoint).toMatch(/^orders-prod\.cluster-c.*\.ap-northeast-2\.rds\.amazonaws\.com$/);
    expect(target.readerEndpoint).toMatch(/^orders-prod\.cluster-ro-/);
    expect(target.serverResourceID).toMatch(/^cluster-[A-Z0-9]+$/);
    expect(target.resourceIDs).toEqual([target.serverResourceID]);
  });

  it('is found as an instance', async () => {
    const target = await resolveTarget(directory, instance('reports'), signal);
    expect(target.serverResourceID).toMatch(/^db-[A-Z0-9]+$/);
    expect(target).not.toHaveProperty('readerEndpoint');
  });

  it('has another resource id when it was restored under the same name', async () => {
    const before = await resolveTarget(directory, cluster('orders-prod'), signal);
    aws.rds.modifyCluster('orders-prod', { identifier: 'orders-old' });
    aws.rds.restoreCluster('orders-old', { identifier: 'orders-prod' });
    clock += 10_000;
    const after = await resolveTarget(directory, cluster('orders-prod'), signal);
    aws.rds.deleteCluster('orders-prod');
    aws.rds.modifyCluster('orders-old', { identifier: 'orders-prod' });
    expect(after.serverResourceID).not.toBe(before.serverResourceID);
  });

  it.each([
    [{ status: 'creating', endpoint: undefined }, 'TargetNotReady'],
    [{ status: 'stopped' }, 'DatabaseStopped'],
    [{ iamAuthentication: false }, 'IamAuthenticationOff'],
    [{ engine: 'aurora-mysql', engineVersion: '8.0.mysql_aurora.3.05.2' }, 'EngineNotSupported'],
    [{ engineVersion: '10.14' }, 'EngineNotSupported'],
  ] as const)('that is %o is told as %s, and is fine again afterwards', async (changes, reason) => {
    const before = aws.rds.modifyCluster('filler-1', {});
    aws.rds.modifyCluster('filler-1', changes);
    await expect(resolveTarget(directory, cluster('filler-1'), signal)).rejects.toMatchObject({ reason });
    aws.rds.modifyCluster('filler-1', before);
    clock += 10_000;
    expect(await resolveTarget(directory, cluster('filler-1'), signal)).toMatchObject({ region });
  });

  it('tells a pending switch of IAM authentication', async () => {
    aws.rds.modifyCluster('filler-2', { iamAuthentication: false, pending: { iamAuthentication: true } });
    await expect(resolveTarget(directory, cluster('filler-2'), signal)).rejects.toMatchObject({
      reason: 'IamAuthenticationOff',
      message: expect.stringContaining('pending') as unknown,
    });
  });

  it('that is a member of a cluster is refused', async () => {
    aws.rds.createInstance({
      identifier: 'orders-prod-1',
      engine: 'aurora-postgresql',
      clusterIdentifier: 'orders-prod',
    });
    await expect(resolveTarget(directory, instance('orders-prod-1'), signal)).rejects.toMatchObject({
      reason: 'EngineNotSupported',
      message: expect.stringContaining('type Cluster') as unknown,
    });
  });
});

describe('an RDS Proxy in front of a target', () => {
  const proxied = (kind: 'Cluster' | 'Instance', ...names: readonly string[]) => ({
    ...(kind === 'Cluster' ? cluster('orders-prod') : instance('reports')),
    proxies: names.map((name) => ({ name })),
  });

  it.each([
    ['Cluster', 'cluster', 'orders-prod'],
    ['Instance', 'instance', 'reports'],
  ] as const)(
    'of type %s is found with the id of its ARN, as the last one allowed',
    async (type, kind, of) => {
      const name = `in-front-of-${kind}`;
      const { resourceId } = aws.rds.createProxy({ name, target: { kind, identifier: of } });
      const target = await resolveTarget(directory, proxied(type, name), signal);
      expect(target.resourceIDs).toEqual([target.serverResourceID, resourceId]);
      expect(target.proxies).toMatchObject([{ name, region, accountID: accountId, resourceID: resourceId }]);
      expect(target).not.toHaveProperty('troubles');
    },
  );

  it('that cannot be used is told, beside those that can', async () => {
    aws.rds.createProxy({
      name: 'by-secret',
      defaultAuthScheme: 'NONE',
      target: { kind: 'cluster', identifier: 'orders-prod' },
    });
    const names = ['by-secret', 'in-front-of-cluster', 'in-front-of-instance', 'nowhere'];
    const target = await resolveTarget(directory, proxied('Cluster', ...names), signal);
    expect(target.proxies?.map(({ name }) => name)).toEqual(['in-front-of-cluster']);
    expect(target.troubles?.map(({ reason }) => reason)).toEqual([
      'ProxyUsesSecrets',
      'ProxyTargetsElsewhere',
      'ProxyNotFound',
    ]);
  });
});

describe('a Multi-AZ cluster', () => {
  it('is a cluster with the engine of RDS, its own reader endpoint and its own id', async () => {
    const { resourceId } = aws.rds.createCluster({
      identifier: 'multi-az',
      engine: 'postgres',
      engineVersion: '16.4',
    });
    // Members have the flag and an id of their own, which count for nothing.
    aws.rds.createInstance({
      identifier: 'multi-az-instance-1',
      clusterIdentifier: 'multi-az',
      iamAuthentication: false,
    });
    const target = await resolveTarget(directory, cluster('multi-az'), signal);
    expect(target).toMatchObject({ engine: 'postgres', engineVersion: '16.4', resourceIDs: [resourceId] });
    expect(target.readerEndpoint).toMatch(/^multi-az\.cluster-ro-/);
    await expect(resolveTarget(directory, instance('multi-az-instance-1'), signal)).rejects.toMatchObject({
      reason: 'EngineNotSupported',
      message: expect.stringContaining('type Cluster') as unknown,
    });
    aws.rds.deleteInstance('multi-az-instance-1');
    aws.rds.deleteCluster('multi-az');
  });
});

describe('a blue/green deployment', () => {
  const arnOf = (identifier: string) => `arn:aws:rds:${region}:${accountId}:cluster:${identifier}`;

  it('brings the id of the other server, until the switch is over', async () => {
    const blue = aws.rds.createCluster({ identifier: 'coloured' });
    const green = aws.rds.createCluster({ identifier: 'coloured-green' });
    const look = async (identifier = 'coloured') => {
      clock += 10_000;
      return await resolveTarget(directory, cluster(identifier), signal);
    };
    expect(await look()).not.toHaveProperty('isInBlueGreen');
    const { identifier } = aws.rds.createBlueGreenDeployment({
      name: 'upgrade',
      source: arnOf('coloured'),
      target: arnOf('coloured-green'),
      status: 'PROVISIONING',
    });
    const both = [blue.resourceId, green.resourceId];
    expect(await look()).toMatchObject({ isInBlueGreen: true, resourceIDs: both });
    expect(await look('coloured-green')).toMatchObject({
      isInBlueGreen: true,
      resourceIDs: both.toReversed(),
    });
    expect(await look('orders-prod')).not.toHaveProperty('isInBlueGreen');

    aws.rds.modifyCluster('coloured', { identifier: 'coloured-old1' });
    aws.rds.modifyCluster('coloured-green', { identifier: 'coloured' });
    aws.rds.modifyBlueGreenDeployment(identifier, { status: 'SWITCHOVER_COMPLETED' });
    const after = await look();
    expect(after).not.toHaveProperty('isInBlueGreen');
    expect(after.resourceIDs).toEqual([green.resourceId]);
    aws.rds.deleteCluster('coloured-old1');
    aws.rds.deleteCluster('coloured');
  });
});

describe('the calls to RDS', () => {
  it('are one per region however many ask, and none while the answer is good', async () => {
    await Promise.all([1, 2, 3].map((n) => resolveTarget(directory, cluster(`filler-${n + 2}`), signal)));
    clock += 9_999;
    await resolveTarget(directory, cluster('orders-prod'), signal);
    const once = ['DescribeDBClusters *', 'DescribeBlueGreenDeployments *'];
    expect(calls()).toEqual(once);
    clock += 1;
    await resolveTarget(directory, cluster('orders-prod'), signal);
    expect(calls()).toEqual([...once, ...once]);
  });

  it('follow every page', async () => {
    aws.pageSize = 2;
    await Promise.all([1, 3, 5].map((n) => resolveTarget(directory, cluster(`filler-${n}`), signal)));
    expect(serverCalls()).toEqual(['DescribeDBClusters *', 'DescribeDBClusters *', 'DescribeDBClusters *']);
  });

  it('are one paged Describe of each kind, region and resync for many databases of all kinds', async () => {
    const abroad = 'eu-west-1';
    const many = 25;
    for (let place = 0; place < many; place++) {
      for (const where of [region, abroad]) {
        const name = `many-${where}-${place}`;
        aws.rds.createCluster({ identifier: name, region: where });
        aws.rds.createInstance({ identifier: name, region: where });
        const target = { kind: 'cluster', identifier: name } as const;
        if (place < 2) aws.rds.createProxy({ name, region: where, target });
      }
    }
    aws.pageSize = 20;
    const clients = new Map(
      [region, abroad].map((where) => [
        where,
        clientsFor({ baseUrl: aws.baseUrl, region: where }, operator).rds,
      ]),
    );
    const elsewhere = rdsDirectory({
      clientFor: (where) => clients.get(where) ?? clientsFor(aws, operator).rds,
      timing: { keepMs: 10_000, timeoutMs: 5_000 },
      now: () => clock,
      onCall: (call) => heard.push(call),
    });
    const targets = [region, abroad].flatMap((where) =>
      Array.from({ length: many }, (_, place) => {
        const identifier = `many-${where}-${place}`;
        const named = { identifier, region: where };
        const proxies = place < 2 ? [{ name: identifier }] : [];
        return [
          { type: 'Cluster', cluster: named, proxies } as const,
          { type: 'Instance', instance: named } as const,
        ];
      }).flat(),
    );
    const resync = async () => {
      const from = heard.length;
      const found = await Promise.all(targets.map((target) => resolveTarget(elsewhere, target, signal)));
      expect(new Set(found.map(({ serverResourceID }) => serverResourceID)).size).toBe(4 * many);
      const byRegion = Map.groupBy(heard.slice(from), (call) => call.region);
      return [...byRegion].map(([where, all]) => [
        where,
        Object.fromEntries(
          [...Map.groupBy(all, ({ operation }) => operation)].map(([operation, of]) => [
            operation,
            of.length,
          ]),
        ),
      ]);
    };
    const pages = (count: number) => Math.ceil(count / 20);
    const expected = [region, abroad].map((where) => [
      where,
      {
        DescribeDBClusters: pages(many + (where === region ? 6 : 0)),
        DescribeDBInstances: pages(many + (where === region ? 2 : 0)),
        DescribeDBProxies: 1,
        // AWS lists the targets of one proxy only.
        DescribeDBProxyTargets: 2,
        DescribeBlueGreenDeployments: 1,
      },
    ]);
    expect(await resync()).toEqual(expected);
    clock += 5_000;
    expect(await resync()).toEqual([]);
    clock += 5_000;
    expect(await resync()).toEqual(expected);
  });

  it('look once directly for a cluster that was made since the listing', async () => {
    await resolveTarget(directory, cluster('orders-prod'), signal);
    aws.rds.createCluster({ identifier: 'brand-new' });
    await Promise.all([1, 2, 3].map(() => resolveTarget(directory, cluster('Brand-New'), signal)));
    expect(serverCalls()).toEqual(['DescribeDBClusters *', 'DescribeDBClusters brand-new']);
  });

  it.each([
    ['cluster', cluster, 'DescribeDBClusters'],
    ['instance', instance, 'DescribeDBInstances'],
  ] as const)('say that a %s is missing, and do not repeat themselves', async (_, target, action) => {
    const look = () => resolveTarget(directory, target('nowhere'), signal);
    await expect(look()).rejects.toMatchObject({ reason: 'TargetMissing' });
    expect(calls()).toEqual([`${action} *`]);
    for (let n = 0; n < 3; n++) await expect(look()).rejects.toMatchObject({ reason: 'TargetMissing' });
    expect(calls()).toEqual([`${action} *`, `${action} nowhere`]);
    expect(heard.map(({ operation, status }) => `${operation} ${status}`)).toEqual([
      `${action} 200`,
      `${action} 404`,
    ]);
  });

  it.each([
    ['Throttling', 'throttled', 'Throttled'],
    ['AccessDenied', 'denied', 'AccessDenied'],
    ['ExpiredToken', 'unavailable', 'AccessDenied'],
    ['ServiceUnavailable', 'unavailable', 'AwsUnavailable'],
    ['reset', 'unavailable', 'AwsUnavailable'],
  ] as const)(
    'that end in %s are a failure, never a missing target, and recover',
    async (error, kind, reason) => {
      aws.faults.add({ service: 'rds', error });
      await expect(resolveTarget(directory, cluster('orders-prod'), signal)).rejects.toMatchObject({
        kind,
        reason,
        message: expect.stringContaining('rds:DescribeDBClusters in ap-northeast-2') as unknown,
      });
      expect(await resolveTarget(directory, cluster('orders-prod'), signal)).toMatchObject({ region });
    },
  );

  it('name the action that the policy of the operator lacks', async () => {
    const bare = aws.createAccessKey(aws.createUser({ name: 'bare' }).arn);
    await expect(resolveTarget(open(bare), instance('reports'), signal)).rejects.toMatchObject({
      reason: 'AccessDenied',
      message: expect.stringContaining('rds:DescribeDBInstances') as unknown,
    });
  });

  it('go on without the right to see blue/green deployments, and without no other', async () => {
    aws.faults.add({ service: 'rds', action: 'DescribeBlueGreenDeployments', error: 'AccessDenied' });
    expect(await resolveTarget(directory, cluster('orders-prod'), signal)).not.toHaveProperty(
      'isInBlueGreen',
    );
    clock += 10_000;
    aws.faults.add({ service: 'rds', action: 'DescribeBlueGreenDeployments', error: 'Throttling' });
    await expect(resolveTarget(directory, cluster('orders-prod'), signal)).rejects.toMatchObject({
      kind: 'throttled',
    });
    const proxied = { ...cluster('orders-prod'), proxies: [{ name: 'orders-proxy' }] };
    clock += 10_000;
    aws.faults.add({ service: 'rds', action: 'DescribeDBProxies', error: 'AccessDenied' });
    await expect(resolveTarget(directory, proxied, signal)).rejects.toMatchObject({ kind: 'denied' });
  });

  it('are none at all for an explicit target', async () => {
    const explicit = {
      host: 'orders.example.com',
      port: 5432,
      region,
      accountID: accountId,
      partition: 'aws',
      resourceIDs: ['cluster-ABC'],
    } as const;
    await resolveTarget(directory, { type: 'Explicit', explicit }, signal);
    expect(calls()).toEqual([]);
  });
});
