// AWS's errors of IAM as failures of ours, in one table. What AWS writes goes to the log only.
import type { Reason } from '../../api/conditions.ts';
import { Failure, type FailureKind } from '../../kernel/failure.ts';

interface Row {
  readonly kind: FailureKind;
  readonly reason: Reason;
  /** `by`: the role of spec.assumeRole that asks, where it is not the operator itself. */
  say(action: string, by: string | undefined): string;
}

/** Of a role that does not exist AWS knows no path, so rights that are bound to one do not reach it. */
const roleReads = new Set(['GetRole', 'ListAttachedRolePolicies']);

const changing: Row = {
  kind: 'unavailable',
  reason: 'NotVisibleYet',
  say: (action) => `IAM is not in the state that iam:${action} needs yet; the operator looks again.`,
};
const throttled: Row = {
  kind: 'throttled',
  reason: 'Throttled',
  say: (action) => `AWS asks to slow down (iam:${action}); the operator goes on by itself.`,
};
const denied: Row = {
  kind: 'denied',
  reason: 'AccessDenied',
  say: (action, by) => {
    const [who, policy] =
      by === undefined
        ? ['the operator', "the operator's IAM policy"]
        : [`${by} (spec.assumeRole)`, 'the policy of that role'];
    return roleReads.has(action)
      ? `AWS refused ${who} iam:${action}. The role that was looked at does not exist, or ${policy} (docs/reference/operator-policy.json) does not name it; AWS answers both alike.`
      : `AWS refused ${who} iam:${action}. Allow it in ${policy} (docs/reference/operator-policy.json), and look for boundaries and SCPs.`;
  },
};
const badCredentials: Row = {
  kind: 'denied',
  reason: 'AccessDenied',
  say: (action, by) =>
    by === undefined
      ? `AWS does not accept the operator's credentials (iam:${action}). Check its IRSA or Pod Identity set-up.`
      : `AWS does not accept the credentials that it gave for ${by} (spec.assumeRole, iam:${action}). Look whether that role was made anew; they are renewed within the hour.`,
};
const expired: Row = {
  kind: 'unavailable',
  reason: 'AwsUnavailable',
  say: () => "The operator's AWS credentials have expired; it goes on when it gets new ones.",
};
const down: Row = {
  kind: 'unavailable',
  reason: 'AwsUnavailable',
  say: (action) => `IAM does not answer (iam:${action}); the operator goes on by itself.`,
};
const fault: Row = {
  kind: 'unexpected',
  reason: 'InternalError',
  say: (action) => `IAM did not understand iam:${action}; the operator log has the details.`,
};

/** By the error's name without the ending `Exception`. Source: the IAM API reference, "Common Errors" and each action. */
const table: Readonly<Record<string, Row>> = {
  NoSuchEntity: changing,
  DeleteConflict: changing,
  ConcurrentModification: changing,
  EntityTemporarilyUnmodifiable: changing,
  EntityAlreadyExists: {
    kind: 'conflict',
    reason: 'ForeignPolicy',
    say: () => 'A policy of the name that is needed exists already. Delete or rename it.',
  },
  LimitExceeded: {
    kind: 'invalid',
    reason: 'QuotaExceeded',
    say: (action) =>
      `${quotas[action] ?? 'An IAM quota'} is used up. Ask AWS to raise it, or spread users over more roles.`,
  },
  UnmodifiableEntity: {
    kind: 'invalid',
    reason: 'RoleNotAttachable',
    say: () => 'AWS lets nobody attach policies to this role. Name a role of your own in principals.',
  },
  MalformedPolicyDocument: fault,
  InvalidInput: fault,
  ValidationError: fault,
  AccessDenied: denied,
  UnauthorizedOperation: denied,
  InvalidClientTokenId: badCredentials,
  UnrecognizedClient: badCredentials,
  SignatureDoesNotMatch: badCredentials,
  IncompleteSignature: badCredentials,
  MissingAuthenticationToken: badCredentials,
  CredentialsProviderError: badCredentials,
  ExpiredToken: expired,
  RequestExpired: expired,
  Throttling: throttled,
  Throttled: throttled,
  RequestLimitExceeded: throttled,
  TooManyRequests: throttled,
  SlowDown: throttled,
  ServiceFailure: down,
  ServiceUnavailable: down,
  InternalFailure: down,
  InternalError: down,
  TimeoutError: down,
  RequestTimeout: down,
  AbortError: down,
};

const quotas: Readonly<Record<string, string>> = {
  CreatePolicy: 'The IAM quota "Customer managed policies in an AWS account"',
  AttachRolePolicy: 'The IAM quota "Managed policies attached to an IAM role"',
  PutRolePolicy: 'The IAM quota of 10,240 characters of inline policies on a role',
  CreatePolicyVersion: 'The IAM quota of versions per managed policy',
};

const networkCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** The error's name as AWS's API reference has it, whatever the SDK made of it; empty for what is no error. */
export function errorName(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name.replace(/Exception$/, '') : '';
}

/** `by`: the role of spec.assumeRole that asked; undefined: the operator itself. */
export function failureOf(thrown: unknown, action: string, by?: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const row = rowOf(thrown);
  return new Failure(row.kind, row.reason, row.say(action, by), { cause: thrown });
}

export const isThrottling = (thrown: unknown): boolean => rowOf(thrown) === throttled;

/** Nothing is known of what became of the call. */
export const isAmbiguous = (thrown: unknown): boolean => rowOf(thrown) === down;

function rowOf(thrown: unknown): Row {
  const row = Object.hasOwn(table, errorName(thrown)) ? table[errorName(thrown)] : undefined;
  if (row !== undefined) return row;
  if (typeof thrown !== 'object' || thrown === null) return unforeseen;
  if ('code' in thrown && typeof thrown.code === 'string' && networkCodes.has(thrown.code)) return down;
  const status = httpStatus(thrown);
  if (status === 429) return throttled;
  return status !== undefined && status >= 500 ? down : unforeseen;
}

/** The HTTP status of AWS's answer; undefined if there was none. */
export function httpStatus(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('$metadata' in thrown)) return undefined;
  const metadata = thrown.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}

const unforeseen: Row = {
  kind: 'unexpected',
  reason: 'InternalError',
  say: () => 'An unexpected error of IAM; the operator log has the details.',
};
