import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { adminFailure, endsSession, loginFailure, troubleOf } from './failures.ts';

const endpoint = { host: 'orders.example', port: 5432 };

const sqlError = (code: string, more: Partial<DatabaseError> = {}) =>
  Object.assign(new DatabaseError(more.message ?? 'words of the server: TOKEN-CANARY', 0, 'error'), {
    ...more,
    code,
  });
const coded = (code: string) => Object.assign(new Error('words of the network'), { code });

describe.each<[string, Error, string, string]>([
  ['a refused token', sqlError('28000'), 'AdminLoginRefused', 'TokenRefused'],
  ['a refused password', sqlError('28P01'), 'AdminLoginRefused', 'TokenRefused'],
  [
    'NOLOGIN',
    sqlError('28000', { routine: 'InitializeSessionUserId' }),
    'AdminLoginRefused',
    'LoginForbidden',
  ],
  [
    'NOLOGIN, told by a proxy',
    sqlError('28000', { message: 'role "checkout" is not permitted to log in' }),
    'AdminLoginRefused',
    'LoginForbidden',
  ],
  ['no CONNECT', sqlError('42501'), 'AdminLoginRefused', 'LoginForbidden'],
  ['no such database', sqlError('3D000'), 'DatabaseUnavailable', 'LoginForbidden'],
  ['too many connections', sqlError('53300'), 'DatabaseBusy', 'LoginForbidden'],
  [
    'too many connections of the role',
    sqlError('53300', { routine: 'InitializeSessionUserId' }),
    'DatabaseBusy',
    'LoginForbidden',
  ],
  [
    'too many connections to the database',
    sqlError('53300', { routine: 'CheckMyDatabase' }),
    'DatabaseBusy',
    'LoginForbidden',
  ],
  ['no memory', sqlError('53200', { routine: 'CheckMyDatabase' }), 'DatabaseBusy', 'LoginForbidden'],
  ['a shutdown', sqlError('57P01'), 'DatabaseUnavailable', 'Unreachable'],
  ['a start-up', sqlError('57P03'), 'DatabaseUnavailable', 'Unreachable'],
  ['a deadlock', sqlError('40P01'), 'DatabaseBusy', 'Unreachable'],
  ['a lock not had in time', sqlError('55P03'), 'DatabaseBusy', 'Unreachable'],
  ['a statement not done in time', sqlError('57014'), 'DatabaseBusy', 'Unreachable'],
  ['a row changed at the same time', sqlError('XX000'), 'DatabaseBusy', 'Unreachable'],
  ['a read-only server', sqlError('25006'), 'ReadOnlyServer', 'Unreachable'],
  ['a refused connection', coded('ECONNREFUSED'), 'DatabaseUnavailable', 'Unreachable'],
  ['a reset connection', coded('ECONNRESET'), 'DatabaseUnavailable', 'Unreachable'],
  ['an unknown host', coded('ENOTFOUND'), 'DatabaseUnavailable', 'Unreachable'],
  [
    'several addresses without an answer',
    new AggregateError([coded('ECONNREFUSED')]),
    'DatabaseUnavailable',
    'Unreachable',
  ],
  [
    'a connection that ended',
    new Error('Connection terminated unexpectedly'),
    'DatabaseUnavailable',
    'Unreachable',
  ],
  [
    'a certificate for another name',
    coded('ERR_TLS_CERT_ALTNAME_INVALID'),
    'CertificateRejected',
    'CertificateRejected',
  ],
  ['an expired certificate', coded('CERT_HAS_EXPIRED'), 'CertificateRejected', 'CertificateRejected'],
  [
    'an unknown authority',
    coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
    'CertificateRejected',
    'CertificateRejected',
  ],
  [
    'a self-signed certificate',
    coded('DEPTH_ZERO_SELF_SIGNED_CERT'),
    'CertificateRejected',
    'CertificateRejected',
  ],
  [
    'no TLS at all',
    new Error('The server does not support SSL connections'),
    'CertificateRejected',
    'CertificateRejected',
  ],
  ['something unforeseen', new Error('words of nobody'), 'InternalError', 'InternalError'],
  ['an unforeseen SQLSTATE', sqlError('22012'), 'InternalError', 'InternalError'],
])('%s', (_, error, forAdmin, forLogin) => {
  it(`is ${forAdmin} for the admin and ${forLogin} for the proof, without a word of the other side`, () => {
    for (const [failure, reason] of [
      [adminFailure(error, endpoint, 'iamdb_admin'), forAdmin],
      [loginFailure(error, endpoint, 'checkout'), forLogin],
    ] as const) {
      expect(failure.reason).toBe(reason);
      expect(failure.message).not.toMatch(/words of|CANARY/);
      expect(failure.cause).toBe(error);
    }
  });
});

it.each([
  ['InitializeSessionUserId', /"checkout": its own connection limit/],
  ['CheckMyDatabase', /the limit of its database/],
  ['InitProcess', /the server is full, or a connection limit/],
  [undefined, /the server is full, or a connection limit/],
])('tells whose limit was reached by the routine that refused: %s', (routine, says) => {
  const error = sqlError('53300', { message: 'zu viele Verbindungen', routine });
  expect(loginFailure(error, endpoint, 'checkout').message).toMatch(says);
});

it('lets a failure of ours through as it is', () => {
  const ours = new Failure('missing', 'AdminSecretMissing', 'There is no Secret.');
  expect(adminFailure(ours, endpoint, 'iamdb_admin')).toBe(ours);
  expect(loginFailure(ours, endpoint, 'checkout')).toBe(ours);
});

it('tells with a login whether the token was judged at all', () => {
  expect(loginFailure(sqlError('28P01'), endpoint, 'checkout')).toMatchObject({ sqlState: '28P01' });
  expect(loginFailure(sqlError('28000'), endpoint, 'checkout')).toMatchObject({ sqlState: '28000' });
  expect(loginFailure(coded('ECONNRESET'), endpoint, 'checkout')).toMatchObject({ sqlState: undefined });
});

it('knows which errors leave a session that can go on', () => {
  expect(endsSession(sqlError('42501', { severity: 'ERROR' }))).toBe(false);
  expect(endsSession(sqlError('42501', { severity: 'FATAL' }))).toBe(true);
  expect(endsSession(sqlError('57P01', { severity: 'FATAL' }))).toBe(true);
  expect(endsSession(coded('ECONNRESET'))).toBe(true);
  expect(troubleOf(sqlError('42601'))).toBe('other');
});
