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

  it.each<[RoleChange, readonly string[]]>([
    [{ do: 'create', connectionLimit: 5 }, ['SQL: CREATE ROLE "o\'brien" LOGIN CONNECTION LIMIT 5;']],
    [
      { do: 'adopt', sessions: 2 },
      [
        'Role "o\'brien" exists and is taken over: it has 2 session(s) now, and no login by password afterwards.',
      ],
    ],
    [{ do: 'release', comment: "it's free" }, [`SQL: COMMENT ON ROLE "o'brien" IS 'it''s free';`]],
    [{ do: 'mark', mark }, [`SQL: COMMENT ON ROLE "o'brien" IS '${formatMark(mark)}';`]],
    [{ do: 'allow login' }, ['SQL: ALTER ROLE "o\'brien" LOGIN;']],
    [{ do: 'limit connections', limit: -1 }, ['SQL: ALTER ROLE "o\'brien" CONNECTION LIMIT -1;']],
    [
      { do: 'set', setting: 'search_path', value: 'a, b' },
      [`SQL: ALTER ROLE "o'brien" SET "search_path" = 'a', 'b';`],
    ],
    [{ do: 'reset', setting: 'work_mem' }, ['SQL: ALTER ROLE "o\'brien" RESET "work_mem";']],
    [{ do: 'grant rds_iam' }, ['SQL: GRANT rds_iam TO "o\'brien";']],
    [{ do: 'revoke group', group: 'readers', ifPossible: true }, ['SQL: REVOKE "readers" FROM "o\'brien";']],
    [{ do: 'grant connect', database: 'orders' }, ['SQL: GRANT CONNECT ON DATABASE "orders" TO "o\'brien";']],
    [
      { do: 'revoke connect', database: 'orders' },
      ['SQL: REVOKE CONNECT ON DATABASE "orders" FROM "o\'brien";'],
    ],
    [{ do: 'end access' }, ['SQL: ALTER ROLE "o\'brien" NOLOGIN;', 'SQL: REVOKE rds_iam FROM "o\'brien";']],
    [
      { do: 'end sessions' },
      ["SQL: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'o''brien';"],
    ],
    [
      { do: 'interrupt sessions' },
      ["SQL: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'o''brien';"],
    ],
    [
      { do: 'reassign', to: 'heirs', databases: ['orders'] },
      ['SQL: REASSIGN OWNED BY "o\'brien" TO "heirs";'],
    ],
    [{ do: 'drop' }, ['SQL: DROP ROLE "o\'brien";']],
  ])('tells a person who reviews a plan what is done: %o', (change, expected) => {
    expect(describeRole(change, { username: "o'brien" })).toEqual(expected);
  });
});
