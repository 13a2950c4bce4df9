import { expect, test } from 'vitest';
import { scaledLimit } from './limit.ts';

test.each([
  ['as long as it is said without a factor', 10_000, 1, 10_000],
  ['with a factor as much shorter', 30_000, 0.5, 15_000],
  ['never shorter than a busy machine needs', 10_000, 0.05, 3_000],
  ['nor longer by that than it was', 1_000, 0.05, 1_000],
])('a limit is %s', (_what, limitMs, factor, expected) => {
  expect(scaledLimit(limitMs, factor)).toBe(expected);
});
