// The mark on a role (its COMMENT): whose it is, and what of its rights came from us.
import type { RoleOwner } from './owner.ts';

export interface Mark {
  readonly operatorID: string;
  readonly namespaceUID: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serverResourceID: string;
  /** Memberships that we granted, sorted: only these are ever revoked. */
  readonly groups: readonly string[];
  /** Databases on which we granted CONNECT, sorted. */
  readonly databases: readonly string[];
  /** Settings that we made, sorted. */
  readonly settings: readonly string[];
  /** Written by a script that somebody else ran: the operator's admin may lack the right to end the role. */
  readonly by?: 'script';
}

const version = 1;
const shape = /^Kept by iamdb-operator for [^{]*(\{.*\})$/su;

/** One text for one mark, so that marks can be compared as texts. */
export function formatMark(mark: Mark): string {
  const json = JSON.stringify({
    v: version,
    operator: mark.operatorID,
    namespaceUID: mark.namespaceUID,
    namespace: mark.namespace,
    name: mark.name,
    uid: mark.uid,
    server: mark.serverResourceID,
    groups: sorted(mark.groups),
    databases: sorted(mark.databases),
    ...(mark.settings.length === 0 ? {} : { settings: sorted(mark.settings) }),
    ...(mark.by === undefined ? {} : { by: mark.by }),
  });
  return `${markBegins}IamDatabaseUser ${mark.namespace}/${mark.name}; this comment is how it knows its own: ${json}`;
}

export const markBegins = 'Kept by iamdb-operator for ';

/** Whether somebody's mark stands there, though perhaps one that this version cannot read. */
export const looksMarked = (comment: string | undefined): boolean => comment?.startsWith(markBegins) === true;

/** What stands in the place of the mark of a role that was let go. */
export const releasedComment = ({ operatorID, namespace, name }: RoleOwner): string =>
  `released by iamdb-operator ${operatorID}: was kept for IamDatabaseUser ${namespace}/${name}; nothing keeps this role any more`;

/** Undefined for whatever is not a mark in full: a role with half a mark is nobody's that we know. */
export function parseMark(comment: string | undefined): Mark | undefined {
  const json = shape.exec(comment ?? '')?.[1];
  if (json === undefined) return undefined;
  const fields = fieldsIn(json);
  if (fields.get('v') !== version) return undefined;
  const operatorID = fields.get('operator');
  const namespaceUID = fields.get('namespaceUID');
  const namespace = fields.get('namespace');
  const name = fields.get('name');
  const uid = fields.get('uid');
  const serverResourceID = fields.get('server');
  const groups = fields.get('groups');
  const databases = fields.get('databases');
  const settings = fields.get('settings') ?? [];
  if (!isName(operatorID) || !isName(namespaceUID) || !isName(namespace) || !isName(name)) return undefined;
  if (!isName(uid) || !isName(serverResourceID) || !isNames(groups) || !isNames(databases)) return undefined;
  if (!isNames(settings)) return undefined;
  const by = fields.get('by') === 'script' ? ({ by: 'script' } as const) : {};
  return {
    operatorID,
    namespaceUID,
    namespace,
    name,
    uid,
    serverResourceID,
    groups,
    databases,
    settings,
    ...by,
  };
}

/** Of a text in braces: an object, if it is JSON. */
function fieldsIn(json: string): ReadonlyMap<string, unknown> {
  try {
    return new Map(Object.entries(JSON.parse(json) as object));
  } catch {
    return new Map();
  }
}

const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.every(isName);
const sorted = (names: readonly string[]) => [...new Set(names)].toSorted();

/** The mark that a role of this owner carries. */
export function markOf(
  owner: RoleOwner,
  groups: readonly string[],
  databases: readonly string[],
  settings: readonly string[] = [],
): Mark {
  const { operatorID, namespaceUID, namespace, name, uid, serverResourceID } = owner;
  return {
    operatorID,
    namespaceUID,
    namespace,
    name,
    uid,
    serverResourceID,
    groups: sorted(groups),
    databases: sorted(databases),
    settings: sorted(settings),
  };
}

/**
 * Whether the owner may keep the role that carries this mark. A recreated object (another uid) of the same namespace
 * takes its predecessor's role back, and so does a restored copy of the server (another resource id). A namespace of
 * the same name but another uid is another tenant's. With a trusted operator's mark the namespace's uid cannot agree,
 * as it comes from another cluster: namespace and name decide there. So it is for the operator's own id where it is
 * trusted too, as after a cluster was rebuilt.
 */
export function mayKeep(owner: RoleOwner, mark: Mark | undefined): mark is Mark {
  if (mark === undefined || !sameObject(owner, mark)) return false;
  if (owner.trustedOperatorIDs.includes(mark.operatorID)) return true;
  return mark.operatorID === owner.operatorID && mark.namespaceUID === owner.namespaceUID;
}

/**
 * Whether the owner may end the role: only under its own operator's mark. Trust lets a role be taken over, which
 * rewrites the mark; until then another cluster may be living on it.
 */
export function mayEnd(owner: RoleOwner, mark: Mark | undefined): mark is Mark {
  return mark?.operatorID === owner.operatorID && mayKeep(owner, mark);
}

const sameObject = (owner: RoleOwner, mark: Mark) =>
  mark.namespace === owner.namespace && mark.name === owner.name;
