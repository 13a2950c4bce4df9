// What many users share, converged once for all who wait: the policies of an IAM role, and a trust bundle.
import type { IamDatabaseUser } from '../api/objects.ts';
import { systemClock } from '../controller/clock.ts';
import { coalesce } from '../controller/coalesce.ts';
import { stanceOf } from '../reconcile/contributions.ts';
import { converge } from '../reconcile/kernel/converge.ts';
import { asFailure } from '../reconcile/kernel/failure.ts';
import { trustBundleName } from '../reconcile/names.ts';
import { standingOf } from '../reconcile/standing.ts';
import { isSuspended } from '../reconcile/suspension.ts';
import type { World } from '../reconcile/world.ts';
import type { Contribution, DesiredPolicy } from '../resources/policy/policy.ts';
import type { policyResource } from '../resources/policy/resource.ts';
import type { DesiredTrustBundle, TrustContribution } from '../resources/trust-bundle/plan.ts';
import type { trustBundleResource } from '../resources/trust-bundle/resource.ts';
import type { Caches } from './caches.ts';
import { usersByRole } from './users-by-role.ts';

export interface SharedPasses extends Pick<World, 'convergePolicy' | 'convergeBundle' | 'isBundleShared'> {}

export function sharedPasses(options: {
  readonly caches: Pick<Caches, 'users' | 'serviceAccounts' | 'isSynced'>;
  readonly world: Pick<
    World,
    'operatorID' | 'scope' | 'resourceIDs' | 'disowned' | 'vetted' | 'arnsOf' | 'roots'
  > &
    Parameters<typeof standingOf>[1];
  readonly policy: ReturnType<typeof policyResource>;
  readonly trustBundle: ReturnType<typeof trustBundleResource>;
  readonly deadlineMs: number;
}): SharedPasses {
  const { caches, world, policy, trustBundle, deadlineMs } = options;

  const usersOf = usersByRole(caches.users, caches.serviceAccounts, world);

  const policyOf = (roleARN: string): DesiredPolicy => ({
    roleARN,
    operatorID: world.operatorID,
    scope: world.scope(),
    contributions: contributionsTo(roleARN),
    resourceIDs: world.resourceIDs(),
    complete: caches.isSynced(),
  });

  const contributionsTo = (roleARN: string): readonly Contribution[] => {
    const { naming, possible } = usersOf(roleARN);
    return [...naming.map(toPolicy), ...possible.map(toPolicy).map(asPossible)];
  };

  const toPolicy = (user: IamDatabaseUser): Contribution => {
    const { username } = user.spec;
    const standing = standingOf(user, world);
    const stance = stanceOf(user, standing, isSuspended(user, world));
    const target = 'target' in standing ? standing.target : undefined;
    const arns = target === undefined ? undefined : world.arnsOf(user, target);
    // One that leaves is no reason to keep anything, even where its database cannot be resolved any more.
    if (stance === 'absent') {
      return { state: 'absent', username, arns: arns ?? [] };
    }
    if (stance === 'released' && arns !== undefined) return { state: 'released', username, arns };
    // A role that turned out to be somebody else's must not be entered any more.
    if (stance === 'present' && arns !== undefined && world.disowned.has(user.metadata.uid)) {
      return { state: 'absent', username, arns };
    }
    // Nobody may be let in as a role that was not seen to be ours.
    if (stance !== 'present' || arns === undefined || !world.vetted.has(user.metadata.uid)) {
      return { state: 'unknown', username, ...(arns === undefined ? {} : { arns }) };
    }
    return { state: stance, username, arns };
  };

  const policies = coalesce({
    run: (roleARN, signal) => converge(policy, policyOf(roleARN), 'Enforce', signal),
    deadlineMs,
    clock: systemClock,
  });

  const bundleOf = async (
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<DesiredTrustBundle> => {
    const contributions = caches.users
      .byIndex('namespace', namespace)
      .flatMap((user) => toBundle(user, name));
    const regions = new Map(
      contributions.flatMap((one) => (one.state === 'present' ? [[one.region, one.partition] as const] : [])),
    );
    const fetched = await Promise.allSettled(
      [...regions].map(
        async ([region, partition]) => [region, await world.roots(region, partition, signal)] as const,
      ),
    );
    // One region's trouble is not another's; where nothing is to be had at all, it is told why.
    const failed = fetched.find((one) => one.status === 'rejected');
    const bundles = fetched.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (bundles.length === 0 && failed !== undefined) throw asFailure(failed.reason);
    return {
      namespace,
      name,
      operatorID: world.operatorID,
      contributions,
      complete: caches.isSynced(),
      bundles: new Map(bundles),
    };
  };

  const toBundle = (user: IamDatabaseUser, name: string): readonly TrustContribution[] => {
    const database = world.database(user.spec.databaseRef.name);
    const wanted =
      database === undefined ? user.spec.trustBundle.configMapName : trustBundleName(user, database);
    // A database that is gone no longer tells the region: it may be this bundle.
    if (wanted === undefined) return [{ state: 'unknown' }];
    if (wanted !== name) return [];
    const standing = standingOf(user, world);
    const stance = stanceOf(user, standing, isSuspended(user, world));
    if (stance === 'absent') return [];
    if (stance === 'released') return [{ state: 'released' }];
    if (stance === 'unknown' || standing.state !== 'eligible') return [{ state: 'unknown' }];
    const { region, partition } = standing.target;
    return [{ state: 'present', region, partition }];
  };

  const bundles = coalesce({
    run: async (key, signal) => {
      const [namespace = '', name = ''] = key.split('/');
      try {
        return await converge(trustBundle, await bundleOf(namespace, name, signal), 'Enforce', signal);
      } catch (thrown) {
        return { result: 'failed', failure: asFailure(thrown) } as const;
      }
    },
    deadlineMs,
    clock: systemClock,
  });

  return {
    convergePolicy: policies,
    convergeBundle: (namespace, name, signal) => bundles(`${namespace}/${name}`, signal),
    isBundleShared: ({ metadata }, name) =>
      caches.users
        .byIndex('namespace', metadata.namespace)
        .some((other) => other.metadata.uid !== metadata.uid && toBundle(other, name).length > 0),
  };
}

/** What stands for it stays, nothing is added. */
function asPossible(contribution: Contribution): Contribution {
  return contribution.state === 'present' ? { ...contribution, state: 'unknown' } : contribution;
}
