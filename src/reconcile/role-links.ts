// The database role of a user as a link of the chain, whoever keeps it.
import type { IamDatabaseUser } from '../api/objects.ts';
import type { DesiredConnection } from '../resources/connection/plan.ts';
import { looksMarked } from '../resources/role/mark.ts';
import type { PresentRole } from '../resources/role/role.ts';
import { heldByBlueGreen } from './blue-green.ts';
import { converge } from '../kernel/converge.ts';
import { Failure } from '../kernel/failure.ts';
import { type Preview, preview } from '../kernel/preview.ts';
import { type Done, done, isSettled } from './links.ts';
import { ownerOf } from './owner.ts';
import { isByOthers, roleNotManaged, scriptsFor, seenAsStrangers, toBeRun } from './role-by-others.ts';
import type { Eligible } from './standing.ts';
import { seenAs } from './rest.ts';
import { failed, good, waiting } from './status.ts';
import type { World } from './world.ts';

/** The role as its database wants it delivered; what another delivery left goes only once this one holds. */
export async function convergeRole(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Done> {
  const { database } = standing;
  const { uid } = user.metadata;
  const byOthers = isByOthers(database);
  if (byOthers) world.seen.delete(uid);
  // Before anything that can fail: the status has to go on saying it, as that alone outlives this process.
  const stranger = byOthers ? seenAsStrangers(user, standing, world) : undefined;
  if (stranger !== undefined) return { link: failed('RoleReady', stranger), changes: [] };
  const kept = byOthers ? undefined : await convergeManaged(user, standing, world, signal);
  if (kept !== undefined && !isSettled(kept)) return kept;
  const scripts = scriptsFor(user, database, desiredRole(user, standing, world), world);
  if (scripts instanceof Failure) return { link: failed('RoleReady', scripts), changes: [] };
  const put = async (wish: DesiredConnection) =>
    done('RoleReady', await converge(world.connection, wish, 'Enforce', signal));
  const all = await Promise.all(scripts.wishes.map(put));
  const failure = all.find((one) => !isSettled(one));
  if (failure !== undefined) return failure;
  const changes = [...(kept?.changes ?? []), ...all.flatMap((one) => one.changes)];
  if (kept !== undefined) return { link: kept.link, changes };
  // Whose role it is, they judge who keep it: nobody else looks.
  world.vetted.add(uid);
  world.disowned.delete(uid);
  return { link: roleNotManaged(toBeRun(user, standing, scripts.sha256)), changes };
}

const leftAlone =
  'Found as declared when it was last changed; the database is not woken to look again (resync).';

async function convergeManaged(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Done> {
  const state = world.stateOf(standing.database.metadata.name);
  if (state?.server === undefined) return { link: waiting('RoleReady', 'DatabaseResolved'), changes: [] };
  if (state.admin instanceof Failure) return { link: failed('RoleReady', state.admin), changes: [] };
  const { uid } = user.metadata;
  const wish = desiredRole(user, standing, world);
  const seen = seenAs(user, standing.database, standing.target, wish);
  if (seen !== undefined && world.vetted.has(uid) && world.seen.get(uid) === seen) {
    return { link: good('RoleReady', 'AsDeclared', leftAlone), changes: [] };
  }
  const outcome = await converge(
    world.role(state.server),
    wish,
    standing.target.isInBlueGreen === true ? 'Plan' : 'Enforce',
    signal,
  );
  const isSettledNow = outcome.result === 'converged' || outcome.result === 'changed';
  if (seen !== undefined && isSettledNow) world.seen.set(uid, seen);
  else world.seen.delete(uid);
  const isHeld = outcome.result === 'planned';
  const held = isHeld ? outcome.changes.map((change) => change.do) : [];
  // A plan for a role that is there, and was not refused, has found it to be ours.
  const isSeen = isHeld && !held.includes('create') && !held.includes('adopt');
  if (outcome.result === 'converged' || outcome.result === 'changed' || isSeen) {
    world.vetted.add(uid);
    world.disowned.delete(uid);
  }
  // Somebody else's role must not be entered; one that lacks something, or could not be looked at, is as it was.
  if (outcome.result === 'blocked' && outcome.failure.reason === 'RoleNotOurs') {
    world.vetted.delete(uid);
    const isMarked = looksMarked(outcome.observed.role?.comment);
    world.disowned.set(uid, isMarked ? 'marked' : 'unmarked');
  }
  return isHeld
    ? { link: failed('RoleReady', heldByBlueGreen(user.spec.username, held)), changes: [] }
    : done('RoleReady', outcome);
}

/** What convergeRole would do. */
export async function previewRole(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Preview> {
  const role = desiredRole(user, standing, world);
  const byOthers = isByOthers(standing.database);
  const stranger = byOthers ? seenAsStrangers(user, standing, world) : undefined;
  if (stranger !== undefined) return { lines: [], failure: stranger };
  const kept = byOthers ? [] : [await previewManaged(standing, role, world, signal)];
  // What was seen to be ours before is so no more; that it is somebody else's the status says.
  if (kept.some(({ failure }) => failure?.reason === 'RoleNotOurs')) world.vetted.delete(user.metadata.uid);
  const scripts = scriptsFor(user, standing.database, role, world);
  if (scripts instanceof Failure) return { lines: [], failure: scripts };
  const maps = await Promise.all(scripts.wishes.map((wish) => preview(world.connection, wish, signal)));
  const all = [...kept, ...maps];
  const failure = all.find((one) => one.failure !== undefined)?.failure;
  return { lines: all.flatMap(({ lines }) => lines), ...(failure === undefined ? {} : { failure }) };
}

async function previewManaged(
  { database }: Eligible,
  role: PresentRole,
  world: World,
  signal: AbortSignal,
): Promise<Preview> {
  const state = world.stateOf(database.metadata.name);
  if (state?.server === undefined) return { lines: [], failure: notOpen };
  if (state.admin instanceof Failure) return { lines: [], failure: state.admin };
  return await preview(world.role(state.server), role, signal);
}

const notOpen = new Failure('unavailable', 'Progressing', 'The database was not looked at yet.');

function desiredRole(user: IamDatabaseUser, standing: Eligible, world: World): PresentRole {
  const { spec } = user;
  return {
    ensure: 'present',
    username: spec.username,
    owner: ownerOf(
      user,
      standing.namespace.uid,
      standing.database,
      standing.target.serverResourceID,
      world.operatorID,
    ),
    memberOf: spec.memberOf,
    literallyAllowedGroups: standing.permission.literallyAllowedGroups,
    adopt: standing.permission.mayAdopt,
    connectionLimit: spec.connectionLimit,
    connectDatabases: spec.connectDatabases ?? [standing.database.spec.database],
    settings: definedIn(spec.settings),
    reservedUsernames: standing.reservedUsernames,
  };
}

const definedIn = (settings: IamDatabaseUser['spec']['settings']): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
