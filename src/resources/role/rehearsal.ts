// AdminReady: does on the server everything that a role's life needs, and rolls it back.
import { createHash } from 'node:crypto';
import { refusals } from './refusals.ts';
import type { RoleServer, ServerRefusal, Session } from './server.ts';
import { begin, readGuard, statementsFor, type Statement } from './sql.ts';
import { explain, isLockedOut, must, rollBack, saidBy } from './transaction.ts';

/** Exists only within a transaction that is rolled back, so that nobody ever sees it. */
export const rehearsalRole = (operatorID: string): string =>
  `iamdb_rehearsal_${createHash('sha256').update(operatorID).digest('hex').slice(0, 12)}`;

const comment = 'Rehearsal of iamdb-operator, never committed.';

/**
 * Throws the Failure that names the missing right and the SQL that gives it. This settles, on the server in question,
 * what differs between PostgreSQL and RDS and from version to version.
 */
export async function rehearse(
  server: RoleServer,
  operatorID: string,
  signal: AbortSignal,
): Promise<{ readonly serverVersion: string }> {
  const username = rehearsalRole(operatorID);
  return await server.hold(async (session) => {
    must(await session.run('write', begin));
    try {
      await perform(server, session, username);
    } finally {
      await rollBack(session);
    }
    return { serverVersion: session.serverVersion };
  }, signal);
}

async function perform(server: RoleServer, session: Session, username: string): Promise<void> {
  const fenced = { username, comment };
  const life = statementsFor(
    [{ do: 'create', connectionLimit: -1 }, { do: 'grant rds_iam' }, { do: 'limit connections', limit: 1 }],
    { username, comment: undefined },
    comment,
  );
  const end = [
    ...statementsFor([{ do: 'end access' }], fenced, comment),
    ...statementsFor([{ do: 'end sessions' }], fenced, comment),
    ...statementsFor([{ do: 'drop' }], fenced, comment),
  ];
  await play(server, session, username, life);
  if (server.authentication === 'Secret' && isLockedOut(must(await session.run('read', readGuard)))) {
    throw refusals.adminWouldLoseLogin(session);
  }
  await play(server, session, username, end);
}

/** One by one, as the question is which one is refused. */
async function play(
  server: RoleServer,
  session: Session,
  username: string,
  statements: readonly Statement[],
): Promise<void> {
  for (const statement of statements) {
    const answer = await session.run('read', saidBy(session, statement));
    if ('refused' in answer) throw meaning(server, session, username, statement, answer.refused);
  }
}

function meaning(
  { authentication }: RoleServer,
  session: Session,
  username: string,
  statement: Statement,
  refusal: ServerRefusal,
): Error {
  if (refusal.sqlState === '42710') return refusals.rehearsalRoleExists(username);
  return explain({ server: { authentication }, session, username }, refusal, statement);
}
