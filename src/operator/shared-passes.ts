// What many users share, converged once for all who wait: the policies of an IAM role, and a trust bundle.
import type { IamDatabaseUser } from '../api/objects.ts';
import { systemClock } from '../controller/clock.ts';
import { coalesce } from '../controller/coalesce.ts';
import { createTurns } from '../controller/turns.ts';
import { stanceOf } from '../reconcile/contributions.ts';
import { converge } from '../kernel/converge.ts';
import { asFailure, Failure } from '../kernel/failure.ts';
import { preview } from '../kernel/preview.ts';
import { trustBundleName } from '../reconcile/names.ts';
import { hasBegun, standingOf } from '../reconcile/standing.ts';
import type { RolePolicies, World } from '../reconcile/world.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import type { DesiredTrustBundle, TrustContribution } from '../resources/trust-bundle/plan.ts';
import type { trustBundleResource } from '../resources/trust-bundle/resource.ts';
import { publicRegion } from '../resources/trust-bundle/roots.ts';
import type { Caches } from './caches.ts';
import { createRolePolicies, type RolePolicyOptions } from './role-policies.ts';
import { createRoleTurns, longestInLineMs } from './role-turns.ts';

export interface SharedPasses
  extends Pick<
    World,
    | 'turnToChange'
    | 'onTheWay'
    | 'convergePolicy'
    | 'withoutUser'
    | 'forgive'
    | 'convergeBundle'
    | 'previewPolicy'
    | 'previewBundle'
    | 'isBundleShared'
  > {}

export function sharedPasses(options: {
  readonly caches: Pick<Caches, 'users' | 'serviceAccounts' | 'isSynced'>;
  readonly world: Pick<World, 'roots' | 'publicRoots'> & RolePolicyOptions['world'];
  readonly policy: RolePolicyOptions['policy'];
  readonly inline: RolePolicyOptions['inline'];
  readonly trustBundle: ReturnType<typeof trustBundleResource>;
  readonly deadlineMs: number;
}): SharedPasses {
  const { caches, world, trustBundle, deadlineMs } = options;
  const isPlanned = world.settings.mode === 'Plan';
  // An operator in plan mode removes nothing: everything of users that stay is unknown, and what has no user stays as well.
  const isComplete = () => caches.isSynced() && !isPlanned;

  const rolePolicies = createRolePolicies(options);

  const longestMs = longestInLineMs(deadlineMs);
  const changing = createTurns({ places: changedAtOnce, longestMs, clock: systemClock });
  const turns = createRoleTurns(systemClock, deadlineMs);
  const policies = coalesce({
    run: rolePolicies.converge,
    deadlineMs,
    clock: systemClock,
    turns: { enter: turns.enter, noTurn },
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
      bundles: new Map([
        ...bundles,
        ...(contributions.some((one) => one.state === 'present' && one.throughProxies)
          ? [[publicRegion, world.publicRoots()] as const]
          : []),
      ]),
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
    return [inBundle(standing.target)];
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

  const previewBundle: World['previewBundle'] = async (user, signal) => {
    const standing = standingOf(user, world);
    if (standing.state !== 'eligible') return { lines: [] };
    const { namespace } = user.metadata;
    const name = trustBundleName(user, standing.database);
    const contribution = inBundle(standing.target);
    try {
      const desired = await bundleOf(namespace, name, signal, { user, contribution });
      return await preview(trustBundle, desired, signal);
    } catch (thrown) {
      return { lines: [], failure: asFailure(thrown) };
    }
  };

  return {
    previewPolicy: rolePolicies.preview,
    previewBundle,
    turnToChange: changing.take,
    onTheWay: turns.onTheWay,
    convergePolicy: (roleARN, signal, urgency) => {
      const asked = policies(roleARN, signal);
      if (urgency === 'first') turns.hurry(roleARN);
      return asked;
    },
    withoutUser: rolePolicies.withoutUser,
    forgive: rolePolicies.forgive,
    convergeBundle: (namespace, name, signal) => bundles(`${namespace}/${name}`, signal),
    isBundleShared: ({ metadata }, name) =>
      caches.users
        .byIndex('namespace', metadata.namespace)
        .some((other) => other.metadata.uid !== metadata.uid && toBundle(other, name).length > 0),
  };
}

/** Each writes to the API server, which answers so many within the time of a request even when it is slow. */
const changedAtOnce = 250;

const waitsForTurn = {
  result: 'failed',
  failure: new Failure(
    'throttled',
    'Progressing',
    'The policies of many IAM roles are to be changed; those of this one wait for their turn.',
    { retryAfterMs: 1_000 },
  ),
} as const;
const noTurn: RolePolicies = { managed: waitsForTurn, inline: waitsForTurn };

const inBundle = ({ region, partition, resourceIDs }: ResolvedTarget): TrustContribution => ({
  state: 'present',
  region,
  partition,
  throughProxies: resourceIDs.some((id) => id.startsWith('prx-')),
});

const isOver = (user: IamDatabaseUser): boolean =>
  user.metadata.deletionTimestamp !== undefined || !hasBegun(user);
