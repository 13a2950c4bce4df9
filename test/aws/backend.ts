// Another implementation of AWS behind the stand-in's front: it gives the answers, and its IAM is read back through its API.
import type { IncomingHttpHeaders } from 'node:http';
import type { Caller, ServiceName } from './action.ts';
import type { Credential } from './credentials.ts';
import type { IamState } from './iam/state.ts';
import type { Parameters } from './query.ts';

export interface BackendRequest {
  readonly service: ServiceName;
  readonly action: string;
  readonly writes: boolean;
  readonly parameters: Parameters;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  readonly caller: Caller;
}

export interface BackendAnswer {
  readonly status: number;
  readonly xml: string;
  readonly errorCode: string | undefined;
}

/** What the front knows: set up by tests, and from then on what the backend says. */
export interface Mirror {
  latest(): IamState;
  replace(state: IamState): void;
  learn(accessKeyId: string, credential: Credential): void;
}

/** Undefined for what it does not have: the stand-in answers itself. */
export type Backend = (request: BackendRequest, mirror: Mirror) => Promise<BackendAnswer | undefined>;
