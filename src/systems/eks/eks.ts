// The EKS Pod Identity associations of one cluster: listed in pages and shared, described one by one, as the list names no role.
import {
  DescribePodIdentityAssociationCommand,
  type EKSClient,
  ListPodIdentityAssociationsCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-eks';
import { Failure } from '../../kernel/failure.ts';
import type { PodIdentity, PodIdentityPort } from '../../reconcile/principals.ts';
import { sharedLook } from '../rds/shared-look.ts';
import { type OnCall, recorded } from '../sts/calls.ts';

/** AWS's own limit. */
const pageSize = 100;

export function podIdentitiesOf(options: {
  readonly client: EKSClient;
  readonly clusterName: string;
  readonly timing: {
    /** How long an answer is good. */
    readonly keepMs: number;
    /** Ends a look that AWS does not answer. */
    readonly timeoutMs: number;
  };
  /** Milliseconds, of any clock. */
  readonly now: () => number;
  readonly onCall: OnCall;
}): PodIdentityPort {
  const { client, clusterName, timing, now, onCall } = options;
  const listings = sharedLook<ReadonlyMap<string, string>>({ ...timing, now });
  const singles = sharedLook<PodIdentity | undefined>({ ...timing, now });
  const ask = async <T>(operation: string, send: () => Promise<T>) => {
    const region = await client.config.region();
    return await recorded(
      { service: 'eks', operation, region, of: `of cluster ${clusterName}` },
      onCall,
      send,
    );
  };

  const list = async (signal: AbortSignal): Promise<ReadonlyMap<string, string>> => {
    const all = new Map<string, string>();
    let nextToken: string | undefined;
    do {
      const input = { clusterName, maxResults: pageSize, nextToken };
      const answer = await ask('ListPodIdentityAssociations', async () =>
        client.send(new ListPodIdentityAssociationsCommand(input), { abortSignal: signal }),
      );
      for (const { namespace, serviceAccount, associationId } of answer.associations ?? []) {
        if (associationId !== undefined) all.set(`${namespace}/${serviceAccount}`, associationId);
      }
      nextToken = answer.nextToken;
    } while (nextToken !== undefined);
    return all;
  };

  const describe = async (associationId: string, signal: AbortSignal): Promise<PodIdentity | undefined> => {
    const { association } = await ask('DescribePodIdentityAssociation', async () =>
      client.send(new DescribePodIdentityAssociationCommand({ clusterName, associationId }), {
        abortSignal: signal,
      }),
    );
    const { roleArn: podRoleARN, targetRoleArn, disableSessionTags } = association ?? {};
    if (podRoleARN === undefined) return undefined;
    // The pods' role is only a step on the way where there is another one behind it.
    return { roleARN: targetRoleArn ?? podRoleARN, podRoleARN, hasSessionTags: disableSessionTags !== true };
  };

  return {
    list: async (signal) => {
      try {
        return (await listings('all', list, signal)).value;
      } catch (thrown) {
        throw isNotFound(thrown) ? clusterNotFound(clusterName) : thrown;
      }
    },
    describe: async (associationId, signal) => {
      try {
        const look = async (until: AbortSignal) => await describe(associationId, until);
        return (await singles(associationId, look, signal)).value;
      } catch (thrown) {
        if (isNotFound(thrown)) return undefined;
        throw thrown;
      }
    },
  };
}

const isNotFound = (thrown: unknown) =>
  thrown instanceof Error && thrown.cause instanceof ResourceNotFoundException;

const clusterNotFound = (name: string) =>
  new Failure(
    'missing',
    'ClusterNotFound',
    `AWS knows no EKS cluster ${name} in the operator's region, so no ServiceAccount's role is known. Mend --eks-cluster-name, or leave it empty if Pod Identity is not used.`,
  );
