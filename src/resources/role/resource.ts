// The role as a resource: observed in a batch, changed in one round trip a transaction, ended in order.
import type { Resource } from '../../kernel/converge.ts';
import { describeRole } from './describe.ts';
import { endSessions } from './end-sessions.ts';
import { formatMark, type Mark, mayEnd } from './mark.ts';
import { questionOf, reading, roleIn } from './observe.ts';
import { planRole, stepsOf } from './plan.ts';
import { reassign } from './reassign.ts';
import { oneLine, refusals } from './refusals.ts';
import type { RoleOwner } from './owner.ts';
import { gives, type DesiredRole, type ObservedRole, type RoleChange } from './role.ts';
import type { RoleServer } from './server.ts';
import { ownStates, readGuard, statementsFor } from './sql.ts';
import {
  type Attempt,
  closing,
  explain,
  type Hand,
  isLockedOut,
  must,
  read,
  readOf,
  transact,
} from './transaction.ts';

export { rehearse } from './rehearsal.ts';
export type { RoleServer } from './server.ts';

export function roleResource(server: RoleServer): Resource<DesiredRole, ObservedRole, RoleChange> {
  return {
    observe: async (desired, signal) => roleIn(await server.ask(reading, questionOf(desired), signal)),
    plan: planRole,
    describe: describeRole,
    apply: (changes, desired, observed, signal) =>
      server.hold(async (session) => {
        let current: ObservedRole | undefined = observed;
        for (const step of stepsOf(changes)) {
          signal.throwIfAborted();
          current = await take({ server, session, desired }, step, current, signal);
          // It is no longer what the plan was made upon: to be looked at anew.
          if (current === undefined) return undefined;
        }
        return current;
      }, signal),
  };
}

/** The mark that a role carries, whoever wrote it; undefined where there is no role or no mark. */
export async function readMark(
  server: RoleServer,
  username: string,
  signal: AbortSignal,
): Promise<Mark | undefined> {
  const question = { username, groups: [], databases: [], ending: false };
  return roleIn(await server.ask(reading, question, signal)).role?.mark;
}

/** What hangs on a role that could not be dropped, as a sentence; undefined where it is gone. */
export function whyKept({ role }: ObservedRole): string | undefined {
  if (role?.heldBy === undefined) return undefined;
  return `The role was kept, without login and rds_iam, because something hangs on it: ${oneLine(role.heldBy)}. Hand that over (REASSIGN OWNED, REVOKE), then DROP ROLE.`;
}

/** That a role of that name stays as it is because it does not carry our mark (any more); undefined where none does. */
export function whyLeftAlone({ role }: ObservedRole, owner: RoleOwner): string | undefined {
  if (role === undefined || mayEnd(owner, role.mark)) return undefined;
  const may = role.login ? 'It may still log in' : 'It may not log in';
  return `There is a role of this name that does not carry the mark of this object, so it was left alone. ${may}: look whose it is, and drop it if nobody needs it.`;
}

type Step = readonly RoleChange[];

/** One transaction; answers with its closing read, or undefined when the role changed under our hands. */
async function take(
  hand: Hand,
  step: Step,
  before: ObservedRole,
  signal: AbortSignal,
): Promise<ObservedRole | undefined> {
  const { desired, server } = hand;
  for (const { do: what } of step) {
    if (what === 'end sessions' || what === 'interrupt sessions')
      return await endSessions(hand, what, before);
  }
  const handing = step.find((change) => change.do === 'reassign');
  if (handing !== undefined) return await reassign(hand, handing, before, signal);
  const attempt = await attemptStep(hand, step, before);
  if (attempt.result === 'refused') {
    const { refusal, at } = attempt;
    const isOvertaken = wasOvertaken(refusal.sqlState) || (at === undefined && refusal.sqlState === '22012');
    if (isOvertaken || at?.needs === 'an ordinary group') return undefined;
    if (at?.needs === 'grant connect') return await withoutConnects(hand, step, before, at.database, signal);
    if (refusal.sqlState === '2BP01') return await keepDisabled(hand, refusal.detail);
    throw explain({ ...hand, username: desired.username }, refusal, at);
  }
  const after = readOf(attempt.rows);
  if (server.authentication === 'Secret' && step.some(gives)) await makeSure(hand, step, after);
  return after;
}

/**
 * Whoever is to lose its access can hold it up by an open transaction in which it changes its own role. So its sessions
 * end within the same transaction then, and what was waited for is had before it could log in anew.
 */
async function attemptStep(hand: Hand, step: Step, before: ObservedRole): Promise<Attempt> {
  const attemptOf = async (changes: Step) =>
    await transact(hand.session, [
      ...statementsOf(changes, hand.desired, before),
      ...closing(hand, changes.some(gives)),
    ]);
  const attempt = await attemptOf(step);
  const isHeldUp = attempt.result === 'refused' && attempt.refusal.sqlState === '55P03';
  if (!isHeldUp || !step.some((change) => change.do === 'end access')) return attempt;
  return await attemptOf([{ do: 'interrupt sessions' }, ...step]);
}

function statementsOf(step: Step, desired: DesiredRole, { role }: ObservedRole) {
  const mark = step.find((change) => change.do === 'mark')?.mark;
  const released = step.find((change) => change.do === 'release')?.comment;
  const comment = released ?? (mark === undefined ? (role?.comment ?? '') : formatMark(mark));
  const named = desired.ensure === 'present' ? desired.literallyAllowedGroups : [];
  return statementsFor(
    step,
    { username: desired.username, comment: role === undefined ? undefined : (role.comment ?? null), named },
    comment,
  );
}

/** The mark is another one, the role is there already, in use again, or reached by somebody: to be looked at anew. */
const wasOvertaken = (sqlState: string) =>
  sqlState === ownStates.changed ||
  sqlState === ownStates.sessionsRemain ||
  sqlState === ownStates.wouldLockOut ||
  sqlState === '42710';

/** Everything but CONNECT, so that the mark says nothing untrue and the rest works; then the failure. */
async function withoutConnects(
  hand: Hand,
  step: Step,
  before: ObservedRole,
  database: string,
  signal: AbortSignal,
): Promise<never> {
  const granted = new Set(step.map((change) => change.do === 'grant connect' && change.database));
  const rest = step.flatMap((change): RoleChange[] => {
    if (change.do === 'grant connect') return [];
    if (change.do !== 'mark') return [change];
    const databases = change.mark.databases.filter((name) => !granted.has(name));
    return [{ ...change, mark: { ...change.mark, databases } }];
  });
  const mark = rest.find((change) => change.do === 'mark')?.mark;
  const isNews =
    rest.some((change) => change.do !== 'mark') ||
    (mark !== undefined && formatMark(mark) !== before.role?.comment);
  if (isNews) await take(hand, rest, before, signal);
  throw refusals.missingGrantOption(before.admin, hand.desired.username, database);
}

/**
 * Asked again after COMMIT on the session still held: a grant by somebody else at the same moment may have made the
 * admin a member, which neither transaction could see. Then what we granted goes again.
 */
async function makeSure({ session, desired }: Hand, step: Step, after: ObservedRole): Promise<void> {
  const groups = step.flatMap((change) => (change.do === 'grant group' ? [change.group] : []));
  const gaveIam = step.some((change) => change.do === 'grant rds_iam');
  if (!gaveIam && groups.length === 0) return;
  if (!isLockedOut(must(await session.run('read', readGuard)))) return;
  const { role } = after;
  if (role?.comment === undefined || role.mark === undefined) return;
  const left = role.mark.groups.filter((group) => !groups.includes(group));
  const undo: RoleChange[] = [
    ...(gaveIam ? [{ do: 'end access' } as const] : []),
    ...groups.map((group): RoleChange => ({ do: 'revoke group', group, ifPossible: false })),
  ];
  const fenced = { username: desired.username, comment: role.comment };
  const undone = await transact(
    session,
    statementsFor(undo, fenced, formatMark({ ...role.mark, groups: left })),
    'undo',
  );
  if (undone.result === 'refused') throw undone.refusal.failure;
  throw refusals.adminNearlyLostLogin(after.admin, desired.username);
}

/** Something hangs on it, so it stays: disabled by the steps before, and marked. */
async function keepDisabled({ session, desired }: Hand, detail: string | undefined): Promise<ObservedRole> {
  const after = await read(session, desired);
  const heldBy = detail ?? 'objects that the server does not name';
  return { ...after, role: after.role === undefined ? undefined : { ...after.role, heldBy } };
}
