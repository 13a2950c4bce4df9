// Leader election among processes with clocks and troubles of their own.
import { beforeEach, expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../test/builders/fake-clock.ts';
import type { Incident } from './incident.ts';
import { createElection, type Election, type LeasePort, type StoredLease } from './leader.ts';

/** The Lease as the API server keeps it: a write must name the stored version. */
function leaseServer() {
  let stored: StoredLease | undefined;
  let version = 0;
  let down: Error | undefined;
  let loseAnswers = false;
  const port: LeasePort = {
    read: async () => {
      if (down !== undefined) throw down;
      return stored;
    },
    create: async (record) => {
      if (down !== undefined) throw down;
      if (stored !== undefined) throw new Error('409');
      version += 1;
      stored = { ...record, version: String(version) };
      return stored;
    },
    update: async (record) => {
      if (down !== undefined) throw down;
      if (stored?.version !== record.version) throw new Error('409');
      version += 1;
      stored = { ...record, version: String(version) };
      if (loseAnswers) throw new Error('connection reset');
      return stored;
    },
  };
  return {
    port,
    stored: () => stored,
    take: (holder: string) => {
      if (stored === undefined) return;
      version += 1;
      stored = { ...stored, holder, version: String(version) };
    },
    forget: () => {
      stored = undefined;
    },
    breakDown: (isDown: boolean) => {
      down = isDown ? new Error('503') : undefined;
    },
    loseAnswers: (lose: boolean) => {
      loseAnswers = lose;
    },
  };
}

interface Candidate {
  readonly election: Election;
  readonly told: string[];
}

let server: ReturnType<typeof leaseServer>;
let clock: FakeClock;
let incidents: Incident[];

beforeEach(() => {
  server = leaseServer();
  clock = createFakeClock();
  incidents = [];
});

function candidate(identity: string, own: FakeClock = clock, lease = server.port): Candidate {
  const told: string[] = [];
  const election = createElection({
    lease,
    name: 'operator',
    identity,
    timing: { durationMs: 15_000, handOverMs: 60_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
    clock: own,
    random: () => 0,
    onElected: () => told.push('elected'),
    onLost: () => told.push('lost'),
    report: (incident) => incidents.push(incident),
  });
  election.start();
  return { election, told };
}

test('the first candidate leads and goes on leading', async () => {
  const { election, told } = candidate('a');
  expect(election.isLeader()).toBe(false);
  await clock.advance(120_000);
  expect(election.isLeader()).toBe(true);
  expect(told).toEqual(['elected']);
  expect(server.stored()).toMatchObject({ holder: 'a', transitions: 0, durationSeconds: 15 });
});

test('of two candidates exactly one leads at any time', async () => {
  const both = [candidate('a'), candidate('b')];
  for (let second = 0; second < 120; second += 1) {
    await clock.advance(1_000);
    expect(both.filter(({ election }) => election.isLeader())).toHaveLength(1);
  }
});

test('a leader that stops frees the lease, and the other takes over at its next look', async () => {
  const first = candidate('a');
  await clock.advance(1_000);
  const second = candidate('b');
  await clock.advance(4_000);
  const stopped = first.election.stop();
  expect(first.election.isLeader()).toBe(false);
  await stopped;
  expect(server.stored()?.holder).toBe('');
  await clock.advance(2_000);
  expect(second.told).toEqual(['elected']);
  expect(first.told).toEqual(['elected']);
  expect(server.stored()).toMatchObject({ holder: 'b', transitions: 1 });
});

test('a candidate that stops leaves the lease to its holder', async () => {
  candidate('a');
  await clock.advance(1_000);
  const second = candidate('b');
  await clock.advance(1_000);
  await second.election.stop();
  expect(server.stored()?.holder).toBe('a');
});

test('a leader that died is followed a lease duration after its last sign of life', async () => {
  const dead = createFakeClock();
  candidate('a', dead);
  await dead.advance(1_000);
  const { told } = candidate('b');
  await clock.advance(14_000);
  expect(told).toEqual([]);
  await clock.advance(3_000);
  expect(told).toEqual(['elected']);
});

test('a leader that cannot renew stops at its renew deadline, before anybody else may start', async () => {
  const { election, told } = candidate('a');
  await clock.advance(4_000);
  server.breakDown(true);
  await clock.advance(9_000);
  expect([election.isLeader(), told]).toEqual([true, ['elected']]);
  await clock.advance(1_000);
  expect([election.isLeader(), told]).toEqual([false, ['elected', 'lost']]);
  expect(incidents.map(({ what }) => what)).toContain('lease-lost');
});

test('errors that pass in time cost nothing', async () => {
  const { election, told } = candidate('a');
  for (let round = 0; round < 5; round += 1) {
    await clock.advance(4_000);
    server.breakDown(true);
    await clock.advance(5_000);
    server.breakDown(false);
  }
  expect([election.isLeader(), told]).toEqual([true, ['elected']]);
});

test('a renewal whose answer was lost is found to have taken effect', async () => {
  const { election, told } = candidate('a');
  await clock.advance(1_000);
  server.loseAnswers(true);
  await clock.advance(4_000);
  server.loseAnswers(false);
  await clock.advance(60_000);
  expect([election.isLeader(), told]).toEqual([true, ['elected']]);
});

test('who comes second to a new lease waits, and tells of no trouble', async () => {
  const other: LeasePort = {
    ...server.port,
    create: async (record, signal) => {
      await server.port.create({ ...record, holder: 'quicker' }, signal);
      throw new Error('409');
    },
  };
  const { told } = candidate('a', clock, other);
  await clock.advance(10_000);
  expect(told).toEqual([]);
  expect(server.stored()?.holder).toBe('quicker');
  expect(incidents).toEqual([]);
});

test('a lease that cannot be made, with nobody who holds it, is trouble that is told', async () => {
  const create = async () => await Promise.reject(new Error('403'));
  const { told } = candidate('a', clock, { ...server.port, create });
  await clock.advance(1_000);
  expect(told).toEqual([]);
  expect(incidents.map(({ what, error }) => [what, String(error)])).toEqual([
    ['lease-attempt-failed', 'Error: 403'],
  ]);
});

test('a leader that was paused past its deadline is no leader before it has done anything', async () => {
  const { election, told } = candidate('a');
  await clock.advance(3_000);
  expect(election.isLeader()).toBe(true);
  clock.jump(20_000);
  // No timer has fired and no promise has settled yet: this is what a write in the middle of a pass would ask.
  expect(election.isLeader()).toBe(false);
  const before = server.stored()?.version;
  await clock.advance(5_000);
  expect(told).toEqual(['elected', 'lost']);
  expect(server.stored()?.version).toBe(before);
});

test('a leader whose machine slept is no leader, although its own clock stood still', async () => {
  let slept = 0;
  const sleepy: FakeClock = { ...clock, wall: () => clock.wall() + slept };
  const { election } = candidate('a', sleepy);
  await clock.advance(1_000);
  expect(election.isLeader()).toBe(true);
  slept = 60_000;
  expect(election.isLeader()).toBe(false);
});

test('a lease in other hands ends the leadership at once', async () => {
  const { election, told } = candidate('a');
  await clock.advance(1_000);
  server.take('thief');
  await clock.advance(2_000);
  expect([election.isLeader(), told]).toEqual([false, ['elected', 'lost']]);
  await clock.advance(60_000);
  expect(server.stored()?.holder).toBe('thief');
});

test('clocks that are hours apart do not matter', async () => {
  const behind = createFakeClock(Date.UTC(2020, 0, 1));
  const ahead = createFakeClock(Date.UTC(2030, 0, 1));
  const [first, second] = [candidate('behind', behind), candidate('ahead', ahead)];
  for (let second = 0; second < 60; second += 1) {
    await behind.advance(1_000);
    await ahead.advance(1_000);
  }
  expect([first.told, second.told]).toEqual([['elected'], []]);
});

test('a longer lease of an older configuration is honoured', async () => {
  await server.port.create(
    { holder: 'old', durationSeconds: 60, acquiredAt: 0, renewedAt: 0, transitions: 3, works: false },
    new AbortController().signal,
  );
  const { told } = candidate('new');
  await clock.advance(59_000);
  expect(told).toEqual([]);
  await clock.advance(3_000);
  expect(told).toEqual(['elected']);
  expect(server.stored()?.transitions).toBe(4);
});

test('leadership counts from when a renewal was sent, not from when its answer came', async () => {
  let slow = false;
  const slowLease: LeasePort = {
    ...server.port,
    update: async (record, signal) => {
      const stored = await server.port.update(record, signal);
      if (slow) await new Promise<void>((resolve) => clock.after(3_000, resolve));
      return stored;
    },
  };
  const { election } = candidate('a', clock, slowLease);
  await clock.advance(1_000);
  slow = true;
  // Sent at 2 s, taken by the server at once, answered at 5 s: the others count from 2 s.
  await clock.advance(4_000);
  server.breakDown(true);
  await clock.advance(6_999);
  expect(election.isLeader()).toBe(true);
  await clock.advance(1);
  expect(election.isLeader()).toBe(false);
});

test('an attempt that hangs is cut so that there is time for another', async () => {
  let hangs = 0;
  const hanging: LeasePort = {
    ...server.port,
    update: (record, signal) => {
      if (hangs > 0) return server.port.update(record, signal);
      hangs += 1;
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    },
  };
  const { election, told } = candidate('a', clock, hanging);
  await clock.advance(60_000);
  expect([election.isLeader(), told, hangs]).toEqual([true, ['elected'], 1]);
});

test('what a leader declares stands on the lease at once, and stays there', async () => {
  const { election } = candidate('a');
  await clock.settle();
  expect(server.stored()).toMatchObject({ holder: 'a', works: false });
  const declared = election.declare(true);
  await clock.settle();
  expect(server.stored()).toMatchObject({ holder: 'a', works: true });
  await declared;
  await clock.advance(60_000);
  expect(server.stored()).toMatchObject({ works: true });
  const withdrawn = election.declare(false);
  await clock.settle();
  expect(server.stored()).toMatchObject({ works: false });
  await withdrawn;
});

test('what was declared while nothing could be written is written once it can be', async () => {
  const { election } = candidate('a');
  await clock.advance(1_000);
  server.breakDown(true);
  const declared = election.declare(true);
  await clock.advance(3_000);
  expect(server.stored()?.works).toBe(false);
  server.breakDown(false);
  await clock.advance(2_000);
  await declared;
  expect([server.stored()?.works, election.isLeader()]).toEqual([true, true]);
});

test.each<[end: string, (leader: Candidate) => unknown]>([
  ['was given back', ({ election }) => election.stop()],
  ['ran out', () => server.breakDown(true)],
])('who takes over a lease that %s inherits what it declares', async (_, end) => {
  const first = candidate('a');
  await clock.settle();
  await first.election.declare(true);
  await end(first);
  await clock.advance(20_000);
  server.breakDown(false);
  const second = candidate('b');
  await clock.advance(20_000);
  expect(second.told).toEqual(['elected']);
  expect(server.stored()).toMatchObject({ holder: 'b', works: true });
});

test('what was inherited stays so, though the lease that said so is deleted', async () => {
  const first = candidate('a');
  await clock.settle();
  await first.election.declare(true);
  await first.election.stop();
  const second = candidate('b');
  await clock.advance(20_000);
  expect([second.told, server.stored()?.works]).toEqual([['elected'], true]);
  server.forget();
  await clock.advance(5_000);
  expect(server.stored()).toMatchObject({ holder: 'b', works: true });
  expect(second.election.isLeader()).toBe(true);
});

test('what was declared so long ago that nobody was waited for any more is not inherited', async () => {
  const first = candidate('a');
  await clock.settle();
  await first.election.declare(true);
  await first.election.stop();
  expect(server.stored()).toMatchObject({ holder: '', works: true });
  await clock.advance(61_000);
  const second = candidate('b');
  await clock.advance(2_000);
  expect(second.told).toEqual(['elected']);
  expect(server.stored()).toMatchObject({ holder: 'b', works: false });
});
