/** Judges the token of an IAM database login as AWS does: a presigned URL whose signature is computed again. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface Endpoint {
  /** As clients know it, lower case. */
  readonly host: string;
  readonly port: number;
}

export interface TokenClaims {
  readonly accessKeyId: string;
  readonly sessionToken: string | undefined;
  readonly endpoint: Endpoint;
  readonly username: string;
  readonly region: string;
}

/** What a presented token must agree with. */
export interface Expected {
  readonly endpoints: readonly Endpoint[];
  readonly region: string;
  /** The user of the start-up message. */
  readonly username: string;
  readonly now: Date;
}

/** `why` is for the tests' eyes: a client is told nothing but that it failed. */
export type Judgement<T> =
  | { readonly verdict: 'good'; readonly value: T }
  | { readonly verdict: 'bad'; readonly why: TokenFault };

export type TokenFault =
  | 'not a presigned URL'
  | 'wrong action'
  | 'wrong user'
  | 'wrong host'
  | 'wrong region'
  | 'wrong service'
  | 'wrong algorithm'
  | 'lives longer than 15 minutes'
  | 'expired'
  | 'from the future'
  | 'wrong signature'
  | 'unknown access key'
  | 'wrong session token'
  | 'credentials expired'
  | 'not authorized';

export interface ParsedToken {
  readonly claims: TokenClaims;
  /** True when this secret made the signature. */
  readonly signedWith: (secretAccessKey: string) => boolean;
}

const maxLifeSeconds = 900;
const maxSkewSeconds = 300;
const emptyHash = createHash('sha256').update('').digest('hex');

/** Everything that can be said without knowing the secret. */
export function parseToken(token: string, expected: Expected): Judgement<ParsedToken> {
  // The SDK for Go leaves out the slash, and signs as if it were there.
  const split = /^([^/?#@\s]+)\/?\?([^#\s]+)$/.exec(token);
  const host = split?.[1];
  const query = parseQuery(split?.[2] ?? '');
  if (host === undefined || query === undefined) return bad('not a presigned URL');

  const value = (name: string): string => query.get(name) ?? '';
  const [accessKeyId = '', day, region = '', service, terminator, ...rest] =
    value('X-Amz-Credential').split('/');
  const signedAt = parseTime(value('X-Amz-Date'));
  const life = /^\d{1,6}$/.test(value('X-Amz-Expires')) ? Number(value('X-Amz-Expires')) : undefined;
  if (accessKeyId === '' || terminator !== 'aws4_request' || rest.length > 0)
    return bad('not a presigned URL');
  if (signedAt === undefined || life === undefined || life < 1) return bad('not a presigned URL');
  if (day !== value('X-Amz-Date').slice(0, 8)) return bad('not a presigned URL');
  if (value('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') return bad('wrong algorithm');
  if (value('X-Amz-SignedHeaders') !== 'host') return bad('not a presigned URL');
  if (service !== 'rds-db') return bad('wrong service');
  if (region !== expected.region) return bad('wrong region');
  if (value('Action') !== 'connect') return bad('wrong action');
  if (value('DBUser') !== expected.username) return bad('wrong user');
  const endpoint = expected.endpoints.find((known) => `${known.host}:${known.port}` === host);
  if (endpoint === undefined) return bad('wrong host');
  if (life > maxLifeSeconds) return bad('lives longer than 15 minutes');
  const ageSeconds = (expected.now.getTime() - signedAt.getTime()) / 1_000;
  if (ageSeconds > life) return bad('expired');
  if (ageSeconds < -maxSkewSeconds) return bad('from the future');

  const sessionToken = query.get('X-Amz-Security-Token');
  return {
    verdict: 'good',
    value: {
      claims: { accessKeyId, sessionToken, endpoint, username: expected.username, region },
      signedWith: (secret) => {
        const scope = [day, region, service, terminator];
        return sameText(value('X-Amz-Signature'), signature(secret, scope, host, value('X-Amz-Date'), query));
      },
    },
  };
}

function signature(
  secret: string,
  scope: readonly string[],
  host: string,
  date: string,
  query: ReadonlyMap<string, string>,
): string {
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, content]) => `${encode(name)}=${encode(content)}`)
    .toSorted(byBytes)
    .join('&');
  const request = ['GET', '/', canonicalQuery, `host:${host}`, '', 'host', emptyHash].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(request)].join('\n');
  const key = scope.reduce<Buffer>((under, part) => hmac(under, part), Buffer.from(`AWS4${secret}`));
  return hmac(key, toSign).toString('hex');
}

/** Undefined when a name comes twice or an escape is broken. */
function parseQuery(text: string): ReadonlyMap<string, string> | undefined {
  const query = new Map<string, string>();
  try {
    for (const pair of text.split('&')) {
      const at = pair.indexOf('=');
      if (at < 1) return undefined;
      const name = decodeURIComponent(pair.slice(0, at));
      if (query.has(name)) return undefined;
      query.set(name, decodeURIComponent(pair.slice(at + 1)));
    }
  } catch {
    return undefined;
  }
  return query;
}

function parseTime(text: string): Date | undefined {
  const iso = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)?.slice(1);
  if (iso === undefined) return undefined;
  const [year, month, day, hour, minute, second] = iso;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** RFC 3986, as Signature Version 4 wants it: the five characters that encodeURIComponent leaves alone as well. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function bad(why: TokenFault): { verdict: 'bad'; why: TokenFault } {
  return { verdict: 'bad', why };
}
