// Proves that a user may log in, by logging in: the verdict on one user's whole chain.
import type { Secret } from '../../kernel/secret.ts';
import { asFailure, type Failure } from '../../kernel/failure.ts';
import {
  type AccessVerdict,
  type AccessWish,
  afterLogins,
  judgeLogin,
  judgeRefusedLogin,
  loginFacts,
  nobody,
  notAssumable,
  notEvenTried,
  operatorNotAllowed,
  outOfTime,
  type ProvenPrincipal,
  proven,
  provenAsOperator,
  type ServiceAccountName,
  sessionName,
  sessionPolicy,
} from './verdict.ts';
import type { Pods } from './pod-trust.ts';
import { webIdentityOf } from './trust.ts';
import { notTrusted, notTrustedForPods } from './trust-verdict.ts';

/** Temporary credentials of an assumed role. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

export interface TokenFor {
  readonly host: string;
  readonly port: number;
  readonly region: string;
  readonly username: string;
}

export interface LoginRequest {
  /** TLS name; dialled as well unless `dial` says otherwise. */
  readonly host: string;
  readonly port: number;
  readonly dial?: { readonly host: string; readonly port: number };
  readonly database: string;
  readonly username: string;
  readonly password: Secret<string>;
  /** PEM: the only authorities trusted. */
  readonly ca: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface SessionRequest {
  readonly roleARN: string;
  readonly region: string;
  readonly sessionName: string;
  /** Inline session policy: the credentials can do nothing else. */
  readonly policy: string;
  readonly durationSeconds: number;
}

export interface AccessPorts {
  /** Throws a Failure; of kind `denied` when AWS refuses. */
  assumeRole(request: SessionRequest, signal: AbortSignal): Promise<Secret<AwsCredentials>>;
  /** The same by the token of a ServiceAccount, as its pods do it. */
  assumeRoleWithWebIdentity(
    request: SessionRequest & { readonly token: Secret<string> },
    signal: AbortSignal,
  ): Promise<Secret<AwsCredentials>>;
  /** A token of the ServiceAccount for STS, and nothing else. Throws a Failure. */
  requestToken(serviceAccount: ServiceAccountName, signal: AbortSignal): Promise<Secret<string>>;
  /** The trust policy of a role, as IAM gives it; undefined if there is no such role. Throws a Failure. */
  trustPolicy(roleARN: string, signal: AbortSignal): Promise<string | undefined>;
  /** ARN of the role or user that the operator itself is. */
  callerARN(region: string, signal: AbortSignal): Promise<string>;
  signToken(request: TokenFor & { readonly credentials: Secret<AwsCredentials> }): Promise<Secret<string>>;
  /** A token signed with the operator's own credentials. */
  operatorToken(request: TokenFor): Promise<Secret<string>>;
  /** Throws a Failure: TokenRefused (with `sqlState`), CertificateRejected, Unreachable, LoginForbidden. */
  login(request: LoginRequest): Promise<{
    readonly currentUser: string;
    readonly sessionUser: string;
  }>;
}

/** The shortest session that STS gives; the credentials are used once, at once. */
const sessionSeconds = 900;

/** Never throws for what is foreseen: each failure is a verdict, which names the link of the chain to look at next. */
export async function verifyAccess(
  wish: AccessWish,
  ports: AccessPorts,
  signal: AbortSignal,
): Promise<AccessVerdict> {
  if (wish.as === 'Nobody') return nobody;
  if (wish.as === 'Operator' && !wish.operatorProofAllowed) return operatorNotAllowed;
  const verdict = await prove(wish, ports, signal);
  return signal.aborted && verdict.status !== 'True' ? outOfTime : verdict;
}

async function prove(wish: AccessWish, ports: AccessPorts, signal: AbortSignal): Promise<AccessVerdict> {
  if (wish.as === 'Operator') return await proveAsOperator(wish, ports, signal);
  const { verdict, assumed } = await proveAsWorkload(wish, ports, signal);
  const fallBack = wish.as === 'Auto' && !assumed && wish.operatorProofAllowed;
  return fallBack ? await proveAsOperator(wish, ports, signal) : verdict;
}

interface WorkloadProof {
  readonly verdict: AccessVerdict;
  /** Whether every principal could be assumed, so that the verdict speaks of the workload. */
  readonly assumed: boolean;
}

async function proveAsWorkload(
  wish: AccessWish,
  ports: AccessPorts,
  signal: AbortSignal,
): Promise<WorkloadProof> {
  const seen: ProvenPrincipal[] = [];
  const closed: string[] = [];
  for (const { roleARN, resourceARNs, serviceAccount, pods } of wish.principals) {
    const refusal = pods && (await judgePods(pods, ports, signal));
    if (refusal !== undefined) return { verdict: afterLogins(refusal, seen.length), assumed: true };
    const session = {
      roleARN,
      region: wish.region,
      sessionName: sessionName(wish.username),
      policy: sessionPolicy(resourceARNs),
      durationSeconds: sessionSeconds,
    };
    const credentials =
      serviceAccount === undefined
        ? await attempt(ports.assumeRole(session, signal))
        : await assumeAs(serviceAccount, session, ports, signal);
    if ('status' in credentials) return { verdict: afterLogins(credentials, seen.length), assumed: true };
    if ('failure' in credentials) {
      // A role that cannot be assumed does not hide one that can be and is refused.
      if (credentials.failure.kind !== 'denied') {
        return { verdict: notEvenTried(credentials.failure), assumed: true };
      }
      closed.push(roleARN);
      continue;
    }
    const verdict = await logIn(
      wish,
      ports,
      ports.signToken({ ...tokenFor(wish), credentials: credentials.value }),
      serviceAccount === undefined ? roleARN : `${roleARN} ${bySelf(serviceAccount)}`,
      signal,
    );
    if ('status' in verdict) return { verdict, assumed: true };
    seen.push(verdict);
  }
  if (closed.length === 0) return { verdict: proven(seen), assumed: true };
  const caller = await attempt(ports.callerARN(wish.region, signal));
  return {
    verdict: afterLogins(notAssumable(closed, 'value' in caller ? caller.value : undefined), seen.length),
    assumed: false,
  };
}

/** Whatever goes wrong here goes wrong for the workload too, so nobody else is tried instead. */
async function assumeAs(
  serviceAccount: ServiceAccountName,
  session: SessionRequest,
  ports: AccessPorts,
  signal: AbortSignal,
): Promise<{ readonly value: Secret<AwsCredentials> } | AccessVerdict> {
  const token = await attempt(ports.requestToken(serviceAccount, signal));
  if ('failure' in token) return notEvenTried(token.failure);
  const assumed = await attempt(ports.assumeRoleWithWebIdentity({ ...session, token: token.value }, signal));
  if ('value' in assumed) return assumed;
  if (assumed.failure.kind !== 'denied') return notEvenTried(assumed.failure);
  const trust = await attempt(ports.trustPolicy(session.roleARN, signal));
  return notTrusted(
    serviceAccount,
    session.roleARN,
    webIdentityOf(token.value.reveal()),
    'value' in trust ? trust.value : undefined,
  );
}

/** What cannot be read accuses nobody. */
async function judgePods(
  pods: Pods,
  ports: AccessPorts,
  signal: AbortSignal,
): Promise<AccessVerdict | undefined> {
  const trust = await attempt(ports.trustPolicy(pods.roleARN, signal));
  const document = 'value' in trust ? trust.value : undefined;
  return document === undefined ? undefined : notTrustedForPods(pods, document);
}

const bySelf = ({ namespace, name }: ServiceAccountName) => `by ServiceAccount ${namespace}/${name}`;

async function proveAsOperator(
  wish: AccessWish,
  ports: AccessPorts,
  signal: AbortSignal,
): Promise<AccessVerdict> {
  const caller = await attempt(ports.callerARN(wish.region, signal));
  const as = 'value' in caller ? caller.value : 'operator';
  const verdict = await logIn(wish, ports, ports.operatorToken(tokenFor(wish)), 'operator', signal);
  return 'status' in verdict ? verdict : provenAsOperator({ ...verdict, as });
}

/** What the login showed: the principal as proven, or the verdict that ends the proof. */
async function logIn(
  wish: AccessWish,
  ports: AccessPorts,
  token: Promise<Secret<string>>,
  as: string,
  signal: AbortSignal,
): Promise<ProvenPrincipal | AccessVerdict> {
  const password = await attempt(token);
  if ('failure' in password) return notEvenTried(password.failure);
  const answer = await attempt(
    ports.login({
      host: wish.endpoint,
      port: wish.port,
      ...(wish.dial === undefined ? {} : { dial: wish.dial }),
      database: wish.database,
      username: wish.username,
      password: password.value,
      ca: wish.ca,
      signal,
      timeoutMs: wish.loginTimeoutMs,
    }),
  );
  if ('failure' in answer) return judgeRefusedLogin(wish, as, loginFacts(answer.failure));
  return judgeLogin(wish, as, answer.value);
}

function tokenFor({ endpoint, port, region, username }: AccessWish): TokenFor {
  return { host: endpoint, port, region, username };
}

/** The one place where the proof catches: a check has a verdict where a resource has an outcome. */
async function attempt<T>(work: Promise<T>): Promise<{ readonly value: T } | { readonly failure: Failure }> {
  try {
    return { value: await work };
  } catch (thrown) {
    return { failure: asFailure(thrown) };
  }
}
