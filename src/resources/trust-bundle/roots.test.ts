import { X509Certificate } from 'node:crypto';
import { assert, integer, property, subarray } from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRdsTrust, type RdsTrust } from '../../../test/bed/rds-trust.ts';
import { type Authority, createAuthority } from '../../../test/bed/x509.ts';
import { Failure } from '../../kernel/failure.ts';
import { acceptBundle, maxBundleBytes, parseRoots, type Root, rootsWithin, uniteRoots } from './roots.ts';

const region = 'ap-northeast-2';
const now = Date.now();
const of = { region, now };
const day = 86_400_000;

function roots(text: string, at = of): readonly Root[] {
  const read = parseRoots(text, at);
  if (read instanceof Failure) throw read;
  return read;
}
const fingerprints = (some: readonly Root[]): readonly string[] => some.map((root) => root.fingerprint);

let trust: RdsTrust;
let next: RdsTrust;
let bundle: string;
beforeAll(async () => {
  [trust, next] = await Promise.all([createRdsTrust(region), createRdsTrust(region, 2)]);
  bundle = trust.roots.join('');
}, 30_000);

describe("a region's bundle", () => {
  it('is read as its roots, each once and in one order whatever the order they came in', () => {
    const read = roots(bundle);
    expect(read.map((root) => root.commonName)).toEqual([
      'Amazon RDS ap-northeast-2 Root CA ECC384 G1',
      'Amazon RDS ap-northeast-2 Root CA RSA2048 G1',
      'Amazon RDS ap-northeast-2 Root CA RSA4096 G1',
    ]);
    expect(roots(`${trust.roots.toReversed().join('\r\n')}\n${bundle}`)).toEqual(read);
  });

  it('is passed on as certificates only, readable again', () => {
    const text = acceptBundle(`\n\n${bundle}\n`, undefined, of);
    if (text instanceof Failure) throw text;
    expect(fingerprints(roots(text))).toEqual(fingerprints(roots(bundle)));
    expect(text.startsWith('-----BEGIN CERTIFICATE-----\n')).toBe(true);
    expect(text.endsWith('-----END CERTIFICATE-----\n')).toBe(true);
  });

  const refused: readonly (readonly [string, () => string | Promise<string>, RegExp])[] = [
    ['is empty', () => '', /no certificate/],
    ['is a web page', () => '<!DOCTYPE html><html></html>', /web page/],
    ['has a page appended', () => `${bundle}<html>`, /something else/],
    ['is cut off', () => bundle.slice(0, -300), /cut off/],
    ['is endless', () => bundle + ' '.repeat(maxBundleBytes), /larger than 64 KB/],
    [
      'is of another region',
      async () => (await createRdsTrust('us-east-1')).roots.join(''),
      /not named Amazon RDS ap-northeast-2/,
    ],
    [
      'is of a region that begins alike',
      async () => (await createRdsTrust('ap-northeast-21')).roots.join(''),
      /not named/,
    ],
    [
      'holds a key',
      async () => bundle + (await rootNamed(`Amazon RDS ${region} Root CA X`)).keyPem,
      /something else/,
    ],
    [
      'holds a root of somebody else',
      async () => bundle + (await rootNamed('Example Root CA')).certificatePem,
      /not named/,
    ],
    [
      'holds a root that only contains the name',
      async () => bundle + (await rootNamed(`Evil Amazon RDS ${region} Root CA`)).certificatePem,
      /not named/,
    ],
    ['holds a root with the name in another field', async () => bundle + (await hiddenName()), /not named/],
    [
      'holds an intermediate',
      async () => bundle + (await intermediate()).certificatePem,
      /not signed by itself/,
    ],
    ['holds a server certificate', async () => bundle + (await serverCertificate()), /no authority/],
    [
      'holds a root that has expired',
      async () => bundle + (await rootNamed(`Amazon RDS ${region} Root CA Old`, -2, -1)).certificatePem,
      /not valid today/,
    ],
    [
      'holds a root that is not valid yet',
      async () => bundle + (await rootNamed(`Amazon RDS ${region} Root CA New`, 1, 9)).certificatePem,
      /not valid today/,
    ],
  ];
  it.each(refused)('is refused when it %s', async (_, make, message) => {
    const read = parseRoots(await make(), of);
    expect(read).toBeInstanceOf(Failure);
    expect(read).toMatchObject({
      reason: 'BundleInvalid',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('is refused when a name is claimed with a signature of another key', async () => {
    const name = `Amazon RDS ${region} Root CA RSA2048 G1`;
    const forger = await rootNamed(name);
    const forged = await forger.issueAuthority({ subject: { commonName: name }, keyType: 'p-256' });
    expect(new X509Certificate(forged.certificatePem).subject).toBe(
      new X509Certificate(forged.certificatePem).issuer,
    );
    expect(parseRoots(forged.certificatePem, of)).toMatchObject({ reason: 'BundleInvalid' });
  });

  it('is refused wherever it is cut, except between two certificates, where nothing can tell', () => {
    const whole = fingerprints(roots(bundle));
    const ends = new Set(
      [...bundle.matchAll(/-----END CERTIFICATE-----\n?/g)].flatMap(({ index, 0: text }) => [
        index + text.trimEnd().length,
        index + text.length,
      ]),
    );
    assert(
      property(integer({ min: 0, max: bundle.length - 1 }), (length) => {
        const read = parseRoots(bundle.slice(0, length), of);
        const complete = !(read instanceof Failure);
        expect(complete).toBe(ends.has(length));
        expect(whole).toEqual(expect.arrayContaining(complete ? [...fingerprints(read)] : []));
      }),
      { numRuns: 300 },
    );
  });

  it('is refused or the same whichever character is exchanged', () => {
    const whole = fingerprints(roots(bundle));
    assert(
      property(integer({ min: 0, max: bundle.length - 1 }), integer({ min: 1, max: 127 }), (place, code) => {
        const changed = bundle.slice(0, place) + String.fromCodePoint(code) + bundle.slice(place + 1);
        const read = parseRoots(changed, of);
        expect(read instanceof Failure ? whole : fingerprints(read)).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });
});

describe('old and new roots', () => {
  it('are united: each once, the order always the same', () => {
    const [a, b] = [roots(bundle), roots(next.roots.join(''))];
    const united = uniteRoots(a, b, now);
    expect(united).toHaveLength(6);
    expect(uniteRoots(b, a, now)).toEqual(united);
    expect(uniteRoots(united, b, now)).toEqual(united);
  });

  it('lose what has expired, and nothing else', async () => {
    const soon = await rootNamed(`Amazon RDS ${region} Root CA Soon`, -1, 2);
    const old = roots(bundle + soon.certificatePem);
    expect(old).toHaveLength(4);
    expect(uniteRoots(old, [], now + day)).toHaveLength(4);
    expect(fingerprints(uniteRoots(old, [], now + 3 * day))).toEqual(fingerprints(roots(bundle)));
  });

  it('make a bundle that never shrinks, whatever valid part of it comes next', () => {
    const all = [...trust.roots, ...next.roots];
    assert(
      property(subarray(all, { minLength: 1 }), subarray(all, { minLength: 1 }), (first, second) => {
        const before = acceptBundle(first.join(''), undefined, of);
        if (before instanceof Failure) throw before;
        const after = acceptBundle(second.join(''), before, of);
        if (after instanceof Failure) throw after;
        expect(fingerprints(roots(after))).toEqual(
          expect.arrayContaining([...fingerprints(roots(before)), ...fingerprints(roots(second.join('')))]),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('are found in a text that somebody has edited', async () => {
    const foreign = await rootNamed('Example Root CA');
    const text = `# mine\n${bundle}${foreign.certificatePem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`;
    expect(fingerprints(rootsWithin(text, of)).toSorted()).toEqual(fingerprints(roots(bundle)).toSorted());
    expect(rootsWithin('', of)).toEqual([]);
  });
});

async function rootNamed(commonName: string, fromDays = -1, toDays = 3650): Promise<Authority> {
  return await createAuthority({
    subject: { commonName },
    keyType: 'p-256',
    notBefore: new Date(now + fromDays * day),
    notAfter: new Date(now + toDays * day),
  });
}

async function hiddenName(): Promise<string> {
  const organization = `Example\nCN=Amazon RDS ${region} Root CA`;
  const root = await createAuthority({
    subject: { commonName: 'Example Root CA', organization },
    keyType: 'p-256',
  });
  return root.certificatePem;
}

async function intermediate(): Promise<Authority> {
  const root = await rootNamed(`Amazon RDS ${region} Root CA X`);
  return await root.issueAuthority({
    subject: { commonName: `Amazon RDS ${region} Root CA Subordinate` },
    keyType: 'p-256',
  });
}

async function serverCertificate(): Promise<string> {
  const root = await rootNamed(`Amazon RDS ${region} Root CA X`);
  const leaf = await root.issue({
    subject: { commonName: `Amazon RDS ${region} Root CA` },
    keyType: 'p-256',
    usage: 'server',
  });
  return leaf.certificatePem;
}
