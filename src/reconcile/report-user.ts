// The end of a pass over a user: status computed once and written once if it says something new, events, the next look.
import type { IamDatabaseUser } from '../api/objects.ts';
import type { UserStatus } from '../api/schema.ts';
import { repairOf, transitionOf } from './events.ts';
import { untilExpiry } from './expiry.ts';
import type { Done } from './links.ts';
import type { PoliciesDone } from './policy-links.ts';
import { keyOf } from './names.ts';
import { type NextLook, nextLook, untilResync, whenSomethingHappens } from './next-look.ts';
import type { AccessDone } from './prove-access.ts';
import type { Eligible } from './standing.ts';
import { conditionsOf, handledBy, type Link, rfc3339, sameStatus, suspendedConditions } from './status.ts';
import type { Reported, World } from './world.ts';

export interface Findings {
  readonly links: readonly Link[];
  readonly standing?: Eligible;
  readonly policies?: PoliciesDone;
  readonly access?: AccessDone;
  readonly repairs?: readonly Done[];
  /** When to look again at the latest, in milliseconds from now. */
  readonly atMs?: number;
  /** In plan mode: what would be changed. */
  readonly plan?: readonly string[];
}

export async function report(user: IamDatabaseUser, world: World, found: Findings): Promise<NextLook> {
  const before = user.status;
  const { generation } = user.metadata;
  const status = statusOf(user, found, world);
  if (!sameStatus(before, status)) await world.userWrites.report(user, status);
  // Where the database was edited or moved, what changes follows from that: nobody's hand is behind it.
  const declared = declaredFor(generation, found);
  const isAsBefore = (world.declared.get(user.metadata.uid) ?? declared) === declared;
  if (declared !== undefined) world.declared.set(user.metadata.uid, declared);
  for (const repair of isAsBefore ? (found.repairs ?? []) : []) {
    const event = repairOf(repair.link.type, repair.changes, before?.conditions ?? [], generation);
    if (event !== undefined) world.event(user, event);
  }
  const transition = transitionOf(before?.conditions ?? [], status.conditions);
  if (transition !== undefined) world.event(user, transition);
  return next(user, found, world);
}

/** All that decides what is wanted for a user, as text. */
const declaredFor = (generation: number, { standing }: Findings) =>
  standing && JSON.stringify([generation, standing.database.metadata.generation, standing.target]);

function statusOf(user: IamDatabaseUser, found: Findings, world: World): Reported<UserStatus> {
  const { metadata, status: before } = user;
  const time = { now: world.now(), timeScale: world.settings.timeScale };
  const arns =
    found.standing === undefined ? before?.resourceARNs : world.arnsOf(user, found.standing.target);
  const principals = found.policies?.principals ?? before?.principals;
  const status = {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(found.links, metadata.generation, before?.conditions ?? [], time),
    ...(arns === undefined ? {} : { resourceARNs: arns }),
    ...(principals === undefined ? {} : { principals }),
    ...(found.plan === undefined ? {} : { plan: found.plan }),
    ...verificationOf(user, found.access),
    ...handledBy(found.links, user),
  };
  const sameButForTime = { ...status, lastVerificationTime: before?.lastVerificationTime };
  return isFresh(before?.lastVerificationTime, status.lastVerificationTime) &&
    sameStatus(before, sameButForTime)
    ? {
        ...status,
        ...(before?.lastVerificationTime === undefined
          ? {}
          : { lastVerificationTime: before.lastVerificationTime }),
      }
    : status;
}

const dayMs = 86_400_000;

/** The time of the last proof alone is worth a write only once a day. */
const isFresh = (was: string | undefined, is: string | undefined) =>
  was !== undefined && is !== undefined && Date.parse(is) - Date.parse(was) < dayMs;

function verificationOf(user: IamDatabaseUser, access: AccessDone | undefined) {
  const proof = access?.proof;
  if (proof?.verdict.status !== 'True') {
    const { lastVerificationTime, verifiedAs } = user.status ?? {};
    return {
      ...(lastVerificationTime === undefined ? {} : { lastVerificationTime }),
      ...(verifiedAs === undefined ? {} : { verifiedAs }),
    };
  }
  const { verifiedAs } = proof.verdict;
  return {
    lastVerificationTime: rfc3339(proof.at),
    ...(verifiedAs === undefined ? {} : { verifiedAs }),
  };
}

function next(user: IamDatabaseUser, found: Findings, world: World): NextLook {
  const key = `user ${keyOf(user)}`;
  const failures = found.links.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  for (const failure of new Set(failures)) world.note(failure);
  const failedPasses = world.failures.get(key) ?? 0;
  world.failures.set(key, failures.length === 0 ? 0 : failedPasses + 1);
  const of = user.spec.databaseRef.name;
  const { resync } = (found.standing?.database ?? world.database(of))?.spec ?? withoutDatabase;
  const { timeScale } = world.settings;
  return nextLook({
    resyncMs: untilResync(resync, { now: world.now(), timeScale, of }),
    failures,
    failedPasses,
    others: [found.access?.againMs, found.atMs, ...comingExpiry(user, world)],
    timeScale,
  });
}

const withoutDatabase = { resync: { intervalSeconds: 600 } };

const comingExpiry = (user: IamDatabaseUser, world: World): readonly number[] => {
  const left = untilExpiry(user, world.now());
  return left === undefined || left <= 0 ? [] : [left];
};

export async function reportSuspended(user: IamDatabaseUser, world: World): Promise<NextLook> {
  const by = user.spec.suspend ? 'spec.suspend' : `spec.suspend of IamDatabase ${user.spec.databaseRef.name}`;
  const status = suspendedConditions(user, by, world.now());
  if (!sameStatus(user.status, status)) await world.userWrites.report(user, status);
  return whenSomethingHappens;
}
