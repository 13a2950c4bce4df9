// Faults on demand: which call fails next, and how.
import type { ServiceName } from './action.ts';
import { AwsError } from './errors.ts';
import type { Parameters } from './query.ts';

/** Each answered error with its HTTP status and the text that AWS gives it. */
const errors = {
  Throttling: [400, 'Rate exceeded'],
  AccessDenied: [
    403,
    'User is not authorized to perform the action because no identity-based policy allows it',
  ],
  ExpiredToken: [403, 'The security token included in the request is expired'],
  InvalidClientTokenId: [403, 'The security token included in the request is invalid.'],
  ServiceUnavailable: [503, 'Service is unable to handle request.'],
  InternalFailure: [
    500,
    'The request processing has failed because of an unknown error, exception or failure.',
  ],
  LimitExceeded: [409, 'Cannot exceed quota for the resource.'],
  ConcurrentModification: [
    409,
    'The request was rejected because multiple requests to change this object were submitted simultaneously.',
  ],
  EntityTemporarilyUnmodifiable: [409, 'The entity is temporarily unmodifiable. Try again later.'],
  EntityAlreadyExists: [409, 'The entity already exists.'],
  NoSuchEntity: [404, 'The entity cannot be found.'],
  InvalidInput: [400, 'The request was rejected because an invalid or out-of-range value was supplied.'],
  DeleteConflict: [409, 'Cannot delete the entity because others depend on it.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

/** What happens to the connection instead of an answer, before or after the call took effect. */
const breakages = ['reset', 'resetAfterEffect', 'timeout', 'timeoutAfterEffect'] as const;

export type FaultKind = keyof typeof errors | (typeof breakages)[number];

interface Fault {
  /** Absent: any service, any action. */
  readonly service?: ServiceName;
  readonly action?: string;
  /** How many calls it hits; default 1. */
  readonly times?: number;
  /** How many matching calls pass before it begins; default 0. */
  readonly after?: number;
  /** Narrows to calls with these parameters, for example `{ RoleName: 'checkout' }`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Narrows further. */
  readonly matches?: (action: string, parameters: Parameters) => boolean;
  readonly error: FaultKind;
}

export type Breakage = (typeof breakages)[number];
type FaultEffect =
  | { readonly do: 'answer'; readonly error: AwsError }
  | { readonly do: 'break'; readonly how: Breakage };

export interface Faults {
  /** Returns a function that takes the fault away again. */
  add(fault: Fault): () => void;
  clear(): void;
  /** Faults that have calls left to hit. */
  pending(): readonly Fault[];
}

export interface FaultSource extends Faults {
  take(service: ServiceName, action: string, parameters: Parameters): FaultEffect | undefined;
}

export function createFaults(): FaultSource {
  let armed: { fault: Fault; wait: number; left: number }[] = [];
  return {
    add: (fault) => {
      const entry = { fault, wait: fault.after ?? 0, left: fault.times ?? 1 };
      armed.push(entry);
      return () => {
        armed = armed.filter((other) => other !== entry);
      };
    },
    clear: () => {
      armed = [];
    },
    pending: () => armed.map(({ fault }) => fault),
    take: (service, action, parameters) => {
      for (const entry of armed) {
        if (!matches(entry.fault, service, action, parameters)) continue;
        if (entry.wait > 0) {
          entry.wait--;
          continue;
        }
        entry.left--;
        if (entry.left <= 0) armed = armed.filter((other) => other !== entry);
        return effectOf(entry.fault.error);
      }
      return undefined;
    },
  };
}

function matches(fault: Fault, service: ServiceName, action: string, parameters: Parameters): boolean {
  return (
    (fault.service ?? service) === service &&
    (fault.action ?? action) === action &&
    (fault.matches?.(action, parameters) ?? true) &&
    Object.entries(fault.parameters ?? {}).every(([name, value]) => parameters.optional(name) === value)
  );
}

function effectOf(kind: FaultKind): FaultEffect {
  if (isBreakage(kind)) return { do: 'break', how: kind };
  const [status, message] = errors[kind];
  return { do: 'answer', error: new AwsError(kind, status, message) };
}

function isBreakage(kind: FaultKind): kind is Breakage {
  return breakages.some((breakage) => breakage === kind);
}
