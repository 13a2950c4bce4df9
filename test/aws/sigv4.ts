// Verifies AWS Signature Version 4 in the Authorization header, by computing it again with the stored secret.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AwsError } from './errors.ts';

interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface SigningSecret {
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiresAt?: Date;
}

interface VerifiedSignature {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

/** How far a request's clock may be off; AWS's query services allow five minutes. */
const allowedSkewMs = 5 * 60_000;

/** Whose request it is, or the AwsError that AWS would answer with. */
export function verifySignature(
  request: SignedRequest,
  lookup: (accessKeyId: string) => SigningSecret | undefined,
  now: number,
): VerifiedSignature {
  const header = request.headers.authorization;
  if (header === undefined) {
    throw new AwsError('MissingAuthenticationToken', 403, 'Request is missing Authentication Token');
  }
  const { accessKeyId, scope, signedHeaders, signature } = parseAuthorization(header);
  const [date = '', region = '', service = '', terminator] = scope;
  const time = text(request.headers['x-amz-date']);
  const names = signedHeaders.split(';');
  if (terminator !== 'aws4_request' || !time.startsWith(date) || !names.includes('host')) throw incomplete();

  const secret = lookup(accessKeyId);
  const token = request.headers['x-amz-security-token'];
  if (secret === undefined || secret.sessionToken !== token) {
    throw new AwsError('InvalidClientTokenId', 403, 'The security token included in the request is invalid.');
  }
  // A token that is not signed could be exchanged on the way.
  if (token !== undefined && !names.includes('x-amz-security-token')) throw incomplete();
  if (secret.expiresAt !== undefined && secret.expiresAt.getTime() <= now) {
    throw new AwsError('ExpiredToken', 403, 'The security token included in the request is expired');
  }

  const expected = signatureOf({
    secretAccessKey: secret.secretAccessKey,
    date,
    region,
    service,
    time,
    canonicalRequest: canonicalRequest(request, names),
  });
  if (!equal(expected, signature)) {
    throw new AwsError(
      'SignatureDoesNotMatch',
      403,
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
  checkTime(time, now);
  return { accessKeyId, region, service };
}

/** The hexadecimal signature of a canonical request; `time` as in X-Amz-Date. */
function signatureOf(of: {
  secretAccessKey: string;
  date: string;
  region: string;
  service: string;
  time: string;
  canonicalRequest: string;
}): string {
  const scope = [of.date, of.region, of.service, 'aws4_request'];
  const toSign = ['AWS4-HMAC-SHA256', of.time, scope.join('/'), sha256(of.canonicalRequest)].join('\n');
  let key: string | Buffer = `AWS4${of.secretAccessKey}`;
  for (const part of scope) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(toSign).digest('hex');
}

function parseAuthorization(header: string): {
  accessKeyId: string;
  scope: readonly string[];
  signedHeaders: string;
  signature: string;
} {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  const [, accessKeyId, scope, signedHeaders, signature] = match ?? [];
  if (
    accessKeyId === undefined ||
    scope === undefined ||
    signedHeaders === undefined ||
    signature === undefined
  ) {
    throw incomplete();
  }
  return { accessKeyId, scope: scope.split('/'), signedHeaders, signature };
}

function incomplete(): AwsError {
  return new AwsError(
    'IncompleteSignature',
    403,
    "Authorization header requires 'Credential', 'Signature', 'SignedHeaders' with host, and 'X-Amz-Date' of the scope's date.",
  );
}

function canonicalRequest(request: SignedRequest, names: readonly string[]): string {
  const [path = '/', query = ''] = request.url.split('?');
  const headers = names.map((name) => `${name}:${text(request.headers[name]).trim().replace(/ +/g, ' ')}\n`);
  const sortedQuery = query === '' ? '' : query.split('&').toSorted().join('&');
  return [
    request.method,
    // Encoded once more than it was sent, as all services but S3 have it.
    path.split('/').map(encodeURIComponent).join('/'),
    sortedQuery,
    headers.join(''),
    names.join(';'),
    // Never the hash that the client claims: that one would let a changed body pass.
    sha256(request.body),
  ].join('\n');
}

function checkTime(time: string, now: number): void {
  const iso = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const at = Date.parse(iso);
  if (!(Math.abs(now - at) <= allowedSkewMs)) {
    const nowText = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
    throw new AwsError(
      'SignatureDoesNotMatch',
      403,
      at < now
        ? `Signature expired: ${time} is now earlier than ${nowText} - 5 min.`
        : `Signature not yet current: ${time} is still later than ${nowText} + 5 min.`,
    );
  }
}

function text(header: string | readonly string[] | undefined): string {
  return header === undefined ? '' : typeof header === 'string' ? header : header.join(',');
}

function sha256(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
