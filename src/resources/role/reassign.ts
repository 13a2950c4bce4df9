// Hands over what a role owns, in each database in which it owns something, before the role is dropped.
import { Failure } from '../../kernel/failure.ts';
import { identifier, literal } from './quote.ts';
import type { ObservedRole } from './role.ts';
import { fence, free, guard, ownStates, plpgsql, type Statement, unused } from './sql.ts';
import { type Hand, read, transact } from './transaction.ts';

/**
 * What cannot be handed over stays where it is: the drop that follows is refused, and says what hangs on the role. Only a
 * database that cannot be reached now holds up the end. Never DROP OWNED: in between somebody may have made a table.
 */
export async function reassign(
  hand: Hand,
  { to, databases }: { readonly to: string; readonly databases: readonly string[] },
  before: ObservedRole,
  signal: AbortSignal,
): Promise<ObservedRole> {
  const { server, session, desired } = hand;
  const { username } = desired;
  const statements: readonly Statement[] = [
    fence(username, before.role?.comment ?? ''),
    free(plpgsql(unused(username))),
    free(plpgsql(handOver(username, to))),
    ...(server.authentication === 'Secret' ? [guard] : []),
  ];
  for (const database of databases) {
    try {
      await server.holdIn(database, async (there) => await transact(there, statements), signal);
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.kind !== 'denied') throw thrown;
    }
  }
  return await read(session, desired);
}

/**
 * Membership in both is taken for the moment where it is not there already. The receiver's functions would run with its
 * rights, and who is in rds_iam would make the admin a member as well: it has to be a role that can do nothing.
 */
const handOver = (username: string, to: string) => `DECLARE
      source oid := (SELECT oid FROM pg_roles WHERE rolname = ${literal(username)});
      receiver oid := (SELECT oid FROM pg_roles r WHERE rolname = ${literal(to)} AND NOT rolcanlogin AND NOT rolsuper
        AND NOT rolcreaterole AND NOT rolcreatedb AND NOT rolreplication AND NOT rolbypassrls AND rolname !~ '^(pg_|rds)');
      version integer := current_setting('server_version_num')::integer;
      as_source boolean;
      as_receiver boolean;
    BEGIN
      IF receiver IS NULL OR EXISTS (
        SELECT FROM pg_roles WHERE rolname = 'rds_iam'
          AND (pg_has_role(receiver, oid, 'MEMBER') OR pg_has_role(source, oid, 'MEMBER'))
      ) THEN RAISE EXCEPTION 'nobody to receive it' USING ERRCODE = '${ownStates.noReceiver}'; END IF;
      as_source := pg_has_role(current_user, source, 'USAGE');
      as_receiver := pg_has_role(current_user, receiver, 'USAGE');
      IF NOT as_source AND version >= 160000 THEN EXECUTE ${literal(`GRANT ${identifier(username)} TO CURRENT_USER WITH INHERIT TRUE`)};
      ELSIF NOT as_source THEN GRANT ${identifier(username)} TO CURRENT_USER; END IF;
      IF NOT as_receiver AND version >= 160000 THEN EXECUTE ${literal(`GRANT ${identifier(to)} TO CURRENT_USER WITH INHERIT TRUE`)};
      ELSIF NOT as_receiver THEN GRANT ${identifier(to)} TO CURRENT_USER; END IF;
      REASSIGN OWNED BY ${identifier(username)} TO ${identifier(to)};
      IF NOT as_source THEN REVOKE ${identifier(username)} FROM CURRENT_USER; END IF;
      IF NOT as_receiver THEN REVOKE ${identifier(to)} FROM CURRENT_USER; END IF;
    END`;
