// Runs statements as a transaction that stays open for judgement, and finds out which statement was refused.
import type { Failure } from '../../kernel/failure.ts';
import { helperOwner, throughHelper } from './admin-helpers.ts';
import { questionOf, reading, roleIn } from './observe.ts';
import { refusals } from './refusals.ts';
import type { DesiredRole, ObservedRole } from './role.ts';
import type { Answer, RoleServer, Row, ServerRefusal, Session } from './server.ts';
import { begin, guard, type Statement } from './sql.ts';

/** What every step has in hand. */
export interface Hand {
  readonly server: Pick<RoleServer, 'authentication' | 'holdIn'>;
  readonly session: Session;
  readonly desired: DesiredRole;
}

/** What a message about a refusal needs to know. */
export interface Asker extends Pick<Hand, 'session'> {
  readonly server: Pick<RoleServer, 'authentication'>;
  readonly username: string;
}

export type Attempt =
  | { readonly result: 'committed'; readonly rows: readonly Row[] }
  /** Rolled back; `at` is undefined where a second look found nothing wrong any more. */
  | { readonly result: 'refused'; readonly refusal: ServerRefusal; readonly at: Statement | undefined };

/**
 * Concurrent changes of the same rows, which end for one of them in an error that is gone, or a better one, the next
 * time: "tuple concurrently updated", deadlocks, and a row that somebody else inserted first.
 */
const passing = new Set(['XX000', '40P01', '40001', '23505']);
const attempts = 3;

/** One round trip from BEGIN to COMMIT, more only after a refusal. Grants lock what others grant, too: no waiting in between. */
export async function transact(
  session: Session,
  statements: readonly Statement[],
  kind: 'write' | 'undo' = 'write',
): Promise<Attempt> {
  const script = [begin, ...statements.map((statement) => saidBy(session, statement)), 'COMMIT'].join(';\n');
  for (let attempt = 1; ; attempt += 1) {
    const answer = await session.run(kind, script, reading.preparation);
    if ('rows' in answer) return { result: 'committed', rows: answer.rows };
    await rollBack(session);
    const { refused } = answer;
    if (passing.has(refused.sqlState) && attempt < attempts) continue;
    const at = isTold(refused.sqlState) ? await findRefused(session, statements, refused) : undefined;
    return { result: 'refused', refusal: refused, at };
  }
}

/** What changes something is said by whoever has the rights to; looks and checks of our own are the admin's. */
export const saidBy = ({ usesHelper }: Session, { sql }: Statement): string =>
  usesHelper && !/^(SELECT|EXECUTE) /.test(sql) ? throughHelper(sql) : sql;

export async function rollBack(session: Session): Promise<void> {
  must(await session.run('read', 'ROLLBACK'));
}

/** The closing read, and after it the guard where one is needed. */
export function closing({ desired, server }: Hand, isGiving: boolean): readonly Statement[] {
  const read: Statement = { needs: 'nothing', sql: reading.ask([questionOf(desired)]) };
  return isGiving && server.authentication === 'Secret' ? [read, guard] : [read];
}

/** What there is now, outside of a transaction; after `wait`, where given. */
export async function read(session: Session, desired: DesiredRole, wait = ''): Promise<ObservedRole> {
  const sql = `${wait}${reading.ask([questionOf(desired)])}`;
  return readOf(must(await session.run('read', sql, reading.preparation)));
}

export const readOf = (rows: readonly Row[]): ObservedRole =>
  roleIn(rows.find((row) => 'answer' in row)?.['answer']);

/** Not to be sure is to be locked out. */
export const isLockedOut = (rows: readonly Row[]): boolean =>
  rows.findLast((row) => 'locked_out' in row)?.['locked_out'] !== false;

/** The rows, or the refusal as what it means in general. */
export function must(answer: Answer): readonly Row[] {
  if ('refused' in answer) throw answer.refused.failure;
  return answer.rows;
}

/** Refusals whose meaning depends on the statement; the server does not say which one of a script it was. */
const isTold = (sqlState: string) =>
  ['42501', '42704', '0LP01', '3D000', '22012', '22023', '42602'].includes(sqlState);

/** The same again one by one, and rolled back in any case. */
async function findRefused(
  session: Session,
  statements: readonly Statement[],
  { sqlState }: ServerRefusal,
): Promise<Statement | undefined> {
  must(await session.run('read', begin));
  try {
    for (const statement of statements) {
      const answer = await session.run('read', saidBy(session, statement));
      if ('refused' in answer) return answer.refused.sqlState === sqlState ? statement : undefined;
    }
    return undefined;
  } finally {
    await rollBack(session);
  }
}

/** What a refusal of this statement means for the user. */
export function explain(
  asker: Asker,
  { sqlState, failure }: ServerRefusal,
  at: Statement | undefined,
): Failure {
  if (at === undefined) return failure;
  if (at.needs === 'the admin to keep its login') return refusals.adminWouldLoseLogin(asker.session);
  if (sqlState === '42501') return denied(asker, at) ?? failure;
  if (at.needs === 'grant' && sqlState === '42704') {
    return at.group === 'rds_iam' ? refusals.noRdsIam() : refusals.groupNotFound(at.group);
  }
  if (at.needs === 'a valid setting') return refusals.settingInvalid(at.setting);
  // A membership in a circle: the group is itself a member of the user.
  if (at.needs === 'grant' && sqlState === '0LP01') {
    return refusals.privilegedGroup(at.group, [asker.username]);
  }
  if (at.needs === 'grant connect' && sqlState === '3D000') return refusals.databaseNameNotFound(at.database);
  return failure;
}

function denied({ session, server, username }: Asker, at: Statement): Failure | undefined {
  const actor = session.usesHelper ? helperOwner : session.admin;
  switch (at.needs) {
    case 'nothing':
    case 'an ordinary group':
    case 'the admin to keep its login':
      return undefined;
    case 'create roles':
      return refusals.missingCreateRole(actor);
    case 'administer the role':
    case 'a valid setting':
      return refusals.notAdministrable(actor, username);
    case 'grant':
      // ADMIN OPTION on rds_iam would make a member of the admin and end its password: not to be advised.
      return at.group === 'rds_iam' && server.authentication === 'Secret' && !session.usesHelper
        ? refusals.adminWouldLoseLogin(session)
        : refusals.missingAdminOption(actor, at.group, session.serverVersion);
    case 'grant connect':
      return refusals.missingGrantOption(actor, username, at.database);
    case 'end sessions':
      return refusals.cannotEndSessions(actor, username);
    default:
      return at satisfies never;
  }
}
