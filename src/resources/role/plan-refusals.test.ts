import { describe, expect, it } from 'vitest';
import { formatMark, markOf, mayKeep } from './mark.ts';
import {
  applyStep,
  blank,
  type Granted,
  type ModelRole,
  type ModelServer,
  none,
  observe,
} from '../../../test/builders/model-server.ts';
import {
  absent,
  changesOf,
  owner,
  person,
  present,
  reasonOf,
  server,
  us,
} from '../../../test/builders/role-fixtures.ts';
import { planRole, stepsOf } from './plan.ts';
import type { DesiredRole } from './role.ts';

describe('a wish that cannot be fulfilled', () => {
  const made = stepsOf(changesOf(present, server)).reduce(applyStep, server);
  const withGroup = (name: string, never: string[], byNameOnly: string[] = []): ModelServer => ({
    ...made,
    groups: new Map([...made.groups, [name, { never, byNameOnly }]]),
  });

  it.each<[string, DesiredRole, ModelServer, string]>([
    ['a reserved name', { ...present, username: 'rds_something' }, server, 'UsernameNotAllowed'],
    ['an admin of the server', { ...present, username: 'other_admin' }, server, 'UsernameNotAllowed'],
    ['our own admin', { ...present, username: 'iamdb_admin' }, server, 'UsernameNotAllowed'],
    ['a missing group', { ...present, memberOf: ['writers', 'nobodies'] }, made, 'GroupNotFound'],
    ['a missing database', { ...present, connectDatabases: ['nowhere'] }, made, 'DatabaseNameNotFound'],
    [
      'itself as its group',
      { ...present, memberOf: ['checkout'] },
      withGroup('checkout', []),
      'PrivilegedGroup',
    ],
    [
      'a powerful group',
      { ...present, memberOf: ['kings'] },
      withGroup('kings', ['kings']),
      'PrivilegedGroup',
    ],
    [
      'a powerful group that is allowed by name',
      { ...present, memberOf: ['kings'], literallyAllowedGroups: ['kings'] },
      withGroup('kings', ['kings']),
      'PrivilegedGroup',
    ],
    [
      'an owner',
      { ...present, memberOf: ['owners'] },
      withGroup('owners', [], ['owners']),
      'PrivilegedGroup',
    ],
    [
      'an owner that is allowed by name',
      { ...present, memberOf: ['owners'], literallyAllowedGroups: ['owners'] },
      withGroup('owners', [], ['owners']),
      'planned: mark, grant group, revoke group',
    ],
    [
      'a group that is allowed by name and reaches what is not',
      { ...present, memberOf: ['owners'], literallyAllowedGroups: ['owners', 'pg_monitor'] },
      withGroup('owners', [], ['owners', 'pg_monitor', 'pg_read_all_data']),
      'PrivilegedGroup',
    ],
    [
      'pg_monitor, which reaches more by itself, where it is allowed by name',
      { ...present, memberOf: ['pg_monitor'], literallyAllowedGroups: ['pg_monitor'] },
      withGroup('pg_monitor', [], ['pg_monitor', 'pg_read_all_stats', 'pg_stat_scan_tables']),
      'planned: mark, grant group, revoke group',
    ],
    [
      'a group that reaches what is allowed by name',
      { ...present, memberOf: ['readers'], literallyAllowedGroups: ['readers', 'pg_monitor'] },
      withGroup('readers', [], ['pg_monitor']),
      'planned: mark, grant group, revoke group',
    ],
  ])('is refused as a whole: %s', (_, desired, state, expected) => {
    expect(reasonOf(desired, state)).toBe(expected);
  });

  const reached = (iam: Granted): ModelServer => ({
    ...made,
    role: { ...(made.role ?? blank), iam, reachedBy: ['dba'] },
  });

  it('is refused while rds_iam would end the password logins of others, but not once it is there', () => {
    expect(reasonOf(present, reached(none))).toBe('WouldLockOut');
    expect(changesOf(present, reached(us))).toEqual([]);
    expect(changesOf(present, reached(person))).toEqual([]);
  });

  it('takes a group that became powerful away first, if we granted it, and keeps the rest', () => {
    const state = withGroup('writers', ['writers']);
    const plan = changesOf({ ...present, connectionLimit: 9 }, state);
    expect(plan.map((change) => change.do)).toEqual(['mark', 'revoke group']);
    const after = stepsOf(plan).reduce(applyStep, state);
    expect(after.role).toMatchObject({ login: true, limit: 5, iam: us });
    expect(reasonOf(present, after)).toBe('PrivilegedGroup');
  });

  it('takes that one away, must do so, and records the others as granted still', () => {
    const both = { ...present, memberOf: ['readers', 'writers'] };
    const had = stepsOf(changesOf(both, server)).reduce(applyStep, server);
    const state = {
      ...had,
      groups: new Map([...had.groups, ['writers', { never: ['kings'], byNameOnly: [] }]]),
    };
    expect(changesOf(both, state)).toEqual([
      { do: 'mark', mark: markOf(owner, ['readers'], ['orders']) },
      { do: 'revoke group', group: 'writers', ifPossible: false },
    ]);
  });

  it('takes a group that is allowed by name away once it reaches what is not, and says which', () => {
    const listed = { ...present, literallyAllowedGroups: ['writers'] };
    const state = withGroup('writers', [], ['writers', 'pg_read_all_data']);
    const plan = changesOf(listed, state);
    expect(plan.map((change) => change.do)).toEqual(['mark', 'revoke group']);
    const after = stepsOf(plan).reduce(applyStep, state);
    expect(planRole(listed, observe(after, listed))).toMatchObject({
      refused: {
        reason: 'PrivilegedGroup',
        message: expect.stringMatching(/"writers" is or reaches "pg_read_all_data", which .* spec\.allow/),
      },
    });
    const both = { ...listed, literallyAllowedGroups: ['writers', 'pg_read_all_data'] };
    expect(changesOf(both, state)).toEqual([]);
  });

  it('names of a powerful group only what no list would help', () => {
    const wished = { ...present, memberOf: ['kings'] };
    expect(planRole(wished, observe(withGroup('kings', ['kings'], ['pg_monitor']), wished))).toMatchObject({
      refused: {
        message: expect.stringMatching(/^Group "kings" is or reaches "kings", which is never granted/),
      },
    });
  });

  it('says why a user may not have the name of an admin', () => {
    for (const username of ['iamdb_admin', 'other_admin']) {
      expect(planRole({ ...present, username }, observe(server, present))).toMatchObject({
        refused: {
          message: `User name "${username}" cannot be used: it is the operator's admin on this server.`,
        },
      });
    }
  });

  it('leaves a group that became powerful to whoever granted it', () => {
    const state = withGroup('writers', ['writers']);
    const role: ModelRole = {
      ...(state.role ?? blank),
      groups: new Map([['writers', person]]),
      comment: formatMark(markOf(owner, [], ['orders'])),
    };
    expect(reasonOf(present, { ...state, role })).toBe('PrivilegedGroup');
  });

  it('says that a server without rds_iam is none of RDS', () => {
    const plan = planRole(present, { ...observe(server, present), rdsIamExists: false });
    expect(plan).toMatchObject({ refused: { reason: 'EngineNotSupported' } });
  });

  it('shows names from the server without what could hide or break a line', () => {
    const plan = planRole({ ...present, memberOf: ['a\n\u202Eb'] }, observe(made, present));
    expect(plan).toMatchObject({ refused: { message: expect.stringContaining('"a??b"') } });
  });
});

describe('the plan', () => {
  it('needs no CONNECT of its own where a group brings it', () => {
    const state = { ...server, databases: new Map([['orders', { byPublic: false, byGroups: ['writers'] }]]) };
    expect(changesOf(present, state).map((change) => change.do)).toEqual([
      'create',
      'mark',
      'grant rds_iam',
      'grant group',
    ]);
  });

  it('grants a group that it is in only as its administrator', () => {
    const observed = observe(stepsOf(changesOf(present, server)).reduce(applyStep, server), present);
    const role = observed.role && {
      ...observed.role,
      memberships: observed.role.memberships.map((membership) => ({
        ...membership,
        usable: false,
        byUs: false,
      })),
    };
    expect(planRole(present, { ...observed, role })).toEqual([{ do: 'grant group', group: 'writers' }]);
  });

  const marked = (
    groups: readonly string[],
    databases: readonly string[],
    has: Partial<ModelRole>,
    version = 170_004,
  ) => {
    const comment = formatMark(markOf(owner, groups, databases));
    return { ...server, version, role: { ...blank, limit: 5, iam: us, comment, ...has } };
  };
  const bare = { ...present, memberOf: [], connectDatabases: [] };

  it.each([
    ['15', 150_012, ['mark']],
    ['16', 160_000, ['mark', 'revoke group']],
  ] as const)(
    'on PostgreSQL %s takes a membership that another granted since only where theirs stays',
    (_, version, expected) => {
      const state = marked(['readers'], [], { groups: new Map([['readers', person]]) }, version);
      expect(changesOf(bare, state).map((change) => change.do)).toEqual(expected);
      const after = stepsOf(changesOf(bare, state)).reduce(applyStep, state);
      expect(after.role?.groups.get('readers')).toEqual(person);
    },
  );

  it('revokes no CONNECT that is gone already, and forgets it', () => {
    const state = marked([], ['orders', 'reports'], { connects: new Map([['orders', us]]) });
    const wish = { ...bare, connectDatabases: ['orders'] };
    expect(changesOf(wish, state)).toEqual([{ do: 'mark', mark: markOf(owner, [], ['orders']) }]);
    expect(
      changesOf(absent, state).flatMap((change) => ('database' in change ? [change.database] : [])),
    ).toEqual(['orders']);
  });

  it('tells a right that is lacking where the role stays, and ends the role all the same', () => {
    const state = marked(['readers'], [], { groups: new Map([['readers', us]]) });
    const revoke = { do: 'revoke group', group: 'readers' };
    expect(changesOf(bare, state)).toContainEqual({ ...revoke, ifPossible: false });
    expect(changesOf(absent, state)).toContainEqual({ ...revoke, ifPossible: true });
  });

  it('hands over what the role owns, and nothing where it owns nothing or nobody is to have it', () => {
    const state = marked([], [], {});
    const leaving = { ...absent, ensure: 'absent', reassignTo: 'heirs' } as const;
    const handsOver = (desired: DesiredRole, owns: boolean) =>
      changesOf(desired, { ...state, owns }).some((change) => change.do === 'reassign');
    expect([handsOver(leaving, true), handsOver(leaving, false), handsOver(absent, true)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('ends in four transactions', () => {
    const made = stepsOf(changesOf(present, server)).reduce(applyStep, server);
    const state = { ...made, role: { ...(made.role ?? blank), sessions: 1 } };
    expect(stepsOf(changesOf(absent, state)).map((step) => step.map((change) => change.do))).toEqual([
      ['end access'],
      ['end sessions'],
      ['mark', 'revoke group', 'revoke connect'],
      ['drop'],
    ]);
  });

  it('may take over from a trusted operator, but not end what that one keeps', () => {
    const mark = { ...markOf(owner, [], []), operatorID: 'operator-0', namespaceUID: 'elsewhere' };
    const state = { ...server, role: { ...blank, comment: formatMark(mark) } };
    expect(changesOf(present, state)[0]).toMatchObject({ do: 'mark', mark: { operatorID: 'operator-1' } });
    expect(changesOf(absent, state)).toEqual([]);
    expect(mayKeep({ ...owner, namespace: 'other' }, mark)).toBe(false);
  });
});
