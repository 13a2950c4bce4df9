// RDS as a directory of clusters, instances, proxies and blue/green deployments: listed by region and shared, never asked
// once per user.
import {
  BlueGreenDeploymentNotFoundFault,
  DBClusterNotFoundFault,
  DBInstanceNotFoundFault,
  DBProxyNotFoundFault,
  DescribeBlueGreenDeploymentsCommand,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  DescribeDBProxiesCommand,
  DescribeDBProxyTargetsCommand,
  type DescribeDBProxyTargetsCommandOutput,
  type RDSClient,
} from '@aws-sdk/client-rds';
import type { RdsDirectory } from '../../resources/target/resource.ts';
import { type OnCall, recorded } from '../sts/calls.ts';
import { clusterFacts, deploymentFacts, instanceFacts, proxyFacts, targetFacts } from './facts.ts';
import { sharedLook } from './shared-look.ts';

/** AWS's own limit. */
const pageSize = 100;

interface Page<Facts> {
  readonly items: readonly (readonly [identifier: string | undefined, facts: Facts])[];
  readonly marker: string | undefined;
}

type Filter = { readonly marker?: string } | { readonly identifier: string };

interface Describe<Facts> {
  /** One page of a kind: all of a region from a marker on, or the one of that identifier. */
  readonly send: (client: RDSClient, filter: Filter, signal: AbortSignal) => Promise<Page<Facts>>;
  /** What AWS answers about an identifier that it does not know. */
  readonly notFound: new (
    ...args: never
  ) => Error;
}

export function rdsDirectory(options: {
  /** A client for the region; kept by the caller. */
  readonly clientFor: (region: string) => RDSClient;
  /** The role of spec.assumeRole that the clients' credentials are of; undefined: the operator's own. */
  readonly by?: string | undefined;
  readonly timing: {
    /** How long a listing is good. */
    readonly keepMs: number;
    /** Ends a listing that AWS does not answer. */
    readonly timeoutMs: number;
  };
  /** Milliseconds, of any clock. */
  readonly now: () => number;
  readonly onCall: OnCall;
}): RdsDirectory {
  const { clientFor, by, timing, now, onCall } = options;
  const ask = async <T>(operation: string, region: string, send: (client: RDSClient) => Promise<T>) =>
    await recorded({ service: 'rds', operation, region, of: `in ${region}`, by }, onCall, async () =>
      send(clientFor(region)),
    );

  /** All of a region, and one that may have been made since. */
  const listed = <Facts>(operation: string, { send, notFound }: Describe<Facts>) => {
    const listings = sharedLook<ReadonlyMap<string, Facts>>({ ...timing, now });
    const singles = sharedLook<Page<Facts> | undefined>({ ...timing, now });
    const page = async (region: string, filter: Filter, until: AbortSignal) =>
      await ask(operation, region, async (client) => send(client, filter, until));
    const all = async (region: string, signal: AbortSignal) =>
      await listings(region, async (until) => await listAll((filter) => page(region, filter, until)), signal);
    const find = async (identifier: string, region: string, signal: AbortSignal) => {
      const name = identifier.toLowerCase();
      const listing = await all(region, signal);
      const known = listing.value.get(name);
      if (known !== undefined || listing.fresh) return known;
      const single = await singles(
        `${region} ${name}`,
        async (until) => await undefinedFor(notFound, page(region, { identifier: name }, until)),
        signal,
      );
      return single.value?.items[0]?.[1];
    };
    return { all, find };
  };

  const proxies = listed('DescribeDBProxies', describes.DescribeDBProxies);
  const proxyTargets = sharedLook<Awaited<ReturnType<RdsDirectory['proxyTargets']>>>({ ...timing, now });
  const deployments = listed('DescribeBlueGreenDeployments', describes.DescribeBlueGreenDeployments);
  return {
    cluster: listed('DescribeDBClusters', describes.DescribeDBClusters).find,
    instance: listed('DescribeDBInstances', describes.DescribeDBInstances).find,
    proxy: proxies.find,
    // Of one proxy only: AWS lists them in no other way.
    proxyTargets: async (name, region, signal) => {
      const send = async (until: AbortSignal) =>
        await listProxyTargets(async (marker) =>
          ask('DescribeDBProxyTargets', region, (client) =>
            client.send(
              new DescribeDBProxyTargetsCommand({ DBProxyName: name, MaxRecords: pageSize, Marker: marker }),
              { abortSignal: until },
            ),
          ),
        );
      const answer = async (until: AbortSignal) =>
        (await undefinedFor(DBProxyNotFoundFault, send(until))) ?? [];
      return (await proxyTargets(`${region} ${name}`, answer, signal)).value;
    },
    deployments: async (region, signal) => [...(await deployments.all(region, signal)).value.values()],
  };
}

async function listAll<Facts>(
  page: (filter: { readonly marker?: string }) => Promise<Page<Facts>>,
): Promise<ReadonlyMap<string, Facts>> {
  const all = new Map<string, Facts>();
  let marker: string | undefined;
  do {
    const answer = await page(marker === undefined ? {} : { marker });
    for (const [identifier, facts] of answer.items) {
      if (identifier !== undefined) all.set(identifier.toLowerCase(), facts);
    }
    marker = answer.marker;
  } while (marker !== undefined);
  return all;
}

async function listProxyTargets(
  page: (marker: string | undefined) => Promise<DescribeDBProxyTargetsCommandOutput>,
): ReturnType<RdsDirectory['proxyTargets']> {
  const all = [];
  let marker: string | undefined;
  do {
    const answer = await page(marker);
    all.push(...(answer.Targets ?? []).map(targetFacts));
    marker = answer.Marker;
  } while (marker !== undefined);
  return all;
}

const describes = {
  DescribeDBClusters: {
    notFound: DBClusterNotFoundFault,
    send: async (client, filter, signal) => {
      const answer = await client.send(
        new DescribeDBClustersCommand(
          'identifier' in filter
            ? { DBClusterIdentifier: filter.identifier }
            : { MaxRecords: pageSize, Marker: filter.marker },
        ),
        { abortSignal: signal },
      );
      return {
        items: (answer.DBClusters ?? []).map((one) => [one.DBClusterIdentifier, clusterFacts(one)] as const),
        marker: answer.Marker,
      };
    },
  },
  DescribeDBInstances: {
    notFound: DBInstanceNotFoundFault,
    send: async (client, filter, signal) => {
      const answer = await client.send(
        new DescribeDBInstancesCommand(
          'identifier' in filter
            ? { DBInstanceIdentifier: filter.identifier }
            : { MaxRecords: pageSize, Marker: filter.marker },
        ),
        { abortSignal: signal },
      );
      return {
        items: (answer.DBInstances ?? []).map(
          (one) => [one.DBInstanceIdentifier, instanceFacts(one)] as const,
        ),
        marker: answer.Marker,
      };
    },
  },
  DescribeDBProxies: {
    notFound: DBProxyNotFoundFault,
    send: async (client, filter, signal) => {
      const answer = await client.send(
        new DescribeDBProxiesCommand(
          'identifier' in filter
            ? { DBProxyName: filter.identifier }
            : { MaxRecords: pageSize, Marker: filter.marker },
        ),
        { abortSignal: signal },
      );
      return {
        items: (answer.DBProxies ?? []).map((one) => [one.DBProxyName, proxyFacts(one)] as const),
        marker: answer.Marker,
      };
    },
  },
  DescribeBlueGreenDeployments: {
    notFound: BlueGreenDeploymentNotFoundFault,
    send: async (client, filter, signal) => {
      const answer = await client.send(
        new DescribeBlueGreenDeploymentsCommand(
          'identifier' in filter
            ? { BlueGreenDeploymentIdentifier: filter.identifier }
            : { MaxRecords: pageSize, Marker: filter.marker },
        ),
        { abortSignal: signal },
      );
      return {
        items: (answer.BlueGreenDeployments ?? []).map(
          (one) => [one.BlueGreenDeploymentIdentifier, deploymentFacts(one)] as const,
        ),
        marker: answer.Marker,
      };
    },
  },
} satisfies Readonly<Record<string, Describe<unknown>>>;

/** What does not exist is a value, not an error. */
async function undefinedFor<T>(
  notFound: Describe<unknown>['notFound'],
  answer: Promise<T>,
): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof Error && thrown.cause instanceof notFound) return undefined;
    throw thrown;
  }
}
