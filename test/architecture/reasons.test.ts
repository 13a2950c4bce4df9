// Every reason names the end-to-end file that produces it on real parts and recovers from it.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { reasons } from '../../src/api/conditions.ts';
import { reasonsShownIn } from '../e2e/reasons.ts';

it('each reason is shown in an end-to-end file that exists, which checks that itself when it has run', () => {
  expect(Object.keys(reasonsShownIn).toSorted()).toEqual(Object.keys(reasons).toSorted());
  const files = [...new Set(Object.values(reasonsShownIn))];
  const e2e = resolve(import.meta.dirname, '../e2e');
  expect(files.filter((name) => !existsSync(`${e2e}/${name}.test.ts`))).toEqual([]);
});
