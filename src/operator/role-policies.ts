// One pass over all that the operator keeps on an IAM role: managed policies and the inline one, the new before the old.
import { annotations } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import type { DatabaseSpec } from '../api/schema.ts';
import { stanceOf } from '../reconcile/contributions.ts';
import { createDetachments, detachmentWindowMs } from '../reconcile/detachments.ts';
import { targetOrLast } from '../reconcile/database-state.ts';
import { converge, type Outcome } from '../kernel/converge.ts';
import { preview } from '../kernel/preview.ts';
import { hasBegun, standingOf } from '../reconcile/standing.ts';
import type { RolePolicies, World } from '../reconcile/world.ts';
import { accountOf } from '../resources/policy/arn.ts';
import { inlineHolds, inlineNotEnabled, onlyReleasingInline } from '../resources/policy/inline/inline.ts';
import type { inlineResource } from '../resources/policy/inline/resource.ts';
import type { Tags } from '../resources/policy/names.ts';
import { type Contribution, type DesiredPolicy, policyThatAllows } from '../resources/policy/policy.ts';
import type { policyResource } from '../resources/policy/resource.ts';
import { arnsWithoutUser } from '../resources/policy/without-user.ts';
import type { Caches } from './caches.ts';
import { usersByRole } from './users-by-role.ts';

type Delivery = DatabaseSpec['policy']['delivery'];
type Held = (by: Delivery | undefined, arns: readonly string[]) => boolean;
const nothingHeld: Held = () => false;

export interface RolePolicyOptions {
  readonly caches: Pick<Caches, 'users' | 'serviceAccounts' | 'isSynced'>;
  readonly world: Pick<
    World,
    | 'associatedWith'
    | 'operatorID'
    | 'scope'
    | 'resourceIDs'
    | 'disowned'
    | 'vetted'
    | 'losses'
    | 'now'
    | 'arnsOf'
    | 'settings'
  > &
    Parameters<typeof standingOf>[1];
  readonly policy: ReturnType<typeof policyResource>;
  /** Undefined where the operator may not keep inline policies: then it does not look for any either. */
  readonly inline: ReturnType<typeof inlineResource> | undefined;
}

export function createRolePolicies(options: RolePolicyOptions): {
  converge(roleARN: string, signal: AbortSignal): Promise<RolePolicies>;
  readonly preview: World['previewPolicy'];
  readonly withoutUser: World['withoutUser'];
  readonly forgive: World['forgive'];
} {
  const { caches, world } = options;
  const isPlanned = world.settings.mode === 'Plan';
  const policy = isPlanned ? onlyReleasing(options.policy) : options.policy;
  const managed: typeof policy = {
    ...policy,
    apply: async (changes, desired, observed, signal) => {
      const after = await policy.apply(changes, desired, observed, signal);
      const known = new Set(observed.shards.map(({ policyARN }) => policyARN));
      for (const { do: what, policyARN } of changes) {
        if (what === 'attach' && known.has(policyARN)) detachments.attachedAgain(desired.roleARN, policyARN);
      }
      return after;
    },
  };
  const inline = isPlanned ? options.inline && onlyReleasingOf(options.inline) : options.inline;
  // An operator in plan mode removes nothing: everything of users that stay is unknown, and what has no user stays as well.
  const isComplete = () => caches.isSynced() && !isPlanned;

  const windowMs = detachmentWindowMs * world.settings.timeScale;
  const detachments = createDetachments({ windowMs, now: world.now });

  const usersOf = usersByRole(caches.users, caches.serviceAccounts, world);

  const wishFor = (roleARN: string, contributions: readonly Contribution[]): DesiredPolicy => ({
    roleARN,
    operatorID: world.operatorID,
    scope: world.scope(),
    contributions,
    tags: tagsFor(roleARN),
    contested: detachments.contested(roleARN),
    resourceIDs: world.resourceIDs(accountOf(roleARN)),
    complete: isComplete(),
  });

  /** Where two databases want another value of one tag, the name that comes first decides, always. */
  const tagsFor = (roleARN: string): Tags => {
    const names = new Set(usersOf(roleARN).naming.map(({ spec }) => spec.databaseRef.name));
    const all = [...names].toSorted().map((name) => world.database(name)?.spec.policy);
    const wanted = all.map((policy) => (policy?.delivery === 'Managed' ? (policy.tags ?? {}) : {}));
    return Object.assign({}, ...wanted.toReversed()) as Tags;
  };

  /**
   * The contributions to policies of one kind. Who is to be let in by another kind stays as observed in this one until the
   * other is seen to hold it; what somebody else keeps, until they say that theirs is in place.
   */
  const contributionsTo = (
    kind: Delivery,
    roleARN: string,
    isHeld: Held,
    but?: IamDatabaseUser,
  ): readonly Contribution[] => {
    const delivered = (user: IamDatabaseUser): Contribution => {
      const contribution = toPolicy(user);
      const database = world.database(user.spec.databaseRef.name);
      const delivery = database?.spec.policy.delivery;
      if (contribution.state !== 'present' || delivery === kind) return contribution;
      const isHandedOver =
        (delivery === 'Document' || delivery === 'None') &&
        database?.metadata.annotations?.[annotations.policiesHandedOver] ===
          String(database?.metadata.generation);
      const mayGo = isHandedOver || isHeld(delivery, contribution.arns);
      return { ...contribution, state: mayGo ? 'absent' : 'unknown' };
    };
    const { naming, possible } = usersOf(roleARN);
    const isOther = ({ metadata }: IamDatabaseUser) => metadata.uid !== but?.metadata.uid;
    return [
      ...naming.filter(isOther).map(delivered),
      ...possible.filter(isOther).map(delivered).map(asPossible),
    ];
  };

  const toPolicy = (user: IamDatabaseUser): Contribution => {
    const { username } = user.spec;
    const standing = standingOf(user, world);
    const stance = stanceOf(user, standing, world);
    const target = 'target' in standing ? standing.target : targetLeft(user);
    const arns = target === undefined ? undefined : world.arnsOf(user, target);
    // One that leaves is no reason to keep anything, even where its database cannot be resolved any more.
    if (stance === 'absent') {
      return { state: 'absent', username, arns: arns ?? [] };
    }
    // Who was refused leaves nothing behind for good: the name may be another's, and its role with it.
    const mayRelease = standing.state !== 'refused' && arns !== undefined;
    if (stance === 'released' && mayRelease) return { state: 'released', username, arns };
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

  /**
   * Of one that is refused, or whose database cannot be resolved any more: what it left in the policies goes by this.
   * Neither does it hold on to what namesakes on other servers leave, nor they to what is its own. Who never began left
   * nothing, and may not say that anything is its own.
   */
  const targetLeft = (user: IamDatabaseUser) =>
    hasBegun(user) ? targetOrLast(world.stateOf(user.spec.databaseRef.name)) : undefined;

  const passOverManaged = async (roleARN: string, held: Held, signal: AbortSignal) => {
    const wish = wishFor(roleARN, contributionsTo('Managed', roleARN, held));
    const outcome = await converge(managed, wish, 'Enforce', signal);
    detachments.note(roleARN, outcome);
    return outcome;
  };

  const passOver = async (roleARN: string, signal: AbortSignal): Promise<RolePolicies> => {
    if (inline === undefined) {
      return { managed: await passOverManaged(roleARN, nothingHeld, signal), inline: undefined };
    }
    const passOverInline = async (held: Held) =>
      await converge(inline, wishFor(roleARN, contributionsTo('Inline', roleARN, held)), 'Enforce', signal);
    // First what gives; then what the other kind took over; each upon what was read back of the other.
    const given = await passOverInline(nothingHeld);
    const byInline: Held = (by, arns) =>
      by === 'Inline' && observedOf(given, (seen) => inlineHolds(seen, arns));
    const kept = await passOverManaged(roleARN, byInline, signal);
    const byManaged: Held = (by, arns) =>
      by === 'Managed' &&
      observedOf(kept, (seen) => arns.every((arn) => policyThatAllows(seen, arn) !== undefined));
    const moved = contributionsTo('Inline', roleARN, byManaged).flatMap((one) =>
      one.state === 'absent' ? one.arns : [],
    );
    const isLeft = observedOf(given, ({ arns }) => moved.some((arn) => arns.includes(arn)));
    return { managed: kept, inline: isLeft ? await passOverInline(byManaged) : given };
  };

  const previewPolicy: World['previewPolicy'] = async (user, roleARN, signal) => {
    const standing = standingOf(user, world);
    const arns = 'target' in standing ? world.arnsOf(user, standing.target) : [];
    const own: Contribution = { state: 'present', username: user.spec.username, arns };
    const kind = world.database(user.spec.databaseRef.name)?.spec.policy.delivery;
    if (kind === 'Inline') {
      if (options.inline === undefined) return { lines: [], failure: inlineNotEnabled };
      const others = wishFor(roleARN, contributionsTo('Inline', roleARN, nothingHeld, user));
      const wish = { ...others, contributions: [...others.contributions, own] };
      return await preview(options.inline, wish, signal, others);
    }
    const others = wishFor(roleARN, contributionsTo('Managed', roleARN, nothingHeld, user));
    const wish = { ...others, contributions: [...others.contributions, own] };
    return await preview(options.policy, wish, signal, others);
  };

  const withoutUser: World['withoutUser'] = (known) =>
    arnsWithoutUser(wishFor(known.roleARN, contributionsTo('Managed', known.roleARN, nothingHeld)), known);

  return { converge: passOver, preview: previewPolicy, withoutUser, forgive: detachments.forgive };
}

const observedOf = <Observed>(
  outcome: Outcome<Observed, unknown>,
  ask: (observed: Observed) => boolean,
): boolean => outcome.result !== 'failed' && ask(outcome.observed);

/** What stands for it stays, nothing is added. */
function asPossible(contribution: Contribution): Contribution {
  return contribution.state === 'present' ? { ...contribution, state: 'unknown' } : contribution;
}

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

function onlyReleasingOf(inline: ReturnType<typeof inlineResource>): ReturnType<typeof inlineResource> {
  return {
    ...inline,
    plan: (desired, observed) => onlyReleasingInline(inline.plan(desired, observed), observed),
  };
}
