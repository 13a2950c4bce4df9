// The Describe actions of RDS and the permissions that they ask for.
import type { Action, Ask } from '../action.ts';
import { AwsError } from '../errors.ts';
import type { Parameters } from '../query.ts';
import { describe } from './pages.ts';
import {
  clusterArn,
  inRegion,
  instanceArn,
  type RdsAccount,
  rdsArn,
  shownCluster,
  shownDeployment,
  shownInstance,
  shownProxy,
  shownTargets,
} from './shown.ts';
import type { DatabaseTags } from './state.ts';

const paging = ['Marker', 'MaxRecords', 'Filters'] as const;

export function rdsActions(account: RdsAccount): Record<string, Action> {
  const { state } = account;
  return {
    DescribeDBClusters: {
      writes: false,
      parameters: ['DBClusterIdentifier', 'IncludeShared', ...paging],
      asks: (parameters, region) => {
        const identifier = identifierOf(parameters, 'DBClusterIdentifier');
        const tags = identifier === undefined ? {} : state.clusters.get(identifier)?.tags;
        return [ask(account, 'DescribeDBClusters', region, 'cluster', identifier, tags)];
      },
      run: (parameters, { region }) =>
        describe(account.pageSize(), parameters, {
          items: inRegion(state.clusters, region),
          identifier: identifierOf(parameters, 'DBClusterIdentifier'),
          nameOf: ({ identifier }) => identifier,
          notFound: (id) => new AwsError('DBClusterNotFoundFault', 404, `DBCluster ${id} not found.`),
          filters: {
            'db-cluster-id': (cluster) => [cluster.identifier, clusterArn(account, cluster)],
            'db-cluster-resource-id': ({ resourceId }) => [resourceId],
            engine: ({ engine }) => [engine],
          },
          members: ['DBClusters', 'DBCluster'],
          show: (cluster) => shownCluster(account, cluster),
        }),
    },

    DescribeDBInstances: {
      writes: false,
      parameters: ['DBInstanceIdentifier', ...paging],
      asks: (parameters, region) => {
        const identifier = identifierOf(parameters, 'DBInstanceIdentifier');
        const tags = identifier === undefined ? {} : state.instances.get(identifier)?.tags;
        return [ask(account, 'DescribeDBInstances', region, 'db', identifier, tags)];
      },
      run: (parameters, { region }) =>
        describe(account.pageSize(), parameters, {
          items: inRegion(state.instances, region),
          identifier: identifierOf(parameters, 'DBInstanceIdentifier'),
          nameOf: ({ identifier }) => identifier,
          notFound: (id) => new AwsError('DBInstanceNotFound', 404, `DBInstance ${id} not found.`),
          filters: {
            'db-cluster-id': ({ clusterIdentifier, region: at }) =>
              clusterIdentifier === undefined
                ? []
                : [clusterIdentifier, rdsArn(account, at, 'cluster', clusterIdentifier)],
            'db-instance-id': (instance) => [instance.identifier, instanceArn(account, instance)],
            'dbi-resource-id': ({ resourceId }) => [resourceId],
            engine: ({ engine }) => [engine],
          },
          members: ['DBInstances', 'DBInstance'],
          show: (instance) => shownInstance(account, instance),
        }),
    },

    DescribeDBProxies: {
      writes: false,
      parameters: ['DBProxyName', ...paging],
      asks: (parameters, region) => [
        ask(account, 'DescribeDBProxies', region, 'db-proxy', proxyId(account, parameters)),
      ],
      run: (parameters, { region }) =>
        describe(account.pageSize(), parameters, {
          items: inRegion(state.proxies, region),
          identifier: parameters.optional('DBProxyName'),
          nameOf: ({ name }) => name,
          notFound: proxyNotFound,
          filters: {},
          members: ['DBProxies', 'member'],
          show: (proxy) => shownProxy(account, proxy),
        }),
    },

    DescribeDBProxyTargets: {
      writes: false,
      parameters: ['DBProxyName', 'TargetGroupName', ...paging],
      asks: (parameters, region) => [
        ask(account, 'DescribeDBProxyTargets', region, 'db-proxy', proxyId(account, parameters)),
      ],
      run: (parameters, { region }) => {
        const name = parameters.required('DBProxyName');
        const proxy = inRegion(state.proxies, region).find((candidate) => candidate.name === name);
        if (proxy === undefined) throw proxyNotFound(name);
        const group = parameters.optional('TargetGroupName') ?? 'default';
        if (group !== 'default') {
          throw new AwsError(
            'DBProxyTargetGroupNotFoundFault',
            404,
            `DB Proxy Target Group ${group} not found.`,
          );
        }
        return describe(account.pageSize(), parameters, {
          items: shownTargets(account, proxy),
          identifier: undefined,
          nameOf: (_, index) => String(index).padStart(6, '0'),
          notFound: proxyNotFound,
          filters: {},
          members: ['Targets', 'member'],
          show: (target) => target,
        });
      },
    },

    DescribeBlueGreenDeployments: {
      writes: false,
      parameters: ['BlueGreenDeploymentIdentifier', ...paging],
      asks: (parameters, region) => [
        ask(
          account,
          'DescribeBlueGreenDeployments',
          region,
          'deployment',
          parameters.optional('BlueGreenDeploymentIdentifier'),
        ),
      ],
      run: (parameters, { region }) =>
        describe(account.pageSize(), parameters, {
          items: inRegion(state.blueGreenDeployments, region),
          identifier: parameters.optional('BlueGreenDeploymentIdentifier'),
          nameOf: ({ identifier }) => identifier,
          notFound: (id) =>
            new AwsError(
              'BlueGreenDeploymentNotFoundFault',
              404,
              `BlueGreenDeployment with identifier ${id} not found.`,
            ),
          filters: {
            'blue-green-deployment-identifier': ({ identifier }) => [identifier],
            'blue-green-deployment-name': ({ name }) => [name],
            source: ({ source }) => [source],
            target: ({ target }) => [target],
          },
          members: ['BlueGreenDeployments', 'member'],
          show: shownDeployment,
        }),
    },
  };
}

/** RDS takes an ARN as well as an identifier, in any case. */
function identifierOf(parameters: Parameters, name: string): string | undefined {
  const value = parameters.optional(name);
  return value?.slice(value.startsWith('arn:') ? value.lastIndexOf(':') + 1 : 0).toLowerCase();
}

function ask(
  account: RdsAccount,
  action: string,
  region: string,
  kind: string,
  identifier: string | undefined,
  tags: DatabaseTags = {},
): Ask {
  const resource = rdsArn(account, region, kind, identifier ?? '*');
  return {
    action: `rds:${action}`,
    resource,
    described: resource,
    context: new Map(
      Object.entries(tags).map(([key, value]) => [`aws:resourcetag/${key.toLowerCase()}`, [value]]),
    ),
  };
}

function proxyId(account: RdsAccount, parameters: Parameters): string | undefined {
  const name = parameters.optional('DBProxyName');
  return name === undefined ? undefined : (account.state.proxies.get(name)?.resourceId ?? name);
}

function proxyNotFound(name: string): AwsError {
  return new AwsError('DBProxyNotFoundFault', 404, `DB Proxy ${name} not found.`);
}
