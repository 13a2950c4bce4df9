// Turns: who waits, in which order, and for how long at most.
import { beforeEach, expect, it } from 'vitest';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import { createTurns, type Turns } from './turns.ts';

const never = new AbortController().signal;
let clock: FakeClock;
let turns: Turns;
let entered: string[];

beforeEach(() => {
  clock = createFakeClock();
  turns = createTurns({ places: 1, longestMs: 1_000, clock });
  entered = [];
});

async function take(key: string, signal = never) {
  const leave = await turns.take(key, signal);
  entered.push(leave === undefined ? `${key} left` : key);
  return leave;
}

it('lets as many go on as there are places, the others in their order', async () => {
  const first = await take('a');
  const others = [take('b'), take('c')];
  await clock.settle();
  expect(entered).toEqual(['a']);
  first?.();
  const second = await others[0];
  expect(entered).toEqual(['a', 'b']);
  second?.();
  await Promise.all(others);
  expect(entered).toEqual(['a', 'b', 'c']);
});

it('gives a place back once, however often it is told', async () => {
  const first = await take('a');
  first?.();
  first?.();
  await take('b');
  void take('c');
  await clock.settle();
  expect(entered).toEqual(['a', 'b']);
});

it('lets ahead whoever is in a hurry, already in line or not yet', async () => {
  const first = await take('a');
  const others = [take('b'), take('c'), take('d')];
  turns.hurry('d');
  turns.hurry('e');
  const last = take('e');
  first?.();
  (await others[2])?.();
  (await last)?.();
  (await others[0])?.();
  await others[1];
  expect(entered).toEqual(['a', 'd', 'e', 'b', 'c']);
});

it('is in a hurry once', async () => {
  turns.hurry('a');
  const first = await take('a');
  const others = [take('b'), take('a')];
  first?.();
  (await others[0])?.();
  await others[1];
  expect(entered).toEqual(['a', 'b', 'a']);
});

it('sends away whoever has waited too long, and passes the place on to who has not', async () => {
  const first = await take('a');
  const early = take('b');
  await clock.advance(600);
  const late = take('c');
  await clock.advance(400);
  expect(await early).toBeUndefined();
  first?.();
  await late;
  expect(entered).toEqual(['a', 'b left', 'c']);
  expect(clock.timers()).toBe(0);
});

it('forgets whoever gives up', async () => {
  const first = await take('a');
  const impatient = new AbortController();
  const gone = take('b', impatient.signal);
  const patient = take('c');
  impatient.abort();
  expect(await gone).toBeUndefined();
  first?.();
  await patient;
  expect(entered).toEqual(['a', 'b left', 'c']);
});
