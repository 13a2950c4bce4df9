// The pass over an IAM role's policies waits for those that it can let in at once, and for nobody when an access ends.
import { beforeEach, expect, it } from 'vitest';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import { createRoleTurns, type RoleTurns } from './role-turns.ts';

const never = new AbortController().signal;
let clock: FakeClock;
let turns: RoleTurns;

beforeEach(() => {
  clock = createFakeClock();
  turns = createRoleTurns(clock, 120_000);
});

function enter(roleARN: string, signal = never) {
  const told = { has: false };
  const turn = turns.enter(roleARN, signal).then((leave) => {
    told.has = true;
    return leave;
  });
  return { told, turn };
}

it('begins at once where nobody is on the way', async () => {
  const { turn } = enter('a');
  expect(await turn).toBeDefined();
  expect(clock.now()).toBe(0);
});

it('waits until all on the way to this role are there', async () => {
  const [first, second] = [turns.onTheWay(['a', 'b']), turns.onTheWay(['a'])];
  const { told } = enter('a');
  first();
  first();
  await clock.settle();
  expect(told.has).toBe(false);
  second();
  await clock.settle();
  expect(told.has).toBe(true);
  await enter('b').turn;
});

it('waits five seconds at most for the next one, who may be held up', async () => {
  turns.onTheWay(['a']);
  const { told } = enter('a');
  await clock.advance(4_999);
  expect(told.has).toBe(false);
  await clock.advance(1);
  await clock.settle();
  expect(told.has).toBe(true);
  expect(clock.timers()).toBe(0);
});

it('waits longer while others keep coming, but twenty seconds at most', async () => {
  const all = Array.from({ length: 11 }, () => turns.onTheWay(['a']));
  const { told } = enter('a');
  for (const arrived of all.slice(0, 9)) {
    await clock.advance(2_000);
    arrived();
  }
  await clock.advance(1_999);
  expect(told.has).toBe(false);
  await clock.advance(1);
  await clock.settle();
  expect(told.has).toBe(true);
  expect(clock.timers()).toBe(0);
});

it.each(['before it waits', 'while it waits'])(
  'waits for nobody when an access ends, told %s',
  async (when) => {
    turns.onTheWay(['a']);
    if (when === 'before it waits') turns.hurry('a');
    const { turn } = enter('a');
    await clock.settle();
    if (when === 'while it waits') turns.hurry('a');
    expect(await turn).toBeDefined();
    const { told } = enter('a');
    await clock.settle();
    expect(told.has).toBe(false);
  },
);

it('lets eight roles be changed at once, the ninth sooner if an access ends there', async () => {
  const busy = await Promise.all(Array.from({ length: 8 }, (_, i) => enter(`role-${i}`).turn));
  const [ninth, tenth] = [enter('ninth'), enter('tenth')];
  await clock.settle();
  turns.hurry('tenth');
  busy[0]?.();
  await clock.settle();
  expect([ninth.told.has, tenth.told.has]).toEqual([false, true]);
});

it('sends away who has stood in line for a quarter of the time of a pass', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, i) => enter(`role-${i}`).turn));
  const { told, turn } = enter('ninth');
  await clock.advance(29_999);
  expect(told.has).toBe(false);
  await clock.advance(1);
  expect(await turn).toBeUndefined();
});

it('gives up with whoever asked', async () => {
  turns.onTheWay(['a']);
  const asked = new AbortController();
  const { turn } = enter('a', asked.signal);
  await clock.settle();
  asked.abort();
  await turn;
  expect(clock.timers()).toBe(0);
});
