// One pass over an IamDatabaseUser: from what is declared to a proven login.
import type { IamDatabaseUser } from '../api/objects.ts';
import { isLossOfSight } from './database-state.ts';
import { endAccess } from './end-access.ts';
import { expire } from './expire.ts';
import { Failure } from '../kernel/failure.ts';
import { convergeConnection, convergeTrustBundle, isSettled } from './links.ts';
import { convergePolicies } from './policy-links.ts';
import { keepPermission, losePermission } from './lose-permission.ts';
import { modeOf, ownersMode } from './mode.ts';
import { type NextLook, whenSomethingHappens } from './next-look.ts';
import { planUser } from './plan-user.ts';
import { type AccessDone, proveAccess } from './prove-access.ts';
import { checkProxyRoles } from './proxy-roles.ts';
import { convergeRole } from './role-links.ts';
import { report, reportSuspended } from './report-user.ts';
import { maySleep } from './rest.ts';
import {
  contestedServer,
  type Eligible,
  hasBegun,
  type Standing,
  standingOf,
  isDisallowed,
} from './standing.ts';
import { failed, good, isAskedFor, type Link, waiting } from './status.ts';
import { isSuspended, ownersSuspend } from './suspension.ts';
import type { World } from './world.ts';

export async function reconcileUser(key: string, world: World, signal: AbortSignal): Promise<NextLook> {
  const before = world.user(key);
  const leave = before !== undefined && isToChange(before) ? await world.turnToChange(key, signal) : nothing;
  if (leave === undefined) return { afterMs: comeAgainMs * world.settings.timeScale };
  try {
    return await pass(key, leave, world, signal);
  } finally {
    leave();
  }
}

const nothing = () => {};
const comeAgainMs = 1_000;

/** One that is Ready as it is declared is only looked at, as a rule; and an access that is to end waits for no turn. */
function isToChange({ metadata, status }: IamDatabaseUser): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const isAsDeclared = ready?.status === 'True' && ready.observedGeneration === metadata.generation;
  return !isAsDeclared && metadata.deletionTimestamp === undefined;
}

/** `leave` is called once all is changed that others may be waiting for a turn to change. */
async function pass(key: string, leave: () => void, world: World, signal: AbortSignal): Promise<NextLook> {
  // Only now: it may have changed while it waited.
  const found = world.user(key);
  if (found === undefined) return whenSomethingHappens;
  if (isSuspended(found, world) && !isTakenBack(found, world)) {
    keepPermission(found, world);
    return await reportSuspended(found, world);
  }
  if (isTooEarly(found, world)) return whenSomethingHappens;
  await world.lookAtPodIdentities(found, signal);
  if (found.metadata.deletionTimestamp !== undefined) return await endAccess(found, world, signal);

  const standing = await standingWithMark(found, world, signal);
  if (standing.state !== 'unresolved') {
    const over = await expire(found, firstOf(standing, found), world, signal);
    if (over !== undefined) return over;
  }
  if (standing.state !== 'eligible') return await stop(found, standing, world, signal);
  keepPermission(found, world);

  if (modeOf(found, world) === 'Plan') {
    return await planUser(found, standing, linksOf(standing, found), world, signal);
  }

  const arrived = world.onTheWay(standing.principals.resolved.map(({ roleARN }) => roleARN));
  try {
    return await bringAbout(found, standing, { arrived, leave }, world, signal);
  } finally {
    arrived();
  }
}

/** What others wait for. */
interface Steps {
  /** At the policies: what there is to be let in is known. */
  arrived(): void;
  /** The policies are done. */
  leave(): void;
}

async function bringAbout(
  found: IamDatabaseUser,
  standing: Eligible,
  steps: Steps,
  world: World,
  signal: AbortSignal,
): Promise<NextLook> {
  const user = hasBegun(found) ? found : await begin(found, world, signal);
  if (user instanceof Failure) {
    return await report(found, world, { links: [...linksOf(standing, found), ...notBegun(user)] });
  }
  const [bundle, connection, { role, policies, access }] = await Promise.all([
    convergeTrustBundle(user, standing, world, signal),
    convergeConnection(user, standing, world, signal),
    openAccess(user, standing, steps, world, signal),
  ]);

  const links = [
    ...linksOf(standing, user),
    policies.link,
    role.link,
    bundle.link,
    connection.link,
    access.link,
  ];
  const repairs = [role, policies, bundle, connection];
  return await report(user, world, { links, standing, policies, access, repairs });
}

/** The finalizer comes before every effect. That the right to set it is missing is told; what else fails is tried again. */
async function begin(user: IamDatabaseUser, world: World, signal: AbortSignal) {
  try {
    return await world.userWrites.hold(user, signal);
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.kind === 'denied') return thrown;
    throw thrown;
  }
}

const notBegun = (failure: Failure): readonly Link[] =>
  later.map((type) => (type === 'RoleReady' ? failed(type, failure) : waiting(type, 'RoleReady')));

/** A team's own suspend does not keep what the owner of the database takes back. */
const isTakenBack = (user: IamDatabaseUser, world: World) =>
  hasBegun(user) && !ownersSuspend(user, world) && isDisallowed(user, world);

/** It does not go on; what it has stays as it is, unless it is the owner's will that it has it no more. */
async function stop(
  user: IamDatabaseUser,
  standing: Exclude<Standing, Eligible>,
  world: World,
  signal: AbortSignal,
): Promise<NextLook> {
  const links = linksOf(standing, user);
  const database = world.database(user.spec.databaseRef.name);
  const isLost = standing.state === 'refused' && standing.by === 'owner' && hasBegun(user);
  if (isLost && database !== undefined && ownersMode(user, world) === 'Enforce') {
    const why = { why: standing.failure, first: firstOf(standing, user) };
    return await losePermission(user, database, why, world, signal);
  }
  // What cannot be seen is neither lost nor kept.
  if (standing.state !== 'unresolved') keepPermission(user, world);
  return await report(user, world, { links });
}

/**
 * After a start nothing is said of a user before its database was looked at once, which wakes it. A look to which AWS gave
 * no answer is none: what was said of this generation stands, if the database was seen then.
 */
function isTooEarly({ spec, metadata, status }: IamDatabaseUser, world: World): boolean {
  if (world.database(spec.databaseRef.name) === undefined) return false;
  const state = world.stateOf(spec.databaseRef.name);
  if (state === undefined) return true;
  const isLeaving = metadata.deletionTimestamp !== undefined;
  const was = status?.conditions?.find(({ type }) => type === 'DatabaseResolved');
  const wasSeen = was?.status === 'True' && was.observedGeneration === metadata.generation;
  return !isLeaving && isLossOfSight(state.target) && wasSeen;
}

/** One after the other: nobody may be let in as a role before it is known to be ours, and a proof needs both. */
async function openAccess(
  user: IamDatabaseUser,
  standing: Eligible,
  steps: Steps,
  world: World,
  signal: AbortSignal,
) {
  const role = await convergeRole(user, standing, world, signal);
  steps.arrived();
  const policies = await convergePolicies(user, standing, role, world, signal);
  steps.leave();
  const access: AccessDone =
    isSettled(role) && isSettled(policies)
      ? await proveAccess(user, standing, { role, policies }, world, signal)
      : { link: waiting('AccessVerified', isSettled(role) ? 'PolicyReady' : 'RoleReady') };
  // A proxy is one more way in: it holds up no proof of the way to the database itself.
  const proxied = await checkProxyRoles(user, standing, policies, world, signal);
  return { role, policies: proxied, access };
}

/**
 * Where several objects ask for one name, the role's mark decides, so it is read first, and each time: the role may have
 * been dropped and made anew for another. Where it cannot be read, what it said last is as good as there is.
 */
async function standingWithMark(user: IamDatabaseUser, world: World, signal: AbortSignal): Promise<Standing> {
  const server = contestedServer(user, world);
  if (server === undefined) return standingOf(user, world);
  const { databaseRef, username } = user.spec;
  const database = world.database(databaseRef.name);
  const isKnown = world.markOf(server, username) !== undefined;
  if (isKnown && database !== undefined && maySleep(database) && !isAskedFor(user)) {
    return standingOf(user, world);
  }
  const failure = await world.readMark(databaseRef.name, server, username, signal);
  const standing = standingOf(user, world);
  return standing.state === 'contested' && failure !== undefined
    ? { state: 'refused', by: 'others', failure }
    : standing;
}

const later = ['PolicyReady', 'RoleReady', 'TrustBundleReady', 'ConnectionReady', 'AccessVerified'] as const;

/** The first two links, and what waits for them. */
function linksOf(standing: Standing, user: IamDatabaseUser): readonly Link[] {
  switch (standing.state) {
    case 'unresolved':
      return [
        failed('DatabaseResolved', standing.failure),
        waiting('Allowed', 'DatabaseResolved'),
        ...later.map((type) => waiting(type, 'DatabaseResolved')),
      ];
    case 'refused':
      return [
        resolved(user),
        failed('Allowed', standing.failure),
        ...later.map((type) => waiting(type, 'Allowed')),
      ];
    case 'contested':
      return [
        resolved(user),
        waiting('Allowed', 'RoleReady'),
        ...later.map((type) => waiting(type, 'Allowed')),
      ];
    case 'eligible':
      return [
        resolved(user, standing.target.troubles),
        good('Allowed', 'Admitted', 'A rule admits it and it holds the user name.'),
      ];
    default:
      return standing satisfies never;
  }
}

const firstOf = (standing: Standing, user: IamDatabaseUser): readonly Link[] =>
  linksOf(standing, user).filter(({ type }) => type === 'DatabaseResolved' || type === 'Allowed');

/** What is wrong with a proxy takes nothing from the database itself, but who wants to use the proxy has to know. */
const resolved = ({ spec }: IamDatabaseUser, [trouble]: readonly Failure[] = []) =>
  good(
    'DatabaseResolved',
    'Resolved',
    `IamDatabase ${spec.databaseRef.name} is resolved.${trouble === undefined ? '' : ` But: ${trouble.message}`}`,
  );
