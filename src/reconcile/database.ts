// One pass over an IamDatabase: resolve the target, rehearse as its admin, report.
import { databaseFinalizer } from '../api/names.ts';
import type { IamDatabase } from '../api/objects.ts';
import type { DatabaseStatus } from '../api/schema.ts';
import { checkPartition } from '../resources/target/partition.ts';
import { checkAccount } from '../resources/target/account.ts';
import { noAdmin } from './admin.ts';
import { checkAddress } from '../resources/target/address.ts';
import type { RoleServer } from '../resources/role/resource.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import { linksOf } from './database-links.ts';
import { type DatabaseState, isLossOfSight, targetOrLast } from './database-state.ts';
import { asFailure, Failure } from '../kernel/failure.ts';
import { heldLink } from './lose-permission.ts';
import { keyOf } from './names.ts';
import { type NextLook, nextLook, untilResync, whenSomethingHappens } from './next-look.ts';
import { missingOf } from './orphan.ts';
import { transitionOf } from './events.ts';
import { certificateRestMs } from '../resources/access/verdict.ts';
import { maySleep, rehearsedAs } from './rest.ts';
import { hasBegun } from './standing.ts';
import { conditionsOf, failed, handledBy, type Link, sameStatus, suspendedConditions } from './status.ts';
import { withUnseenProxies } from './unseen-proxies.ts';
import type { Reported, World } from './world.ts';

export async function reconcileDatabase(name: string, world: World, signal: AbortSignal): Promise<NextLook> {
  const found = world.database(name);
  if (found === undefined) {
    world.learn(name, undefined);
    return whenSomethingHappens;
  }
  if (found.metadata.deletionTimestamp !== undefined) return await release(found, world, signal);
  if (found.spec.suspend) return await reportSuspended(found, world);

  const isPlanned = found.spec.mode === 'Plan' || world.settings.mode === 'Plan';
  const database = isPlanned ? found : await begin(found, world, signal);
  if (database instanceof Failure) {
    const state = unresolved(found, { target: database }, world);
    // What was found before the right was taken away serves the users on.
    const before = world.stateOf(name)?.target;
    if (before === undefined || before instanceof Failure) world.learn(name, state);
    return await report(found, state, world);
  }
  const state = await look(database, world, signal);
  world.learn(name, state);
  return await report(database, state, world);
}

/** That the right to set the finalizer is missing is told, to users as well; what else fails is tried again. */
async function begin(database: IamDatabase, world: World, signal: AbortSignal) {
  if (database.metadata.finalizers?.includes(databaseFinalizer) === true) return database;
  try {
    return await world.databaseWrites.hold(database, signal);
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.kind === 'denied') return thrown;
    throw thrown;
  }
}

/** Every failure of a look is a part of the state: users have to know why there is no target or no admin. */
async function look(database: IamDatabase, world: World, signal: AbortSignal): Promise<DatabaseState> {
  const { target, ...found } = await resolve(database, world, signal);
  if (target instanceof Failure) return unresolved(database, { target, ...found }, world);
  if (database.spec.role.delivery !== 'Managed') {
    world.close(database.metadata.name);
    return { target, ...found, admin: 'NotUsed', server: undefined };
  }
  if (database.spec.admin === undefined) return { target, ...found, admin: noAdmin, server: undefined };
  const server = world.open(database, target);
  const rehearsal = await rehearse(database, target, server, world, signal);
  // Not being told is not worth a word beside what the rehearsal says.
  const advice = await world.adviceOn(database.spec, signal).catch(() => undefined);
  return { target, ...found, ...rehearsal, advice, server, rehearsedAs: rehearsedAs(database) };
}

function unresolved(
  database: IamDatabase,
  found: Pick<DatabaseState, 'unconfirmed' | 'proxies'> & { readonly target: Failure },
  world: World,
): DatabaseState {
  const before = world.stateOf(database.metadata.name);
  return {
    ...(before?.proxies === undefined ? {} : { proxies: before.proxies }),
    ...found,
    lastTarget: targetOrLast(before),
    ...missingOf(found.target, before, world.now(), world.settings.timeScale),
    admin: new Failure('unavailable', 'Waiting', 'Waits for TargetResolved.'),
    server: undefined,
  };
}

/**
 * During a blue/green deployment no more is rehearsed than has to be: nothing is to be changed, and writes may be refused.
 * Nor is a database woken for nothing.
 */
async function rehearse(
  database: IamDatabase,
  { isInBlueGreen }: ResolvedTarget,
  server: RoleServer,
  world: World,
  signal: AbortSignal,
): Promise<Pick<DatabaseState, 'admin' | 'rehearsedAt'>> {
  const before = world.stateOf(database.metadata.name);
  const isAsBefore = before?.server === server && before.rehearsedAs === rehearsedAs(database);
  const isLeftAlone = maySleep(database) && isAsBefore;
  const isKnown = before !== undefined && before.admin !== 'NotUsed' && !(before.admin instanceof Failure);
  const isRejected = isLeftAlone && isRejectedLately(before, world);
  if ((isKnown && (isInBlueGreen === true || isLeftAlone)) || isRejected) {
    const { admin, rehearsedAt } = before;
    return { admin, ...(rehearsedAt === undefined ? {} : { rehearsedAt }) };
  }
  return { admin: await world.rehearse(server, signal).catch(asFailure), rehearsedAt: world.now() };
}

/** No grant mends that, and no look does: AWS renews the certificate or the roots. What a person mends in SQL is looked for. */
const isRejectedLately = ({ admin, rehearsedAt = 0 }: DatabaseState, { now, settings }: World) =>
  admin instanceof Failure &&
  admin.reason === 'CertificateRejected' &&
  now() - rehearsedAt < certificateRestMs * settings.timeScale;

/**
 * AWS not answering is no news about the database: what was resolved before stays. What AWS says (missing, stopped,
 * authentication off) is.
 */
async function resolve(
  database: IamDatabase,
  world: World,
  signal: AbortSignal,
): Promise<Pick<DatabaseState, 'target' | 'unconfirmed' | 'proxies'>> {
  const before = world.stateOf(database.metadata.name);
  const knownBefore = before?.proxies === undefined ? {} : { proxies: before.proxies };
  try {
    const target = await world.resolve(database.spec, signal);
    const { assumeRole, connectTo } = database.spec;
    const dialled = connectTo?.host ?? target.endpoint;
    const { allowLocalAddresses: allowLocal, timeScale } = world.settings;
    const refused =
      checkPartition(target, database.spec.target.type) ??
      checkAccount(target, assumeRole) ??
      checkAddress(dialled, { allowLocal });
    if (refused !== undefined) return { target: refused, ...knownBefore };
    return withUnseenProxies(target, database.spec.target.proxies ?? [], before, world.now(), timeScale);
  } catch (thrown) {
    const failure = asFailure(thrown);
    const isKnown = before !== undefined && !(before.target instanceof Failure);
    return isLossOfSight(failure) && isKnown
      ? { target: before.target, unconfirmed: failure, ...knownBefore }
      : { target: failure, ...knownBefore };
  }
}

/** The database waits for its users: they need it to end their access. Who never began has nothing to end. */
async function release(database: IamDatabase, world: World, signal: AbortSignal): Promise<NextLook> {
  const { name, finalizers = [] } = database.metadata;
  if (!finalizers.includes(databaseFinalizer)) return whenSomethingHappens;
  const users = world.usersOf(name).filter(hasBegun).map(keyOf).toSorted();
  if (users.length === 0) {
    await world.databaseWrites.release(database, signal);
    world.learn(name, undefined);
    world.failures.delete(failureKey(name));
    return whenSomethingHappens;
  }
  if (database.spec.suspend) return await reportSuspended(database, world);
  const state = await look(database, world, signal);
  world.learn(name, state);
  const some = users.slice(0, 3);
  const rest = users.length > some.length ? ` and ${users.length - some.length} more` : '';
  const failure = new Failure(
    'conflict',
    'InUse',
    `${users.length} IamDatabaseUser(s) name this database: ${some.join(', ')}${rest}. Delete them first.`,
  );
  const links = linksOf(state);
  await write(database, [...links, failed('Ready', failure)], state, world);
  // The end of a user wakes it; what users wait for at the database itself is tried again as ever.
  return nextOf(database, links, state, world);
}

async function report(database: IamDatabase, state: DatabaseState, world: World): Promise<NextLook> {
  const { name, generation } = database.metadata;
  const held = heldLink(world.usersOf(name), world, name, generation);
  const links = [...(held === undefined || isBroken(state) ? [] : [held]), ...linksOf(state)];
  await write(database, links, state, world);
  return nextOf(database, links, state, world);
}

function nextOf(database: IamDatabase, links: readonly Link[], state: DatabaseState, world: World): NextLook {
  const failures = links.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  for (const failure of failures) world.note(failure);
  const key = failureKey(database.metadata.name);
  const failedPasses = world.failures.get(key) ?? 0;
  world.failures.set(key, failures.length === 0 ? 0 : failedPasses + 1);
  const others = isSwitching(state) ? [switchLookMs * world.settings.timeScale] : [];
  return nextLook({ ...timing(database, world), failures, failedPasses, others });
}

/** The switch may come at any time, and what was held waits for it. */
const isSwitching = ({ target }: DatabaseState) =>
  !(target instanceof Failure) && target.isInBlueGreen === true;
const switchLookMs = 60_000;

const isBroken = ({ target, admin }: DatabaseState) => target instanceof Failure || admin instanceof Failure;

const failureKey = (name: string) => `database ${name}`;

const timing = (database: IamDatabase, { settings: { timeScale }, now }: World) => ({
  resyncMs: untilResync(database.spec.resync, { now: now(), timeScale }),
  failedPasses: 0,
  others: [],
  timeScale,
});

async function write(
  database: IamDatabase,
  links: readonly Link[],
  { target, admin }: DatabaseState,
  world: World,
): Promise<void> {
  const { metadata, status: before } = database;
  const time = { now: world.now(), timeScale: world.settings.timeScale };
  const status: Reported<DatabaseStatus> = {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(links, metadata.generation, before?.conditions ?? [], time),
    ...(target instanceof Failure ? {} : factsOf(target)),
    ...(admin instanceof Failure || admin === 'NotUsed' ? {} : { serverVersion: admin.serverVersion }),
    ...handledBy(links, database),
  };
  if (sameStatus(before, status)) return;
  await world.databaseWrites.report(database, status);
  const event = transitionOf(before?.conditions ?? [], status.conditions);
  if (event !== undefined) world.event(database, event);
}

const factsOf = (target: ResolvedTarget) => ({
  endpoint: target.endpoint,
  ...(target.readerEndpoint === undefined ? {} : { readerEndpoint: target.readerEndpoint }),
  port: target.port,
  resourceIDs: target.resourceIDs,
  accountID: target.accountID,
  partition: target.partition,
  region: target.region,
  ...(target.engine === undefined ? {} : { engine: target.engine }),
  ...(target.engineVersion === undefined ? {} : { engineVersion: target.engineVersion }),
});

async function reportSuspended(database: IamDatabase, world: World): Promise<NextLook> {
  const status = suspendedConditions(database, 'spec.suspend', world.now());
  if (!sameStatus(database.status, status)) await world.databaseWrites.report(database, status);
  return whenSomethingHappens;
}
