// The HTTP side: takes a request through fault, signature, permission and effect to its answer.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Action, anonymous, type Caller, type ServiceName } from './action.ts';
import type { BackendAnswer, BackendRequest } from './backend.ts';
import { type Call, withoutSecrets } from './calls.ts';
import type { Credential } from './credentials.ts';
import { accessDenied, AwsError, validationError } from './errors.ts';
import type { Breakage, FaultSource } from './faults.ts';
import { type Protocol, readRequest, unknownProtocol } from './protocol.ts';
import type { Parameters } from './query.ts';
import { verifySignature } from './sigv4.ts';

type Actions = Readonly<Record<ServiceName, Readonly<Record<string, Action>>>>;

interface AwsServices {
  /** What is understood: the same in every account. */
  readonly actions: Actions;
  /** The account that a call is about: the caller's own. */
  accountOf(
    caller: Caller,
    parameters: Parameters,
  ): {
    readonly actions: Actions;
    /** Throws AWS's refusal unless everything that the action asks for is allowed. */
    authorize(caller: Caller, action: Action, parameters: Parameters, region: string): void;
    /** Gives the answers instead of the actions, as far as it has them; what comes before them stays. */
    readonly backend?: (request: BackendRequest) => Promise<BackendAnswer | undefined>;
  };
  readonly faults: FaultSource;
  lookup(accessKeyId: string): Credential | undefined;
  record(call: Call): void;
  /** Told of requests that the stand-in does not understand. */
  unknown(what: string): void;
  now(): number;
}

const unsigned = new Set(['AssumeRoleWithWebIdentity']);
const largestBody = 1_000_000;

export async function listen(services: AwsServices): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    handle(services, request, response).catch((error: unknown) => {
      // A defect of the stand-in: as loud as an answer can be.
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(
        `AWS stand-in failed: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown'}`,
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return { server, port: addressOf(server).port };
}

export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeAllConnections();
  await closed;
}

async function handle(
  services: AwsServices,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const id = randomUUID();
  const parsed = parseRequest(services, request, body);
  if (parsed instanceof AwsError) {
    services.unknown(`${parsed.code}: ${parsed.message}`);
    send(services, response, parsed.status, id, unknownProtocol, unknownProtocol.failure(parsed, id));
    return;
  }
  const { protocol, actionName, action, parameters } = parsed;
  let caller = anonymous;
  const record = (status: number | undefined, errorCode?: string): void => {
    services.record({
      at: services.now(),
      service: protocol.service,
      action: actionName,
      principal: caller.principal,
      parameters: withoutSecrets(parameters.all()),
      status,
      errorCode,
      writes: action.writes,
    });
  };
  const fault = services.faults.take(protocol.service, actionName, parameters);
  if (fault?.do === 'break' && !tookEffect(fault.how)) {
    record(undefined, fault.how);
    breakOff(fault.how, request);
    return;
  }
  try {
    if (fault?.do === 'answer') throw fault.error;
    const signed = authenticate(services, request, body, protocol.service, actionName);
    caller = signed.caller;
    checkParameters(action, parameters);
    const account = services.accountOf(caller, parameters);
    const own = account.actions[protocol.service][actionName] ?? action;
    account.authorize(caller, own, parameters, signed.region);
    const { service } = protocol;
    if (account.backend !== undefined && service !== 'secretsmanager') {
      const { headers } = request;
      const { writes } = action;
      const asked = { service, action: actionName, writes, parameters, body, headers, caller };
      const answer = await account.backend(asked);
      if (answer !== undefined) {
        record(answer.status, answer.errorCode);
        send(services, response, answer.status, id, protocol, answer.xml);
        return;
      }
    }
    const result = own.run(parameters, signed);
    if (fault?.do === 'break') {
      record(undefined, fault.how);
      breakOff(fault.how, request);
      return;
    }
    record(200);
    send(services, response, 200, id, protocol, protocol.answer(actionName, result, id));
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    record(error.status, error.code);
    const headers = protocol.failureHeaders?.(error);
    send(services, response, error.status, id, protocol, protocol.failure(error, id), headers);
  }
}

interface ParsedRequest {
  readonly protocol: Protocol;
  readonly actionName: string;
  readonly action: Action;
  readonly parameters: Parameters;
}

function parseRequest(
  services: AwsServices,
  request: IncomingMessage,
  body: string,
): ParsedRequest | AwsError {
  try {
    const {
      protocol,
      action: actionName,
      parameters,
    } = readRequest({
      method: request.method,
      url: request.url ?? '/',
      contentType: request.headers['content-type'] ?? '',
      target: String(request.headers['x-amz-target'] ?? ''),
      body,
    });
    const actions = services.actions[protocol.service];
    const action = Object.hasOwn(actions, actionName) ? actions[actionName] : undefined;
    if (action !== undefined) return { protocol, actionName, action, parameters };
    const version = parameters.optional('Version') ?? '';
    return new AwsError(
      'InvalidAction',
      400,
      `Could not find operation ${actionName} for version ${version}`,
    );
  } catch (error) {
    if (error instanceof AwsError) return error;
    throw error;
  }
}

function authenticate(
  services: AwsServices,
  request: IncomingMessage,
  body: string,
  service: ServiceName,
  actionName: string,
): { caller: Caller; region: string } {
  if (unsigned.has(actionName)) return { caller: anonymous, region: '' };
  const signature = verifySignature(
    { method: request.method ?? '', url: request.url ?? '/', headers: request.headers, body },
    (accessKeyId) => services.lookup(accessKeyId),
    services.now(),
  );
  const credential = services.lookup(signature.accessKeyId);
  if (credential === undefined || signature.service !== service) {
    throw new AwsError(
      'SignatureDoesNotMatch',
      403,
      `Credential should be scoped to correct service: '${service}'. `,
    );
  }
  const { principal, userId, sessionPolicy, hasTransitiveTags = false } = credential;
  return { caller: { principal, userId, sessionPolicy, hasTransitiveTags }, region: signature.region };
}

function checkParameters(action: Action, parameters: Parameters): void {
  for (const name of parameters.names()) {
    if (name !== 'Action' && name !== 'Version' && !action.parameters.includes(name)) {
      throw validationError(`The parameter ${name} is not understood by this stand-in.`);
    }
  }
}

function send(
  services: AwsServices,
  response: ServerResponse,
  status: number,
  id: string,
  { contentType }: Protocol,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'content-type': contentType,
    ...headers,
    'x-amzn-requestid': id,
    // Clients correct their clocks by it, as they do with AWS.
    date: new Date(services.now()).toUTCString(),
  });
  response.end(text);
}

function tookEffect(how: Breakage): boolean {
  return how === 'resetAfterEffect' || how === 'timeoutAfterEffect';
}

/** A time-out is left open until the client gives up or the server closes. */
function breakOff(how: Breakage, request: IncomingMessage): void {
  if (how === 'reset' || how === 'resetAfterEffect') request.socket.resetAndDestroy();
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > largestBody) throw accessDenied('The request body is too large.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server is not listening on a port');
  return address;
}
