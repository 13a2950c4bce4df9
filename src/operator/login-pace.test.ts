// Logins for proof are spread, and nobody waits long for a turn.
import { expect, it } from 'vitest';
import { createFakeClock } from '../../test/builders/fake-clock.ts';
import { createLoginPace } from './login-pace.ts';

const signal = new AbortController().signal;

it('lets logins at one server through one after the other, at the rate', async () => {
  const clock = createFakeClock();
  const pace = createLoginPace(20, clock);
  const done: number[] = [];
  const all = [1, 2, 3].map(async (n) => {
    expect(await pace('a', signal)).toBe(true);
    done.push(n);
  });
  await clock.settle();
  expect(done).toEqual([1]);
  await clock.advance(50);
  expect(done).toEqual([1, 2]);
  await clock.advance(50);
  await Promise.all(all);
  expect(done).toEqual([1, 2, 3]);
});

it('does not let one server wait for another', async () => {
  const pace = createLoginPace(1, createFakeClock());
  expect(await pace('a', signal)).toBe(true);
  expect(await pace('b', signal)).toBe(true);
});

it('sends away whoever would have to wait for more than two seconds', async () => {
  const pace = createLoginPace(1, createFakeClock());
  const first = [pace('a', signal), pace('a', signal), pace('a', signal)];
  expect(await pace('a', signal)).toBe(false);
  expect(await first[0]).toBe(true);
});

it('has no limit at 0', async () => {
  const pace = createLoginPace(0, createFakeClock());
  const all = await Promise.all(Array.from({ length: 100 }, () => pace('a', signal)));
  expect(all.every((turn) => turn)).toBe(true);
});
