import { describe, expect, it } from 'vitest';
import { describeRole, sqlOf } from './describe.ts';
import { formatMark, markOf } from './mark.ts';
import { owner } from '../../../test/builders/role-fixtures.ts';
import type { RoleChange } from './role.ts';
import { statementsFor } from './sql.ts';

const mark = markOf(owner, ['writers'], []);
const changes: readonly RoleChange[] = [
  { do: 'create', connectionLimit: 5 },
  { do: 'mark', mark },
  { do: 'release', comment: 'released' },
  { do: 'allow login' },
  { do: 'limit connections', limit: -1 },
  { do: 'set', setting: 'search_path', value: 'a, b' },
  { do: 'reset', setting: 'work_mem' },
  { do: 'grant rds_iam' },
  { do: 'grant group', group: 'or"ders' },
  { do: 'revoke group', group: 'readers', ifPossible: true },
  { do: 'revoke group', group: 'readers', ifPossible: false },
  { do: 'grant connect', database: 'orders' },
  { do: 'revoke connect', database: 'orders' },
  { do: 'end access' },
  { do: 'drop' },
];

describe('the SQL that is shown', () => {
  // Of these nothing is sent but the comment, which every step writes.
  const commentOf = (change: RoleChange) =>
    change.do === 'mark' ? formatMark(change.mark) : change.do === 'release' ? change.comment : 'x';

  it.each(changes.map((change) => [change.do, change] as const))('is what is sent: %s', (_, change) => {
    const username = "o'brien";
    const sent = statementsFor([change], { username, comment: 'x' }, commentOf(change))
      .map(({ sql }) => sql)
      .join(';\n');
    const missing = sqlOf(change, username).filter(
      // Within a DO it is a text in quotes.
      (sql) => !sent.includes(sql) && !sent.includes(sql.replaceAll("'", "''")),
    );
    expect(missing).toEqual([]);
  });

  it('is a line for each statement, quoted as it has to be', () => {
    expect(describeRole({ do: 'grant group', group: 'or"ders' }, { username: 'Checkout' })).toEqual([
      'SQL: GRANT "or""ders" TO "Checkout";',
    ]);
    expect(describeRole({ do: 'end access' }, { username: 'x' })).toHaveLength(2);
  });
});
