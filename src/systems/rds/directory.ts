// RDS as a directory of clusters and instances: listed by region and shared, never asked once per user.
import {
  DBClusterNotFoundFault,
  DBInstanceNotFoundFault,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  type RDSClient,
} from '@aws-sdk/client-rds';
import type { RdsDirectory } from '../../resources/target/resource.ts';
import type { ServerFacts } from '../../resources/target/target.ts';
import { type OnCall, recorded } from '../sts/calls.ts';
import { clusterFacts, instanceFacts } from './facts.ts';
import { sharedLook } from './shared-look.ts';

/** AWS's own limit. */
const pageSize = 100;

type Named = readonly [identifier: string | undefined, facts: ServerFacts];

interface Page {
  readonly items: readonly Named[];
  readonly marker: string | undefined;
}

interface Describe {
  /** One page of a kind: all of a region from a marker on, or the one of that identifier. */
  readonly send: (
    client: RDSClient,
    filter: { readonly marker?: string } | { readonly identifier: string },
    signal: AbortSignal,
  ) => Promise<Page>;
  /** What AWS answers about an identifier that it does not know. */
  readonly notFound: new (
    ...args: never
  ) => Error;
}

export function rdsDirectory(options: {
  /** A client for the region; kept by the caller. */
  readonly clientFor: (region: string) => RDSClient;
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
  const { clientFor, timing, now, onCall } = options;
  const listings = sharedLook<ReadonlyMap<string, ServerFacts>>({ ...timing, now });
  const singles = sharedLook<Page | undefined>({ ...timing, now });

  const find =
    (operation: keyof typeof describes): RdsDirectory['cluster'] =>
    async (identifier, region, signal) => {
      const name = identifier.toLowerCase();
      const { send, notFound } = describes[operation];
      const page = async (filter: Parameters<Describe['send']>[1], until: AbortSignal) =>
        await recorded({ service: 'rds', operation, region, of: `in ${region}` }, onCall, async () =>
          send(clientFor(region), filter, until),
        );

      const listing = await listings(
        `${operation} ${region}`,
        async (until) => await listAll(page, until),
        signal,
      );
      const listed = listing.value.get(name);
      if (listed !== undefined || listing.fresh) return listed;
      // Made since the listing, perhaps.
      const single = await singles(
        `${operation} ${region} ${name}`,
        async (until) => await undefinedFor(notFound, page({ identifier: name }, until)),
        signal,
      );
      return single.value?.items[0]?.[1];
    };

  return { cluster: find('DescribeDBClusters'), instance: find('DescribeDBInstances') };
}

async function listAll(
  page: (filter: { readonly marker?: string }, signal: AbortSignal) => Promise<Page>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ServerFacts>> {
  const all = new Map<string, ServerFacts>();
  let marker: string | undefined;
  do {
    const answer = await page(marker === undefined ? {} : { marker }, signal);
    for (const [identifier, facts] of answer.items) {
      if (identifier !== undefined) all.set(identifier.toLowerCase(), facts);
    }
    marker = answer.marker;
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
} satisfies Readonly<Record<string, Describe>>;

/** What does not exist is a value, not an error. */
async function undefinedFor<T>(notFound: Describe['notFound'], answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof Error && thrown.cause instanceof notFound) return undefined;
    throw thrown;
  }
}
