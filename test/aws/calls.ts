// The log of requests: what was called by whom and how it ended, without secrets.
import type { ServiceName } from './action.ts';

export interface Call {
  /** Milliseconds since 1970, by the stand-in's clock. */
  readonly at: number;
  readonly service: ServiceName;
  readonly action: string;
  /** Empty where the signature was not verified. */
  readonly principal: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Undefined where no answer was given (connection reset or left hanging). */
  readonly status: number | undefined;
  readonly errorCode: string | undefined;
  /** Whether the action is one that changes something, however it ended. */
  readonly writes: boolean;
}

const secretParameters = new Set(['WebIdentityToken', 'ExternalId']);

export function withoutSecrets(
  parameters: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([name]) => name !== 'Action' && name !== 'Version')
      .map(([name, value]) => [name, secretParameters.has(name) ? '[redacted]' : value]),
  );
}
