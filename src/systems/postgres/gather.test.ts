import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { gather } from './gather.ts';

const ask = { preparation: '', ask: (items: readonly string[]) => JSON.stringify(items) };
const other = { preparation: '', ask: (items: readonly string[]) => `other ${JSON.stringify(items)}` };
let sent: string[];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
});
afterEach(() => {
  vi.useRealTimers();
});

const answering = (maxItems = 10) =>
  gather({
    windowMs: 5,
    maxItems,
    run: async (sql) => {
      sent.push(sql);
      await Promise.resolve();
      const items = JSON.parse(sql.replace('other ', '')) as string[];
      return items.map((item, index) => ({ n: index + 1, answer: item.toUpperCase() })).toReversed();
    },
  });

it('asks once for all who ask at the same time, and gives each its own answer', async () => {
  const together = answering();
  const answers = Promise.all(['a', 'b', 'a'].map(async (item) => await together(ask, item)));
  await vi.advanceTimersByTimeAsync(5);
  expect(await answers).toEqual(['A', 'B', 'A']);
  expect(sent).toEqual(['["a","b","a"]']);
});

it('does not mix questions of another kind', async () => {
  const together = answering();
  const answers = Promise.all([together(ask, 'a'), together(other, 'b')]);
  await vi.advanceTimersByTimeAsync(5);
  expect(await answers).toEqual(['A', 'B']);
  expect(sent).toEqual(['["a"]', 'other ["b"]']);
});

it('sends a full one at once', async () => {
  const together = answering(2);
  expect(await Promise.all([together(ask, 'a'), together(ask, 'b')])).toEqual(['A', 'B']);
});

it('does not join a query that is on its way', async () => {
  const together = answering();
  const first = together(ask, 'a');
  await vi.advanceTimersByTimeAsync(5);
  const second = together(ask, 'b');
  await vi.advanceTimersByTimeAsync(5);
  expect(await Promise.all([first, second])).toEqual(['A', 'B']);
  expect(sent).toHaveLength(2);
});

it('fails all who asked in a query that fails, and none after it', async () => {
  let fails = true;
  const together = gather({
    windowMs: 5,
    maxItems: 10,
    run: async () => {
      await Promise.resolve();
      if (fails) throw new Error('down');
      return [{ n: 1, answer: 'up' }];
    },
  });
  const answers = ['a', 'b'].map(async (item) => await together(ask, item).catch((error: unknown) => error));
  await vi.advanceTimersByTimeAsync(5);
  expect(await Promise.all(answers)).toEqual([new Error('down'), new Error('down')]);
  fails = false;
  const later = together(ask, 'a');
  await vi.advanceTimersByTimeAsync(5);
  expect(await later).toBe('up');
});
