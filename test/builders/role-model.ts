// Roles of a PostgreSQL server held in memory, decided upon by the real plan.
import type { Resource } from '../../src/kernel/converge.ts';
import { type Failure, asFailure } from '../../src/kernel/failure.ts';
import { formatMark, type Mark, parseMark } from '../../src/resources/role/mark.ts';
import { describeRole } from '../../src/resources/role/describe.ts';
import { planRole } from '../../src/resources/role/plan.ts';
import type { DesiredRole, ObservedRole, RoleChange } from '../../src/resources/role/role.ts';

export interface RoleModel {
  readonly resource: Resource<DesiredRole, ObservedRole, RoleChange>;
  /** A role as a person would make it: no mark. */
  make(username: string, comment?: string): void;
  has(username: string): boolean;
  markOf(username: string): Mark | undefined;
  commentOf(username: string): string | undefined;
  /** Whether it may log in, with rds_iam. */
  mayLogIn(username: string): boolean;
  /** What somebody does behind the operator's back. */
  spoil(username: string): void;
  drop(username: string): void;
  /** A new group that users may be put into. */
  groups: Set<string>;
  /** User names with sessions open. */
  sessions: Set<string>;
  /** What hangs on roles, so that they cannot be dropped. */
  heldBy: string | undefined;
  /** Thrown at that stage. */
  broken: { observe?: Failure | Error; apply?: Failure | Error };
}

interface Role {
  login: boolean;
  limit: number;
  comment: string | undefined;
  iam: boolean;
  groups: Set<string>;
}

const harmless = { never: [], byNameOnly: [] };

export function roleModel(note: (call: string) => void): RoleModel {
  const roles = new Map<string, Role>();
  const model: RoleModel = {
    groups: new Set(),
    sessions: new Set(),
    heldBy: undefined,
    broken: {},
    make: (username, comment) => {
      roles.set(username, { login: true, limit: -1, comment, iam: false, groups: new Set() });
    },
    has: (username) => roles.has(username),
    markOf: (username) => parseMark(roles.get(username)?.comment),
    commentOf: (username) => roles.get(username)?.comment,
    mayLogIn: (username) => roles.get(username)?.login === true && roles.get(username)?.iam === true,
    spoil: (username) => {
      const role = roles.get(username);
      if (role !== undefined) role.iam = false;
    },
    drop: (username) => {
      roles.delete(username);
    },
    resource: {
      observe: (desired) => {
        note(`observe role ${desired.username}`);
        if (model.broken.observe !== undefined) return Promise.reject(asFailure(model.broken.observe));
        return Promise.resolve(observe(desired, undefined));
      },
      plan: planRole,
      describe: describeRole,
      apply: (changes, desired) => {
        note(`change role ${desired.username}: ${changes.map((change) => change.do).join(', ')}`);
        if (model.broken.apply !== undefined) return Promise.reject(asFailure(model.broken.apply));
        let heldBy: string | undefined;
        for (const change of changes) heldBy = take(desired.username, change) ?? heldBy;
        return Promise.resolve(observe(desired, heldBy));
      },
    },
  };

  function take(username: string, change: RoleChange): string | undefined {
    if (change.do === 'create') {
      roles.set(username, {
        login: true,
        limit: change.connectionLimit,
        comment: undefined,
        iam: false,
        groups: new Set(),
      });
    }
    const role = roles.get(username);
    if (role === undefined) return undefined;
    if (change.do === 'mark') role.comment = formatMark(change.mark);
    if (change.do === 'release') role.comment = change.comment;
    if (change.do === 'allow login') role.login = true;
    if (change.do === 'limit connections') role.limit = change.limit;
    if (change.do === 'grant rds_iam') role.iam = true;
    if (change.do === 'grant group') role.groups.add(change.group);
    if (change.do === 'revoke group') role.groups.delete(change.group);
    if (change.do === 'end access') {
      role.login = false;
      role.iam = false;
    }
    if (change.do === 'end sessions' || change.do === 'interrupt sessions') model.sessions.delete(username);
    if (change.do !== 'drop') return undefined;
    if (model.heldBy === undefined) roles.delete(username);
    return model.heldBy;
  }

  function observe(desired: DesiredRole, heldBy: string | undefined): ObservedRole {
    const role = roles.get(desired.username);
    const wished = desired.ensure === 'present' ? desired : { memberOf: [], connectDatabases: [] };
    return {
      serverVersion: 170_004,
      admin: 'iamdb_admin',
      rdsIamExists: true,
      groups: wished.memberOf.map((group) => ({ group, exists: model.groups.has(group), power: harmless })),
      databases: wished.connectDatabases.map((database) => ({
        database,
        exists: true,
        held: true,
        throughGroups: [],
      })),
      role: role && {
        login: role.login,
        connectionLimit: role.limit,
        comment: role.comment,
        mark: parseMark(role.comment),
        memberships: [...role.groups].map((group) => ({ group, byUs: true, usable: true, power: harmless })),
        rdsIam: { ours: role.iam, others: false, foreign: false, indirect: false },
        ownsIn: [],
        powerful: false,
        administrable: true,
        settings: {},
        connectGrants: [],
        passwordLoginsThatReachIt: [],
        sessions: desired.ensure !== 'present' && model.sessions.has(desired.username) ? 1 : 0,
        heldBy,
      },
    };
  }

  return model;
}
