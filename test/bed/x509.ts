/** A writer of X.509 certificates (RFC 5280), just large enough for test authorities and servers: Node can read but not make them. */
import { createHash, createPublicKey, generateKeyPair, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);

export interface Certified {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface Subject {
  /** At most 64 characters: longer names belong in the alternative names. */
  readonly commonName: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
}

export type KeyType = 'rsa-2048' | 'p-256' | 'p-384';

export interface Validity {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface AuthorityOptions extends Validity {
  readonly subject: Subject;
  readonly keyType: KeyType;
}

export interface LeafOptions extends Validity {
  readonly subject: Subject;
  readonly keyType: KeyType;
  readonly dnsNames?: readonly string[];
  /** IPv4 only. */
  readonly ipAddresses?: readonly string[];
  readonly usage: 'server' | 'client';
}

export interface Authority extends Certified {
  /** A certificate for a server or a client, signed by this authority. */
  issue(options: LeafOptions): Promise<Certified>;
  /** An authority below this one, as RDS keeps them between its roots and its servers. */
  issueAuthority(options: AuthorityOptions): Promise<Authority>;
}

/** A root: signed by itself, basicConstraints CA. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const keys = await createKeys(options.keyType);
  const issuer = { subject: options.subject, key: keys.privateKey };
  return authority(options, keys, issuer);
}

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Issuer {
  readonly subject: Subject;
  readonly key: KeyObject;
}

async function createKeys(type: KeyType): Promise<Keys> {
  return type === 'rsa-2048'
    ? await generate('rsa', { modulusLength: 2048 })
    : await generate('ec', { namedCurve: type === 'p-256' ? 'prime256v1' : 'secp384r1' });
}

function authority(options: AuthorityOptions, keys: Keys, issuer: Issuer): Authority {
  const own: Issuer = { subject: options.subject, key: keys.privateKey };
  return {
    ...certify(
      options,
      keys,
      issuer,
      [
        extension(oids.basicConstraints, true, sequence(boolean(true))),
        extension(oids.keyUsage, true, bits(0b0000_0110, 1)),
      ],
      defaultYears.authority,
    ),
    async issue(leaf) {
      const names = [
        ...(leaf.dnsNames ?? []).map((name) => tagged(0x82, Buffer.from(name, 'ascii'))),
        ...(leaf.ipAddresses ?? []).map((address) => tagged(0x87, ipv4(address))),
      ];
      return certify(
        leaf,
        await createKeys(leaf.keyType),
        own,
        [
          extension(oids.basicConstraints, true, sequence()),
          extension(oids.keyUsage, true, bits(0b1010_0000, 5)),
          extension(oids.extendedKeyUsage, false, sequence(oid(oids[`${leaf.usage}Auth`]))),
          ...(names.length > 0 ? [extension(oids.subjectAltName, false, sequence(...names))] : []),
        ],
        defaultYears.leaf,
      );
    },
    async issueAuthority(below) {
      return authority(below, await createKeys(below.keyType), own);
    },
  };
}

const defaultYears = { authority: 35, leaf: 1 } as const;

function certify(
  options: { readonly subject: Subject } & Validity,
  keys: Keys,
  issuer: Issuer,
  extensions: readonly Buffer[],
  years: number,
): Certified {
  // An hour back, so that a clock a little behind still accepts it.
  const notBefore = options.notBefore ?? new Date(Date.now() - 3_600_000);
  const notAfter = options.notAfter ?? new Date(notBefore.getTime() + years * 365 * 86_400_000);
  const algorithm = signatureAlgorithm(issuer.key);
  const publicKey = createPublicKey(keys.privateKey).export({ type: 'spki', format: 'der' });
  const issuerKey = createPublicKey(issuer.key).export({ type: 'spki', format: 'der' });
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    name(issuer.subject),
    sequence(time(notBefore), time(notAfter)),
    name(options.subject),
    publicKey,
    tagged(
      0xa3,
      sequence(
        ...extensions,
        extension(oids.subjectKeyIdentifier, false, tagged(0x04, keyIdentifier(publicKey))),
        extension(oids.authorityKeyIdentifier, false, sequence(tagged(0x80, keyIdentifier(issuerKey)))),
      ),
    ),
  );
  const certificate = sequence(body, algorithm, bitString(sign('sha256', body, issuer.key)));
  return {
    certificatePem: pem('CERTIFICATE', certificate),
    keyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const;

function signatureAlgorithm(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa'
    ? sequence(oid(oids.sha256WithRsa), tagged(0x05, Buffer.alloc(0)))
    : sequence(oid(oids.ecdsaWithSha256));
}

function name(subject: Subject): Buffer {
  const parts: (readonly [string, string | undefined])[] = [
    [oids.organization, subject.organization],
    [oids.organizationalUnit, subject.organizationalUnit],
    [oids.commonName, subject.commonName],
  ];
  return sequence(
    ...parts.flatMap(([type, value]) =>
      value === undefined
        ? []
        : [tagged(0x31, sequence(oid(type), tagged(0x0c, Buffer.from(value, 'utf8'))))],
    ),
  );
}

function keyIdentifier(spki: Buffer): Buffer {
  return createHash('sha1').update(spki).digest();
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? tagged(0x17, Buffer.from(digits.slice(2), 'ascii'))
    : tagged(0x18, Buffer.from(digits, 'ascii'));
}

function ipv4(address: string): Buffer {
  if (!isIPv4(address)) throw new Error(`not an IPv4 address: ${address}`);
  return Buffer.from(address.split('.').map(Number));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), tagged(0x04, value));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}

/** The bytes of a positive number whose first bit is 0. */
function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
}

/** A bit string of one byte, of which the last `unused` bits do not count. */
function bits(byte: number, unused: number): Buffer {
  return tagged(0x03, Buffer.from([unused, byte]));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

function tagged(tag: number, content: Buffer): Buffer {
  const length = content.length;
  const header =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...header]), content]);
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
