// Why a role cannot or must not be as it is wished, in words for the person who has to mend it.
import { adminStatements, iamAdminSQL } from './admin-statements.ts';
import { Failure } from '../../kernel/failure.ts';
import type { Mark } from './mark.ts';
import type { PresentRole, Reach } from './role.ts';
import type { Session } from './server.ts';

export type Refused = Failure | undefined;

/** A name from the server or from a spec, made fit to be shown. */
export function shown(name: string): string {
  const clean = name.replaceAll(/[^\p{L}\p{N} _.@$:/+-]/gu, '?');
  return clean.length > 63 ? `${clean.slice(0, 60)}...` : clean;
}

/** A text of several lines from the server, made fit to be shown. */
export const oneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?').trim())
    .filter((line) => line !== '')
    .join('; ');

/** Of a version as servers show it: 17.4, 18beta1. */
const majorOf = (serverVersion: string) => Number.parseInt(serverVersion, 10);

const list = (names: readonly string[]) => {
  const first = names.slice(0, 5).map((name) => `"${shown(name)}"`);
  return names.length > 5 ? `${first.join(', ')} and ${names.length - 5} more` : first.join(', ');
};

export const refusals = {
  usernameNotAllowed: (username: string, why: string) =>
    new Failure('invalid', 'UsernameNotAllowed', `User name "${shown(username)}" cannot be used: ${why}.`),

  noRdsIam: () =>
    new Failure(
      'missing',
      'EngineNotSupported',
      'The server has no role rds_iam, so it is not an RDS or Aurora PostgreSQL with IAM authentication.',
    ),

  notOurs(desired: PresentRole, mark: Mark | undefined) {
    const { username, owner } = desired;
    const whose =
      mark === undefined
        ? 'carries no mark of this operator'
        : mark.operatorID === owner.operatorID
          ? mark.namespace === owner.namespace && mark.name === owner.name
            ? 'was made for an earlier namespace of the same name'
            : `is kept for IamDatabaseUser ${shown(mark.namespace)}/${shown(mark.name)}`
          : 'is kept by another operator';
    return new Failure(
      'conflict',
      'RoleNotOurs',
      `Role "${username}" exists on the server and ${whose}. Use another user name, or drop the role if nobody needs it.`,
    );
  },

  powerfulRole: (username: string) =>
    new Failure(
      'conflict',
      'RoleNotAdoptable',
      `Role "${username}" is a superuser, or may create roles or databases, replicate or bypass row security. As a superuser: ALTER ROLE "${username}" NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;`,
    ),

  roleReaches: (username: string, roles: readonly string[]) =>
    new Failure(
      'conflict',
      'RoleNotAdoptable',
      `Role "${username}" reaches ${list([...new Set(roles)])}, which no user may this way. REVOKE that from it first.`,
    ),

  foreignRdsIam: (username: string) =>
    new Failure(
      'conflict',
      'RoleNotAdoptable',
      `Somebody else granted rds_iam to "${username}", or to a group of it, and the operator could not take it away again. As the one who did: REVOKE rds_iam FROM "${username}";`,
    ),

  groupNotFound: (group: string) =>
    new Failure(
      'missing',
      'GroupNotFound',
      `There is no role "${shown(group)}" on the server. CREATE ROLE "${shown(group)}" NOLOGIN; or remove it from memberOf.`,
    ),

  groupIsUser: (group: string) =>
    new Failure(
      'invalid',
      'PrivilegedGroup',
      `"${shown(group)}" is the user itself. Remove it from memberOf.`,
    ),

  privilegedGroup: (group: string, powerful: readonly string[]) =>
    new Failure(
      'invalid',
      'PrivilegedGroup',
      `Group "${shown(group)}" is or reaches ${list(powerful)}, which is never granted this way. Remove it from memberOf.`,
    ),

  unlistedGroup: (group: string, reached: readonly string[]) =>
    new Failure(
      'invalid',
      'PrivilegedGroup',
      `Group "${shown(group)}" is or reaches ${list(reached)}, which is granted only where spec.allow of the IamDatabase lists it in memberOf as well. Ask its owner for that, or remove the group from memberOf.`,
    ),

  settingInvalid: (setting: string) =>
    new Failure(
      'invalid',
      'SettingInvalid',
      `PostgreSQL does not accept the value of settings.${shown(setting)}. Nothing was changed.`,
    ),

  databaseNameNotFound: (database: string) =>
    new Failure(
      'missing',
      'DatabaseNameNotFound',
      `There is no database "${shown(database)}" on the server. Create it, or remove it from connectDatabases.`,
    ),

  wouldLockOut(username: string, reaches: readonly Reach[]) {
    const logins = [...new Set(reaches.map(({ login }) => login))];
    const through = (bySuperuser: boolean) => [
      ...new Set(reaches.filter((one) => one.bySuperuser === bySuperuser).map((one) => one.through)),
    ];
    const [granted, fixed] = [through(false), through(true)];
    const byGrantor = ` As who granted it: REVOKE "${username}" FROM ${list(granted)};`;
    const bySuperuser = ` ${list(fixed)} created it, or was given it by a superuser. Only a superuser takes that away: REVOKE "${username}" FROM ${list(fixed)} CASCADE; and with it goes what was granted from there, as the admin's ADMIN OPTION, to be given anew. Where there is no superuser, as on RDS: instead of adopting "${username}" ALTER ROLE "${username}" RENAME TO another name, make that NOLOGIN, and name it in memberOf.`;
    return new Failure(
      'conflict',
      'WouldLockOut',
      `rds_iam on "${username}" would end the password logins of ${list(logins)}, which are members of it.${granted.length === 0 ? '' : byGrantor}${fixed.length === 0 ? '' : bySuperuser}`,
    );
  },

  adminWouldLoseLogin: ({ admin, serverVersion }: Pick<Session, 'admin' | 'serverVersion'>) =>
    new Failure(
      'denied',
      'AdminWouldLoseLogin',
      `Nothing was changed: admin "${shown(admin)}" logs in by password, and as a member of rds_iam it no longer could. Use an IAM admin: ${iamAdminSQL('iamdb_admin')} Or keep the password, with functions that work for it: run what this prints: kubectl iamdb admin-sql --authentication Secret --username ${shown(admin)} --postgres ${majorOf(serverVersion)}`,
    ),

  adminNearlyLostLogin: (admin: string, username: string) =>
    new Failure(
      'denied',
      'AdminWouldLoseLogin',
      `Somebody made admin "${shown(admin)}" a member of "${username}" while it was granted rds_iam, which would have ended the admin's password login: what this operator granted was revoked again. REVOKE "${username}" FROM "${shown(admin)}";`,
    ),

  missingCreateRole: (admin: string) =>
    new Failure(
      'denied',
      'MissingCreateRole',
      `Admin "${shown(admin)}" may not create roles. ${adminStatements.mayCreateRoles(shown(admin))}`,
    ),

  missingAdminOption: (admin: string, role: string, serverVersion: string) =>
    new Failure(
      'denied',
      'MissingAdminOption',
      `Admin "${shown(admin)}" may not grant "${shown(role)}". ${role === 'rds_iam' ? adminStatements.mayGrantIam(shown(admin)) : adminStatements.mayGrant(shown(admin), shown(role), majorOf(serverVersion))}`,
    ),

  missingGrantOption: (admin: string, username: string, database: string) =>
    new Failure(
      'denied',
      'MissingGrantOption',
      `Admin "${shown(admin)}" may not grant CONNECT on database "${shown(database)}", and "${username}" does not have it otherwise. As the database's owner: GRANT CONNECT ON DATABASE "${shown(database)}" TO "${username}";`,
    ),

  notAdministrable: (admin: string, username: string) =>
    new Failure(
      'denied',
      'RolesNotAdministrable',
      `Admin "${shown(admin)}" may not alter, comment on or drop role "${username}". It needs CREATEROLE, and from PostgreSQL 16 on ADMIN OPTION on the role.`,
    ),

  rehearsalRoleExists: (username: string) =>
    new Failure(
      'conflict',
      'RolesNotAdministrable',
      `Role "${username}" exists, which the rehearsal makes and rolls back. DROP ROLE "${username}";`,
    ),

  cannotEndSessions: (admin: string, username: string) =>
    new Failure(
      'denied',
      'RolesNotAdministrable',
      `Admin "${shown(admin)}" may not end the sessions of "${username}": it may neither act as that role nor as pg_signal_backend.`,
    ),
} as const;
