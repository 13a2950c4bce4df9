// Roles that somebody else keeps: the script for them in a ConfigMap, while the user lives and when it ends.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { type DesiredConnection, roleScriptKind } from '../resources/connection/plan.ts';
import type { PresentRole } from '../resources/role/role.ts';
import { scriptFor } from '../resources/role/script.ts';
import { type Ending, roleAfter } from './ending.ts';
import { converge } from '../kernel/converge.ts';
import { Failure } from '../kernel/failure.ts';
import { done, isSettled } from './links.ts';
import { roleScriptName } from './names.ts';
import { ownerOf } from './owner.ts';
import type { Eligible } from './standing.ts';
import type { Link } from './status.ts';
import type { Event, Stranger, World } from './world.ts';

/** Whether the operator leaves the roles of a database to others. */
export const isByOthers = (database: IamDatabase | undefined): boolean =>
  database !== undefined && database.spec.role.delivery !== 'Managed';

export interface Scripts {
  /** The ConfigMaps that there should be, and those that should not. */
  readonly wishes: readonly DesiredConnection[];
  /** Of the script that is to be run; undefined where there is none. */
  readonly sha256?: string;
}

export function scriptsFor(
  user: IamDatabaseUser,
  database: IamDatabase,
  role: PresentRole,
  world: World,
): Scripts | Failure {
  if (database.spec.role.delivery !== 'SQL') {
    const left = world.documentsOf(user, roleScriptKind);
    return { wishes: left.map((name) => ({ ...identityOf(user, world), name, ensure: 'absent' })) };
  }
  const made = scriptFor(role);
  if ('refused' in made) return made.refused;
  return { wishes: [scriptWish(user, made.script, world)], sha256: made.sha256 };
}

const identityOf = ({ metadata }: IamDatabaseUser, { operatorID }: World) =>
  ({ namespace: metadata.namespace, operatorID, owner: metadata, kind: roleScriptKind }) as const;

const dataOf = (script: string) => ({ 'role.sql': script });

const scriptWish = (user: IamDatabaseUser, script: string, world: World): DesiredConnection => ({
  ...identityOf(user, world),
  name: roleScriptName(user),
  ensure: 'present',
  data: dataOf(script),
});

/**
 * Puts what ends the access in the place of what gave it. With the object gone, the ConfigMap is left to who runs it; none
 * is made then, as its namespace may be going too.
 */
export async function endByOthers(
  user: IamDatabaseUser,
  ending: Ending,
  database: IamDatabase,
  world: World,
  signal: AbortSignal,
): Promise<{ readonly failure?: Failure; readonly sha256?: string }> {
  if (database.spec.role.delivery !== 'SQL') return {};
  const namespace = world.namespace(user.metadata.namespace);
  if (namespace === undefined) return { failure: namespaceNotSeen };
  const { reassignOwnedTo } = database.spec;
  const made = scriptFor({
    ensure: roleAfter[ending],
    username: user.spec.username,
    // The mark is judged by everything but the server, which may be unknown by now.
    owner: ownerOf(user, namespace.uid, database, '', world.operatorID),
    ...(reassignOwnedTo === undefined ? {} : { reassignTo: reassignOwnedTo }),
  });
  if ('refused' in made) return { failure: made.refused };
  const { script, sha256 } = made;
  const last = (name: string): DesiredConnection => ({
    ...identityOf(user, world),
    name,
    ensure: 'released',
    data: dataOf(script),
  });
  const wishes =
    user.metadata.deletionTimestamp === undefined
      ? [scriptWish(user, script, world)]
      : world.documentsOf(user, roleScriptKind).map(last);
  for (const wish of wishes) {
    const { link } = done('RoleReady', await converge(world.connection, wish, 'Enforce', signal));
    if (!isSettled({ link, changes: [] })) return link.failure === undefined ? {} : { failure: link.failure };
  }
  return wishes.length === 0 ? {} : { sha256 };
}

const namespaceNotSeen = new Failure('unavailable', 'Progressing', 'The namespace was not looked at yet.');

/**
 * What was found while the operator kept the roles itself, and nobody looks at any more. As under Managed, the owner of
 * the database may give away a role that carries no mark, and no other. Where this process found nothing itself, a
 * status that says it stands, as a restart must let nobody in; it does not tell of marks.
 */
export function seenAsStrangers(
  user: IamDatabaseUser,
  { database, permission }: Eligible,
  { disowned, vetted }: Pick<World, 'disowned' | 'vetted'>,
): Failure | undefined {
  const { uid } = user.metadata;
  const found = disowned.get(uid) ?? (isTold(user) && !vetted.has(uid) ? 'told' : undefined);
  if (found === undefined || (found === 'unmarked' && permission.mayAdopt)) return undefined;
  const { metadata, spec } = database;
  return new Failure(
    'conflict',
    'RoleNotOurs',
    `Role "${user.spec.username}" was somebody else's when the operator last looked, before role.delivery of IamDatabase ${metadata.name} became ${spec.role.delivery}. ${whatFollows(found, metadata.name)}`,
  );
}

const isTold = ({ status }: IamDatabaseUser) =>
  status?.conditions?.some(({ type, reason }) => type === 'RoleReady' && reason === 'RoleNotOurs') === true;

function whatFollows(found: Stranger | 'told', database: string): string {
  const back = `the owner of IamDatabase ${database} sets role.delivery to Managed until RoleReady is True`;
  const shut = 'The operator adds nothing for it to its policies, and takes out what they hold of it.';
  switch (found) {
    case 'unmarked':
      return `${shut} If it is this user's: the owner of IamDatabase ${database} names it in adopt of the rule in allow. Else use another user name.`;
    case 'marked':
      return `${shut} It carries a mark, which adopt does not help with. Use another user name; or, once that role is ended, ${back}.`;
    case 'told':
      return `Only this status still tells so: the operator adds nothing for it to its policies, and what stands there stays until the operator looks again or this access ends. Use another user name; or ${back}: adopt helps only there.`;
    default:
      return found satisfies never;
  }
}

export const roleNotManaged = (message: string): Link => ({
  type: 'RoleReady',
  status: 'Unknown',
  reason: 'NotManaged',
  message,
  optional: true,
});

/** Who has to do what, for a user that is to be let in. */
export function toBeRun(
  user: IamDatabaseUser,
  { database, target }: Eligible,
  sha256: string | undefined,
): string {
  const how =
    sha256 === undefined
      ? 'somebody else creates them.'
      : `whoever administers the database runs role.sql (sha256 ${sha256})${target.isInBlueGreen === true ? ' after the switch of the blue/green deployment' : ''}, and again after each change: ${getScript(user)}`;
  return `The operator keeps no roles for IamDatabase ${database.metadata.name}: ${how}`;
}

/** The same for one that is to be let in no more. */
export const toBeEnded = (user: IamDatabaseUser, sha256: string | undefined): string =>
  sha256 === undefined
    ? `Role "${user.spec.username}" and its sessions are for somebody else to end.`
    : `Role "${user.spec.username}" and its sessions end when whoever administers the database runs role.sql (sha256 ${sha256}): ${getScript(user)}`;

const getScript = (user: IamDatabaseUser) =>
  `kubectl get configmap -n ${user.metadata.namespace} ${roleScriptName(user)} -o jsonpath='{.data.role\\.sql}'`;

export const roleLeft = (user: IamDatabaseUser, sha256: string | undefined): Event => ({
  type: 'Warning',
  reason: 'RoleLeft',
  message: toBeEnded(user, sha256),
});
