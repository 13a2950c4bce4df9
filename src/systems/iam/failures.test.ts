// What an error of IAM means for the user, and what is remembered of writes that IAM does not show yet.
import { describe, expect, test } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import type { ListedPolicy } from '../../resources/policy/port.ts';
import { failureOf, isAmbiguous, isThrottling } from './failures.ts';
import { createOwnWrites } from './own-writes.ts';

function thrown(name: string, more: object = {}): Error {
  return Object.assign(new Error('arn:aws:iam::1:user/secret-detail is not authorized'), { name, ...more });
}

describe('an error of IAM', () => {
  test.for([
    ['NoSuchEntityException', 'unavailable', 'NotVisibleYet'],
    ['DeleteConflictException', 'unavailable', 'NotVisibleYet'],
    ['ConcurrentModificationException', 'unavailable', 'NotVisibleYet'],
    ['EntityTemporarilyUnmodifiableException', 'unavailable', 'NotVisibleYet'],
    ['EntityAlreadyExistsException', 'conflict', 'ForeignPolicy'],
    ['LimitExceededException', 'invalid', 'QuotaExceeded'],
    ['UnmodifiableEntityException', 'invalid', 'RoleNotAttachable'],
    ['MalformedPolicyDocumentException', 'unexpected', 'InternalError'],
    ['Throttling', 'throttled', 'Throttled'],
    ['ThrottlingException', 'throttled', 'Throttled'],
    ['AccessDenied', 'denied', 'AccessDenied'],
    ['AccessDeniedException', 'denied', 'AccessDenied'],
    ['ExpiredToken', 'unavailable', 'AwsUnavailable'],
    ['CredentialsProviderError', 'denied', 'AccessDenied'],
    ['TimeoutError', 'unavailable', 'AwsUnavailable'],
    ['toString', 'unexpected', 'InternalError'],
  ] as const)('%s is %s, %s, and shows nothing of its text', ([name, kind, reason]) => {
    const failure = failureOf(thrown(name), 'CreatePolicy');
    expect(failure).toMatchObject({ kind, reason });
    expect(failure.message).not.toContain('secret-detail');
    expect(failure.cause).toBeInstanceOf(Error);
  });

  test('without a known name is judged by code and status', () => {
    expect(isAmbiguous(thrown('Error', { code: 'ECONNRESET' }))).toBe(true);
    expect(isAmbiguous(thrown('Unknown', { $metadata: { httpStatusCode: 503 } }))).toBe(true);
    expect(isThrottling(thrown('Unknown', { $metadata: { httpStatusCode: 429 } }))).toBe(true);
    expect(isThrottling(thrown('LimitExceededException', { $metadata: { httpStatusCode: 409 } }))).toBe(
      false,
    );
    expect(failureOf('a text', 'GetRole').reason).toBe('InternalError');
  });

  test.for(['AccessDenied', 'InvalidClientTokenId'])(
    '%s under a role of another account names that role, and sends nobody to the policy of the operator',
    (name) => {
      const by = 'arn:aws:iam::444455556666:role/iamdb/reach';
      for (const action of ['CreatePolicy', 'GetRole']) {
        const { message } = failureOf(thrown(name), action, by);
        expect(message).toContain(`${by} (spec.assumeRole`);
        expect(message).toContain(`iam:${action}`);
        expect(message).not.toContain('the operator');
        expect(failureOf(thrown(name), action).message).toContain("the operator's");
      }
    },
  );

  test('that is a failure of ours already stays it', () => {
    const own = new Failure('conflict', 'Conflict', 'x');
    expect(failureOf(own, 'GetRole')).toBe(own);
  });
});

describe('a write of our own', () => {
  const policyARN = 'arn:aws:iam::111122223333:policy/iamdb/op/iamdb-x-0123-0';
  const listed = (more: Partial<ListedPolicy> = {}): ReadonlyMap<string, ListedPolicy> =>
    new Map([
      [
        policyARN,
        {
          policyARN,
          policyID: 'ANPA',
          name: 'iamdb-x-0123-0',
          path: '/iamdb/op/',
          defaultVersionID: 'v2',
          attachmentCount: 1,
          ...more,
        },
      ],
    ]);
  const left = { exists: true, defaultVersionID: 'v2', attachmentCount: 1 };

  function after(
    wrote:
      | typeof left
      | { exists: false | undefined; defaultVersionID: undefined; attachmentCount: undefined },
    shown: ReadonlyMap<string, ListedPolicy>,
    waited = 0,
  ): string {
    let time = 0;
    const writes = createOwnWrites(60_000, () => time);
    writes.leave(policyARN, wrote, 7);
    time += waited;
    try {
      writes.check('iamdb-x-0123-', shown, 8);
      return writes.lastOrder('iamdb-x-0123-') === 0 ? 'seen' : 'kept';
    } catch (failure) {
      return failure instanceof Failure ? failure.reason : 'another error';
    }
  }

  const gone = { exists: false, defaultVersionID: undefined, attachmentCount: undefined } as const;
  const doubtful = { ...gone, exists: undefined } as const;

  test('is seen when IAM shows it', () => {
    expect(after(left, listed())).toBe('seen');
    expect(after(gone, new Map())).toBe('seen');
  });

  test.for([
    ['an older version', left, listed({ defaultVersionID: 'v1' })],
    ['an older attachment', left, listed({ attachmentCount: 0 })],
    ['no policy', left, new Map<string, ListedPolicy>()],
    ['a deleted policy', gone, listed()],
  ] as const)('is waited for while IAM shows %s, and not for ever', ([, wrote, shown]) => {
    expect(after(wrote, shown)).toBe('NotVisibleYet');
    expect(after(wrote, shown, 59_999)).toBe('NotVisibleYet');
    expect(after(wrote, shown, 60_000)).toBe('seen');
  });

  test('of which nobody knows whether it happened is whatever IAM shows', () => {
    expect(after(doubtful, listed())).toBe('seen');
    expect(after(doubtful, new Map())).toBe('seen');
  });

  test('made after a reading began is not judged by it', () => {
    const writes = createOwnWrites(60_000, () => 0);
    writes.leave(policyARN, left, 7);
    expect(() => writes.check('', new Map(), 6)).not.toThrow();
    expect(() => writes.check('', new Map(), 8)).toThrow(Failure);
  });

  test('holds up nobody else', () => {
    const writes = createOwnWrites(60_000, () => 0);
    writes.leave(policyARN, left, 7);
    expect(writes.lastOrder('iamdb-y-')).toBe(0);
    expect(writes.lastOrder('iamdb-x-')).toBe(7);
    expect(() => writes.check('iamdb-y-', new Map(), 8)).not.toThrow();
  });
});
