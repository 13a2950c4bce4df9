// What people and the retry table get to see of the API server's errors.
import { expect, test } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { asKubeFailure, orKubeFailure } from './failures.ts';
import { errorFromAnswer, noAnswer } from './kube-error.ts';

const answered = (status: number, reason: string, causes: readonly object[] = []) =>
  errorFromAnswer(status, { kind: 'Status', reason, message: `said: ${reason}`, details: { causes } }, '3');

test.each([
  [answered(403, 'Forbidden'), 'denied'],
  [answered(401, 'Unauthorized'), 'denied'],
  [answered(404, 'NotFound'), 'missing'],
  [answered(422, 'Invalid'), 'invalid'],
  [answered(409, 'AlreadyExists'), 'conflict'],
  [answered(409, 'Conflict', [{ reason: 'FieldManagerConflict' }]), 'conflict'],
  [answered(409, 'Conflict'), 'unavailable'],
  [answered(429, 'TooManyRequests'), 'throttled'],
  [answered(503, 'ServiceUnavailable'), 'unavailable'],
  [noAnswer('no answer', 'Timeout'), 'unavailable'],
  [answered(418, 'Teapot'), 'unexpected'],
])('%s is %s', (error, kind) => {
  expect(asKubeFailure(error)).toMatchObject({ kind, cause: error });
});

test('a refusal quotes the API server, which names the missing right', () => {
  const failure = asKubeFailure(answered(403, 'Forbidden'));
  expect(failure).toBeInstanceOf(Failure);
  expect((failure as Failure).message).toContain('said: Forbidden');
});

test('Retry-After becomes the least wait in milliseconds', () => {
  expect(asKubeFailure(answered(429, 'TooManyRequests'))).toMatchObject({ retryAfterMs: 3000 });
});

test('what is not an error of the API server is passed on untouched', async () => {
  const other = new Error('other');
  await expect(orKubeFailure(Promise.reject(other))).rejects.toBe(other);
  await expect(orKubeFailure(Promise.resolve(1))).resolves.toBe(1);
});
