// What each error of PostgreSQL, its driver, the network and TLS means: the one table, for the admin's sessions and for logins.
import { DatabaseError } from 'pg';
import type { Reason } from '../../api/conditions.ts';
import { asFailure, Failure, type FailureKind } from '../../kernel/failure.ts';

/** What happened, in kinds that matter to us. `code` is what is known of it besides. */
export type Trouble =
  | 'refused: authentication'
  | 'refused: password'
  | 'refused: not let in'
  | 'refused: no such database'
  | 'full'
  | 'full for the role'
  | 'full for the database'
  | 'down'
  | 'busy'
  | 'read-only'
  | 'no TLS to trust'
  | 'no network'
  | 'other';

/** First row that the SQLSTATE starts with. PostgreSQL, appendix A. */
const bySqlState: readonly (readonly [string, Trouble])[] = [
  ['28P01', 'refused: password'],
  ['28', 'refused: authentication'],
  ['3D000', 'refused: no such database'],
  ['42501', 'refused: not let in'],
  ['53', 'full'],
  ['57P', 'down'],
  ['58', 'down'],
  ['08', 'down'],
  // The session's transaction, or the session, was idle for too long.
  ['25P03', 'down'],
  // A prepared statement is gone, as where a pooler changes connections behind our back.
  ['26000', 'down'],
  ['57014', 'busy'],
  ['55P03', 'busy'],
  ['40', 'busy'],
  ['23505', 'busy'],
  // "tuple concurrently updated" has no code of its own.
  ['XX000', 'busy'],
  ['25006', 'read-only'],
];

/** Which limit it was, by the routine that says so; its name is the same in every language of the server. */
const byRoutine: ReadonlyMap<string, Trouble> = new Map([
  ['InitializeSessionUserId', 'full for the role'],
  ['CheckMyDatabase', 'full for the database'],
]);

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
]);

/** OpenSSL's verdicts on certificates and handshakes, as Node spells them. */
const tlsCode =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERROR_IN_CERT_)/;

/** The driver throws these without any code. */
const driverTexts: readonly (readonly [string, Trouble])[] = [
  ['The server does not support SSL connections', 'no TLS to trust'],
  ['There was an error establishing an SSL connection', 'no TLS to trust'],
  ['Connection terminated', 'no network'],
  ['Client has encountered a connection error', 'no network'],
  ['Client was closed', 'no network'],
];

export function troubleOf(error: unknown): Trouble {
  if (error instanceof DatabaseError) {
    const state = sqlStateOf(error) ?? '';
    if (state === '53300') return byRoutine.get(error.routine ?? '') ?? 'full';
    // Authenticated, then turned away: NOLOGIN. The routine's name is the same in every language of the server.
    const notLetIn =
      state === '28000' && (error.routine === 'InitializeSessionUserId' || isNotPermitted(error));
    return notLetIn
      ? 'refused: not let in'
      : (bySqlState.find(([start]) => state.startsWith(start))?.[1] ?? 'other');
  }
  if (!(error instanceof Error)) return 'other';
  // Several addresses were tried and none answered.
  if (error instanceof AggregateError) return error.errors.map(troubleOf)[0] ?? 'other';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (networkCodes.has(code)) return 'no network';
  if (tlsCode.test(code)) return 'no TLS to trust';
  return driverTexts.find(([start]) => error.message.startsWith(start))?.[1] ?? 'other';
}

const isNotPermitted = (error: DatabaseError) => error.message.endsWith('is not permitted to log in');

export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the server ends the session with this error: it says FATAL, or goes down. */
export function endsSession(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.severity === 'FATAL' || troubleOf(error) === 'down';
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

type Row = readonly [kind: FailureKind, reason: Reason, message: (where: string, user: string) => string];

/** For the admin's sessions. */
const adminRows: { readonly [T in Exclude<Trouble, 'other'>]: Row } = {
  'refused: authentication': [
    'denied',
    'AdminLoginRefused',
    (where, user) =>
      `${where} refused the login of admin "${user}". Check that it exists and has LOGIN. With authentication IAM it needs rds_iam, and the operator rds-db:connect as it; with Secret it must not be a member of rds_iam, ADMIN OPTION alone included, as that ends its password login.`,
  ],
  'refused: password': [
    'denied',
    'AdminLoginRefused',
    (where, user) =>
      `${where} refused the password of admin "${user}". With authentication Secret, check the Secret; with IAM, that the admin is a member of rds_iam.`,
  ],
  'refused: not let in': [
    'denied',
    'AdminLoginRefused',
    (where, user) =>
      `${where} does not let admin "${user}" in: it needs LOGIN, and CONNECT on database postgres.`,
  ],
  'refused: no such database': [
    'missing',
    'DatabaseUnavailable',
    (where) => `${where} has no database postgres, in which roles are administered.`,
  ],
  full: ['unavailable', 'DatabaseBusy', (where) => `${where} has no connection or memory to spare.`],
  'full for the role': [
    'unavailable',
    'DatabaseBusy',
    (where, user) =>
      `${where} has no connection to spare for admin "${user}": its own connection limit is reached. ALTER ROLE "${user}" CONNECTION LIMIT -1;`,
  ],
  'full for the database': [
    'unavailable',
    'DatabaseBusy',
    (where) =>
      `${where} has no connection to spare in database postgres, whose own limit is reached. ALTER DATABASE postgres CONNECTION LIMIT -1;`,
  ],
  down: ['unavailable', 'DatabaseUnavailable', (where) => `${where} is starting up or shutting down.`],
  busy: [
    'unavailable',
    'DatabaseBusy',
    (where) =>
      `${where} was too busy with other changes of the same roles; the operator tries again. If it stays so, look in pg_locks who holds them.`,
  ],
  'read-only': [
    'unavailable',
    'ReadOnlyServer',
    (where) => `${where} leads to a read-only server, as during a failover; the operator connects anew.`,
  ],
  'no TLS to trust': [
    'denied',
    'CertificateRejected',
    (where) =>
      `${where} shows no certificate that is valid for this name under the region's roots; nothing was sent to it.`,
  ],
  'no network': ['unavailable', 'DatabaseUnavailable', (where) => `${where} does not answer.`],
};

/** `thrown` goes into the cause, for the log; of a remote side's words none goes into the message. */
export function adminFailure(thrown: unknown, { host, port }: Endpoint, user: string): Failure {
  const trouble = troubleOf(thrown);
  if (thrown instanceof Failure || trouble === 'other') return asFailure(thrown);
  const [kind, reason, message] = adminRows[trouble];
  return new Failure(kind, reason, message(`The database server ${host}:${port}`, user), { cause: thrown });
}

/** The server's own code goes with it: 28P01 means that the token was never judged. */
export class LoginFailure extends Failure {
  readonly sqlState: string | undefined;

  constructor(row: Row, where: string, user: string, cause: unknown) {
    const [kind, reason, message] = row;
    super(kind, reason, message(where, user), { cause });
    this.name = 'LoginFailure';
    this.sqlState = sqlStateOf(cause);
  }
}

const forbidden: Row = [
  'denied',
  'LoginForbidden',
  (where, user) =>
    `${where} accepted the token of "${user}" but did not let it in: check LOGIN, CONNECT on the database, and that the database exists.`,
];
const unreachable: Row = ['unavailable', 'Unreachable', (where) => `${where} does not answer.`];

/** For the proof of a user's access. */
const loginRows: { readonly [T in Exclude<Trouble, 'other'>]: Row } = {
  'refused: authentication': [
    'denied',
    'TokenRefused',
    (where, user) => `${where} refused the token of "${user}".`,
  ],
  'refused: password': [
    'denied',
    'TokenRefused',
    (where, user) =>
      `${where} took the token of "${user}" for a password: IAM authentication is off, or the role is not a member of rds_iam.`,
  ],
  'refused: not let in': forbidden,
  'refused: no such database': forbidden,
  full: [
    'denied',
    'LoginForbidden',
    (where, user) =>
      `${where} has no connection or memory to spare for "${user}": the server is full, or a connection limit is reached, of the role or of its database.`,
  ],
  'full for the role': [
    'denied',
    'LoginForbidden',
    (where, user) =>
      `${where} has no connection to spare for "${user}": its own connection limit is reached (spec.connectionLimit).`,
  ],
  'full for the database': [
    'denied',
    'LoginForbidden',
    (where, user) =>
      `${where} has no connection to spare for "${user}": the limit of its database is reached (ALTER DATABASE … CONNECTION LIMIT).`,
  ],
  down: unreachable,
  busy: unreachable,
  'read-only': unreachable,
  'no TLS to trust': [
    'denied',
    'CertificateRejected',
    (where) =>
      `${where} shows no certificate that is valid for this name under the region's roots; no token was sent to it.`,
  ],
  'no network': unreachable,
};

export function loginFailure(thrown: unknown, { host, port }: Endpoint, user: string): Failure {
  const trouble = troubleOf(thrown);
  if (thrown instanceof Failure || trouble === 'other') return asFailure(thrown);
  return new LoginFailure(loginRows[trouble], `${host}:${port}`, user, thrown);
}

/** Nothing came back in time, or the pass was ended. */
export const noAnswer = (signal: AbortSignal): Error =>
  Object.assign(new Error('no answer in time', { cause: signal.reason }), { code: 'ETIMEDOUT' });
