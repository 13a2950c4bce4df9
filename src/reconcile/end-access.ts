// The end of an IamDatabaseUser: access ended or left as its deletionPolicy says, then the finalizer released.
import type { IamDatabaseUser } from '../api/objects.ts';
import { endPolicies, endRole } from './close-access.ts';
import { type Ending, endingOf } from './ending.ts';
import { converge } from '../kernel/converge.ts';
import type { Failure } from '../kernel/failure.ts';
import { keepPermission } from './lose-permission.ts';
import { type Mode, modeOf } from './mode.ts';
import { type DocumentKind, policyKind, roleScriptKind } from '../resources/connection/plan.ts';
import { trustBundleName } from './names.ts';
import { policyPath } from '../resources/policy/names.ts';
import { type NextLook, whenSomethingHappens } from './next-look.ts';
import { principalsOf } from './principals.ts';
import { isByOthers, roleLeft } from './role-by-others.ts';
import { report } from './report-user.ts';
import { hasBegun, standingOf } from './standing.ts';
import {
  isGivenUp,
  roleGivenUp,
  unreachable,
  withWayOut,
  withWayOutOfAccount,
  withWayOutOfRole,
} from './orphan.ts';
import { failed, type Link } from './status.ts';
import type { Event, World } from './world.ts';

export async function endAccess(user: IamDatabaseUser, world: World, signal: AbortSignal): Promise<NextLook> {
  if (!hasBegun(user)) return whenSomethingHappens;
  world.vetted.delete(user.metadata.uid);
  keepPermission(user, world);
  const ending = endingOf(user, standingOf(user, world), world);
  const { name } = user.spec.databaseRef;
  const [database, state] = [world.database(name), world.stateOf(name)];
  const byOthers = isByOthers(database);
  let givenUp = false;
  let sha256: string | undefined;
  const roleEnd = async (as: Ending) => {
    const end = await endRole(user, as, world, signal);
    const { failure } = end;
    ({ sha256 } = end);
    if (!isGivenUp(user, failure, world)) {
      const isKept = database !== undefined && !byOthers;
      return failure === undefined || !isKept ? failure : withWayOutOfRole(failure);
    }
    givenUp = true;
    return undefined;
  };
  // Dropped last: while a policy still names the role, another one of that name could be entered by the wrong workload.
  const results = await Promise.all([
    roleEnd(ending === 'Delete' && !byOthers ? 'Disable' : ending),
    endPolicies(user, ending, world, signal),
    endTrustBundle(user, world, signal),
    endConfigMaps(user, ending, world, signal),
  ]);
  const ended = results.filter((failure) => failure !== undefined);
  const isDropped = ending === 'Delete' && !byOthers;
  const dropped = ended.length === 0 && isDropped ? await roleEnd(ending) : undefined;
  const failures = dropped === undefined ? ended : [dropped];
  if (failures.length === 0) {
    if (givenUp) world.event(user, roleGivenUp(user, state));
    if (ending === 'Retain') world.event(user, retained(user, modeOf(user, world), world));
    else if (byOthers) world.event(user, roleLeft(user, sha256));
    await world.userWrites.release(user, signal);
    world.ended(user);
    return whenSomethingHappens;
  }
  return await report(user, world, { links: failures.map((failure) => holding(user, failure, world)) });
}

const retained = (user: IamDatabaseUser, mode: Mode, world: World): Event => ({
  type: 'Warning',
  reason: 'Retained',
  message: `${mode === 'Plan' ? 'Deleted in plan mode, which acts as deletionPolicy Retain. ' : ''}Role "${user.spec.username}" works on and nothing keeps it up any more. To end it: DROP ROLE, and take its ARN out of statement IamdbReleased in the policies of ${rolesOf(user, world)}: managed ones under ${policyPath(world.operatorID)}, or an inline one.`,
});

/** Events hold only so much. */
function rolesOf(user: IamDatabaseUser, world: World): string {
  const all = [...new Set(principalsOf(user, world).resolved.map(({ roleARN }) => roleARN))];
  if (all.length === 0) return 'its IAM roles';
  return all.length > 3 ? `${all.slice(0, 3).join(', ')} and ${all.length - 3} more` : all.join(', ');
}

/** A finalizer held by a database that cannot be reached holds a namespace too: a person has to know at once. */
const holding = (user: IamDatabaseUser, failure: Failure, world: World): Link => {
  if (unreachable.has(failure.reason)) return { ...failed('Ready', withWayOut(failure)), needsPerson: true };
  const isShutOut = failure.reason === 'AssumeRoleRefused';
  return failed('Ready', isShutOut ? withWayOutOfAccount(failure, user, world) : failure);
};

async function endTrustBundle(
  user: IamDatabaseUser,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const database = world.database(user.spec.databaseRef.name);
  const name = user.spec.trustBundle.configMapName ?? (database && trustBundleName(user, database));
  if (name === undefined) return undefined;
  const outcome = await world.convergeBundle(user.metadata.namespace, name, signal);
  // What cannot be done for those who stay is no matter of one that leaves.
  return world.isBundleShared(user, name) ? undefined : firstFailure([outcome]);
}

/** The connection, and the documents for others. */
async function endConfigMaps(
  user: IamDatabaseUser,
  ending: Ending,
  world: World,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const { metadata } = user;
  const identity = {
    namespace: metadata.namespace,
    operatorID: world.operatorID,
    owner: metadata,
    ensure: ending === 'Retain' ? 'released' : 'absent',
  } as const;
  const wishes = [
    ...world.connectionsOf(user).map((name) => ({ ...identity, name })),
    ...documentKinds(user, world).flatMap((kind) =>
      world.documentsOf(user, kind).map((name) => ({ ...identity, name, kind })),
    ),
  ];
  return firstFailure(
    await Promise.all(wishes.map((wish) => converge(world.connection, wish, 'Enforce', signal))),
  );
}

/** What ends the role stays for who runs it. */
const documentKinds = ({ spec }: IamDatabaseUser, world: World): readonly DocumentKind[] =>
  world.database(spec.databaseRef.name)?.spec.role.delivery === 'SQL'
    ? [policyKind]
    : [policyKind, roleScriptKind];

function firstFailure(
  outcomes: readonly ({ readonly result: string } | { readonly result: string; readonly failure: Failure })[],
): Failure | undefined {
  for (const outcome of outcomes) if ('failure' in outcome) return outcome.failure;
  return undefined;
}
