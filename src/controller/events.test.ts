// Events: told once, counted when repeated, bounded, and harmless when nobody listens.
import { beforeEach, expect, test } from 'vitest';
import {
  createEventRecorder,
  type EventRecorder,
  type EventToSend,
  type Occurrence,
  type SeriesToSend,
} from './events.ts';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import type { Incident } from './incident.ts';

let clock: FakeClock;
let created: EventToSend[];
let series: SeriesToSend[];
let incidents: Incident[];
let trouble: (() => Error | undefined) | undefined;
/** So many creations are not answered. */
let unanswered: number;

beforeEach(() => {
  clock = createFakeClock();
  created = [];
  series = [];
  incidents = [];
  trouble = undefined;
  unanswered = 0;
});

function recorder(bufferSize = 100): EventRecorder {
  return createEventRecorder({
    sink: {
      create: async (event, signal) => {
        if (unanswered-- > 0) {
          await new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('no answer')));
          });
        }
        const error = trouble?.();
        if (error !== undefined) throw error;
        created.push(event);
      },
      updateSeries: async (update) => {
        const error = trouble?.();
        if (error !== undefined) throw error;
        series.push(update);
      },
      isPassing: (error) => error instanceof Error && error.message === 'passing',
    },
    timing: { windowMs: 60_000, attemptMs: 5_000, backoff: { baseMs: 1_000, maxMs: 1_000 } },
    clock,
    random: () => 0,
    report: (incident) => incidents.push(incident),
    bufferSize,
  });
}

const occurrence = (change: Partial<Occurrence> = {}): Occurrence => ({
  regarding: {
    apiVersion: 'iamdb.dev/v1alpha1',
    kind: 'IamDatabaseUser',
    namespace: 'team',
    name: 'ada',
    uid: 'u1',
  },
  type: 'Warning',
  reason: 'RoleNotOurs',
  action: 'KeepRole',
  note: 'a role of this name exists',
  ...change,
});

test('a transition is told with its reason and note, in the namespace of its object', async () => {
  recorder().record(occurrence());
  await clock.settle();
  expect(created).toMatchObject([
    { namespace: 'team', reason: 'RoleNotOurs', note: 'a role of this name exists', at: clock.wall() },
  ]);
  expect(created[0]?.name).toMatch(/^ada\.[0-9a-f]+$/);
});

test('an event about a cluster-scoped object goes to the default namespace', async () => {
  const regarding = { apiVersion: 'iamdb.dev/v1alpha1', kind: 'IamDatabase', name: 'orders', uid: 'u2' };
  recorder().record(occurrence({ regarding }));
  await clock.settle();
  expect(created[0]?.namespace).toBe('default');
});

test('the same event again is not sent again, but its count is told once at the end of the window', async () => {
  const events = recorder();
  for (let count = 0; count < 7; count += 1) events.record(occurrence());
  await clock.advance(59_999);
  expect([created.length, series.length]).toEqual([1, 0]);
  await clock.advance(1);
  expect(series).toMatchObject([{ name: created[0]?.name, namespace: 'team', count: 7 }]);
  await clock.advance(60_000);
  expect(clock.timers()).toBe(0);
  events.record(occurrence());
  await clock.settle();
  expect([created.length, series.length]).toEqual([2, 1]);
});

test('another object, reason or note is another event', async () => {
  const events = recorder();
  events.record(occurrence());
  events.record(occurrence({ reason: 'AsDeclared', type: 'Normal' }));
  events.record(occurrence({ note: 'something else' }));
  events.record(occurrence({ regarding: { ...occurrence().regarding, uid: 'u9' } }));
  await clock.settle();
  expect(new Set(created.map(({ name }) => name)).size).toBe(4);
});

test('a note is clipped below a kilobyte and can hide nothing', async () => {
  const note = `line one\nline two \u202e\u0000 ${'é'.repeat(2_000)}`;
  recorder().record(occurrence({ note }));
  await clock.settle();
  const sent = created[0]?.note ?? '';
  expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(1_000);
  expect(sent).toContain('line one\\u{000a}line two \\u{202e}\\u{0000}');
  expect(sent.endsWith('é...')).toBe(true);
});

test('what fails for now is tried again, what is refused is dropped, and the caller never notices', async () => {
  const events = recorder();
  let failures = 2;
  trouble = () => (failures-- > 0 ? new Error('passing') : undefined);
  events.record(occurrence());
  await clock.advance(2_000);
  expect(created).toHaveLength(1);
  trouble = () => new Error('forbidden');
  events.record(occurrence({ reason: 'Other' }));
  await clock.settle();
  expect(incidents.map(({ what, subject }) => `${what}: ${subject}`)).toEqual([
    'event-dropped: Other of ada',
  ]);
  trouble = undefined;
  events.record(occurrence({ reason: 'Other' }));
  await clock.settle();
  expect(created).toHaveLength(2);
});

test('what was not answered in time is sent again, as the answer alone may have been late', async () => {
  unanswered = 1;
  recorder().record(occurrence());
  await clock.advance(5_000 + 1_000);
  expect([created.length, incidents.length]).toEqual([1, 0]);
});

test('a server that is down costs a bounded amount of memory, and the newest events survive', async () => {
  const events = recorder(3);
  trouble = () => new Error('passing');
  for (let count = 0; count < 10; count += 1) events.record(occurrence({ note: `note ${count}` }));
  await clock.settle();
  expect(incidents.filter(({ what }) => what === 'event-dropped')).toHaveLength(6);
  trouble = undefined;
  await clock.advance(10_000);
  expect(created.map(({ note }) => note)).toEqual(['note 0', 'note 7', 'note 8', 'note 9']);
});

test('stop sends what is waiting, but does not wait for ever', async () => {
  const events = recorder();
  events.record(occurrence());
  await events.stop(1_000);
  expect(created).toHaveLength(1);
  const others = recorder();
  trouble = () => new Error('passing');
  others.record(occurrence());
  const stopped = others.stop(1_000);
  await clock.advance(1_000);
  await stopped;
  expect(clock.timers()).toBe(0);
});
