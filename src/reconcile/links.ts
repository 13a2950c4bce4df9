// What a pass over a user keeps as links of its chain, and the trust bundle and the connection among them.
import type { ConditionType } from '../api/conditions.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { connectionData } from '../resources/connection/data.ts';
import type { DesiredConnection } from '../resources/connection/plan.ts';
import type { Outcome } from '../kernel/converge.ts';
import { converge } from '../kernel/converge.ts';
import { type Preview, preview } from '../kernel/preview.ts';
import { connectionName, trustBundleName } from './names.ts';
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
