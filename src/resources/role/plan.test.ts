import { describe, expect, it } from 'vitest';
import { formatMark, markOf, parseMark, releasedComment } from './mark.ts';
import {
  applyStep,
  blank,
  type Granted,
  type ModelRole,
  type ModelServer,
  none,
} from '../../../test/builders/model-server.ts';
import {
  absent,
  changesOf,
  disabled,
  empty,
  owner,
  person,
  present,
  reasonOf,
  released,
  server,
  us,
} from '../../../test/builders/role-fixtures.ts';
import { stepsOf } from './plan.ts';
import type { DesiredRole, PresentRole } from './role.ts';

const both: Granted = new Set(['us', 'person']);
const bare: PresentRole = { ...present, memberOf: [], connectDatabases: [] };

/** Written from the wish, not from the planner: reads who really granted what, which the planner cannot. */
function holds(desired: DesiredRole, { role, databases, heldBy, version }: ModelServer): boolean {
  if (desired.ensure === 'absent') {
    if (role === undefined || !isOwn(role)) return true;
    const nothingOfOurs =
      [...role.groups.values(), ...role.connects.values()].every((by) => !by.has('us')) &&
      !role.iam.has('us');
    return heldBy !== undefined && !role.login && role.sessions === 0 && nothingOfOurs;
  }
  if (desired.ensure === 'empty') return role === undefined || !isOwn(role) || role.sessions === 0;
  if (desired.ensure !== 'present') {
    if (role === undefined || !isOwn(role)) return true;
    // Before 16 there is one membership, whoever granted it.
    const isMember = role.iam.has('us') || (version < 160_000 && role.iam.size > 0);
    return desired.ensure === 'disabled' && !role.login && !isMember && role.sessions === 0;
  }
  if (role === undefined) return false;
  const mark = parseMark(role.comment);
  const connected = (database: string) =>
    (role.connects.get(database)?.size ?? 0) > 0 || databases.get(database)?.byPublic === true;
  return (
    mark?.uid === owner.uid &&
    mark.operatorID === owner.operatorID &&
    role.login &&
    role.limit === desired.connectionLimit &&
    role.iam.size > 0 &&
    desired.memberOf.every((group) => (role.groups.get(group)?.size ?? 0) > 0) &&
    desired.connectDatabases.every(connected) &&
    really(role.groups).every((group) => desired.memberOf.includes(group)) &&
    really(role.connects).every((database) => desired.connectDatabases.includes(database)) &&
    // The record is complete, and before 16 it also is exact: after, a REVOKE cannot hit the grant of another.
    really(role.groups).every((group) => mark.groups.includes(group)) &&
    really(role.connects).every((database) => mark.databases.includes(database)) &&
    mark.groups.every((group) => role.groups.get(group)?.has('us') === true || version >= 160_000)
  );
}

const really = (grants: ReadonlyMap<string, Granted>) =>
  [...grants].filter(([, by]) => by.has('us')).map(([name]) => name);

const isOwn = (role: ModelRole) => parseMark(role.comment)?.operatorID === owner.operatorID;

/** Every role that a server could have for this wish, with a mark that fits what we granted. */
function* roles(version: number): Generator<ModelRole> {
  const grants = version < 160_000 ? [none, us, person] : [none, us, person, both];
  for (const login of [true, false])
    for (const limit of [5, -1])
      for (const iam of grants)
        for (const writers of grants)
          for (const readers of [none, us, person])
            for (const connect of [none, us, person, both])
              for (const sessions of [0, 2])
                for (const uid of ['object-1', owner.uid])
                  for (const operatorID of ['operator-1', 'operator-0']) {
                    const groups = new Map([
                      ['writers', writers],
                      ['readers', readers],
                    ]);
                    const recorded = [...groups].filter(([, by]) => by.has('us')).map(([name]) => name);
                    const databases = connect.has('us') ? ['orders'] : [];
                    const comment = formatMark({ ...markOf(owner, recorded, databases), uid, operatorID });
                    const connects = new Map([['orders', connect]]);
                    yield { ...blank, login, limit, iam, groups, connects, sessions, comment };
                  }
}

describe.each([150_012, 160_009])('on server version %i', (version) => {
  const wishes: readonly DesiredRole[] = [present, bare, absent, disabled, released, empty];
  let known: readonly ModelServer[] | undefined;
  const states = (): readonly ModelServer[] => {
    known ??= [undefined, ...roles(version)].flatMap((role) =>
      [false, true].map((hangsOnIt) => ({ ...server, version, role, hangsOnIt })),
    );
    return known;
  };

  it.each(wishes.map((desired) => [desired.ensure, desired] as const))(
    'has nothing to do exactly when the wish holds (%s)',
    (_, desired) => {
      const isWrong = (state: ModelServer) =>
        (changesOf(desired, state).length === 0) !== holds(desired, state);
      expect(states().find(isWrong)).toBeUndefined();
    },
  );

  function* wrongWays(desired: DesiredRole) {
    for (const state of states()) {
      const steps = stepsOf(changesOf(desired, state));
      for (let survived = 0; survived <= steps.length; survived += 1) {
        const crashed = steps.slice(0, survived).reduce(applyStep, state);
        // What a process saw goes with it.
        const left = survived === steps.length ? crashed : { ...crashed, heldBy: undefined };
        const plan = changesOf(desired, left);
        const after = stepsOf(plan).reduce(applyStep, left);
        const isDone = holds(desired, after) && changesOf(desired, after).length === 0;
        if (!isDone || !keepsOthers(state, after, version)) yield { state, plan, after };
      }
    }
  }

  it.each(wishes.map((desired) => [desired.ensure, desired] as const))(
    'gets there, from wherever a crash between two transactions left it (%s)',
    (_, desired) => {
      expect([...wrongWays(desired).take(1)]).toEqual([]);
    },
  );

  it('never has anything to do about a role that is not ours', () => {
    const foreign = [
      undefined,
      'payroll batch user',
      ...[{ namespaceUID: 'namespace-0' }, { name: 'other' }, { operatorID: 'operator-9' }].map((changes) =>
        formatMark({ ...markOf(owner, ['writers'], []), ...changes }),
      ),
    ];
    for (const comment of foreign) {
      const state = { ...server, version, role: { ...blank, comment, groups: new Map([['writers', us]]) } };
      expect(reasonOf(present, state)).toBe('RoleNotOurs');
      for (const ending of [absent, disabled, released, empty]) expect(changesOf(ending, state)).toEqual([]);
    }
  });

  it('leaves everything of a role that is to be empty but its sessions', () => {
    const comment = formatMark(markOf(owner, ['writers'], []));
    const role = { ...blank, comment, iam: us, sessions: 2, groups: new Map([['writers', us]]) };
    const state = { ...server, version, role };
    const after = stepsOf(changesOf(empty, state)).reduce(applyStep, state);
    expect(after).toEqual({ ...state, role: { ...role, sessions: 0 } });
  });

  it('keeps groups and mark of a role that is disabled, and everything of one that is let go but its mark', () => {
    const role = { ...blank, comment: formatMark(markOf(owner, ['writers'], [])), iam: us };
    const state = { ...server, version, role: { ...role, groups: new Map([['writers', us]]) } };
    const off = stepsOf(changesOf(disabled, state)).reduce(applyStep, state);
    expect(off.role).toEqual({ ...state.role, login: false, iam: none });
    const free = stepsOf(changesOf(released, state)).reduce(applyStep, state);
    expect(free.role).toEqual({ ...state.role, comment: releasedComment(owner) });
    expect(parseMark(free.role?.comment)).toBeUndefined();
    expect(reasonOf(present, free)).toBe('RoleNotOurs');
  });
});

const kept = (from: ReadonlyMap<string, Granted>, to: ReadonlyMap<string, Granted>) =>
  [...from].every(([name, by]) => !by.has('person') || to.get(name)?.has('person') === true);

/** What a person granted is still there; before 16 a REVOKE of rds_iam is the one that cannot tell. */
function keepsOthers(before: ModelServer, after: ModelServer, version: number): boolean {
  const [old, now] = [before.role, after.role];
  if (old === undefined || now === undefined) return true;
  const iamKept = !old.iam.has('person') || now.iam.has('person') || version < 160_000;
  return kept(old.groups, now.groups) && kept(old.connects, now.connects) && iamKept;
}
