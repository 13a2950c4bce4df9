// Verifies the ServiceAccount tokens (JWT) of AssumeRoleWithWebIdentity against the keys of registered issuers.
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { AwsError } from './errors.ts';

export interface OidcProvider {
  /** The `iss` of its tokens, with `https://`. */
  readonly issuer: string;
  readonly jwks: { readonly keys: readonly JsonWebKey[] };
  /** Audiences it may be used for; default `sts.amazonaws.com`. */
  readonly audiences?: readonly string[];
}

interface WebIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

export function verifyWebIdentity(
  token: string,
  provider: (issuer: string) => OidcProvider | undefined,
  now: number,
): WebIdentity {
  const [head = '', body = '', signature = '', rest] = token.split('.');
  const header = decode(head);
  const claims = decode(body);
  if (header === undefined || claims === undefined || signature === '' || rest !== undefined) {
    throw invalid(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    );
  }
  const { iss: issuer, sub: subject, aud, exp, nbf } = claims;
  const found = typeof issuer === 'string' ? provider(issuer) : undefined;
  if (found === undefined || typeof issuer !== 'string') {
    throw invalid(`No OpenIDConnect provider found in your account for ${String(issuer)}`);
  }
  const signed = found.jwks.keys
    .filter((key) => header['kid'] === undefined || key['kid'] === header['kid'])
    .some((key) => isSignedBy(key, header['alg'], `${head}.${body}`, signature));
  if (!signed) {
    throw invalid(
      "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
    );
  }
  const seconds = Math.floor(now / 1000);
  if (typeof exp !== 'number' || exp <= seconds) {
    throw new AwsError(
      'ExpiredTokenException',
      400,
      `Token expired: current date/time ${seconds} must be before the expiration date/time ${String(exp)}`,
    );
  }
  if (typeof nbf === 'number' && nbf > seconds) throw invalid('Token is not yet valid');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const audience = (found.audiences ?? ['sts.amazonaws.com']).find((known) => audiences.includes(known));
  if (audience === undefined) throw invalid('Incorrect token audience');
  if (typeof subject !== 'string') throw invalid('Missing a required claim: sub');
  return { issuer, subject, audience };
}

function isSignedBy(key: JsonWebKey, algorithm: unknown, signed: string, signature: string): boolean {
  const bytes = Buffer.from(signature, 'base64url');
  const publicKey = createPublicKey({ key: { ...key }, format: 'jwk' });
  // The kind of key decides, so that a token cannot choose a weaker algorithm.
  if (key.kty === 'RSA' && algorithm === 'RS256') {
    return verify('sha256', Buffer.from(signed), publicKey, bytes);
  }
  if (key.kty === 'EC' && algorithm === 'ES256') {
    return verify('sha256', Buffer.from(signed), { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes);
  }
  return false;
}

function decode(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidIdentityToken', 400, message);
}
