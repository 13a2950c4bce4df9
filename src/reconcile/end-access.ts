// The end of an IamDatabaseUser: access ended or left as its deletionPolicy says, then the finalizer released.
import type { Reason } from '../api/conditions.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import type { ObservedPolicies, PolicyChange } from '../resources/policy/policy.ts';
import { converge, type Outcome } from './kernel/converge.ts';
import { type Ending, endingOf, roleAfter } from './ending.ts';
import { asFailure, Failure } from './kernel/failure.ts';
import { type Mode, modeOf } from './mode.ts';
import { trustBundleName } from './names.ts';
import { type NextLook, whenSomethingHappens } from './next-look.ts';
import { ownerOf } from './owner.ts';
import { principalsOf } from './principals.ts';
import { report } from './report-user.ts';
import { hasBegun, standingOf } from './standing.ts';
import { failed, type Link } from './status.ts';
import type { Event, World } from './world.ts';

export async function endAccess(user: IamDatabaseUser, world: World, signal: AbortSignal): Promise<NextLook> {
  if (!hasBegun(user)) return whenSomethingHappens;
  world.vetted.delete(user.metadata.uid);
  const ending = endingOf(user, standingOf(user, world), world);
  const results = await Promise.all([
    endRole(user, ending, world, signal),
    endPolicies(user, world, signal),
    endTrustBundle(user, world, signal),
    endConnections(user, ending, world, signal),
  ]);
  const failures = results.filter((failure) => failure !== undefined);
  if (failures.length === 0) {
    if (ending === 'Retain') world.event(user, retained(user, modeOf(user, world)));
    await world.userWrites.release(user, signal);
    world.ended(user);
    return whenSomethingHappens;
  }
  return await report(user, world, { links: failures.map(holding) });
}

const retained = ({ spec }: IamDatabaseUser, mode: Mode): Event => ({
  type: 'Warning',
  reason: 'Retained',
  message: `${mode === 'Plan' ? 'Deleted in plan mode, which acts as deletionPolicy Retain. ' : ''}Role "${spec.username}" works on and nothing keeps it up any more. To end it: DROP ROLE, and take its ARN out of statement IamdbReleased in the policies of its IAM roles.`,
});

/** A finalizer held by a database that cannot be reached holds a namespace too: a person has to know at once. */
const holding = (failure: Failure): Link => ({
  ...failed('Ready', failure),
  ...(unreachable.has(failure.reason) ? { needsPerson: true } : {}),
});
const unreachable: ReadonlySet<Reason> = new Set([
  'DatabaseUnavailable',
  'DatabaseStopped',
  'TargetMissing',
  'AdminLoginRefused',
]);

/** The role's end, or what holds it up. A role kept because something hangs on it is an end too: it cannot log in. */
async function endRole(
  user: IamDatabaseUser,
  ending: Ending,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const { name } = user.spec.databaseRef;
  const database = world.database(name);
  const state = world.stateOf(name);
  if (database === undefined) return databaseGone(name);
  if (state === undefined)
    return new Failure('unavailable', 'Progressing', 'The database was not looked at yet.');
  if (state.target instanceof Failure) return state.target;
  if (state.server === undefined) return new Failure('unavailable', 'Waiting', 'Waits for DatabaseResolved.');
  const namespace = world.namespace(user.metadata.namespace);
  if (namespace === undefined)
    return new Failure('unavailable', 'Progressing', 'The namespace was not looked at yet.');
  const owner = ownerOf(user, namespace.uid, database, state.target.serverResourceID, world.operatorID);
  const wish = { ensure: roleAfter[ending], username: user.spec.username, owner } as const;
  const outcome = await converge(world.role(state.server), wish, 'Enforce', signal);
  switch (outcome.result) {
    case 'converged':
    case 'changed': {
      const kept = world.whyKept(outcome.observed);
      if (kept !== undefined) world.event(user, { type: 'Warning', reason: 'RoleKept', message: kept });
      return undefined;
    }
    case 'planned':
      return undefined;
    case 'blocked':
    case 'failed':
      return outcome.failure;
    default:
      return outcome satisfies never;
  }
}

const databaseGone = (name: string) =>
  new Failure(
    'missing',
    'DatabaseNotFound',
    `IamDatabase ${name} is gone, so the role in it cannot be ended. Create it again; or drop the role by hand and remove the finalizer of this object.`,
  );

async function endPolicies(
  user: IamDatabaseUser,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const target = world.stateOf(user.spec.databaseRef.name)?.target;
  const arns = target === undefined || target instanceof Failure ? [] : world.arnsOf(user, target);
  const end = async (roleARN: string) => whatHolds(await world.convergePolicy(roleARN, signal), arns);
  const named = new Set(principalsOf(user, world).resolved.map(({ roleARN }) => roleARN));
  const [ofNamed, holding] = await Promise.all([
    Promise.all([...named].map(end)),
    world.rolesHolding(user, signal).catch(asFailure),
  ]);
  if (holding instanceof Failure) return ofNamed.find((failure) => failure !== undefined) ?? holding;
  const ofOthers = await Promise.all(holding.filter((roleARN) => !named.has(roleARN)).map(end));
  return [...ofNamed, ...ofOthers].find((failure) => failure !== undefined);
}

/** What holds up others who share the policies is no matter of one that is in none of them any more. */
function whatHolds(
  outcome: Outcome<ObservedPolicies, PolicyChange>,
  arns: readonly string[],
): Failure | undefined {
  if (!('failure' in outcome)) return undefined;
  const left =
    outcome.result !== 'blocked' ||
    arns.length === 0 ||
    outcome.observed.shards.some((shard) => shard.arns.some((arn) => arns.includes(arn)));
  return left ? outcome.failure : undefined;
}

async function endTrustBundle(
  user: IamDatabaseUser,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const database = world.database(user.spec.databaseRef.name);
  const name = user.spec.trustBundle.configMapName ?? (database && trustBundleName(user, database));
  if (name === undefined) return undefined;
  return firstFailure([await world.convergeBundle(user.metadata.namespace, name, signal)]);
}

async function endConnections(
  user: IamDatabaseUser,
  ending: Ending,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const { metadata } = user;
  const ensure = ending === 'Retain' ? 'released' : 'absent';
  const identity = {
    namespace: metadata.namespace,
    operatorID: world.operatorID,
    owner: metadata,
    ensure,
  } as const;
  const outcomes = await Promise.all(
    world
      .connectionsOf(user)
      .map((name) => converge(world.connection, { ...identity, name }, 'Enforce', signal)),
  );
  return firstFailure(outcomes);
}

function firstFailure(
  outcomes: readonly ({ readonly result: string } | { readonly result: string; readonly failure: Failure })[],
): Failure | undefined {
  for (const outcome of outcomes) if ('failure' in outcome) return outcome.failure;
  return undefined;
}
