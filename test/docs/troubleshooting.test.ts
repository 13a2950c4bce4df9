// Whoever has a reason in front of them finds it in a row of the tables for troubleshooting.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { reasons } from '../../src/api/conditions.ts';
import { root } from './pages.ts';

const rows = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8').match(/^\|.*$/gm) ?? [];
/** What is good asks for nothing. */
const toMend = Object.entries(reasons).flatMap(([reason, { remedy }]) => (remedy === '' ? [] : [reason]));

it.each(toMend)('tells what to do about %s', (reason) => {
  expect(rows.filter((row) => row.includes(`\`${reason}\``))).not.toEqual([]);
});
