// Logins for proof are spread, few at once, and nobody waits long for a turn.
import { expect, it } from 'vitest';
import { createFakeClock } from '../../test/builders/fake-clock.ts';
import { createLoginPace } from './login-pace.ts';

const signal = new AbortController().signal;
const proven = () => Promise.resolve('proven');

function pacing(perSecond: number) {
  const clock = createFakeClock();
  const pace = createLoginPace(perSecond, clock, 60_000);
  return { clock, prove: (server = 'a', logIn = proven) => pace(server, logIn, signal) };
}

it('lets logins at one server through one after the other, at the rate', async () => {
  const { clock, prove } = pacing(20);
  const done: number[] = [];
  const all = [1, 2, 3].map(async (n) => {
    expect(await prove()).toBe('proven');
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
  const { prove } = pacing(0.01);
  expect(await prove('a')).toBe('proven');
  expect(await prove('b')).toBe('proven');
});

it('sends away whoever would have to wait longer than a sixth of a pass, each with a time of its own', async () => {
  const { clock, prove } = pacing(1);
  const all = Array.from({ length: 14 }, () => prove());
  await clock.advance(10_000);
  const told = await Promise.all(all);
  expect(told.slice(0, 11)).toEqual(Array.from({ length: 11 }, () => 'proven'));
  expect(told.slice(11)).toEqual([{ comeAgainMs: 12_000 }, { comeAgainMs: 13_000 }, { comeAgainMs: 14_000 }]);
  await clock.advance(2_000);
  expect(await prove()).toBe('proven');
});

it('with no rate still logs in eight at once, and sends away who finds no place', async () => {
  const { clock, prove } = pacing(0);
  const running: PromiseWithResolvers<string>[] = [];
  const slow = () => {
    const login = Promise.withResolvers<string>();
    running.push(login);
    return login.promise;
  };
  const all = Array.from({ length: 10 }, () => prove('a', slow));
  await clock.settle();
  expect(running).toHaveLength(8);
  running[0]?.resolve('proven');
  await clock.settle();
  expect(running).toHaveLength(9);
  await clock.advance(10_000);
  expect(await all[9]).toEqual({ comeAgainMs: 1_000 });
});

it('makes room again after a login that failed', async () => {
  const { prove } = pacing(0);
  const failing = () => Promise.reject(new Error('refused'));
  const failed = await Promise.allSettled(Array.from({ length: 20 }, () => prove('a', failing)));
  expect(failed.every(({ status }) => status === 'rejected')).toBe(true);
  expect(await prove()).toBe('proven');
});
