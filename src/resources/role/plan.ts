// The decision what to change about a role, and in which order.
import { whyNotUsername } from '../../api/username.ts';
import type { Plan } from '../../kernel/converge.ts';
import { formatMark, looksMarked, markOf, mayEnd, mayKeep, type Mark, releasedComment } from './mark.ts';
import { allowedByName } from './power.ts';
import { refusals, type Refused } from './refusals.ts';
import type {
  AbsentRole,
  DesiredRole,
  ExistingRole,
  GroupPower,
  Membership,
  ObservedRole,
  PresentRole,
  RoleChange,
} from './role.ts';
import { isSameValue, type Settings } from './settings.ts';

/**
 * Wished for: the role as declared, or no role of ours, or one that is ours no more or not to be used. What others granted is never revoked, and a role that is not
 * ours is not touched. A wish that is impossible in one part is refused as a whole: what works stays as it is. The one
 * exception: a membership of ours in a group that became powerful is taken away before anything else is judged.
 */
export function planRole(desired: DesiredRole, observed: ObservedRole): Plan<RoleChange> {
  return desired.ensure === 'present' ? planPresent(desired, observed) : planEnding(desired, observed);
}

/** What is looked at of a role that is not to be used any more. */
export interface ObservedEnding extends Pick<ObservedRole, 'serverVersion'> {
  readonly role:
    | (Pick<
        ExistingRole,
        'login' | 'mark' | 'memberships' | 'connectGrants' | 'sessions' | 'ownsIn' | 'heldBy'
      > & {
        readonly rdsIam: Pick<ExistingRole['rdsIam'], 'ours'>;
      })
    | undefined;
}

export function planEnding(desired: AbsentRole, observed: ObservedEnding): readonly RoleChange[] {
  switch (desired.ensure) {
    case 'absent':
      return planAbsent(desired, observed);
    case 'disabled':
      return planDisabled(desired, observed);
    case 'released':
      return planReleased(desired, observed);
    case 'empty':
      return planEmpty(desired, observed);
    default:
      return desired.ensure satisfies never;
  }
}

function planPresent(desired: PresentRole, observed: ObservedRole): Plan<RoleChange> {
  const { role } = observed;
  const unnamable = judgeName(desired, observed);
  if (unnamable !== undefined) return { refused: unnamable };
  if (role !== undefined && !mayKeep(desired.owner, role.mark)) {
    const unfit = judgeAdoption(desired, role, observed);
    if (unfit !== undefined) return { refused: unfit };
  }
  const dangerous = role === undefined ? [] : takeBackPower(desired, role, observed);
  if (dangerous.length > 0) return dangerous;
  const impossible = judgeWish(desired, observed);
  if (impossible !== undefined) return { refused: impossible };
  return role === undefined ? create(desired, observed) : repair(desired, role, observed);
}

/** Who takes a role over has to be able to end its access again, and gives nobody more than was allowed. */
function judgeAdoption(desired: PresentRole, role: ExistingRole, observed: ObservedRole): Refused {
  const { username } = desired;
  if (!desired.adopt || looksMarked(role.comment)) return refusals.notOurs(desired, role.mark);
  if (!role.administrable) return refusals.notAdministrable(observed.admin, username);
  const powerful = role.memberships.flatMap(({ power }) => forbidden(power, desired));
  if (role.powerful) return refusals.powerfulRole(username);
  if (powerful.length > 0) return refusals.roleReaches(username, powerful);
  return role.rdsIam.foreign || role.rdsIam.indirect ? refusals.foreignRdsIam(username) : undefined;
}

function judgeName(desired: PresentRole, observed: ObservedRole): Refused {
  const why = whyNotUsername(desired.username);
  if (why !== undefined) return refusals.usernameNotAllowed(desired.username, why);
  if (desired.username === observed.admin || desired.reservedUsernames.includes(desired.username)) {
    return refusals.usernameNotAllowed(desired.username, "it is the operator's admin on this server");
  }
  return observed.rdsIamExists ? undefined : refusals.noRdsIam();
}

function judgeWish(desired: PresentRole, observed: ObservedRole): Refused {
  for (const group of desired.memberOf) {
    const facts = observed.groups.find((other) => other.group === group);
    if (facts?.exists !== true) return refusals.groupNotFound(group);
    if (group === desired.username) return refusals.groupIsUser(group);
    const { never } = facts.power;
    if (never.length > 0) return refusals.privilegedGroup(group, never);
    const unlisted = forbidden(facts.power, desired);
    if (unlisted.length > 0) return refusals.unlistedGroup(group, unlisted);
  }
  for (const database of desired.connectDatabases) {
    const facts = observed.databases.find((other) => other.database === database);
    if (facts?.exists !== true) return refusals.databaseNameNotFound(database);
  }
  const locked = observed.role?.passwordLoginsThatReachIt ?? [];
  if (locked.length > 0 && !isDirectMember(observed.role))
    return refusals.wouldLockOut(desired.username, locked);
  return undefined;
}

/**
 * What forbids a group: each role that it is or reaches is judged by its own name, as the database's owner, who allows a
 * group, does not say by that what others may put it into.
 */
function forbidden(power: GroupPower, { literallyAllowedGroups }: PresentRole): readonly string[] {
  const allowed = allowedByName(literallyAllowedGroups);
  return [...power.never, ...power.byNameOnly.filter((name) => !allowed.includes(name))];
}

function takeBackPower(
  desired: PresentRole,
  role: ExistingRole,
  observed: ObservedRole,
): readonly RoleChange[] {
  const lost = ourMemberships(role, observed).filter(({ power }) => forbidden(power, desired).length > 0);
  if (lost.length === 0 || role.mark === undefined) return [];
  const groups = lost.map(({ group }) => group);
  const left = role.mark.groups.filter((group) => !groups.includes(group));
  return [
    { do: 'mark', mark: { ...role.mark, groups: left } },
    ...groups.map((group): RoleChange => ({ do: 'revoke group', group, ifPossible: false })),
  ];
}

function create(desired: PresentRole, observed: ObservedRole): readonly RoleChange[] {
  const groups = sorted(desired.memberOf);
  const databases = missingConnects(desired, observed, groups);
  return [
    { do: 'create', connectionLimit: desired.connectionLimit },
    { do: 'mark', mark: markOf(desired.owner, groups, databases, Object.keys(desired.settings)) },
    ...setsOf(desired, {}),
    { do: 'grant rds_iam' },
    ...groups.map((group): RoleChange => ({ do: 'grant group', group })),
    ...databases.map((database): RoleChange => ({ do: 'grant connect', database })),
  ];
}

function repair(desired: PresentRole, role: ExistingRole, observed: ObservedRole): readonly RoleChange[] {
  const ours = ourMemberships(role, observed).map(({ group }) => group);
  const granted = sorted(desired.memberOf).filter((group) => !isMember(role, group));
  const revoked = ours.filter((group) => !desired.memberOf.includes(group));
  const connects = missingConnects(desired, observed, granted);
  const ourConnects = role.mark?.databases.filter((database) => role.connectGrants.includes(database)) ?? [];
  const revokedConnects = ourConnects.filter((database) => !desired.connectDatabases.includes(database));
  const mark = markOf(
    desired.owner,
    [...ours.filter((group) => !revoked.includes(group)), ...granted],
    [...ourConnects.filter((database) => !revokedConnects.includes(database)), ...connects],
    Object.keys(desired.settings),
  );
  // Gone already is as good as reset.
  const resets =
    role.mark?.settings.filter((name) => name in role.settings && !(name in desired.settings)) ?? [];
  const { connectionLimit: limit } = desired;
  return [
    ...(role.mark === undefined ? [{ do: 'adopt', sessions: role.sessions } as const] : []),
    ...(isSameMark(role.mark, mark) ? [] : [{ do: 'mark', mark } as const]),
    ...(role.login ? [] : [{ do: 'allow login' } as const]),
    ...(role.connectionLimit === limit ? [] : [{ do: 'limit connections', limit } as const]),
    ...setsOf(desired, role.settings),
    ...resets.map((setting): RoleChange => ({ do: 'reset', setting })),
    ...(isDirectMember(role) ? [] : [{ do: 'grant rds_iam' } as const]),
    ...granted.map((group): RoleChange => ({ do: 'grant group', group })),
    ...connects.map((database): RoleChange => ({ do: 'grant connect', database })),
    ...revoked.map((group): RoleChange => ({ do: 'revoke group', group, ifPossible: false })),
    ...revokedConnects.map((database): RoleChange => ({ do: 'revoke connect', database })),
  ];
}

/** What is not as wished, whoever set it. */
const setsOf = ({ settings }: PresentRole, found: Settings): readonly RoleChange[] =>
  Object.entries(settings)
    .filter(([name, value]) => !isSameValue(name, value, found[name]))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([setting, value]) => ({ do: 'set', setting, value }));

/** Databases without CONNECT, but for those that the groups about to be granted bring. */
function missingConnects(
  desired: PresentRole,
  observed: ObservedRole,
  granted: readonly string[],
): readonly string[] {
  return sorted(desired.connectDatabases).filter((database) => {
    const facts = observed.databases.find((other) => other.database === database);
    return facts?.held !== true && facts?.throughGroups.some((group) => granted.includes(group)) !== true;
  });
}

/**
 * A role of ours ends in this order, a transaction each: no login and no rds_iam; no sessions; nothing of ours granted;
 * what it owns handed over, database by database; dropped. One that cannot be dropped because something hangs on it is kept as it is then: disabled and marked.
 */
function planAbsent(desired: AbsentRole, observed: ObservedEnding): readonly RoleChange[] {
  const { role } = observed;
  if (role === undefined || !mayEnd(desired.owner, role.mark)) return [];
  const { mark } = role;
  const groups = ourMemberships(role, observed).map(({ group }) => group);
  const databases = mark.databases.filter((database) => role.connectGrants.includes(database));
  // Settings go with the role, and harm nobody on one that is kept.
  const empty = markOf(desired.owner, [], [], mark.settings);
  // Then everything before was tried as well.
  const isHeld = role.heldBy !== undefined;
  const isWithdrawn = mark.groups.length === 0 && mark.databases.length === 0;
  return [
    ...(role.login || (role.rdsIam.ours && !isHeld) ? [{ do: 'end access' } as const] : []),
    ...(role.sessions > 0 ? [{ do: 'end sessions' } as const] : []),
    ...(isWithdrawn ? [] : [{ do: 'mark', mark: empty } as const]),
    ...groups.map((group): RoleChange => ({ do: 'revoke group', group, ifPossible: true })),
    ...databases.map((database): RoleChange => ({ do: 'revoke connect', database })),
    ...(isHeld || desired.reassignTo === undefined || role.ownsIn.length === 0
      ? []
      : [{ do: 'reassign', to: desired.reassignTo, databases: role.ownsIn } as const]),
    ...(isHeld ? [] : [{ do: 'drop' } as const]),
  ];
}

/** Kept with its groups and its mark, so that it comes back as it was. Not the role of a stranger, nor of a trusted operator. */
function planDisabled(desired: AbsentRole, { role }: ObservedEnding): readonly RoleChange[] {
  if (role === undefined || !mayEnd(desired.owner, role.mark)) return [];
  return [
    ...(role.login || role.rdsIam.ours ? [{ do: 'end access' } as const] : []),
    ...(role.sessions > 0 ? [{ do: 'end sessions' } as const] : []),
  ];
}

function planReleased(desired: AbsentRole, { role }: ObservedEnding): readonly RoleChange[] {
  if (role === undefined || !mayEnd(desired.owner, role.mark)) return [];
  return [{ do: 'release', comment: releasedComment(desired.owner) }];
}

function planEmpty(desired: AbsentRole, { role }: ObservedEnding): readonly RoleChange[] {
  const isOurs = role !== undefined && mayEnd(desired.owner, role.mark);
  return isOurs && role.sessions > 0 ? [{ do: 'interrupt sessions' }] : [];
}

/**
 * The memberships that the mark records and that are still ours. Up to PostgreSQL 15 a REVOKE takes a membership
 * whoever granted it, so the grantor decides; from 16 on the server itself keeps the grants of others apart.
 */
function ourMemberships(
  role: Pick<ExistingRole, 'mark' | 'memberships'>,
  observed: Pick<ObservedRole, 'serverVersion'>,
): readonly Membership[] {
  const ours = role.memberships.filter(
    ({ group, byUs }) =>
      role.mark?.groups.includes(group) === true && (byUs || observed.serverVersion >= 160_000),
  );
  return [...new Map(ours.map((membership) => [membership.group, membership])).values()];
}

const isMember = (role: ExistingRole, group: string) =>
  role.memberships.some((membership) => membership.group === group && membership.usable);
const isDirectMember = (role: ExistingRole | undefined) =>
  role?.rdsIam.ours === true || role?.rdsIam.others === true;
const isSameMark = (mark: Mark | undefined, other: Mark) =>
  mark !== undefined && formatMark(mark) === formatMark(other);
const sorted = (names: readonly string[]) => [...new Set(names)].toSorted();

/** What may run as one transaction: between two steps the first has to be committed. */
export function stepsOf(changes: readonly RoleChange[]): readonly (readonly RoleChange[])[] {
  const steps: RoleChange[][] = [];
  for (const change of changes) {
    const last = steps.at(-1);
    if (last === undefined || standsAlone(change) || last.some(standsAlone)) steps.push([change]);
    else last.push(change);
  }
  return steps;
}

const standsAlone = (change: RoleChange) =>
  change.do === 'end access' ||
  change.do === 'end sessions' ||
  change.do === 'interrupt sessions' ||
  change.do === 'reassign' ||
  change.do === 'drop';
