import { describe, expect, it } from 'vitest';
import type { Failure } from '../../kernel/failure.ts';
import { owner, present } from '../../../test/builders/role-fixtures.ts';
import { markOf } from './mark.ts';
import { oneLine, refusals, shown } from './refusals.ts';

const mark = markOf(owner, [], []);
const session = { admin: 'iamdb_admin', serverVersion: '17.4' };
const groups = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const grantedTo = (login: string) => ({ login, through: login, bySuperuser: false });

describe('a refusal says what is wrong, with which object, and what to do next', () => {
  it.each<readonly [Failure, string, string, string]>([
    [
      refusals.usernameNotAllowed('pg_x', 'the name is reserved'),
      'invalid',
      'UsernameNotAllowed',
      'User name "pg_x" cannot be used: the name is reserved.',
    ],
    [
      refusals.noRdsIam(),
      'missing',
      'EngineNotSupported',
      'The server has no role rds_iam, so it is not an RDS or Aurora PostgreSQL with IAM authentication.',
    ],
    [
      refusals.powerfulRole('checkout'),
      'conflict',
      'RoleNotAdoptable',
      'Role "checkout" is a superuser, or may create roles or databases, replicate or bypass row security. As a superuser: ALTER ROLE "checkout" NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;',
    ],
    [
      refusals.roleReaches('checkout', ['kings', 'queens', 'kings']),
      'conflict',
      'RoleNotAdoptable',
      'Role "checkout" reaches "kings", "queens", which no user may this way. REVOKE that from it first.',
    ],
    [
      refusals.foreignRdsIam('checkout'),
      'conflict',
      'RoleNotAdoptable',
      'Somebody else granted rds_iam to "checkout", or to a group of it, and the operator could not take it away again. As the one who did: REVOKE rds_iam FROM "checkout";',
    ],
    [
      refusals.groupNotFound('writers'),
      'missing',
      'GroupNotFound',
      'There is no role "writers" on the server. CREATE ROLE "writers" NOLOGIN; or remove it from memberOf.',
    ],
    [
      refusals.groupIsUser('checkout'),
      'invalid',
      'PrivilegedGroup',
      '"checkout" is the user itself. Remove it from memberOf.',
    ],
    [
      refusals.privilegedGroup('owners', ['rds_superuser']),
      'invalid',
      'PrivilegedGroup',
      'Group "owners" is or reaches "rds_superuser", which is never granted this way. Remove it from memberOf.',
    ],
    [
      refusals.unlistedGroup('readers', ['pg_read_all_data']),
      'invalid',
      'PrivilegedGroup',
      'Group "readers" is or reaches "pg_read_all_data", which is granted only where spec.allow of the IamDatabase lists it in memberOf as well. Ask its owner for that, or remove the group from memberOf.',
    ],
    [
      refusals.settingInvalid('work_mem'),
      'invalid',
      'SettingInvalid',
      'PostgreSQL does not accept the value of settings.work_mem. Nothing was changed.',
    ],
    [
      refusals.databaseNameNotFound('orders'),
      'missing',
      'DatabaseNameNotFound',
      'There is no database "orders" on the server. Create it, or remove it from connectDatabases.',
    ],
    [
      refusals.wouldLockOut('checkout', groups.slice(0, 5).map(grantedTo)),
      'conflict',
      'WouldLockOut',
      'rds_iam on "checkout" would end the password logins of "a", "b", "c", "d", "e", which are members of it. As who granted it: REVOKE "checkout" FROM "a", "b", "c", "d", "e";',
    ],
    [
      refusals.wouldLockOut('checkout', [
        ...groups.map(grantedTo),
        { login: 'a', through: 'team', bySuperuser: false },
      ]),
      'conflict',
      'WouldLockOut',
      'rds_iam on "checkout" would end the password logins of "a", "b", "c", "d", "e" and 2 more, which are members of it. As who granted it: REVOKE "checkout" FROM "a", "b", "c", "d", "e" and 3 more;',
    ],
    [
      refusals.wouldLockOut('checkout', [
        { login: 'a', through: 'maker', bySuperuser: true },
        { login: 'maker', through: 'maker', bySuperuser: true },
      ]),
      'conflict',
      'WouldLockOut',
      'rds_iam on "checkout" would end the password logins of "a", "maker", which are members of it. "maker" created it, or was given it by a superuser. Only a superuser takes that away: REVOKE "checkout" FROM "maker" CASCADE; and with it goes what was granted from there, as the admin\'s ADMIN OPTION, to be given anew. Where there is no superuser, as on RDS: instead of adopting "checkout" ALTER ROLE "checkout" RENAME TO another name, make that NOLOGIN, and name it in memberOf.',
    ],
    [
      refusals.adminWouldLoseLogin(session),
      'denied',
      'AdminWouldLoseLogin',
      'Nothing was changed: admin "iamdb_admin" logs in by password, and as a member of rds_iam it no longer could. Use an IAM admin: CREATE ROLE "iamdb_admin" LOGIN CREATEROLE; GRANT rds_iam TO "iamdb_admin" WITH ADMIN OPTION; Or keep the password, with functions that work for it: run what this prints: kubectl iamdb admin-sql --authentication Secret --username iamdb_admin --postgres 17',
    ],
    [
      refusals.adminNearlyLostLogin('iamdb_admin', 'checkout'),
      'denied',
      'AdminWouldLoseLogin',
      'Somebody made admin "iamdb_admin" a member of "checkout" while it was granted rds_iam, which would have ended the admin\'s password login: what this operator granted was revoked again. REVOKE "checkout" FROM "iamdb_admin";',
    ],
    [
      refusals.missingCreateRole('iamdb_admin'),
      'denied',
      'MissingCreateRole',
      'Admin "iamdb_admin" may not create roles. ALTER ROLE "iamdb_admin" CREATEROLE;',
    ],
    [
      refusals.missingAdminOption('iamdb_admin', 'rds_iam', '17.4'),
      'denied',
      'MissingAdminOption',
      'Admin "iamdb_admin" may not grant "rds_iam". GRANT rds_iam TO "iamdb_admin" WITH ADMIN OPTION;',
    ],
    [
      refusals.missingAdminOption('iamdb_admin', 'writers', '16beta1'),
      'denied',
      'MissingAdminOption',
      'Admin "iamdb_admin" may not grant "writers". GRANT "writers" TO "iamdb_admin" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;',
    ],
    [
      refusals.missingAdminOption('iamdb_admin', 'writers', '15.9'),
      'denied',
      'MissingAdminOption',
      'Admin "iamdb_admin" may not grant "writers". GRANT "writers" TO "iamdb_admin" WITH ADMIN OPTION;',
    ],
    [
      refusals.missingGrantOption('iamdb_admin', 'checkout', 'orders'),
      'denied',
      'MissingGrantOption',
      'Admin "iamdb_admin" may not grant CONNECT on database "orders", and "checkout" does not have it otherwise. As the database\'s owner: GRANT CONNECT ON DATABASE "orders" TO "checkout";',
    ],
    [
      refusals.notAdministrable('iamdb_admin', 'checkout'),
      'denied',
      'RolesNotAdministrable',
      'Admin "iamdb_admin" may not alter, comment on or drop role "checkout". It needs CREATEROLE, and from PostgreSQL 16 on ADMIN OPTION on the role.',
    ],
    [
      refusals.rehearsalRoleExists('iamdb_rehearsal'),
      'conflict',
      'RolesNotAdministrable',
      'Role "iamdb_rehearsal" exists, which the rehearsal makes and rolls back. DROP ROLE "iamdb_rehearsal";',
    ],
    [
      refusals.cannotEndSessions('iamdb_admin', 'checkout'),
      'denied',
      'RolesNotAdministrable',
      'Admin "iamdb_admin" may not end the sessions of "checkout": it may neither act as that role nor as pg_signal_backend.',
    ],
  ])('%s', (failure, kind, reason, message) => {
    expect([failure.kind, failure.reason, failure.message]).toEqual([kind, reason, message]);
  });
});

describe('a role that is not ours', () => {
  it.each([
    ['nobody marked', undefined, 'carries no mark of this operator'],
    [
      'belongs to an earlier namespace',
      { ...mark, namespaceUID: 'namespace-0' },
      'was made for an earlier namespace of the same name',
    ],
    [
      'belongs to another object',
      { ...mark, name: 'billing' },
      'is kept for IamDatabaseUser payments/billing',
    ],
    [
      'belongs to another namespace',
      { ...mark, namespace: 'shop' },
      'is kept for IamDatabaseUser shop/checkout',
    ],
    ['belongs to another cluster', { ...mark, operatorID: 'operator-9' }, 'is kept by another operator'],
  ])('that %s is told from the others', (_, found, whose) => {
    expect(refusals.notOurs(present, found)).toMatchObject({
      kind: 'conflict',
      reason: 'RoleNotOurs',
      message: `Role "checkout" exists on the server and ${whose}. Use another user name, or drop the role if nobody needs it.`,
    });
  });
});

describe('what comes from the server', () => {
  it('is shown as a name of at most 63 characters, without what could hide or end it', () => {
    expect(shown('Kunden_1 a.b@c$d:e/f+g-h')).toBe('Kunden_1 a.b@c$d:e/f+g-h');
    expect(shown('a"b\nc\u202Ed;')).toBe('a?b?c?d?');
    expect(shown('x'.repeat(63))).toBe('x'.repeat(63));
    expect(shown('x'.repeat(64))).toBe(`${'x'.repeat(60)}...`);
  });

  it('becomes one line, without the empty ones', () => {
    expect(oneLine('owner of table a\n\n  owner of schema b\u202E \n')).toBe(
      'owner of table a; owner of schema b?',
    );
  });
});
