// The four things kept for a user, each converged and told as a link of the chain.
import type { ConditionType } from '../api/conditions.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { connectionData } from '../resources/connection/data.ts';
import type { DesiredConnection } from '../resources/connection/plan.ts';
import type { DesiredRole } from '../resources/role/role.ts';
import { heldByBlueGreen } from './blue-green.ts';
import type { Outcome } from './kernel/converge.ts';
import { converge } from './kernel/converge.ts';
import { type Preview, preview } from './kernel/preview.ts';
import { Failure } from './kernel/failure.ts';
import { connectionName, trustBundleName } from './names.ts';
import { ownerOf } from './owner.ts';
import { seenAs } from './rest.ts';
import type { Eligible } from './standing.ts';
import { failed, good, type Link, waiting } from './status.ts';
import type { World } from './world.ts';

/** What a pass did for one link. */
export interface Done {
  readonly link: Link;
  readonly changes: readonly { readonly do: string }[];
}

/** Whether what comes after a link may begin: it holds, or is not ours to bring about. */
export const isSettled = ({ link }: Done): boolean => link.status === 'True' || link.reason === 'NotManaged';

export const declared = 'Read back and found as declared.';
const leftAlone =
  'Found as declared when it was last changed; the database is not woken to look again (resync).';

/** An outcome as a link. */
export function done(type: ConditionType, outcome: Outcome<unknown, { readonly do: string }>): Done {
  switch (outcome.result) {
    case 'converged':
      return { link: good(type, 'AsDeclared', declared), changes: [] };
    case 'changed':
      return { link: good(type, 'AsDeclared', declared), changes: outcome.changes };
    case 'planned':
      return { link: waiting(type, 'Ready'), changes: [] };
    case 'blocked':
      return { link: failed(type, outcome.failure), changes: outcome.changes };
    case 'failed':
      return { link: failed(type, outcome.failure), changes: [] };
    default:
      return outcome satisfies never;
  }
}

export async function convergeRole(
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
    world.disowned.add(uid);
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
  const state = world.stateOf(standing.database.metadata.name);
  if (state?.server === undefined) return { lines: [], failure: notOpen };
  if (state.admin instanceof Failure) return { lines: [], failure: state.admin };
  return await preview(world.role(state.server), desiredRole(user, standing, world), signal);
}

const notOpen = new Failure('unavailable', 'Progressing', 'The database was not looked at yet.');

function desiredRole(user: IamDatabaseUser, standing: Eligible, world: World): DesiredRole {
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

export async function convergeTrustBundle(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Done> {
  const name = trustBundleName(user, standing.database);
  return done('TrustBundleReady', await world.convergeBundle(user.metadata.namespace, name, signal));
}

/** The connection as declared, and the names of what is there beside it. */
function connectionsOf(user: IamDatabaseUser, { target, database }: Eligible, world: World) {
  const { metadata, spec } = user;
  const name = connectionName(user);
  const identity = { namespace: metadata.namespace, operatorID: world.operatorID, owner: metadata };
  const isAsked = spec.connection.type !== 'None';
  const wanted: DesiredConnection = {
    ...identity,
    name,
    ensure: 'present',
    data: connectionData({
      ...target,
      ...firstProxyOf(database),
      username: spec.username,
      database: database.spec.database,
      trustBundleName: trustBundleName(user, database),
      mountPath: world.settings.bundleMountPath,
    }),
  };
  const unwanted = world.connectionsOf(user).filter((other) => !isAsked || other !== name);
  return {
    wanted: isAsked ? wanted : undefined,
    unwanted: unwanted.map((other): DesiredConnection => ({ ...identity, name: other, ensure: 'absent' })),
  };
}

const firstProxyOf = ({ spec }: Eligible['database']) => {
  const [first] = spec.target.proxies ?? [];
  return first === undefined ? {} : { firstProxy: first.name };
};

export async function convergeConnection(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Done> {
  const put = async (wish: DesiredConnection) =>
    done('ConnectionReady', await converge(world.connection, wish, 'Enforce', signal));
  const { wanted, unwanted } = connectionsOf(user, standing, world);
  const kept: Done =
    wanted === undefined
      ? { link: good('ConnectionReady', 'AsDeclared', 'None is asked for.'), changes: [] }
      : await put(wanted);
  // New before old: pods may still start from the old one until the new one is there.
  if (!isSettled(kept)) return kept;
  const removed = await Promise.all(unwanted.map(put));
  const { link } = removed.find((one) => !isSettled(one)) ?? kept;
  return { link, changes: [...kept.changes, ...removed.flatMap((one) => one.changes)] };
}

/** What convergeConnection would do. */
export async function previewConnection(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Preview> {
  const { wanted, unwanted } = connectionsOf(user, standing, world);
  const wishes = [...(wanted === undefined ? [] : [wanted]), ...unwanted];
  const each = await Promise.all(wishes.map(async (wish) => await preview(world.connection, wish, signal)));
  const failure = each.find((one) => one.failure !== undefined)?.failure;
  return { lines: each.flatMap(({ lines }) => lines), ...(failure === undefined ? {} : { failure }) };
}
