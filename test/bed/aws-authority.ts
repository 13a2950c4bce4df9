/** What the RDS gate asks of whoever plays IAM and STS, and how a token is judged with the answers. */
import { parseToken } from './rds-token.ts';
import type { Expected, TokenFault } from './rds-token.ts';

export interface AwsAuthority {
  readonly credentials: {
    lookup(accessKeyId: string): Credential | undefined | Promise<Credential | undefined>;
  };
  /** Whether the policies of that principal, as they stand now, allow it. */
  authorize(request: AuthorizeRequest): boolean | Promise<boolean>;
}

export interface Credential {
  readonly secretAccessKey: string;
  /** Present for credentials that STS issued: the token must carry it. */
  readonly sessionToken?: string | undefined;
  /** ARN of the user or role. */
  readonly principal: string;
  /** The session policy the role was assumed with, as JSON. */
  readonly sessionPolicy?: string | undefined;
  readonly expiresAt?: Date | undefined;
}

export interface AuthorizeRequest {
  readonly principal: string;
  readonly sessionPolicy?: string | undefined;
  readonly action: 'rds-db:connect';
  readonly resource: string;
}

/** What the ARN of a database user is made of. */
export interface DatabaseServer {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
  /** `cluster-…`, `db-…` or `prx-…`. */
  readonly resourceId: string;
}

/** Accepted when `why` is missing. The principal is known as soon as the access key is. */
export interface Judged {
  readonly principal?: string;
  readonly why?: TokenFault;
}

export async function judgeToken(
  token: string,
  expected: Expected,
  server: DatabaseServer,
  aws: AwsAuthority,
): Promise<Judged> {
  const parsed = parseToken(token, expected);
  if (parsed.verdict === 'bad') return { why: parsed.why };
  const { claims, signedWith } = parsed.value;
  const credential = await aws.credentials.lookup(claims.accessKeyId);
  if (credential === undefined) return { why: 'unknown access key' };
  const { principal, sessionPolicy, expiresAt } = credential;
  if (!signedWith(credential.secretAccessKey)) return { principal, why: 'wrong signature' };
  if (claims.sessionToken !== credential.sessionToken) return { principal, why: 'wrong session token' };
  if (expiresAt !== undefined && expiresAt <= expected.now) return { principal, why: 'credentials expired' };
  const { partition, region, accountId, resourceId } = server;
  const allowed = await aws.authorize({
    principal,
    ...(sessionPolicy === undefined ? {} : { sessionPolicy }),
    action: 'rds-db:connect',
    resource: `arn:${partition}:rds-db:${region}:${accountId}:dbuser:${resourceId}/${claims.username}`,
  });
  return allowed ? { principal } : { principal, why: 'not authorized' };
}
