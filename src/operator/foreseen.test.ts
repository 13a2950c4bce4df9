// What ends a pass: trouble that was foreseen is tried again, the rest is thrown on as the defect that it is.
import { expect, test } from 'vitest';
import { Failure, type FailureKind } from '../kernel/failure.ts';
import { retryForeseen } from './foreseen.ts';

const noted: Failure[] = [];
const endWith = async (thrown: unknown) => {
  noted.length = 0;
  const reconcile = retryForeseen(
    async () => await Promise.reject(thrown),
    (failure) => noted.push(failure),
  );
  return await reconcile('team/a', AbortSignal.timeout(1_000));
};

test.each<FailureKind>(['invalid', 'denied', 'missing', 'conflict', 'throttled', 'unavailable'])(
  'a pass that ended with a foreseen failure (%s) comes again, and why is known',
  async (kind) => {
    const failure = new Failure(kind, 'KubernetesUnavailable', 'It does not work.');
    expect(await endWith(failure)).toEqual({ retry: true, because: failure });
    expect(noted).toEqual([failure]);
  },
);

test('as late as the other side asked', async () => {
  const failure = new Failure('throttled', 'KubernetesUnavailable', 'Slowly.', { retryAfterMs: 7_000 });
  expect(await endWith(failure)).toEqual({ retry: true, because: failure, requeueAfterMs: 7_000 });
});

test('a pass that ran out of time is none that nobody foresaw', async () => {
  const timeout = new DOMException('timed out', 'TimeoutError');
  expect(await endWith(timeout)).toMatchObject({ retry: true, because: { cause: timeout } });
});

test.each([
  new TypeError('undefined is not a function'),
  new Failure('unexpected', 'InternalError', 'Oops.'),
])('what nobody foresaw is thrown on: %s', async (thrown) => {
  await expect(endWith(thrown)).rejects.toBe(thrown);
  expect(noted).toEqual([]);
});

test('a good pass answers as ever', async () => {
  const reconcile = retryForeseen(
    async () => await Promise.resolve({ requeueAfterMs: 5 }),
    () => {},
  );
  expect(await reconcile('team/a', AbortSignal.timeout(1_000))).toEqual({ requeueAfterMs: 5 });
});
