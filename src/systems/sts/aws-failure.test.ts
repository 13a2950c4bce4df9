import { describe, expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { awsFailure } from './aws-failure.ts';

/** As the SDK throws it. */
function sdkError(name: string, status?: number, retryable?: { throttling: boolean }): Error {
  return Object.assign(new Error('what AWS wrote <script>'), {
    name,
    $metadata: { httpStatusCode: status },
    ...(retryable === undefined ? {} : { $retryable: retryable }),
  });
}
const asked = { action: 'rds:DescribeDBClusters', of: 'in eu-west-1' };

describe("AWS's errors", () => {
  it.each([
    [sdkError('Throttling', 400), 'throttled', 'Throttled'],
    [sdkError('ThrottlingException', 400), 'throttled', 'Throttled'],
    [sdkError('RequestLimitExceeded', 503), 'throttled', 'Throttled'],
    [sdkError('SomethingNew', 400, { throttling: true }), 'throttled', 'Throttled'],
    [sdkError('AccessDenied', 403), 'denied', 'AccessDenied'],
    [sdkError('AccessDeniedException', 400), 'denied', 'AccessDenied'],
    [sdkError('ExpiredToken', 403), 'unavailable', 'AccessDenied'],
    [sdkError('InvalidClientTokenId', 403), 'unavailable', 'AccessDenied'],
    [sdkError('CredentialsProviderError'), 'unavailable', 'AccessDenied'],
    [sdkError('InvalidParameterValue', 400), 'unexpected', 'InternalError'],
    [sdkError('InternalFailure', 500), 'unavailable', 'AwsUnavailable'],
    [sdkError('ServiceUnavailable', 503), 'unavailable', 'AwsUnavailable'],
    [sdkError('TimeoutError'), 'unavailable', 'AwsUnavailable'],
    [
      Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
      'unavailable',
      'AwsUnavailable',
    ],
    ['not even an error', 'unavailable', 'AwsUnavailable'],
  ])('%s are %s/%s, in our own words', (thrown, kind, reason) => {
    const failure = awsFailure(thrown, asked);
    expect(failure).toMatchObject({ kind, reason, cause: thrown });
    expect(failure.message).toContain('rds:DescribeDBClusters in eu-west-1');
    expect(failure.message).not.toMatch(/script|ECONN|not even/);
  });

  it.each(['AccessDenied', 'InvalidClientTokenId'])(
    '%s under a role of another account name that role, and send nobody to the policy of the operator',
    (name) => {
      const by = 'arn:aws:iam::444455556666:role/iamdb/reach';
      const { message } = awsFailure(sdkError(name, 403), { ...asked, by });
      expect(message).toContain(`${by} (spec.assumeRole`);
      expect(message).toContain('rds:DescribeDBClusters in eu-west-1');
      expect(message).not.toContain('the operator');
      expect(awsFailure(sdkError(name, 403), asked).message).toContain("the operator's");
    },
  );

  it('stay as they are when they are ours already', () => {
    const ours = new Failure('missing', 'TargetMissing', 'gone');
    expect(awsFailure(ours, asked)).toBe(ours);
  });
});
