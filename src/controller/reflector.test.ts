// When a reflector lists for who asks it to; the rest is tried against an API server in systems/kubernetes.
import { expect, test } from 'vitest';
import { createFakeClock } from '../../test/builders/fake-clock.ts';
import type { KubeObject } from './object.ts';
import { createReflector, type ListPage, type ListWatch } from './reflector.ts';
import { createStore } from './store.ts';
import { defaultTiming } from './timing.ts';

/** Lists are answered when the test says so; watches tell nothing. */
async function synced() {
  const lists: PromiseWithResolvers<ListPage<KubeObject>>[] = [];
  const source: ListWatch<KubeObject> = {
    list: async () => {
      const asked = Promise.withResolvers<ListPage<KubeObject>>();
      lists.push(asked);
      return await asked.promise;
    },
    watch: async function* ({ signal }) {
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
      yield { type: 'BOOKMARK', resourceVersion: '0' };
    },
    judge: () => ({ do: 'retry' }),
  };
  const clock = createFakeClock();
  const report = () => {};
  const reflector = createReflector<KubeObject>({
    name: 'users',
    source,
    store: createStore<KubeObject>({ indexes: {}, report }),
    onChange: () => {},
    timing: defaultTiming.reflector,
    clock,
    random: () => 0,
    report,
  });
  const listed: string[] = [];
  const answer = async () => {
    lists.at(-1)?.resolve({ items: [], resourceVersion: '1' });
    await clock.settle();
  };
  const fail = async () => {
    lists.at(-1)?.reject(new Error('503'));
    await clock.settle();
  };
  const ask = async (name: string, signal = new AbortController().signal) => {
    void reflector.refresh(signal).then(
      () => listed.push(name),
      () => listed.push(`not ${name}`),
    );
    await clock.settle();
  };
  reflector.start();
  await clock.settle();
  await answer();
  return { lists: () => lists.length, answer, fail, ask, listed, clock, reflector };
}

test('who asks is told once a list has been told', async () => {
  const { lists, answer, ask, listed } = await synced();
  await ask('a');
  expect([lists(), listed]).toEqual([2, []]);
  await answer();
  expect([lists(), listed]).toEqual([2, ['a']]);
});

test('a list that runs already may be too old for who asks: the next one counts', async () => {
  const { lists, answer, ask, listed } = await synced();
  await ask('a');
  await ask('b');
  await ask('c');
  expect(lists()).toBe(2);
  await answer();
  expect([lists(), listed]).toEqual([3, ['a']]);
  await answer();
  expect([lists(), listed]).toEqual([3, ['a', 'b', 'c']]);
});

test('a list that fails is tried until one succeeds, and at once when somebody asks', async () => {
  const { lists, answer, fail, ask, listed, clock } = await synced();
  await ask('a');
  await fail();
  await clock.advance(defaultTiming.reflector.backoff.baseMs);
  expect(lists()).toBe(3);
  await fail();
  await ask('b');
  expect([lists(), listed]).toEqual([4, []]);
  await answer();
  expect([lists(), listed]).toEqual([4, ['a', 'b']]);
});

test('who does not want to wait any more is let go, and a stop ends it all', async () => {
  const { ask, listed, clock, reflector, fail } = await synced();
  const leaving = new AbortController();
  await ask('a', leaving.signal);
  leaving.abort(new Error('enough'));
  await clock.settle();
  expect(listed).toEqual(['not a']);
  const stopped = reflector.stop();
  await fail();
  await stopped;
  expect(clock.timers()).toBe(0);
});
