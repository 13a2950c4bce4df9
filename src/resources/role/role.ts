// What a database role should be, what it is, and the changes that lead from the one to the other.
import type { Mark } from './mark.ts';
import type { RoleOwner } from './owner.ts';
import type { Settings } from './settings.ts';

export interface PresentRole {
  readonly ensure: 'present';
  readonly username: string;
  readonly owner: RoleOwner;
  readonly memberOf: readonly string[];
  /** Groups that the owner of the database lists by name: those may own schemas or databases, or be or reach a `pg_*`. */
  readonly literallyAllowedGroups: readonly string[];
  /** Whether a role that nobody marked may be taken over. */
  readonly adopt: boolean;
  /** -1 is no limit. */
  readonly connectionLimit: number;
  readonly connectDatabases: readonly string[];
  /** Settings of the role, for all databases. */
  readonly settings: Settings;
  /** The admins of every IamDatabase on this server. */
  readonly reservedUsernames: readonly string[];
}

export interface AbsentRole {
  /**
   * absent: dropped. disabled: kept, without login and rds_iam. released: as it is, and nobody's any more. empty: as it is,
   * and nobody is logged in, for a time in which nothing may be changed.
   */
  readonly ensure: 'absent' | 'disabled' | 'released' | 'empty';
  readonly username: string;
  readonly owner: RoleOwner;
  /** Who receives what the role owns before it is dropped. */
  readonly reassignTo?: string;
}

export type DesiredRole = PresentRole | AbsentRole;

/** What others are told to bring about: empty is for a moment of the operator's own. */
export type ScriptedRole =
  | PresentRole
  | (AbsentRole & { readonly ensure: Exclude<AbsentRole['ensure'], 'empty'> });

export interface ObservedRole {
  /** As in `server_version_num`: 170004 is 17.4. */
  readonly serverVersion: number;
  /** Who logged in to look: the operator's admin. */
  readonly admin: string;
  /** Whether the server knows IAM authentication at all. */
  readonly rdsIamExists: boolean;
  readonly role: ExistingRole | undefined;
  /** Each wished group. */
  readonly groups: readonly GroupFacts[];
  /** Each wished database. */
  readonly databases: readonly DatabaseFacts[];
}

export interface ExistingRole {
  readonly login: boolean;
  readonly connectionLimit: number;
  /** The comment as it stands; `mark` is what it says if it is a mark. */
  readonly comment: string | undefined;
  readonly mark: Mark | undefined;
  /** Has an attribute that no user of ours has: superuser, or creating roles, databases and the like. */
  readonly powerful: boolean;
  /** Whether the admin may alter it, so that its access can be ended again; true where the role is marked. */
  readonly administrable: boolean;
  /** Rows of pg_auth_members with this role as the member, rds_iam left out. */
  readonly memberships: readonly Membership[];
  readonly rdsIam: RdsIam;
  /** Databases on which CONNECT is granted to this very role, by whomever. */
  readonly connectGrants: readonly string[];
  /** Its settings for all databases, whoever made them. */
  readonly settings: Settings;
  /** Roles that log in by password today and reach this role: rds_iam on it would end that. The admin is not among them. */
  readonly passwordLoginsThatReachIt: readonly Reach[];
  /** Counted only while access is being ended, or where the role may be taken over. */
  readonly sessions: number;
  /** Databases in which it owns something; looked at only while access is being ended. */
  readonly ownsIn: readonly string[];
  /** Why the server refused to drop it, in its words; undefined while that was not tried. */
  readonly heldBy: string | undefined;
}

export interface Reach {
  readonly login: string;
  /** The member of the role by which it does, which may be itself. */
  readonly through: string;
  /** A membership that only a superuser takes away, as that of who created the role has it from PostgreSQL 16 on. */
  readonly bySuperuser: boolean;
}

export interface RdsIam {
  /** A membership that a REVOKE of ours takes away. */
  readonly ours: boolean;
  /** A direct membership that somebody else granted and only they can revoke. */
  readonly others: boolean;
  /** A direct membership that somebody else granted, whoever may revoke it. */
  readonly foreign: boolean;
  /** Through a group. */
  readonly indirect: boolean;
}

export interface Membership {
  readonly group: string;
  /** Whether we granted it, or a role that our admin acts as. */
  readonly byUs: boolean;
  /** Whether it gives the group's privileges; from PostgreSQL 16 on a membership may be for its ADMIN OPTION only. */
  readonly usable: boolean;
  readonly power: GroupPower;
}

/** What makes a group more than a group, found in it and in every role it reaches. */
export interface GroupPower {
  /** Roles that are never granted, whoever allows it. */
  readonly never: readonly string[];
  /** Roles that are granted only where they are allowed by name themselves: `pg_*`, owners of schemas and databases. */
  readonly byNameOnly: readonly string[];
}

export interface GroupFacts {
  readonly group: string;
  readonly exists: boolean;
  readonly power: GroupPower;
}

export interface DatabaseFacts {
  readonly database: string;
  readonly exists: boolean;
  /** Whether the role has CONNECT, by PUBLIC, through groups or directly; for a missing role whether PUBLIC has it. */
  readonly held: boolean;
  /** Wished groups that have it. */
  readonly throughGroups: readonly string[];
}

export type RoleChange =
  | { readonly do: 'create'; readonly connectionLimit: number }
  /** Says that the role was there before; what is done about it are the other changes. */
  | { readonly do: 'adopt'; readonly sessions: number }
  | { readonly do: 'mark'; readonly mark: Mark }
  /** The mark gives way to a comment that is none. */
  | { readonly do: 'release'; readonly comment: string }
  | { readonly do: 'allow login' }
  | { readonly do: 'limit connections'; readonly limit: number }
  | { readonly do: 'set'; readonly setting: string; readonly value: string }
  | { readonly do: 'reset'; readonly setting: string }
  | { readonly do: 'grant rds_iam' }
  | { readonly do: 'grant group'; readonly group: string }
  /** `ifPossible`: where the role ends, a right that the admin lost must not hold that up. */
  | { readonly do: 'revoke group'; readonly group: string; readonly ifPossible: boolean }
  | { readonly do: 'grant connect'; readonly database: string }
  | { readonly do: 'revoke connect'; readonly database: string }
  /** NOLOGIN and no rds_iam. */
  | { readonly do: 'end access' }
  | { readonly do: 'end sessions' }
  /** The same of a role that may log in still, leaving no trace in the catalogs. */
  | { readonly do: 'interrupt sessions' }
  /** What can be handed over is; the rest holds up the drop, and is told then. */
  | { readonly do: 'reassign'; readonly to: string; readonly databases: readonly string[] }
  | { readonly do: 'drop' };

/** Changes that give somebody something: a transaction with one of them ends with the lock-out guard. */
export function gives(change: RoleChange): boolean {
  switch (change.do) {
    case 'create':
    case 'grant rds_iam':
    case 'grant group':
    case 'grant connect':
      return true;
    case 'adopt':
    case 'mark':
    case 'release':
    case 'allow login':
    case 'limit connections':
    case 'set':
    case 'reset':
    case 'revoke group':
    case 'revoke connect':
    case 'end access':
    case 'end sessions':
    case 'interrupt sessions':
    case 'reassign':
    case 'drop':
      return false;
    default:
      return change satisfies never;
  }
}
