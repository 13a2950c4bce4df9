// Our quoting against the server's own parser.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identifier, literal } from '../../src/resources/role/quote.ts';
import { createChildren } from '../bed/children.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { startPostgres } from '../bed/postgres.ts';
import { Client } from 'pg';

const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
  fc.string({
    unit: fc.constantFrom("'", '"', '\\', '$', ';', '-', '\n', '%', 'E', 'a'),
    minLength: 1,
    maxLength: 30,
  }),
);
const names = fc.array(
  text.filter((name) => !name.includes('\0')),
  { minLength: 200, maxLength: 200 },
);

describe.each<PostgresMajor>([14, 16, 17, 18])('on PostgreSQL %i', (major) => {
  const children = createChildren();
  let client: Client;

  beforeAll(async () => {
    client = new Client((await startPostgres({ major, children })).superuser);
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await children.stop();
  });

  it('makes a literal of any text, whatever standard_conforming_strings says', async () => {
    await client.query('SET escape_string_warning = off');
    await fc.assert(
      fc.asyncProperty(names, fc.constantFrom('on', 'off'), async (texts, conforming) => {
        await client.query(`SET standard_conforming_strings = ${conforming}`);
        const selected = texts
          .map((each, n) => `SELECT ${n} AS n, ${literal(each)} AS text`)
          .join(' UNION ALL ');
        const { rows } = await client.query<{ text: string }>(`SELECT text FROM (${selected}) s ORDER BY n`);
        expect(rows.map((row) => row.text)).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  it('makes an identifier of any name, cut where the server cuts', async () => {
    await client.query('SET standard_conforming_strings = on');
    await fc.assert(
      fc.asyncProperty(names, async (texts) => {
        const { fields } = await client.query(
          `SELECT ${texts.map((each) => `1 AS ${identifier(each)}`).join(', ')}`,
        );
        const { rows } = await client.query<{ name: string }>(
          'SELECT each::name::text AS name FROM unnest($1::text[]) WITH ORDINALITY list(each, n) ORDER BY n',
          [texts],
        );
        expect(fields.map((field) => field.name)).toEqual(rows.map((row) => row.name));
      }),
      { numRuns: 50 },
    );
  });
});

it('refuses what cannot be sent', () => {
  expect(() => identifier('')).toThrow('identifier');
  expect(() => identifier('a\0b')).toThrow('identifier');
  expect(() => literal('a\0b')).toThrow('string');
});
