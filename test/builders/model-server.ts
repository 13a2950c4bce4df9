// For tests: a PostgreSQL server as far as one role goes, which remembers who really granted what.
import { formatMark, parseMark } from '../../src/resources/role/mark.ts';
import type { Settings } from '../../src/resources/role/settings.ts';
import type {
  DesiredRole,
  GroupPower,
  ObservedRole,
  PresentRole,
  RoleChange,
} from '../../src/resources/role/role.ts';

/** Who granted something. From PostgreSQL 16 on both may have; before, the first one's grant is the only one. */
export type Granted = ReadonlySet<'us' | 'person'>;

export interface ModelRole {
  readonly login: boolean;
  readonly limit: number;
  readonly comment: string | undefined;
  readonly iam: Granted;
  readonly groups: ReadonlyMap<string, Granted>;
  /** A grantee's right counts once, whoever gave it: owners and those with GRANT OPTION leave entries of their own. */
  readonly connects: ReadonlyMap<string, Granted>;
  readonly sessions: number;
  readonly powerful: boolean;
  readonly administrable: boolean;
  readonly settings: Settings;
  readonly reachedBy: readonly string[];
}

export interface ModelServer {
  readonly version: number;
  readonly role: ModelRole | undefined;
  readonly groups: ReadonlyMap<string, GroupPower>;
  /** Whether PUBLIC has CONNECT, and which groups have it. */
  readonly databases: ReadonlyMap<
    string,
    { readonly byPublic: boolean; readonly byGroups: readonly string[] }
  >;
  /** Whether it owns something that can be handed over. */
  readonly owns: boolean;
  /** What would keep the role from being dropped, grants on databases apart. */
  readonly hangsOnIt: boolean;
  /** The refusal of DROP that was seen, as the closing read of a pass tells it. */
  readonly heldBy: string | undefined;
}

const ordinary: GroupPower = { never: [], byNameOnly: [] };

export function observe({ version, role, ...server }: ModelServer, desired: DesiredRole): ObservedRole {
  const nothing: Pick<PresentRole, 'memberOf' | 'connectDatabases'> = { memberOf: [], connectDatabases: [] };
  const wished = desired.ensure === 'present' ? desired : nothing;
  const isMember = (group: string) => (role?.groups.get(group)?.size ?? 0) > 0;
  return {
    serverVersion: version,
    admin: 'iamdb_admin',
    rdsIamExists: true,
    groups: wished.memberOf.map((group) => ({
      group,
      exists: server.groups.has(group),
      power: server.groups.get(group) ?? ordinary,
    })),
    databases: wished.connectDatabases.map((database) => {
      const facts = server.databases.get(database);
      const direct = (role?.connects.get(database)?.size ?? 0) > 0;
      const held = direct || facts?.byPublic === true || facts?.byGroups.some(isMember) === true;
      const throughGroups = facts?.byGroups.filter((group) => wished.memberOf.includes(group)) ?? [];
      return { database, exists: facts !== undefined, held, throughGroups };
    }),
    role: role && {
      login: role.login,
      connectionLimit: role.limit,
      comment: role.comment,
      mark: parseMark(role.comment),
      ownsIn: desired.ensure !== 'present' && server.owns ? ['orders'] : [],
      powerful: role.powerful,
      administrable: role.administrable,
      memberships: [...role.groups].flatMap(([group, by]) =>
        [...by].map((grantor) => ({
          group,
          byUs: grantor === 'us',
          usable: true,
          power: server.groups.get(group) ?? ordinary,
        })),
      ),
      rdsIam: {
        ours: role.iam.has('us') || (version < 160_000 && role.iam.size > 0),
        others: version >= 160_000 && role.iam.has('person'),
        foreign: role.iam.has('person'),
        indirect: false,
      },
      settings: role.settings,
      connectGrants: [...role.connects].flatMap(([database, by]) => (by.size > 0 ? [database] : [])),
      passwordLoginsThatReachIt: role.reachedBy.map((login) => ({
        login,
        through: login,
        bySuperuser: false,
      })),
      sessions: desired.ensure === 'present' && !desired.adopt ? 0 : role.sessions,
      heldBy: server.heldBy,
    },
  };
}

/** One transaction. */
export function applyStep(server: ModelServer, changes: readonly RoleChange[]): ModelServer {
  return changes.reduce<ModelServer>(applyChange, server);
}

function applyChange(server: ModelServer, change: RoleChange): ModelServer {
  if (change.do === 'create') {
    if (server.role !== undefined) throw new Error('the role exists');
    return { ...server, role: { ...blank, limit: change.connectionLimit } };
  }
  const { role, version } = server;
  if (role === undefined) throw new Error('there is no role');
  const give = (by: Granted | undefined): Granted =>
    version < 160_000 && (by?.size ?? 0) > 0 ? (by ?? none) : new Set<'us' | 'person'>([...(by ?? []), 'us']);
  const take = (by: Granted | undefined): Granted =>
    version < 160_000 ? none : new Set([...(by ?? [])].filter((grantor) => grantor !== 'us'));
  const changed = (changes: Partial<ModelRole>): ModelServer => ({
    ...server,
    role: { ...role, ...changes },
  });
  switch (change.do) {
    case 'adopt':
      return server;
    case 'mark':
      return changed({ comment: formatMark(change.mark) });
    case 'release':
      return changed({ comment: change.comment });
    case 'allow login':
      return changed({ login: true });
    case 'limit connections':
      return changed({ limit: change.limit });
    case 'set':
      return changed({ settings: { ...role.settings, [change.setting]: change.value } });
    case 'reset': {
      const { [change.setting]: _, ...settings } = role.settings;
      return changed({ settings });
    }
    case 'grant rds_iam':
      return changed({ iam: give(role.iam) });
    case 'grant group':
      return changed({ groups: withEntry(role.groups, change.group, give(role.groups.get(change.group))) });
    case 'revoke group':
      return changed({ groups: withEntry(role.groups, change.group, take(role.groups.get(change.group))) });
    case 'grant connect': {
      const by: Granted = new Set([...(role.connects.get(change.database) ?? []), 'us']);
      return changed({ connects: withEntry(role.connects, change.database, by) });
    }
    case 'revoke connect':
      return changed({
        connects: withEntry(role.connects, change.database, without(role.connects.get(change.database))),
      });
    case 'end access':
      return changed({ login: false, iam: take(role.iam) });
    case 'end sessions':
    case 'interrupt sessions':
      return changed({ sessions: 0 });
    case 'reassign':
      return { ...server, owns: false };
    case 'drop': {
      const isGranted = [...role.connects.values()].some((by) => by.size > 0);
      return server.hangsOnIt || server.owns || isGranted
        ? { ...server, heldBy: 'a table' }
        : { ...server, role: undefined };
    }
    default:
      return change satisfies never;
  }
}

export const none: Granted = new Set();

const without = (by: Granted | undefined): Granted =>
  new Set([...(by ?? [])].filter((grantor) => grantor !== 'us'));

const withEntry = (map: ReadonlyMap<string, Granted>, key: string, by: Granted) =>
  new Map([...map, [key, by]]);

export const blank: ModelRole = {
  login: true,
  limit: -1,
  comment: undefined,
  iam: none,
  groups: new Map(),
  connects: new Map(),
  sessions: 0,
  powerful: false,
  administrable: true,
  settings: {},
  reachedBy: [],
};
