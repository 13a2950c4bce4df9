// AdminReady: does on the server everything that a role's life needs, and rolls it back.
import { createHash } from 'node:crypto';
import { refusals } from './refusals.ts';
import type { RoleServer, ServerRefusal, Session } from './server.ts';
import { begin, guard, statementsFor, type Statement } from './sql.ts';
import { explain, must, rollBack, saidBy } from './transaction.ts';

/** Exists only within a transaction that is rolled back, so that nobody ever sees it. */
export const rehearsalRole = (operatorID: string): string =>
  `iamdb_rehearsal_${createHash('sha256').update(operatorID).digest('hex').slice(0, 12)}`;

const comment = 'Rehearsal of iamdb-operator, never committed.';

/**
 * Throws the Failure that names the missing right and the SQL that gives it. This settles, on the server in question,
 * what differs between PostgreSQL and RDS and from version to version. One round trip from BEGIN to ROLLBACK, as it is
 * made at each resync.
 */
export async function rehearse(
  server: RoleServer,
  operatorID: string,
  signal: AbortSignal,
): Promise<{ readonly serverVersion: string }> {
  const username = rehearsalRole(operatorID);
  const statements = lifeOf(username, server);
  return await server.hold(async (session) => {
    const said = statements.map((statement) => saidBy(session, statement));
    const answer = await session.run('write', [begin, ...said, 'ROLLBACK'].join(';\n'));
    if ('refused' in answer) {
      await rollBack(session);
      await tellRefused(server, session, username, statements);
    }
    return { serverVersion: session.serverVersion };
  }, signal);
}

/** From its creation to its end, with the guard in between, where there is most to lose. */
function lifeOf(username: string, { authentication }: RoleServer): readonly Statement[] {
  const fenced = { username, comment };
  return [
    ...statementsFor(
      [{ do: 'create', connectionLimit: -1 }, { do: 'grant rds_iam' }, { do: 'limit connections', limit: 1 }],
      { username, comment: undefined },
      comment,
    ),
    ...(authentication === 'Secret' ? [guard] : []),
    ...statementsFor([{ do: 'end access' }], fenced, comment),
    ...statementsFor([{ do: 'end sessions' }], fenced, comment),
    ...statementsFor([{ do: 'drop' }], fenced, comment),
  ];
}

/** The same again one by one, as the question is which one is refused. What is refused no more was in passing. */
async function tellRefused(
  server: RoleServer,
  session: Session,
  username: string,
  statements: readonly Statement[],
): Promise<void> {
  must(await session.run('write', begin));
  try {
    for (const statement of statements) {
      const answer = await session.run('read', saidBy(session, statement));
      if ('refused' in answer) throw meaning(server, session, username, statement, answer.refused);
    }
  } finally {
    await rollBack(session);
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
