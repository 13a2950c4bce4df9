import { describe, expect, it } from 'vitest';
import { formatMark, markOf, releasedComment } from './mark.ts';
import {
  applyStep,
  blank,
  type ModelRole,
  type ModelServer,
  observe,
} from '../../../test/builders/model-server.ts';
import {
  changesOf,
  owner,
  person,
  present,
  reasonOf,
  server,
  us,
} from '../../../test/builders/role-fixtures.ts';
import { describeRole } from './describe.ts';
import { planRole, stepsOf } from './plan.ts';

const adopting = { ...present, adopt: true };
const withRole = (changes: Partial<ModelRole> = {}, more: Partial<ModelServer> = {}): ModelServer => ({
  ...server,
  ...more,
  role: { ...blank, ...changes },
});

describe('a role that nobody marked', () => {
  it.each<[string, string, ModelServer]>([
    ['is a powerful one', 'RoleNotAdoptable', withRole({ powerful: true })],
    [
      'reaches a powerful one',
      'RoleNotAdoptable',
      withRole(
        { groups: new Map([['kings', person]]) },
        { groups: new Map([...server.groups, ['kings', { never: ['rds_superuser'], byNameOnly: [] }]]) },
      ),
    ],
    [
      'reaches one that is allowed by name only',
      'RoleNotAdoptable',
      withRole(
        { groups: new Map([['readers', person]]) },
        { groups: new Map([...server.groups, ['readers', { never: [], byNameOnly: ['pg_monitor'] }]]) },
      ),
    ],
    ['has rds_iam by somebody else', 'RoleNotAdoptable', withRole({ iam: person })],
    ['could not be altered again', 'RolesNotAdministrable', withRole({ administrable: false })],
    ['is reached by password logins', 'WouldLockOut', withRole({ reachedBy: ['payroll'] })],
    [
      'bears a mark that cannot be read',
      'RoleNotOurs',
      withRole({ comment: 'Kept by iamdb-operator for X: {"v":2}' }),
    ],
    [
      'bears the mark of another',
      'RoleNotOurs',
      withRole({ comment: formatMark({ ...markOf(owner, [], []), name: 'other' }) }),
    ],
  ])('and that %s is not taken over: %s', (_sentence, reason, state) => {
    for (const version of [150_012, 160_009]) expect(reasonOf(adopting, { ...state, version })).toBe(reason);
  });

  it('and that is in rds_iam through a group is not taken over: that could not be ended', () => {
    const observed = observe(withRole(), adopting);
    const role = observed.role && {
      ...observed.role,
      rdsIam: { ours: false, others: false, foreign: false, indirect: true },
    };
    expect(planRole(adopting, { ...observed, role })).toMatchObject({
      refused: { reason: 'RoleNotAdoptable' },
    });
  });

  it('is taken over with a group whose power is allowed by its own name', () => {
    const groups = new Map([...server.groups, ['reporting', { never: [], byNameOnly: ['pg_monitor'] }]]);
    const state = withRole({ groups: new Map([['reporting', person]]) }, { groups });
    expect(reasonOf(adopting, state)).toBe('RoleNotAdoptable');
    expect(reasonOf({ ...adopting, literallyAllowedGroups: ['reporting'] }, state)).toBe('RoleNotAdoptable');
    const named = { ...adopting, literallyAllowedGroups: ['pg_monitor'] };
    expect(changesOf(named, state)[0]).toEqual({ do: 'adopt', sessions: 0 });
  });

  it('is not taken over unless it is named', () => {
    expect(reasonOf(present, withRole())).toBe('RoleNotOurs');
  });

  it.each<[string, Partial<ModelRole>]>([
    ['of a person', { comment: 'payroll batch', sessions: 3, limit: 7, settings: { geqo: 'off' } }],
    ['without a comment, that may not log in', { login: false }],
    ['that was let go', { comment: releasedComment(owner), iam: us, groups: new Map([['writers', us]]) }],
  ])('%s is taken over with what it has, in one transaction', (_sentence, changes) => {
    for (const version of [150_012, 160_009]) {
      const groups = new Map([...(changes.groups ?? []), ['readers', person] as const]);
      const state = { ...withRole({ ...changes, groups }), version };
      const plan = changesOf(adopting, state);
      expect(plan[0]).toEqual({ do: 'adopt', sessions: changes.sessions ?? 0 });
      expect(stepsOf(plan)).toHaveLength(1);
      const after = stepsOf(plan).reduce(applyStep, state);
      expect(after.role).toMatchObject({ login: true, limit: 5, iam: us, settings: changes.settings ?? {} });
      // What a person granted is neither ours nor taken.
      expect(after.role?.groups.get('readers')).toEqual(person);
      expect(changesOf(adopting, after)).toEqual([]);
      expect(changesOf(present, after)).toEqual([]);
    }
  });

  it('tells a reviewer how many sessions it has', () => {
    const [line] = describeRole({ do: 'adopt', sessions: 3 }, { username: 'legacy' });
    expect(line).toMatch(/"legacy" exists and is taken over: it has 3 session\(s\) now/);
  });
});
