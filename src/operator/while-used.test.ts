// What is used stays, what is used no more is closed, once.
import { expect, it } from 'vitest';
import { whileUsed } from './while-used.ts';

function kept() {
  const clock = { now: 0 };
  const closed: string[] = [];
  let made = 0;
  const all = whileUsed<{ readonly name: string; close(): void }>({ idleMs: 100, now: () => clock.now });
  const ask = (key: string) =>
    all.get(key, () => {
      made += 1;
      const name = `${key}${made}`;
      return { name, close: () => closed.push(name) };
    }).name;
  return { all, ask, closed, clock };
}

it('keeps one of each while it is asked for, closes what nobody asks for, and makes it anew when it is asked for again', () => {
  const { all, ask, closed, clock } = kept();
  expect([ask('a'), ask('b'), ask('a')]).toEqual(['a1', 'b2', 'a1']);
  clock.now = 100;
  expect(ask('a')).toBe('a1');
  all.closeIdle();
  expect(closed).toEqual([]);
  clock.now = 101;
  all.closeIdle();
  expect(closed).toEqual(['b2']);
  expect(all.peek('b')).toBeUndefined();
  expect([ask('a'), ask('b')]).toEqual(['a1', 'b3']);
  all.closeAll();
  expect(closed).toEqual(['b2', 'a1', 'b3']);
});

it('is not in use by being looked at', () => {
  const { all, ask, closed, clock } = kept();
  ask('a');
  clock.now = 90;
  expect(all.peek('a')?.name).toBe('a1');
  clock.now = 150;
  all.closeIdle();
  expect(closed).toEqual(['a1']);
});
