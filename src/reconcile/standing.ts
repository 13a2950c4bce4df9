// Where a user stands before anything is done for it: resolved, allowed, and holder of its name, or why not.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { judgeAllowed, type NamespaceFacts, type Permission } from './allow.ts';
import { byAge, holderOf } from './claim.ts';
import type { DatabaseState } from './database-state.ts';
import { ownerOf } from './owner.ts';
import { principalsOf, type Principals, type ServiceAccountView } from './principals.ts';
import { Failure } from '../kernel/failure.ts';
import { type Mark, mayKeep } from '../resources/role/mark.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import { userFinalizer } from '../api/names.ts';
import type { AllowRule } from '../api/schema.ts';

/** What is known of the cluster, to judge with. All of it comes from caches; nothing here waits. */
export interface View extends ServiceAccountView {
  /** What this installation signs with. */
  readonly operatorID: string;
  database(name: string): IamDatabase | undefined;
  stateOf(database: string): DatabaseState | undefined;
  namespace(name: string): NamespaceFacts | undefined;
  usersNamed(username: string): readonly IamDatabaseUser[];
  usersOf(database: string): readonly IamDatabaseUser[];
  databases(): readonly IamDatabase[];
  /** What the mark of a contested role says, as last read; undefined where it was not read. */
  markOf(serverResourceID: string, username: string): { readonly mark: Mark | undefined } | undefined;
}

export interface Eligible {
  readonly state: 'eligible';
  readonly database: IamDatabase;
  readonly target: ResolvedTarget;
  readonly namespace: NamespaceFacts;
  readonly permission: Permission;
  readonly principals: Principals;
  readonly reservedUsernames: readonly string[];
}

export type Standing =
  | { readonly state: 'unresolved'; readonly failure: Failure }
  /** by: whose decision it is. Only what the owner surely does not allow any more may end an access. */
  | { readonly state: 'refused'; readonly by: 'owner' | 'others'; readonly failure: Failure }
  /** Several objects ask for the name and the role's mark was not read yet. */
  | { readonly state: 'contested'; readonly target: ResolvedTarget }
  | Eligible;

/** target -> allowed -> claim: the order of the API's rules, first reason wins. */
export function standingOf(user: IamDatabaseUser, view: View): Standing {
  const allowed = judge(user, view);
  if (allowed.state !== 'eligible') return allowed;
  const { target } = allowed;
  const claimants = claimantsOf(user, target, view);
  if (claimants.length <= 1) return allowed;
  const read = view.markOf(target.serverResourceID, user.spec.username);
  if (read === undefined) return { state: 'contested', target };
  const holder = holderOf(claimants, (one) => mayKeepRole(one, read.mark, target, view));
  if (holder === undefined || holder.metadata.uid === user.metadata.uid) return allowed;
  const { namespace, name } = holder.metadata;
  return {
    state: 'refused',
    by: 'others',
    failure: new Failure(
      'conflict',
      'Conflict',
      `IamDatabaseUser ${namespace}/${name} holds user name "${user.spec.username}" on this server. Use another user name, or delete that object.`,
    ),
  };
}

/** By the rule of the role itself, so that nobody holds a name whose role it would be refused. */
function mayKeepRole(
  one: IamDatabaseUser,
  mark: Mark | undefined,
  { serverResourceID }: ResolvedTarget,
  view: View,
): boolean {
  const namespaceUID = view.namespace(one.metadata.namespace)?.uid ?? '';
  const database = view.database(one.spec.databaseRef.name);
  return mayKeep(ownerOf(one, namespaceUID, database, serverResourceID, view.operatorID), mark);
}

/** The server on which somebody else asks for the same name too, if that is so: the role's mark has to be read again. */
export function contestedServer(user: IamDatabaseUser, view: View): string | undefined {
  const allowed = judge(user, view);
  if (allowed.state !== 'eligible') return undefined;
  const isContested = claimantsOf(user, allowed.target, view).length > 1;
  return isContested ? allowed.target.serverResourceID : undefined;
}

const claimantsOf = (user: IamDatabaseUser, target: ResolvedTarget, view: View) =>
  view
    .usersNamed(user.spec.username)
    .filter((other) => other.metadata.uid === user.metadata.uid || competes(other, target, view));

function judge(user: IamDatabaseUser, view: View): Exclude<Standing, { state: 'contested' }> {
  const { name } = user.spec.databaseRef;
  const database = view.database(name);
  if (database === undefined) {
    const failure = new Failure('missing', 'DatabaseNotFound', `There is no IamDatabase named ${name}.`);
    return { state: 'unresolved', failure };
  }
  const state = view.stateOf(name);
  if (state === undefined) return { state: 'unresolved', failure: notLookedAt };
  const { target } = state;
  if (target instanceof Failure) return { state: 'unresolved', failure: target };
  if (database.metadata.deletionTimestamp !== undefined && !hasBegun(user)) {
    const failure = new Failure(
      'unavailable',
      'Terminating',
      `IamDatabase ${name} is being deleted and admits nobody new.`,
    );
    return { state: 'unresolved', failure };
  }
  const namespace = view.namespace(user.metadata.namespace);
  // Not in the cache yet, as when both were applied at once: that says nothing about what is allowed.
  if (namespace === undefined) return { state: 'unresolved', failure: namespaceNotSeen };
  const principals = principalsOf(user, view);
  const roleARNs = principals.resolved.map(({ roleARN }) => roleARN);
  const permission = judgeAllowed(user, database, namespace, target, roleARNs);
  if (permission instanceof Failure) return { state: 'refused', by: 'owner', failure: permission };
  const unlisted = databaseNotAllowed(user, namespace, target, roleARNs, view);
  if (unlisted !== undefined) {
    return { state: 'refused', by: isAllSeen(view) ? 'owner' : 'others', failure: unlisted };
  }
  const reservedUsernames = adminsOf(target.serverResourceID, view);
  if (reservedUsernames.includes(user.spec.username)) {
    const failure = new Failure(
      'invalid',
      'UsernameNotAllowed',
      `User name "${user.spec.username}" is the operator's admin on this server.`,
    );
    return { state: 'refused', by: 'others', failure };
  }
  if (isOneTooMany(user, permission, database, view, target)) {
    const limits = permission.rules.map((rule) => rule.maxUsers).join(' and ');
    const failure = new Failure(
      'invalid',
      'TooManyUsers',
      `Each rule of IamDatabase ${name} that admits this object is full (maxUsers ${limits}).`,
    );
    return { state: 'refused', by: 'owner', failure };
  }
  return { state: 'eligible', database, target, namespace, permission, principals, reservedUsernames };
}

/** Whether the owner of its database does not allow a user, whoever holds its name. */
export const isDisallowed = (user: IamDatabaseUser, view: View): boolean =>
  isRefusedByOwner(judge(user, view));

export const isRefusedByOwner = (standing: Standing): boolean =>
  standing.state === 'refused' && standing.by === 'owner';

/** An IamDatabase that cannot be resolved now may be the one that allows what no other does. */
const isAllSeen = (view: View): boolean =>
  view.databases().every(({ metadata }) => {
    const target = view.stateOf(metadata.name)?.target;
    return target !== undefined && !(target instanceof Failure);
  });

/**
 * Only allowed and resolved objects compete. One that is going holds its name until its end, allowed or not, if it ever
 * began: until then its IAM roles may be let in under that name.
 */
function competes(other: IamDatabaseUser, target: ResolvedTarget, view: View): boolean {
  if (other.metadata.deletionTimestamp !== undefined) {
    const own = view.stateOf(other.spec.databaseRef.name)?.target;
    const isOnServer =
      own !== undefined && !(own instanceof Failure) && own.serverResourceID === target.serverResourceID;
    return hasBegun(other) && isOnServer;
  }
  const standing = judge(other, view);
  return standing.state === 'eligible' && standing.target.serverResourceID === target.serverResourceID;
}

/**
 * maxUsers gates new users only: whoever has begun stays, the others queue by age. Each takes a place in the first of its
 * rules that has one left; rules being ORed, one rule with room is enough.
 */
function isOneTooMany(
  user: IamDatabaseUser,
  { rules }: Permission,
  database: IamDatabase,
  view: View,
  target: ResolvedTarget,
): boolean {
  if (hasBegun(user) || rules.some((rule) => rule.maxUsers === undefined)) return false;
  const taken = new Map<AllowRule, number>();
  const hasRoom = (rule: AllowRule) => rule.maxUsers === undefined || (taken.get(rule) ?? 0) < rule.maxUsers;
  const others = view
    .usersOf(database.metadata.name)
    .filter((other) => other.metadata.uid !== user.metadata.uid);
  const queue = [
    ...others.filter(hasBegun).toSorted(byAge),
    ...others.filter((other) => isWaiting(other) && byAge(other, user) < 0).toSorted(byAge),
  ];
  for (const other of queue) {
    const roleARNs = principalsOf(other, view).resolved.map(({ roleARN }) => roleARN);
    const namespace = view.namespace(other.metadata.namespace);
    const permission = judgeAllowed(other, database, namespace, target, roleARNs);
    const rule = permission instanceof Failure ? undefined : permission.rules.find(hasRoom);
    if (rule !== undefined) taken.set(rule, (taken.get(rule) ?? 0) + 1);
  }
  return !rules.some(hasRoom);
}

const isWaiting = (user: IamDatabaseUser) => !hasBegun(user) && user.metadata.deletionTimestamp === undefined;

/**
 * CONNECT on another database of the same server is for that database's owner to allow: an IamDatabase for it has to admit
 * the object as well. Its own has done so by now.
 */
function databaseNotAllowed(
  user: IamDatabaseUser,
  namespace: NamespaceFacts,
  target: ResolvedTarget,
  roleARNs: readonly string[],
  view: View,
): Failure | undefined {
  const admits = (name: string) =>
    databasesOn(target.serverResourceID, view).some(
      (other) =>
        other.spec.database === name &&
        !(judgeAllowed(user, other, namespace, target, roleARNs) instanceof Failure),
    );
  const unlisted = user.spec.connectDatabases?.find((name) => !admits(name));
  if (unlisted === undefined) return undefined;
  return new Failure(
    'invalid',
    'DatabaseNotAllowed',
    `connectDatabases names ${JSON.stringify(unlisted)}, and no IamDatabase of this server with that spec.database admits this object.`,
  );
}

const databasesOn = (serverResourceID: string, view: View) =>
  view.databases().filter(({ metadata }) => {
    const target = view.stateOf(metadata.name)?.target;
    return (
      target !== undefined && !(target instanceof Failure) && target.serverResourceID === serverResourceID
    );
  });

const adminsOf = (serverResourceID: string, view: View): readonly string[] =>
  databasesOn(serverResourceID, view).flatMap(({ spec }) => spec.admin?.username ?? []);

/** The finalizer is set right before the first outside effect, so it tells whether there can be any. */
export const hasBegun = (user: IamDatabaseUser): boolean =>
  user.metadata.finalizers?.includes(userFinalizer) === true;

const namespaceNotSeen = new Failure('unavailable', 'Progressing', 'The namespace was not looked at yet.');
const notLookedAt = new Failure('unavailable', 'Progressing', 'The database was not looked at yet.');
