// Who is read again, round after round.
import { expect, it } from 'vitest';
import { createReadTurns } from './turns.ts';

function readers(count: number) {
  const time = { now: 0 };
  const readAt = Array.from({ length: count }, () => 0);
  const turns = createReadTurns({ everyMs: 15_000, leastMs: 60_000, atOnce: 4 }, { now: () => time.now });
  const askFor = (one: number): boolean => {
    const isRead = turns.take(readAt[one] ?? 0, () => readAt);
    if (isRead) readAt[one] = time.now;
    return isRead;
  };
  return { time, readAt, askFor };
}

/** All are asked for at once and in the same order, every 600 seconds; answers for each look which were read again. */
function looks(count: number, rounds: number): readonly (readonly number[])[] {
  const { time, readAt, askFor } = readers(count);
  return Array.from({ length: rounds }, () => {
    time.now += 600_000;
    return readAt.flatMap((_, one) => (askFor(one) ? [one] : []));
  });
}

/** Each is asked for by itself, all of them within `roundMs`; answers how old a read ever was when it was asked for. */
function oldest(count: number, roundMs: number): number {
  const { time, readAt, askFor } = readers(count);
  let most = 0;
  for (let step = 1; step <= 50 * count; step += 1) {
    time.now = (step * roundMs) / count;
    const one = step % count;
    most = Math.max(most, time.now - (readAt[one] ?? 0));
    askFor(one);
  }
  return most;
}

it('reads few at every look', () => {
  expect(looks(3, 3)).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
  ]);
});

it('reads four of many at once, those that waited longest', () => {
  expect(looks(10, 5)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [0, 1, 8, 9],
    [2, 3, 4, 5],
    [0, 1, 6, 7],
  ]);
});

it.each([1, 5, 20, 30])('reads each of %s within two rounds, where they come one by one', (count) => {
  expect(oldest(count, 600_000)).toBeLessThanOrEqual(1_200_000);
});

it('leaves alone what was read a moment ago, and so what was just written', () => {
  const { time, readAt, askFor } = readers(1);
  readAt[0] = 100_000;
  time.now = 159_999;
  expect(askFor(0)).toBe(false);
  time.now = 160_000;
  expect(askFor(0)).toBe(true);
});
