import { assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absent, disabled, owner, present, released } from '../../../test/builders/role-fixtures.ts';
import { dollarQuoted } from './quote.ts';
import type { ScriptedRole } from './role.ts';
import { scriptFor } from './script.ts';

const script = (desired: ScriptedRole): string => {
  const made = scriptFor(desired);
  if ('refused' in made) throw made.refused;
  return made.script;
};
const head = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('--'))
    .join('\n');
const count = (text: string, part: string) => text.split(part).length - 1;

describe('the script of a role', () => {
  it('begins with what it does where there is no role, and who may run it', () => {
    const settings = { work_mem: '8MB' };
    expect(head(script({ ...present, settings }))).toBe(
      [
        '-- IamDatabaseUser payments/checkout asks for a database role. On a server without that role this does:',
        '--   CREATE ROLE "checkout" LOGIN CONNECTION LIMIT 5;',
        '--   ALTER ROLE "checkout" SET "work_mem" = \'8MB\';',
        '--   GRANT rds_iam TO "checkout";',
        '--   GRANT "writers" TO "checkout";',
        '--   GRANT CONNECT ON DATABASE "orders" TO "checkout";',
        '-- Run all of it in database "postgres" of the writer, as a role with CREATEROLE that may grant (with ADMIN OPTION) what is granted here.',
        '-- It may be run again. Each transaction changes nothing where one of its checks fails, or a lock is not free within 5 seconds.',
      ].join('\n'),
    );
  });

  it.each<[string, ScriptedRole]>([
    ['was deleted. What ends its access:', absent],
    ['may not be used any more. What ends its access and keeps the role:', disabled],
    ['was deleted, and its access is to outlive it. What says so on the role:', released],
  ])('says first that its user %s', (what, desired) => {
    expect(script(desired).split('\n')[0]).toBe(`-- IamDatabaseUser payments/checkout ${what}`);
  });

  it('shows a statement of several lines on one', () => {
    const settings = { application_name: 'a\r\n\nb' };
    expect(head(script({ ...present, settings }))).toContain(
      `--   ALTER ROLE "checkout" SET "application_name" = 'a b';`,
    );
  });

  it('is one transaction, begun with the locks that the operator takes, in one order', () => {
    const text = script({ ...present, connectDatabases: ['orders', 'billing'] });
    expect(count(text, 'BEGIN ISOLATION LEVEL READ COMMITTED;')).toBe(1);
    expect(text.trimEnd().endsWith('COMMIT;')).toBe(true);
    expect(text.match(/hashtext\('[^']+'\)/g)).toEqual([
      "hashtext('role:checkout')",
      "hashtext('database:billing')",
      "hashtext('database:orders')",
    ]);
  });

  it.each<[string, ScriptedRole]>([
    ['made', present],
    ['deleted', absent],
  ])(
    'waits for no lock longer than the operator does, in each of its transactions, when it is %s',
    (_, desired) => {
      const transactions = script(desired).split('BEGIN ISOLATION LEVEL READ COMMITTED;\n').slice(1);
      expect(transactions.length).toBeGreaterThan(0);
      for (const text of transactions) expect(text.split('\n')[0]).toBe("SET LOCAL lock_timeout = '5000ms';");
    },
  );

  it.each<[string, Partial<typeof present>]>([
    ['a reserved name', { username: 'pg_checkout' }],
    ['the name of an admin', { reservedUsernames: ['checkout'] }],
  ])('is refused for %s', (_, change) => {
    expect(scriptFor({ ...present, ...change })).toMatchObject({ refused: { reason: 'UsernameNotAllowed' } });
  });

  it('is refused where it would be its own group', () => {
    expect(scriptFor({ ...present, memberOf: ['checkout'] })).toMatchObject({
      refused: { reason: 'PrivilegedGroup' },
    });
  });

  it('takes a role over only where that is allowed', () => {
    expect(script(present)).not.toContain('too powerful to be taken over');
    expect(script({ ...present, adopt: true })).toContain('too powerful to be taken over');
  });

  it('knows its own by everything that the mark is judged by, trusted operators among it', () => {
    const text = script(present);
    for (const part of [
      "= 'operator-1'",
      "= 'operator-0'",
      "= 'namespace-1'",
      "= 'payments'",
      "= 'checkout'",
    ])
      expect(text).toContain(part);
    expect(text).not.toContain("object-2' AND");
    expect(script({ ...present, owner: { ...owner, trustedOperatorIDs: [] } })).not.toContain('operator-0');
  });

  it.each<[string, ScriptedRole, number, readonly string[]]>([
    ['deleted', absent, 3, ['NOLOGIN;', 'REVOKE rds_iam', 'pg_terminate_backend', 'DROP ROLE "checkout";']],
    ['disabled', disabled, 2, ['NOLOGIN;', 'REVOKE rds_iam', 'pg_terminate_backend']],
    ['let go', released, 1, ["IS 'released by iamdb-operator operator-1"]],
  ])('of one that is to be %s has its transactions, in that order', (_, desired, transactions, parts) => {
    const text = script(desired);
    expect(count(text, '\nCOMMIT;')).toBe(transactions);
    const body = text.slice(text.indexOf('BEGIN ISOLATION'));
    const places = parts.map((part) => body.indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(text.includes('DROP ROLE')).toBe(desired === absent);
    expect(count(text, 'is not kept for this IamDatabaseUser (any more)')).toBe(transactions);
    expect(text).not.toContain('DROP OWNED');
  });

  it('tells what a person has to hand over before the role can be dropped', () => {
    const text = script({ ...absent, ensure: 'absent', username: 'checkout', owner, reassignTo: 'heirs' });
    expect(text).toContain(
      '\n-- Where it owns something, in each such database, as a member of both roles: REASSIGN OWNED BY "checkout" TO "heirs";\n',
    );
    expect(text.indexOf('REASSIGN')).toBeLessThan(text.lastIndexOf('DROP ROLE'));
  });

  it('stays in its comments and quotes whatever a setting holds', () => {
    const nasty = string({
      unit: constantFrom("'", '$', 'iamdb', '\n', '\\', ';', '-', '"', 'a'),
      maxLength: 40,
    });
    assert(
      property(nasty, (value) => {
        const text = script({ ...present, settings: { application_name: value } });
        const [, tag = ''] = /DO LANGUAGE plpgsql (\$iamdb\d*\$)\n/.exec(text) ?? [];
        expect(count(text, tag) - count(head(text), tag)).toBe(2);
        expect(
          text
            .slice(0, text.indexOf('BEGIN ISOLATION'))
            .trim()
            .split('\n')
            .every((line) => line.startsWith('-- ')),
        ).toBe(true);
      }),
    );
  });
});

it('dollar quotes take a tag that the body does not hold, and no NUL', () => {
  expect(dollarQuoted('a')).toBe('$iamdb$a$iamdb$');
  expect(dollarQuoted('$iamdb$ $iamdb1$')).toBe('$iamdb2$$iamdb$ $iamdb1$$iamdb2$');
  expect(() => dollarQuoted('\0')).toThrow('not a PostgreSQL string');
});
