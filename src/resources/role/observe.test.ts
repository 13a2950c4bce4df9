import { describe, expect, it } from 'vitest';
import { absent, disabled, empty, owner, present, released } from '../../../test/builders/role-fixtures.ts';
import { formatMark, markOf } from './mark.ts';
import { questionOf, reading, roleIn } from './observe.ts';

describe('the question about a role', () => {
  it('is about the groups and databases of the wish', () => {
    expect(questionOf(present)).toEqual({
      username: 'checkout',
      groups: ['writers'],
      databases: ['orders'],
      ending: false,
    });
  });

  it('counts the sessions of a role that may be taken over', () => {
    expect(questionOf({ ...present, adopt: true })).toMatchObject({ ending: true });
  });

  it.each([absent, disabled, empty, released])(
    'counts the sessions of a role that ends ($ensure)',
    (desired) => {
      expect(questionOf(desired)).toEqual({ username: 'checkout', groups: [], databases: [], ending: true });
    },
  );

  it('leaves out names that would make the server refuse the questions of all', () => {
    const impossible = ['a\0b', 'lone \uD800 half', 'x'.repeat(64)];
    for (const name of impossible) {
      expect(questionOf({ ...present, username: name }).username).toBe('');
      const wish = { ...present, memberOf: [name, 'writers'], connectDatabases: ['orders', name] };
      expect(questionOf(wish)).toMatchObject({ groups: ['writers'], databases: ['orders'] });
    }
  });

  it('is one statement for many, prepared once for a connection', () => {
    expect(reading.preparation).toMatch(/^PREPARE iamdb_roles \(jsonb\) AS \s*WITH RECURSIVE asked AS/);
    expect(reading.preparation).toContain(';\nPREPARE iamdb_power (name, text[]) AS');
    expect(
      reading.ask([questionOf({ ...present, username: "o'brien", memberOf: [], connectDatabases: [] })]),
    ).toBe(`EXECUTE iamdb_roles ('[{"username":"o''brien","groups":[],"databases":[],"ending":false}]')`);
  });
});

describe('the answer about a role', () => {
  const answer = {
    serverVersion: 170_004,
    admin: 'iamdb_admin',
    rdsIamExists: true,
    role: null,
    groups: [],
    databases: [],
  };
  const role = {
    login: true,
    connectionLimit: 5,
    comment: null,
    powerful: false,
    administrable: true,
    memberships: [],
    rdsIam: { ours: true, others: false, foreign: false, indirect: false },
    ownsIn: [],
    settings: ['work_mem=8MB', 'search_path="$user", a=b'],
    connectGrants: ['orders'],
    passwordLoginsThatReachIt: [],
    sessions: 0,
  };

  it('may be that there is none', () => {
    expect(roleIn(answer)).toEqual({ ...answer, role: undefined });
  });

  it('knows a role by its mark, and its settings by name', () => {
    const comment = formatMark(markOf(owner, ['writers'], []));
    expect(roleIn({ ...answer, role: { ...role, comment } }).role).toEqual({
      ...role,
      comment,
      mark: markOf(owner, ['writers'], []),
      settings: { work_mem: '8MB', search_path: '"$user", a=b' },
      heldBy: undefined,
    });
    expect(roleIn({ ...answer, role }).role).toMatchObject({ comment: undefined, mark: undefined });
  });

  it('finds no power in a group that does not exist, and keeps what it finds in others', () => {
    const power = { never: ['kings'], byNameOnly: ['owners'] };
    const groups = [
      { group: 'writers', exists: true, power },
      { group: 'nobodies', exists: false, power: null },
    ];
    expect(roleIn({ ...answer, groups }).groups).toEqual([
      { group: 'writers', exists: true, power },
      { group: 'nobodies', exists: false, power: { never: [], byNameOnly: [] } },
    ]);
  });

  it.each([undefined, null, 'text'])('cannot be %o', (nothing) => {
    expect(() => roleIn(nothing)).toThrow('the server did not answer for a role');
  });
});
