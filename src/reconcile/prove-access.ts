// When a login has to be proven anew, and the proof as a link of the chain.
import { scaledLimit } from '../kernel/limit.ts';
import { annotations } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { Failure, asFailure } from '../kernel/failure.ts';
import type { Done } from './links.ts';
import type { PoliciesDone } from './policy-links.ts';
import { spreadOf } from './next-look.ts';
import type { AccessPrincipal } from '../resources/access/verdict.ts';
import type { Principal } from './principals.ts';
import { maySleep } from './rest.ts';
import type { Eligible } from './standing.ts';
import { isAskedFor, type Link } from './status.ts';
import type { Proof, World } from './world.ts';

export interface AccessDone {
  readonly link: Link;
  readonly proof?: Proof;
  /** When to prove again, in milliseconds from now. */
  readonly againMs?: number;
}

/** After a policy change a refused token may only mean that IAM has not spread it yet. */
const propagationMs = 300_000;
const loginTimeoutMs = 10_000;

export async function proveAccess(
  user: IamDatabaseUser,
  standing: Eligible,
  just: { readonly role: Done; readonly policies: PoliciesDone },
  world: World,
  signal: AbortSignal,
): Promise<AccessDone> {
  const { probe } = standing.database.spec;
  const isAsleep = maySleep(standing.database);
  const isPeriodic = probe.policy === 'Periodic' && !isAsleep;
  if (probe.policy === 'Never' || user.spec.probe.as === 'Nobody') return { link: notAsked };
  const arns = world.arnsOf(user, standing.target);
  const now = world.now();
  const intervalMs = probe.intervalSeconds * 1000 * world.settings.timeScale;
  const last = world.proofs.get(user.metadata.uid) ?? carriedOver(user, intervalMs, now);
  const roleARNs = standing.principals.resolved.map(({ roleARN }) => roleARN);
  const changed = just.role.changes.length > 0 || just.policies.changes.length > 0;
  const where = placeOf(standing);
  if (
    last !== undefined &&
    !changed &&
    !isAskedFor(user) &&
    (isProven(last) || (isAsleep && (await mayRest(last, standing, world, signal)))) &&
    isOfTheSame(last, user, { arns, roleARNs, where })
  ) {
    // One that was carried over has to become due, so it is remembered with the time at which it does.
    world.proofs.set(user.metadata.uid, last);
    if (!isPeriodic) return { link: linkOf(last, isAsleep, world), proof: last };
    const dueMs = last.countsFrom + intervalMs - now;
    if (dueMs > 0) return { link: linkOf(last, isAsleep, world), proof: last, againMs: dueMs };
  }
  // What this pass finds done may have been written by one that failed, or by another user's.
  const isOfOthers = last !== undefined && !isThroughTheSame(last, { arns, roleARNs });
  const changedAt = isKeptByOthers(just.policies)
    ? undefined
    : changed || isOfOthers
      ? now
      : (last?.changedAt ?? changeBeforeRestart(user, last, now));
  const { verdict, roots } = await verify(user, standing, arns, changedAt, world, signal);
  // Once for a refusal: what is remembered of the policies may be what is wrong, and the next pass looks.
  if (verdict.reason === 'TokenRefused' && last?.verdict.reason !== verdict.reason) {
    for (const roleARN of roleARNs) world.lookAfresh(roleARN);
  }
  const { generation } = user.metadata;
  const isAsBefore = last?.verdict.status === verdict.status && last.verdict.reason === verdict.reason;
  const at = { at: now, countsFrom: now, changedAt, since: isAsBefore ? last.since : now };
  const proof: Proof = {
    ...at,
    verdict,
    generation,
    arns,
    roleARNs,
    where,
    ...(verdict.reason === 'CertificateRejected' && roots !== undefined ? { rejectedRoots: roots } : {}),
  };
  world.proofs.set(user.metadata.uid, proof);
  const againMs = againAfter(verdict, isPeriodic ? intervalMs : undefined, world);
  return { link: linkOf(proof, isAsleep, world), proof, ...(againMs === undefined ? {} : { againMs }) };
}

/** Nothing of ours spreads in IAM then: a refusal is one, until somebody attaches the policy. */
const isKeptByOthers = ({ link }: PoliciesDone) => link.reason === 'NotManaged';

/** A refusal is a failure of the pass, whose growing wait it then has; the rest comes again as the verdict says. */
function againAfter(
  { status, reason, retryAfterMs }: Proof['verdict'],
  intervalMs: number | undefined,
  { settings }: World,
): number | undefined {
  if (status === 'False') return undefined;
  if (retryAfterMs === undefined) return intervalMs;
  // That one is a part of the propagation time, which is scaled already.
  return reason === 'Propagating' ? retryAfterMs : retryAfterMs * settings.timeScale;
}

/**
 * When the policy last changed, for a process that did not see it: a refusal that stood before is one still, and must not
 * be excused as propagation once more at each restart.
 */
function changeBeforeRestart(
  { status, metadata }: IamDatabaseUser,
  last: Proof | undefined,
  now: number,
): number | undefined {
  if (last !== undefined) return undefined;
  const was = status?.conditions?.find(({ type }) => type === 'AccessVerified');
  if (was?.observedGeneration !== metadata.generation) return now;
  if (was.reason === 'Propagating') return Date.parse(was.lastTransitionTime);
  return was.status === 'False' ? undefined : now;
}

async function verify(
  user: IamDatabaseUser,
  standing: Eligible,
  arns: readonly string[],
  changedAt: number | undefined,
  world: World,
  signal: AbortSignal,
): Promise<{ readonly verdict: Proof['verdict']; readonly roots?: string }> {
  const { target, database, principals } = standing;
  try {
    const roots = await rootsOf(standing, world, signal);
    const dial = database.spec.connectTo;
    const verdict = await world.verify(
      {
        as: user.spec.probe.as,
        operatorProofAllowed: world.settings.proveAsOperator,
        principals: principals.resolved.map((one) => toBeProven(one, user.metadata.namespace, arns, world)),
        endpoint: target.endpoint,
        port: target.port,
        ...(dial === undefined ? {} : { dial }),
        region: target.region,
        database: database.spec.database,
        username: user.spec.username,
        ca: roots,
        changedAt,
        now: world.now(),
        propagationMs: propagationMs * world.settings.timeScale,
        loginTimeoutMs: scaledLimit(loginTimeoutMs, world.settings.timeScale),
      },
      database,
      signal,
    );
    return { verdict, roots };
  } catch (thrown) {
    const { reason, message, retryAfterMs } = asFailure(thrown);
    return { verdict: { status: 'Unknown', reason, message, retryAfterMs: retryAfterMs ?? 10_000 } };
  }
}

/** By its own token where the namespace opted in to that: else the role has to trust the operator. */
function toBeProven(
  { roleARN, serviceAccount: name, podIdentity }: Principal,
  namespace: string,
  resourceARNs: readonly string[],
  { settings }: World,
): AccessPrincipal {
  if (name !== undefined && podIdentity !== undefined) {
    const { podRoleARN, hasSessionTags } = podIdentity;
    const pods = { namespace, serviceAccount: name, roleARN: podRoleARN, hasSessionTags };
    return { roleARN, resourceARNs, pods };
  }
  const byToken = name !== undefined && settings.proveWithServiceAccountsIn.includes(namespace);
  return { roleARN, resourceARNs, ...(byToken ? { serviceAccount: { namespace, name } } : {}) };
}

/** A proof of the same generation and ARNs, as found in status after a restart, so that not everybody logs in at once. */
function carriedOver(user: IamDatabaseUser, intervalMs: number, now: number): Proof | undefined {
  const { status, metadata } = user;
  const was = status?.conditions?.find(({ type }) => type === 'AccessVerified');
  if (was?.status !== 'True' || status?.lastVerificationTime === undefined) return undefined;
  if (was.observedGeneration !== metadata.generation) return undefined;
  const at = Date.parse(status.lastVerificationTime);
  return {
    verdict: {
      status: 'True',
      reason: 'Verified',
      message: was.message,
      ...(status.verifiedAs === undefined ? {} : { verifiedAs: status.verifiedAs }),
    },
    generation: metadata.generation,
    arns: status.resourceARNs ?? [],
    roleARNs: (status.principals ?? []).map(({ roleARN }) => roleARN),
    where: undefined,
    at,
    // The time in status may be a day old, so the next proof comes due at a place in the interval that is the object's own.
    countsFrom: Math.max(at, now - intervalMs * spreadOf(metadata.uid)),
    changedAt: at,
    since: at,
  };
}

/** A login by the operator's own identity is one as well, and costs the database as much. */
const isProven = ({ verdict: { status, reason } }: Proof) =>
  status === 'True' || reason === 'ProvenAsOperator';

/** What a login was answered, and the next one would be answered alike, as far as can be told without waking anybody. */
async function mayRest(last: Proof, standing: Eligible, world: World, signal: AbortSignal): Promise<boolean> {
  const { rejectedRoots } = last;
  const restMs = restOf(last, world);
  if (restMs === undefined || world.now() - last.at >= restMs * world.settings.timeScale) return false;
  if (rejectedRoots === undefined) return true;
  const roots = await rootsOf(standing, world, signal).catch(asFailure);
  return roots instanceof Failure || roots === rejectedRoots;
}

/**
 * How long an answer is let stand, in milliseconds before scaling: as long as it has stood already, so that what somebody
 * is mending is looked at soon and what nobody mends wakes the database ever more seldom.
 */
function restOf({ verdict: { restMs }, at, since }: Proof, { settings }: World): number | undefined {
  if (restMs === undefined) return undefined;
  return Math.min(restMs, Math.max(firstRestMs, (at - since) / settings.timeScale));
}
const firstRestMs = 600_000;

const rootsOf = async ({ target }: Eligible, world: World, signal: AbortSignal) =>
  await world.roots(target.region, target.partition, signal);

const isOfTheSame = (
  last: Proof,
  user: IamDatabaseUser,
  { arns, roleARNs, where }: Pick<Proof, 'arns' | 'roleARNs' | 'where'>,
) =>
  last.generation === user.metadata.generation &&
  isThroughTheSame(last, { arns, roleARNs }) &&
  (last.where === undefined || last.where === where);

/** What its policies have to allow, and to whom. */
const isThroughTheSame = (last: Proof, { arns, roleARNs }: Pick<Proof, 'arns' | 'roleARNs'>) =>
  last.arns.join(' ') === arns.join(' ') && last.roleARNs.join(' ') === roleARNs.join(' ');

const placeOf = ({ target, database: { spec } }: Eligible) =>
  JSON.stringify([target.endpoint, target.port, spec.database, spec.connectTo]);

function linkOf(proof: Proof, isAsleep: boolean, world: World): Link {
  const { status, reason, retryAfterMs, failure } = proof.verdict;
  const restMs = restOf(proof, world);
  const message = `${proof.verdict.message}${isAsleep && restMs !== undefined ? notTriedAgain(restMs) : ''}`;
  // Only a person, or IAM in its own time, mends a refusal; a network comes back by itself.
  const kind = reason === 'Unreachable' ? 'unavailable' : 'denied';
  return {
    type: 'AccessVerified',
    status,
    reason,
    message,
    optional: true,
    ...(status === 'False'
      ? { failure: new Failure(kind, reason, message, { retryAfterMs, cause: failure?.cause ?? failure }) }
      : {}),
  };
}

const notTriedAgain = (restMs: number) =>
  ` The database is not woken to try again for ${Math.round(restMs / 60_000)} minutes (resync): once that is mended, ask for it with annotation ${annotations.reconcileRequestedAt}.`;

const notAsked: Link = {
  type: 'AccessVerified',
  status: 'Unknown',
  reason: 'NotProven',
  message: 'No proof is asked for (probe).',
  optional: true,
};
