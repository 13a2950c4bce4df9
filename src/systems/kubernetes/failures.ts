// What each error of the API server means to a pass: the one place where KubeError becomes Failure.
import { Failure, type FailureKind } from '../../kernel/failure.ts';
import { KubeError } from './kube-error.ts';

/**
 * The failure for an error of this folder; anything else is returned as it is. The API server's own sentence is shown,
 * because it names the object and the missing right; answers of whatever else stands in between are never quoted.
 */
export function asKubeFailure(error: unknown): unknown {
  if (!(error instanceof KubeError)) return error;
  const overtaken = isOvertaken(error);
  const kind = overtaken ? 'unavailable' : kindOf(error.status);
  const message = overtaken
    ? 'The object changed while the operator was writing it; the operator looks again.'
    : messages[kind](error);
  const { retryAfterSeconds } = error;
  return new Failure(kind, kind === 'unexpected' ? 'InternalError' : 'KubernetesUnavailable', message, {
    cause: error,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 }),
  });
}

/** Runs a call on the API server and throws its errors as Failures. */
export async function orKubeFailure<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asKubeFailure(error);
  }
}

/** Somebody wrote a newer version first. A field that belongs to another manager, or a name that is taken, is not that. */
function isOvertaken({ status, reason, details }: KubeError): boolean {
  const isOwned = details?.causes?.some((cause) => cause.reason === 'FieldManagerConflict') === true;
  return status === 409 && reason === 'Conflict' && !isOwned;
}

function kindOf(status: number): FailureKind {
  if (status === 0 || status >= 500 || status === 408 || status === 410) return 'unavailable';
  if (status === 401 || status === 403) return 'denied';
  if (status === 404) return 'missing';
  if (status === 409) return 'conflict';
  if (status === 429) return 'throttled';
  if (status === 400 || status === 413 || status === 415 || status === 422) return 'invalid';
  return 'unexpected';
}

const quote = (prefix: string) => (error: KubeError) => `${prefix}: ${error.message}`;

const messages: { readonly [K in FailureKind]: (error: KubeError) => string } = {
  invalid: quote('The Kubernetes API refused what the operator wrote'),
  denied: quote("The Kubernetes API refused the operator a right; check the operator's Role"),
  missing: quote('The Kubernetes API does not find it'),
  conflict: quote('The Kubernetes API reports a conflict'),
  throttled: () => 'The Kubernetes API asks to slow down; the operator goes on by itself.',
  unavailable: () => 'The Kubernetes API does not answer, or not in order; the operator goes on by itself.',
  unexpected: () => 'The Kubernetes API gave an unforeseen answer; the operator log has the details.',
};
