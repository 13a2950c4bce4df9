// What many users share, converged once for all who wait: the policies of an IAM role, and a trust bundle.
import { annotations } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { systemClock } from '../controller/clock.ts';
import { coalesce } from '../controller/coalesce.ts';
import { stanceOf } from '../reconcile/contributions.ts';
import { createDetachments, detachmentWindowMs } from '../reconcile/detachments.ts';
import { converge } from '../reconcile/kernel/converge.ts';
import { asFailure } from '../reconcile/kernel/failure.ts';
import { preview } from '../reconcile/kernel/preview.ts';
import { trustBundleName } from '../reconcile/names.ts';
import { hasBegun, standingOf } from '../reconcile/standing.ts';
import type { World } from '../reconcile/world.ts';
import type { Contribution, DesiredPolicy } from '../resources/policy/policy.ts';
import type { Tags } from '../resources/policy/names.ts';
import type { policyResource } from '../resources/policy/resource.ts';
import type { DesiredTrustBundle, TrustContribution } from '../resources/trust-bundle/plan.ts';
import type { trustBundleResource } from '../resources/trust-bundle/resource.ts';
import type { Caches } from './caches.ts';
import { usersByRole } from './users-by-role.ts';

export interface SharedPasses
  extends Pick<
    World,
    'convergePolicy' | 'forgive' | 'convergeBundle' | 'previewPolicy' | 'previewBundle' | 'isBundleShared'
  > {}

export function sharedPasses(options: {
  readonly caches: Pick<Caches, 'users' | 'serviceAccounts' | 'isSynced'>;
  readonly world: Pick<
    World,
    | 'operatorID'
    | 'scope'
    | 'resourceIDs'
    | 'disowned'
    | 'vetted'
    | 'losses'
    | 'now'
    | 'arnsOf'
    | 'roots'
    | 'settings'
  > &
    Parameters<typeof standingOf>[1];
  readonly policy: ReturnType<typeof policyResource>;
  readonly trustBundle: ReturnType<typeof trustBundleResource>;
  readonly deadlineMs: number;
}): SharedPasses {
  const { caches, world, policy, trustBundle, deadlineMs } = options;
  const isPlanned = world.settings.mode === 'Plan';
  // An operator in plan mode removes nothing: everything of users that stay is unknown, and what has no user stays as well.
  const isComplete = () => caches.isSynced() && !isPlanned;

  const windowMs = detachmentWindowMs * world.settings.timeScale;
  const detachments = createDetachments({ windowMs, now: world.now });

  const usersOf = usersByRole(caches.users, caches.serviceAccounts, world);

  const policyOf = (roleARN: string): DesiredPolicy => ({
    roleARN,
    operatorID: world.operatorID,
    scope: world.scope(),
    contributions: contributionsTo(roleARN),
    tags: tagsFor(roleARN),
    contested: detachments.contested(roleARN),
    resourceIDs: world.resourceIDs(),
    complete: isComplete(),
  });

  /** Where two databases want another value of one tag, the name that comes first decides, always. */
  const tagsFor = (roleARN: string): Tags => {
    const names = new Set(usersOf(roleARN).naming.map(({ spec }) => spec.databaseRef.name));
    const all = [...names].toSorted().map((name) => world.database(name)?.spec.policy);
    const wanted = all.map((policy) => (policy?.delivery === 'Managed' ? (policy.tags ?? {}) : {}));
    return Object.assign({}, ...wanted.toReversed()) as Tags;
  };

  const contributionsTo = (roleARN: string, but?: IamDatabaseUser): readonly Contribution[] => {
    const { naming, possible } = usersOf(roleARN);
    const delivered = (user: IamDatabaseUser) => asDelivered(user, toPolicy(user));
    const isOther = ({ metadata }: IamDatabaseUser) => metadata.uid !== but?.metadata.uid;
    return [
      ...naming.filter(isOther).map(delivered),
      ...possible.filter(isOther).map(delivered).map(asPossible),
    ];
  };

  /** What somebody else keeps stays as it is here until they say that theirs is in place. */
  const asDelivered = (user: IamDatabaseUser, contribution: Contribution): Contribution => {
    const database = world.database(user.spec.databaseRef.name);
    if (contribution.state !== 'present' || database?.spec.policy.delivery === 'Managed') return contribution;
    const isHandedOver =
      database?.metadata.annotations?.[annotations.policiesHandedOver] ===
      String(database?.metadata.generation);
    return { ...contribution, state: isHandedOver ? 'absent' : 'unknown' };
  };

  const toPolicy = (user: IamDatabaseUser): Contribution => {
    const { username } = user.spec;
    const standing = standingOf(user, world);
    const stance = stanceOf(user, standing, world);
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
    run: async (roleARN, signal) => {
      const resource = isPlanned ? onlyReleasing(policy) : policy;
      const outcome = await converge(resource, policyOf(roleARN), 'Enforce', signal);
      detachments.note(roleARN, outcome);
      return outcome;
    },
    deadlineMs,
    clock: systemClock,
  });

  /** `asIf`: the user whose change of the wish is asked for. */
  const bundleOf = async (
    namespace: string,
    name: string,
    signal: AbortSignal,
    asIf?: { readonly user: IamDatabaseUser; readonly contribution: TrustContribution },
  ): Promise<DesiredTrustBundle> => {
    const contributions = caches.users
      .byIndex('namespace', namespace)
      .flatMap((user) =>
        user.metadata.uid === asIf?.user.metadata.uid ? [asIf.contribution] : toBundle(user, name),
      );
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
      complete: isComplete(),
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
    const stance = stanceOf(user, standing, world);
    // One that lives on may get its access again.
    if (stance === 'absent') return isOver(user) ? [] : [{ state: 'unknown' }];
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

  const previewPolicy: World['previewPolicy'] = async (user, roleARN, signal) => {
    const standing = standingOf(user, world);
    const arns = 'target' in standing ? world.arnsOf(user, standing.target) : [];
    const others = contributionsTo(roleARN, user);
    const without = { ...policyOf(roleARN), contributions: others };
    const own: Contribution = { state: 'present', username: user.spec.username, arns };
    return await preview(policy, { ...without, contributions: [...others, own] }, signal, without);
  };

  const previewBundle: World['previewBundle'] = async (user, signal) => {
    const standing = standingOf(user, world);
    if (standing.state !== 'eligible') return { lines: [] };
    const { namespace } = user.metadata;
    const name = trustBundleName(user, standing.database);
    const { region, partition } = standing.target;
    const contribution = { state: 'present', region, partition } as const;
    try {
      const desired = await bundleOf(namespace, name, signal, { user, contribution });
      return await preview(trustBundle, desired, signal);
    } catch (thrown) {
      return { lines: [], failure: asFailure(thrown) };
    }
  };

  return {
    previewPolicy,
    previewBundle,
    convergePolicy: policies,
    forgive: detachments.forgive,
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

const isOver = (user: IamDatabaseUser): boolean =>
  user.metadata.deletionTimestamp !== undefined || !hasBegun(user);

/** In plan mode a deleted user still lets go of what it leaves behind: of the policies that and nothing else is written. */
function onlyReleasing(policy: ReturnType<typeof policyResource>): ReturnType<typeof policyResource> {
  return {
    ...policy,
    plan: (desired, observed) => {
      const plan = policy.plan(desired, observed);
      if ('refused' in plan) return [];
      const before = new Map(observed.shards.map(({ policyARN, released }) => [policyARN, released.length]));
      const releasing = new Set(
        plan.flatMap((change) =>
          change.do === 'write' && change.released.length > (before.get(change.policyARN) ?? 0)
            ? [change.policyARN]
            : [],
        ),
      );
      return plan.filter(
        (change) =>
          (change.do === 'write' || change.do === 'delete-version') && releasing.has(change.policyARN),
      );
    },
  };
}
