import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure, type FailureKind, retryTable } from '../kernel/failure.ts';
import { nextLook, spreadOf, untilResync, untilShared } from './next-look.ts';

const failure = (kind: FailureKind, retryAfterMs?: number) =>
  new Failure(kind, 'DatabaseUnavailable', 'No answer.', { retryAfterMs });
const look = (input: Partial<Parameters<typeof nextLook>[0]>) =>
  nextLook({
    resyncMs: 600_000,
    failures: [],
    failedPasses: 0,
    others: [],
    timeScale: 1,
    ...input,
  }).afterMs;

describe('the next look comes', () => {
  it.each<[string, Partial<Parameters<typeof nextLook>[0]>, number]>([
    ['at the resync when all is well', {}, 600_000],
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
      fc.property(fc.array(kind), fc.nat(100), (kinds, passes) => {
        const after = look({
          failures: kinds.map((k) => failure(k)),
          failedPasses: passes,
          timeScale: 0.001,
        });
        expect(after).toBeGreaterThanOrEqual(1);
        expect(Number.isSafeInteger(after)).toBe(true);
      }),
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

describe('the resync of the users of a database', () => {
  const start = 1_000_000 * 600_000;
  const due = (now: number, of?: string) =>
    now + untilResync({ intervalSeconds: 600 }, { now, timeScale: 1, ...(of === undefined ? {} : { of }) });
  // Before any of the moments and their tenth, so that all are of one interval.
  const looks = fc.integer({ min: start + 150_000, max: start + 500_000 });
  const databases = fc.string({ minLength: 1, maxLength: 63 });

  it('comes at one moment for all of them, whenever they were looked at last', () => {
    fc.assert(
      fc.property(databases, looks, looks, (of, first, second) => {
        expect(due(first, of)).toBe(due(second, of));
      }),
    );
  });

  it('comes after that of the database itself, and soon, while its connection is still open', () => {
    fc.assert(
      fc.property(databases, looks, (of, now) => {
        expect(due(now, of)).toBeGreaterThan(due(now));
        expect(due(now, of)).toBeLessThan(due(now) + 30_001);
      }),
    );
  });

  it('is not that of the users of another one', () => {
    const names = Array.from({ length: 10 }, (_, i) => `database-${i}`);
    expect(new Set(names.map((of) => due(start + 300_000, of))).size).toBe(10);
  });

  it('is scaled like any other timer', () => {
    const scaled = (timeScale: number) => {
      const now = start + 300_000 * timeScale;
      return untilResync({ intervalSeconds: 600 }, { now, timeScale, of: 'orders' });
    };
    expect(scaled(0.05)).toBeCloseTo(scaled(1), -3);
  });
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
