// Turns what the AWS SDK throws into our Failure, for the services that only read or assume: RDS, STS and Secrets Manager.
import { Failure } from '../../kernel/failure.ts';

/** The call that failed, for the message: nothing in it comes from AWS. */
export interface AwsAction {
  /** As in a policy: `rds:DescribeDBClusters`. */
  readonly action: string;
  /** Of what it was asked, with its preposition: `in eu-west-1`, `on arn:…`. */
  readonly of: string;
  /** The role of spec.assumeRole that asked; undefined: the operator itself. */
  readonly by?: string | undefined;
}

const throttling = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
  'SlowDown',
]);
const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'NotAuthorized',
  'AuthorizationErrorFault',
]);
const credentialTrouble = new Set([
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'MissingAuthenticationToken',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);

interface SdkError {
  readonly name: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $retryable?: { readonly throttling?: boolean };
}

/** Nothing of the error but its class reaches the message. */
export function awsFailure(thrown: unknown, { action, of, by }: AwsAction): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = sdkError(thrown);
  const cause = { cause: thrown };
  if (throttling.has(error.name) || error.$retryable?.throttling === true) {
    return new Failure('throttled', 'Throttled', `AWS asks to slow down: ${action} ${of}.`, cause);
  }
  if (denied.has(error.name)) {
    return new Failure(
      'denied',
      'AccessDenied',
      by === undefined
        ? `AWS refused the operator ${action} ${of}. Add the action to the operator's policy, and look for explicit denies and SCPs.`
        : `AWS refused ${by} (spec.assumeRole) ${action} ${of}. Add the action to the policy of that role, and look for explicit denies and SCPs.`,
      cause,
    );
  }
  if (credentialTrouble.has(error.name)) {
    return new Failure(
      'unavailable',
      'AccessDenied',
      by === undefined
        ? `AWS does not accept the operator's own credentials (${action} ${of}). Check the ServiceAccount's role and its trust policy, and the clock.`
        : `AWS does not accept the credentials that it gave for ${by} (spec.assumeRole, ${action} ${of}). Look whether that role was made anew, and at the clock; they are renewed within the hour.`,
      cause,
    );
  }
  const status = httpStatus(thrown);
  if (status !== undefined && status >= 400 && status < 500) {
    return new Failure(
      'unexpected',
      'InternalError',
      `AWS did not understand ${action} ${of}; the operator log has the details.`,
      cause,
    );
  }
  return new Failure('unavailable', 'AwsUnavailable', `AWS did not answer ${action} ${of}.`, cause);
}

/** HTTP status of AWS's answer; undefined if there was none. */
export function httpStatus(thrown: unknown): number | undefined {
  return sdkError(thrown).$metadata?.httpStatusCode;
}

function sdkError(thrown: unknown): SdkError {
  return thrown instanceof Error ? thrown : { name: '' };
}
