// How access ends: the role's part, and the part in the policies of its IAM roles.
import { targetOrLast } from './database-state.ts';
import type { ConditionType, Reason } from '../api/conditions.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { ObservedPolicies } from '../resources/policy/policy.ts';
import { endingHeldByBlueGreen, heldByBlueGreen } from './blue-green.ts';
import { type Ending, roleAfter } from './ending.ts';
import { converge, type Outcome } from '../kernel/converge.ts';
import { asFailure, Failure } from '../kernel/failure.ts';
import { ownerOf } from './owner.ts';
import { seenAs } from './rest.ts';
import { principalsOf } from './principals.ts';
import { endByOthers, isByOthers, roleNotManaged, toBeEnded } from './role-by-others.ts';
import { failed, type Link } from './status.ts';
import type { World } from './world.ts';

export interface Closed {
  readonly links: readonly Link[];
  /** Why somebody may still get in; undefined once nobody can. */
  readonly stillOpen?: string;
  /** What is left to others. */
  readonly left?: string;
}

/**
 * Ends the access of a user that lives on: its role is kept without login, and comes back as it was. What others share
 * with it, and how to connect, stays.
 */
export async function closeAccess(
  user: IamDatabaseUser,
  why: { readonly reason: Reason; readonly first: readonly Link[] },
  world: World,
  signal: AbortSignal,
): Promise<Closed> {
  world.vetted.delete(user.metadata.uid);
  world.proofs.delete(user.metadata.uid);
  const [role, policies] = await Promise.all([
    closeRole(user, world, signal),
    endPolicies(user, 'Disable', world, signal),
  ]);
  const { reason, first } = why;
  if (role.changed) {
    const message = `Role "${user.spec.username}" may not log in any more and its sessions were ended; it is kept.`;
    world.event(user, { type: 'Warning', reason: 'AccessEnded', message });
  }
  const closed = (type: ConditionType, failure: Failure | undefined, message = 'Access has ended.'): Link =>
    failure === undefined ? { type, status: 'Unknown', reason, message } : failed(type, failure);
  const database = world.database(user.spec.databaseRef.name);
  const left = database !== undefined && isByOthers(database) ? toBeEnded(user, role.sha256) : undefined;
  const open = role.failure ?? policies;
  const ofRole = closed('RoleReady', role.failure);
  const links = [
    ...first,
    closed('PolicyReady', policies, arePoliciesByOthers(database) ? policiesLeft : undefined),
    left !== undefined && role.failure === undefined ? roleNotManaged(left) : ofRole,
    closed('AccessVerified', undefined, open === undefined && left === undefined ? undefined : notTried),
  ];
  if (open === undefined) return left === undefined ? { links } : { links, left };
  return { links, stillOpen: `Not ended in full yet: ${open.message}` };
}

/** A role that was seen closed is left alone where its database may sleep. */
async function closeRole(
  user: IamDatabaseUser,
  world: World,
  signal: AbortSignal,
): ReturnType<typeof endRole> {
  const { name } = user.spec.databaseRef;
  const [database, target] = [world.database(name), world.stateOf(name)?.target];
  const seen =
    database === undefined || isByOthers(database) || target === undefined || target instanceof Failure
      ? undefined
      : seenAs(user, database, target, 'closed');
  const { uid } = user.metadata;
  if (seen !== undefined && world.seen.get(uid) === seen) return { changed: false };
  const closed = await endRole(user, 'Disable', world, signal);
  if (seen !== undefined && closed.failure === undefined) world.seen.set(uid, seen);
  else world.seen.delete(uid);
  return closed;
}

/**
 * The role's end, or what holds it up. A role kept because something hangs on it is an end too: it cannot log in.
 * `sha256`: of the script by which others end it.
 */
export async function endRole(
  user: IamDatabaseUser,
  ending: Ending,
  world: World,
  signal: AbortSignal,
): Promise<{ readonly failure?: Failure; readonly changed: boolean; readonly sha256?: string }> {
  const { name } = user.spec.databaseRef;
  const database = world.database(name);
  const state = world.stateOf(name);
  const held = (failure: Failure) => ({ failure, changed: false });
  if (database === undefined) return held(databaseGone(name));
  if (isByOthers(database)) {
    return { changed: false, ...(await endByOthers(user, ending, database, world, signal)) };
  }
  if (state === undefined) return held(notLookedAt('database'));
  if (state.target instanceof Failure) return held(state.target);
  if (state.server === undefined) {
    return held(new Failure('unavailable', 'Waiting', 'Waits for DatabaseResolved.'));
  }
  const namespace = world.namespace(user.metadata.namespace);
  if (namespace === undefined) return held(notLookedAt('namespace'));
  const owner = ownerOf(user, namespace.uid, database, state.target.serverResourceID, world.operatorID);
  const { reassignOwnedTo } = database.spec;
  const isHeld = state.target.isInBlueGreen === true;
  if (isHeld && ending === 'Retain') return held(heldByBlueGreen(user.spec.username, ['release']));
  const wish = {
    ensure: isHeld ? 'empty' : roleAfter[ending],
    username: user.spec.username,
    owner,
    ...(reassignOwnedTo === undefined ? {} : { reassignTo: reassignOwnedTo }),
  } as const;
  const outcome = await converge(world.role(state.server), wish, 'Enforce', signal);
  if (isHeld && !('failure' in outcome)) {
    return held(endingHeldByBlueGreen(user.spec.username));
  }
  switch (outcome.result) {
    case 'converged':
    case 'changed': {
      const kept = world.whyKept(outcome.observed);
      if (kept !== undefined) world.event(user, { type: 'Warning', reason: 'RoleKept', message: kept });
      const alone = ending === 'Retain' ? undefined : world.whyLeftAlone(outcome.observed, owner);
      if (alone !== undefined) world.event(user, { type: 'Warning', reason: 'RoleNotOurs', message: alone });
      return { changed: outcome.result === 'changed' };
    }
    case 'planned':
      return { changed: false };
    case 'blocked':
    case 'failed':
      return held(outcome.failure);
    default:
      return outcome satisfies never;
  }
}

const notLookedAt = (what: string) =>
  new Failure('unavailable', 'Progressing', `The ${what} was not looked at yet.`);

const databaseGone = (name: string) =>
  new Failure(
    'missing',
    'DatabaseNotFound',
    `IamDatabase ${name} is gone, so the role in it cannot be ended. Create it again; or drop the role by hand, and let somebody who may patch IamDatabases remove the finalizer of this object.`,
  );

/** Where somebody else keeps the policies, the operator may have no right in IAM, and so nothing there. */
export async function endPolicies(
  user: IamDatabaseUser,
  ending: Ending,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const failure = await endOurPolicies(user, ending, world, signal);
  const keptByOthers = arePoliciesByOthers(world.database(user.spec.databaseRef.name));
  return keptByOthers && failure?.kind === 'denied' ? undefined : failure;
}

const arePoliciesByOthers = (database: IamDatabase | undefined): boolean =>
  database?.spec.policy.delivery === 'Document' || database?.spec.policy.delivery === 'None';
const policiesLeft =
  'No policy of the operator lets this user in any more; what others attached for it is for them to detach.';
const notTried = 'No login is tried any more.';

async function endOurPolicies(
  user: IamDatabaseUser,
  ending: Ending,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const target = targetOrLast(world.stateOf(user.spec.databaseRef.name));
  const arns = target === undefined ? [] : world.arnsOf(user, target);
  const end = async (roleARN: string) => {
    const { managed, inline } = await world.convergePolicy(roleARN, signal, 'first');
    const shards = (observed: ObservedPolicies) => observed.shards.flatMap((shard) => shard.arns);
    const ofInline = inline && whatHolds(inline, (observed) => observed.arns, arns);
    const failure = whatHolds(managed, shards, arns) ?? ofInline;
    return failure === undefined ? [] : [{ roleARN, failure, isListed: ofInline === undefined }];
  };
  const named = new Set(principalsOf(user, world).resolved.map(({ roleARN }) => roleARN));
  const ofNamed = (await Promise.all([...named].map(end))).flat();
  if (ending === 'Retain') return ofNamed[0]?.failure;
  // Looked at afterwards: trouble with a role whose policies no longer hold the user is others' trouble.
  const holding = await world.rolesHolding(user, signal).catch(asFailure);
  if (holding instanceof Failure) return ofNamed[0]?.failure ?? holding;
  const ofOthers = (await Promise.all(holding.filter((roleARN) => !named.has(roleARN)).map(end))).flat();
  // No listing tells of inline policies.
  const ours = ofNamed.filter(({ roleARN, isListed }) => !isListed || holding.includes(roleARN));
  return [...ours, ...ofOthers][0]?.failure;
}

/** What holds up others who share the policies is no matter of one that is in none of them any more. */
function whatHolds<Observed>(
  outcome: Outcome<Observed, unknown>,
  arnsIn: (observed: Observed) => readonly string[],
  arns: readonly string[],
): Failure | undefined {
  if (!('failure' in outcome)) return undefined;
  const left =
    outcome.result !== 'blocked' ||
    arns.length === 0 ||
    arnsIn(outcome.observed).some((arn) => arns.includes(arn));
  return left ? outcome.failure : undefined;
}
