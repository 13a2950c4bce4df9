import { describe, expect, it } from 'vitest';
import { formatMark, markOf } from './mark.ts';
import { applyStep, blank, type ModelRole } from '../../../test/builders/model-server.ts';
import {
  absent,
  changesOf,
  disabled,
  owner,
  present,
  server,
  us,
} from '../../../test/builders/role-fixtures.ts';
import { stepsOf } from './plan.ts';
import type { DesiredRole } from './role.ts';
import { isSameValue, settingsIn, valueSQL } from './settings.ts';

describe('a value', () => {
  it.each([
    ['statement_timeout', '30s', '30s', true],
    ['statement_timeout', '30s', '30000', false],
    ['statement_timeout', '30s', undefined, false],
    ['search_path', '"$user", public', '"$user", public', true],
    ['search_path', '$user,PUBLIC', '"$user", public', true],
    ['search_path', 'orders', 'orders, public', false],
    ['search_path', 'a, b', '"a, b"', false],
    ['search_path', 'a, b', 'a, c', false],
    ['search_path', 'a, b', 'b, a', false],
    ['search_path', 'a , b', 'a,b', true],
    ['search_path', 'a', '"A"', false],
    ['search_path', '"A"', 'A', false],
    ['application_name', 'A', 'a', false],
    ['search_path', '"a""b"', '"a""b"', true],
  ] as const)('of %s, %s, is %s: %s', (name, wished, found, same) => {
    expect(isSameValue(name, wished, found)).toBe(same);
  });

  it.each([
    ['statement_timeout', "3'0", "'3''0'"],
    ['search_path', '"$user", Public', "'$user', 'public'"],
    ['search_path', '"a, b",c', "'a, b', 'c'"],
    ['application_name', 'a, b', "'a, b'"],
    ['search_path', 'A , "b""c"', `'a', 'b"c'`],
    ['search_path', '""', "''"],
  ])('of %s, %s, is written %s', (name, value, sql) => {
    expect(valueSQL(name, value)).toBe(sql);
  });

  it('may hold an equals sign', () => {
    expect(settingsIn(['application_name=a=b', 'work_mem=4MB'])).toEqual({
      application_name: 'a=b',
      work_mem: '4MB',
    });
  });
});

describe('what a role owns', () => {
  const state = {
    ...server,
    owns: true,
    role: { ...blank, comment: formatMark(markOf(owner, [], [])), login: false },
  };
  const doing = (desired: DesiredRole, from = state) => changesOf(desired, from).map((change) => change.do);

  it('is handed over before the drop, in a step of its own, where somebody is to receive it', () => {
    expect(doing({ ...absent, reassignTo: 'heirs' })).toEqual(['reassign', 'drop']);
    expect(stepsOf(changesOf({ ...absent, reassignTo: 'heirs' }, state))).toHaveLength(2);
    expect(doing(absent)).toEqual(['drop']);
    expect(doing({ ...disabled, reassignTo: 'heirs' })).toEqual([]);
  });

  it('is not tried again once the server said what holds it', () => {
    expect(doing({ ...absent, reassignTo: 'heirs' }, { ...state, heldBy: 'a table' })).toEqual([]);
  });
});

const mine = (settings: readonly string[]) => formatMark(markOf(owner, ['writers'], ['orders'], settings));
const role = (changes: Partial<ModelRole>): ModelRole => ({
  ...blank,
  limit: 5,
  iam: us,
  groups: new Map([['writers', us]]),
  connects: new Map([['orders', us]]),
  comment: mine([]),
  ...changes,
});
const withRole = (changes: Partial<ModelRole>) => ({ ...server, role: role(changes) });
const wished = { ...present, settings: { statement_timeout: '30s', search_path: 'orders' } };

describe('the settings of a role', () => {
  it('are made with it, and recorded', () => {
    const changes = changesOf(wished, server);
    expect(changes.filter((change) => change.do === 'set')).toEqual([
      { do: 'set', setting: 'search_path', value: 'orders' },
      { do: 'set', setting: 'statement_timeout', value: '30s' },
    ]);
    const made = stepsOf(changes).reduce(applyStep, server);
    expect(changesOf(wished, made)).toEqual([]);
    expect(made.role?.comment).toBe(mine(['search_path', 'statement_timeout']));
  });

  it('that somebody changed or removed are put right, with nothing else', () => {
    const comment = mine(['search_path', 'statement_timeout']);
    const settings = { statement_timeout: '5min' };
    expect(changesOf(wished, withRole({ comment, settings }))).toEqual([
      { do: 'set', setting: 'search_path', value: 'orders' },
      { do: 'set', setting: 'statement_timeout', value: '30s' },
    ]);
  });

  it('that are not wished any more are reset if they are ours, and only then', () => {
    const comment = mine(['lock_timeout', 'work_mem']);
    const settings = { lock_timeout: '1s', geqo: 'off', application_name: 'theirs' };
    const state = withRole({ comment, settings });
    expect(changesOf(present, state).filter(({ do: what }) => what !== 'mark')).toEqual([
      { do: 'reset', setting: 'lock_timeout' },
    ]);
    const after = stepsOf(changesOf(present, state)).reduce(applyStep, state);
    expect(after.role).toMatchObject({
      comment: mine([]),
      settings: { geqo: 'off', application_name: 'theirs' },
    });
    expect(changesOf(present, after)).toEqual([]);
  });

  it('stay with a role that is disabled, and hold up no ending', () => {
    const state = withRole({ comment: mine(['work_mem']), settings: { work_mem: '4MB' } });
    expect(stepsOf(changesOf(disabled, state)).reduce(applyStep, state).role?.settings).toEqual({
      work_mem: '4MB',
    });
    expect(
      stepsOf(changesOf(absent, state)).reduce(applyStep, { ...state, hangsOnIt: false }).role,
    ).toBeUndefined();
  });
});
