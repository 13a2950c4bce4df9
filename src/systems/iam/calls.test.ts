// How a call to IAM is made: its turn, its leader check, its time limit, and who sends it again.
import { IAMClient } from '@aws-sdk/client-iam';
import { expect, test } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { type Calls, createCalls } from './calls.ts';
import type { TokenBucket } from './token-bucket.ts';

const never = new AbortController().signal;

function thrown(name: string): Error {
  return Object.assign(new Error('x'), { name });
}

/** Answers with what is given, one after the other; notes everything that happens around it. */
function script(answers: readonly (string | Error)[], more: { requestTimeoutMs?: number } = {}) {
  const seen: string[] = [];
  const left = [...answers];
  const bucket = (name: string): TokenBucket => ({
    take: async () => void seen.push(`${name} waits for its turn`),
    slowDown: () => void seen.push(`${name} slows down`),
  });
  const calls: Calls = createCalls({
    client: new IAMClient({ region: 'eu-west-1' }),
    reads: bucket('read'),
    writes: bucket('write'),
    attempts: 3,
    requestTimeoutMs: more.requestTimeoutMs ?? 1_000,
    retryMs: 100,
    clock: { now: () => 0, sleep: async (milliseconds) => void seen.push(`sleeps ${milliseconds}`) },
    beforeWrite: () => void seen.push('looks who leads'),
    onCall: ({ operation }) => void seen.push(`sent ${operation}`),
  });
  const send = async (): Promise<string> => {
    const answer = left.shift() ?? 'nothing left';
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { seen, calls, send };
}

test('a throttled write waits for its turn and looks who leads again, and is slower', async () => {
  const { seen, calls, send } = script([thrown('Throttling'), thrown('Throttling'), 'done']);
  expect(await calls.write('CreatePolicy', never, send)).toBe('done');
  const one = ['write waits for its turn', 'looks who leads', 'sent CreatePolicy'];
  expect(seen).toEqual([
    ...one,
    'write slows down',
    'sleeps 100',
    ...one,
    'write slows down',
    'sleeps 200',
    ...one,
  ]);
});

test('a write without an answer is not sent again; a read is', async () => {
  const write = script([thrown('TimeoutError'), 'done']);
  await expect(write.calls.write('CreatePolicy', never, write.send)).rejects.toMatchObject({
    reason: 'AwsUnavailable',
  });
  const read = script([thrown('TimeoutError'), 'done']);
  expect(await read.calls.read('GetRole', never, read.send)).toBe('done');
  expect(read.seen).not.toContain('looks who leads');
});

test.for(['LimitExceededException', 'AccessDenied', 'NoSuchEntityException'])('%s is final', async (name) => {
  const { seen, calls, send } = script([thrown(name), 'done']);
  await expect(calls.read('GetRole', never, send)).rejects.toBeInstanceOf(Failure);
  expect(seen.filter((one) => one.startsWith('sent')).length).toBe(1);
});

test('an error can mean a value', async () => {
  const { calls, send } = script([thrown('NoSuchEntityException')]);
  expect(await calls.read('GetRole', never, send, { NoSuchEntity: () => 'none' })).toBe('none');
});

const hang = (_: unknown, { abortSignal }: { abortSignal: AbortSignal }): Promise<string> =>
  new Promise((_, reject) => {
    abortSignal.addEventListener('abort', () => reject(thrown('AbortError')));
  });

test('a call that hangs is ended by its time limit', async () => {
  const { calls } = script([], { requestTimeoutMs: 20 });
  await expect(calls.write('CreatePolicy', never, hang)).rejects.toMatchObject({ reason: 'AwsUnavailable' });
});

test('a pass whose time is up while it waits for its turn was slowed down, not broken', async () => {
  const { calls, send } = script(['done']);
  const late: TokenBucket = { take: async (signal) => signal.throwIfAborted(), slowDown: () => {} };
  const slow = createCalls({
    client: new IAMClient({ region: 'eu-west-1' }),
    reads: late,
    writes: late,
    attempts: 3,
    requestTimeoutMs: 1_000,
    retryMs: 1,
    clock: { now: () => 0, sleep: async () => {} },
    beforeWrite: () => {},
    onCall: () => {},
  });
  await expect(slow.read('GetRole', AbortSignal.abort(), send)).rejects.toMatchObject({
    kind: 'throttled',
    reason: 'Throttled',
  });
  expect(await calls.read('GetRole', never, send)).toBe('done');
});

test('how a call ended is told: what is an answer is ok, the rest by its kind', async () => {
  const outcomes: string[] = [];
  const free: TokenBucket = { take: async () => {}, slowDown: () => {} };
  const calls = createCalls({
    client: new IAMClient({ region: 'eu-west-1' }),
    reads: free,
    writes: free,
    attempts: 1,
    requestTimeoutMs: 1_000,
    retryMs: 1,
    clock: { now: () => 0, sleep: async () => {} },
    beforeWrite: () => {},
    onCall: ({ outcome }) => void outcomes.push(outcome),
  });
  const failing = (name: string) => async () => await Promise.reject(thrown(name));
  await calls.read('GetRole', never, async () => 'there');
  await calls.read('GetRole', never, failing('NoSuchEntity'), { NoSuchEntity: () => undefined });
  for (const name of ['Throttling', 'AccessDenied', 'ServiceFailure']) {
    await calls.read('GetRole', never, failing(name)).catch(() => {});
  }
  expect(outcomes).toEqual(['ok', 'ok', 'throttled', 'denied', 'unavailable']);
});
