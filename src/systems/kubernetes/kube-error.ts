// What went wrong at the API server, as the adapters of this folder throw it.

/** How the API server says it: metav1.Status. */
export interface Status {
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: unknown;
}

export interface StatusDetails {
  readonly name?: string;
  readonly kind?: string;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
}

export interface KubeErrorFacts {
  /** The HTTP status, or the code inside an ERROR event; 0 when there was no usable answer. */
  readonly status: number;
  /** The API server's own word (`NotFound`, `Conflict`, `Expired`, ...), or one of ours (see `noAnswer`). */
  readonly reason: string;
  readonly retryAfterSeconds?: number;
  readonly details?: StatusDetails;
  readonly cause?: unknown;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;
  readonly details: StatusDetails | undefined;

  constructor(message: string, { status, reason, retryAfterSeconds, details, cause }: KubeErrorFacts) {
    super(message, { cause });
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.details = details;
  }
}

/** There was no usable answer: a write may or may not have taken effect. */
export function noAnswer(
  message: string,
  reason: 'Timeout' | 'ConnectionFailed' | 'MalformedAnswer' | 'NoCredentials',
  cause?: unknown,
): KubeError {
  return new KubeError(message, { status: 0, reason, cause });
}

export function isNotFound(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 404;
}

/** AlreadyExists included. */
export function isConflict(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 409;
}

const MESSAGE_CHARACTERS = 1_000;

/**
 * The error for an answer above 299. Only a Status is quoted: other bodies come from something in between, such as a proxy's
 * page, and are not reflected anywhere.
 */
export function errorFromAnswer(status: number, body: unknown, retryAfter: string | undefined): KubeError {
  const said = asStatus(body);
  const details = asDetails(said?.details);
  const retryAfterSeconds = seconds(retryAfter) ?? seconds(fieldOf(said?.details, 'retryAfterSeconds'));
  const message =
    typeof said?.message === 'string' && said.message !== ''
      ? said.message.slice(0, MESSAGE_CHARACTERS)
      : `the API server answered with status ${status}`;
  return new KubeError(message, {
    status,
    reason: typeof said?.reason === 'string' && said.reason !== '' ? said.reason : `Http${status}`,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(details === undefined ? {} : { details }),
  });
}

/** The error for an ERROR event of a watch, whose object is a Status. */
export function errorFromStatus(status: unknown): KubeError {
  const code = fieldOf(status, 'code');
  return errorFromAnswer(typeof code === 'number' ? code : 500, status, undefined);
}

function asStatus(body: unknown): Status | undefined {
  return typeof body === 'object' && body !== null && fieldOf(body, 'kind') === 'Status' ? body : undefined;
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}

function textField(value: unknown, field: string): { [field: string]: string } {
  const text = fieldOf(value, field);
  return typeof text === 'string' ? { [field]: text } : {};
}

function asDetails(value: unknown): StatusDetails | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const causes = fieldOf(value, 'causes');
  return {
    ...textField(value, 'name'),
    ...textField(value, 'kind'),
    ...(Array.isArray(causes)
      ? {
          causes: causes.map((cause: unknown) => ({
            ...textField(cause, 'reason'),
            ...textField(cause, 'message'),
            ...textField(cause, 'field'),
          })),
        }
      : {}),
  };
}

/** Seconds of a Retry-After header (its date form is not used by Kubernetes) or of a Status. */
function seconds(value: unknown): number | undefined {
  const parsed = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof parsed === 'number' && Number.isFinite(parsed) && parsed > 0 ? parsed : undefined;
}
