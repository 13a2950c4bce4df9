// What an action of a service is to the server: its parameters, the permissions it asks for, and its effect.
import type { Parameters } from './query.ts';
import type { RequestContext } from './policy-patterns.ts';
import type { XmlValue } from './xml.ts';

export type ServiceName = 'iam' | 'sts' | 'rds' | 'secretsmanager' | 'eks';

export interface Action {
  /** Whether it changes anything outside; for the request log. */
  readonly writes: boolean;
  /** The outermost parameters that are understood. Any other is refused rather than ignored. */
  readonly parameters: readonly string[];
  /** Each of these must be allowed to the caller. Absent: no permission is asked for, or the action judges itself. */
  readonly asks?: (parameters: Parameters, region: string) => readonly Ask[];
  /** Performs it and gives the content of the Result element; undefined where AWS sends none. */
  readonly run: (parameters: Parameters, request: ActionRequest) => XmlValue;
}

export interface ActionRequest {
  readonly caller: Caller;
  readonly region: string;
}

export interface Ask {
  readonly action: string;
  readonly resource: string;
  /** The resource as AWS words it in its refusal. */
  readonly described: string;
  readonly context?: RequestContext;
}

/** Who signed the request. An anonymous caller reaches only actions that are called unsigned. */
export interface Caller {
  /** ARN of the root, a user, or an assumed-role session; empty when unsigned. */
  readonly principal: string;
  readonly userId: string;
  readonly sessionPolicy: string | undefined;
  readonly hasTransitiveTags?: boolean;
}

export const anonymous: Caller = { principal: '', userId: '', sessionPolicy: undefined };
