import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure, type FailureKind, retryTable } from '../kernel/failure.ts';
import { nextLook, spreadOf, untilShared } from './next-look.ts';

const failure = (kind: FailureKind, retryAfterMs?: number) =>
  new Failure(kind, 'DatabaseUnavailable', 'No answer.', { retryAfterMs });
const look = (input: Partial<Parameters<typeof nextLook>[0]>) =>
  nextLook({
    resyncMs: 600_000,
    failures: [],
    failedPasses: 0,
    others: [],
    spread: 0.5,
    timeScale: 1,
    ...input,
  }).afterMs;

describe('the next look comes', () => {
  it.each<[string, Partial<Parameters<typeof nextLook>[0]>, number]>([
    ['at the resync when all is well', {}, 600_000],
    ['a tenth earlier for one end of the spread', { spread: 0 }, 540_000],
    ['a tenth later for the other', { spread: 1 }, 660_000],
    ["at a failure's first wait", { failures: [failure('unavailable')] }, 1_000],
    ['twice as late with each failed pass', { failures: [failure('unavailable')], failedPasses: 3 }, 8_000],
    [
      'at the longest of its kind after very many',
      { failures: [failure('unavailable')], failedPasses: 5_000 },
      60_000,
    ],
    ['at the soonest of several failures', { failures: [failure('invalid'), failure('missing')] }, 10_000],
    ['no sooner than a remote side asked', { failures: [failure('throttled', 45_000)] }, 45_000],
    [
      'when it was told to, however often its turn had not come',
      {
        failures: [new Failure('throttled', 'Progressing', 'In line.', { retryAfterMs: 1_000 })],
        failedPasses: 9,
      },
      1_000,
    ],
    [
      'twice as late with each pass that AWS refused, however soon it says to come back',
      {
        failures: [new Failure('throttled', 'Throttled', 'Slow down.', { retryAfterMs: 1 })],
        failedPasses: 1,
      },
      retryTable.throttled.firstMs * 2,
    ],
    [
      'twice as late with each pass that found no answer, though it is on the way',
      {
        failures: [new Failure('unavailable', 'Progressing', 'Starting.', { retryAfterMs: 1 })],
        failedPasses: 1,
      },
      retryTable.unavailable.firstMs * 2,
    ],
    [
      'twice as late with each pass whose turn had not come, where nobody said when it will',
      { failures: [new Failure('throttled', 'Progressing', 'In line.')], failedPasses: 1 },
      retryTable.throttled.firstMs * 2,
    ],
    [
      'at the resync where that is sooner than a wait',
      { resyncMs: 30_000, failures: [failure('invalid')], failedPasses: 9 },
      30_000,
    ],
    ['at the proof where that is sooner', { others: [undefined, 1_234] }, 1_234],
    ['scaled with every timer', { failures: [failure('unavailable')], timeScale: 0.1 }, 100],
    ['at the proof as it is, because that is scaled already', { others: [500], timeScale: 0.1 }, 500],
  ])('%s', (_sentence, input, expected) => {
    expect(look(input)).toBe(expected);
  });

  it('never at once for ever: more than nothing in any case', () => {
    const kind = fc.constantFrom(...(Object.keys(retryTable) as FailureKind[]));
    fc.assert(
      fc.property(
        fc.array(kind),
        fc.nat(100),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (kinds, passes, spread) => {
          const after = look({
            failures: kinds.map((k) => failure(k)),
            failedPasses: passes,
            spread,
            timeScale: 0.001,
          });
          expect(after).toBeGreaterThanOrEqual(1);
          expect(Number.isSafeInteger(after)).toBe(true);
        },
      ),
    );
  });
});

describe('the spread of an object', () => {
  it('is always the same, and lies between 0 and 1', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(spreadOf(text)).toBe(spreadOf(text));
        expect(spreadOf(text)).toBeGreaterThanOrEqual(0);
        expect(spreadOf(text)).toBeLessThan(1);
      }),
    );
  });

  it('puts a tenth of a thousand objects into each tenth of the time, roughly', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 1_000; i += 1) {
      const tenth = Math.floor(spreadOf(`5f3c0c1e-0000-4000-8000-${String(i).padStart(12, '0')}`) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(50);
    expect(Math.max(...tenths)).toBeLessThan(150);
  });
});

it('every kind of failure waits longer at last than at first', () => {
  for (const { firstMs, longestMs } of Object.values(retryTable)) expect(firstMs).toBeLessThan(longestMs);
});

describe('a shared look', () => {
  it('comes at one moment for all who have the interval, whenever they looked last', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 30, max: 86_400 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (seconds, first, second) => {
          const interval = seconds * 1_000;
          const start = 20_000 * interval;
          const due = [first, second].map((part) => {
            const now = start + Math.floor(part * interval);
            return now + untilShared(interval, now);
          });
          expect(due).toEqual([start + interval, start + interval]);
        },
      ),
    );
  });

  it('never comes twice for one moment, and never later than an interval and a tenth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 86_400_000 }), fc.maxSafeNat(), (interval, now) => {
        const wait = untilShared(interval, now);
        expect(wait).toBeGreaterThanOrEqual(interval / 10);
        expect(wait).toBeLessThanOrEqual(interval * 1.1);
      }),
    );
  });
});
