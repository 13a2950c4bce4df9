// Ends the sessions of a role, and looks until there are none.
import { Failure } from '../../kernel/failure.ts';
import { refusals } from './refusals.ts';
import type { ObservedRole } from './role.ts';
import { ownStates, statementsFor } from './sql.ts';
import { closing, explain, type Hand, read, transact } from './transaction.ts';

/** A login that was under way when the role lost LOGIN may turn up after the first round. */
const rounds = 3;
const looks = 20;
const pauseSeconds = 0.05;

/** Undefined when the role changed under our hands. Throws a Failure when sessions stay. */
export async function endSessions(
  hand: Hand,
  how: 'end sessions' | 'interrupt sessions',
  before: ObservedRole,
): Promise<ObservedRole | undefined> {
  const { session, desired, server } = hand;
  const { username } = desired;
  const fenced = { username, comment: before.role?.comment ?? '' };
  const statements = statementsFor([{ do: how }], fenced, '');
  for (let round = 1; round <= rounds; round += 1) {
    // It takes part in the role for a moment, and must not be left so.
    const attempt = await transact(session, [...statements, ...closing(hand, true)]);
    if (attempt.result === 'refused') {
      const { sqlState } = attempt.refusal;
      if (sqlState === ownStates.changed) return undefined;
      if (sqlState === ownStates.stillMember) throw refusals.cannotEndSessions(session.admin, username);
      throw explain({ server, session, username }, attempt.refusal, attempt.at);
    }
    const after = await lookUntilNone(hand);
    if (after !== undefined) return after;
  }
  throw new Failure(
    'unavailable',
    'NotVisibleYet',
    `Sessions of role "${username}" have not ended yet; the operator tries again.`,
  );
}

async function lookUntilNone({ session, desired }: Hand): Promise<ObservedRole | undefined> {
  for (let look = 0; look < looks; look += 1) {
    const wait = look === 0 ? '' : `SELECT pg_sleep(${pauseSeconds});\n`;
    const after = await read(session, desired, wait);
    if ((after.role?.sessions ?? 0) === 0) return after;
  }
  return undefined;
}
