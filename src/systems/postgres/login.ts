// One login and one question: the proof that a user can get in.
import type { LoginRequest } from '../../resources/access/access.ts';
import { connect, destroy, type MayDial, untilAborted } from './connection.ts';
import { loginFailure } from './failures.ts';

export interface LoggedIn {
  readonly currentUser: string;
  readonly sessionUser: string;
}

const question = 'SELECT current_user AS "currentUser", session_user AS "sessionUser"';

/** Throws a Failure: TokenRefused, CertificateRejected, Unreachable, LoginForbidden; with `sqlState` where there was one. */
export async function login(request: LoginRequest, mayDial: MayDial = () => true): Promise<LoggedIn> {
  const { host, port, username, timeoutMs } = request;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const client = await connect({ ...request, mayDial }, signal);
    try {
      const { rows } = await untilAborted(client.query<LoggedIn>(question), signal);
      const [row] = rows;
      if (row === undefined) throw new Error('a query for one row was answered with none');
      await untilAborted(client.end(), signal);
      return row;
    } finally {
      destroy(client);
    }
  } catch (error) {
    throw loginFailure(error, { host, port }, username);
  }
}
