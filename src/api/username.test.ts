import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsPostgresName, whyNotUsername } from './username.ts';

describe('a user name', () => {
  it.each([
    'payments_checkout',
    'a',
    '_x',
    'Team.App-1@eu',
    'x'.repeat(63),
    'pgbouncer',
    'postgres2',
    'users',
    'my_rds',
  ])('may be %s', (name) => {
    expect(whyNotUsername(name)).toBeUndefined();
  });

  it.each([
    '',
    'x'.repeat(64),
    '1x',
    '-x',
    '.x',
    '@x',
    'a b',
    'a/b',
    'a:b',
    'a*b',
    'a?b',
    'a$b',
    'a+b',
    '+a',
    'ü',
    'a\n',
    'a\0b',
    "a'b",
    'a"b',
  ])('may not be %j: its characters or its length', (name) => {
    expect(whyNotUsername(name)).toContain('letter');
  });

  it.each([
    'pg_x',
    'PG_X',
    'rdsadmin',
    'iamdb_definer',
    'Iamdb_Rehearsal_0123456789ab',
    'rds_iam',
    'RDS',
    'rdsx',
    'public',
    'PUBLIC',
    'none',
    'None',
    'all',
    'replication',
    'user',
    'User',
    'postgres',
    'Postgres',
  ])('may not be %s: it is reserved', (name) => {
    expect(whyNotUsername(name)).toContain('reserved');
  });

  it('that may be is neither longer than PostgreSQL keeps nor a part of an ARN', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (name) => {
        if (whyNotUsername(name) !== undefined) return;
        expect(new TextEncoder().encode(name).length).toBeLessThanOrEqual(63);
        expect(name).not.toMatch(/[*?$/:\s"']/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a name of PostgreSQL', () => {
  it.each([
    ['x', true],
    ['', false],
    ['x'.repeat(63), true],
    ['x'.repeat(64), false],
    ['é'.repeat(31), true],
    ['é'.repeat(32), false],
    ['漢'.repeat(21), true],
    ['漢'.repeat(22), false],
    ['😀'.repeat(15), true],
    ['😀'.repeat(16), false],
    ['a\0b', false],
  ])('%j fits: %s', (name, expected) => {
    expect(fitsPostgresName(name)).toBe(expected);
  });
});
