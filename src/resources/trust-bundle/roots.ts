// Reads, judges and unites the certificate authorities of a region.
import { X509Certificate } from 'node:crypto';
import { Failure } from '../../kernel/failure.ts';

export interface Root {
  /** Written anew from the certificate itself, so that nothing else of what was read is passed on. */
  readonly pem: string;
  readonly commonName: string;
  /** SHA-256 in hexadecimal. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/** Stands where a region does for the roots of Amazon Trust Services, which proxies' certificates chain to. */
export const publicRegion = 'public';

/** The roots that Amazon names for RDS Proxy: Amazon Root CA 1 to 4, and the older one that they are signed by too. */
export const publicRootNames: ReadonlySet<string> = new Set([
  'Amazon Root CA 1',
  'Amazon Root CA 2',
  'Amazon Root CA 3',
  'Amazon Root CA 4',
  'Starfield Services Root Certificate Authority - G2',
]);

/** A region's bundle is about 5 KB; this leaves room for many more roots and none for an endless answer. */
export const maxBundleBytes = 64 * 1024;

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The roots in a bundle that came from outside, or a Failure (BundleInvalid) that names the rule it breaks: every block
 * parses, is a valid root of this region at `now` (milliseconds since 1970), and there is at least one.
 */
export function parseRoots(
  text: string,
  of: { readonly region: string; readonly now: number },
): readonly Root[] | Failure {
  if (text.length > maxBundleBytes) {
    return invalid(of.region, `it is larger than ${maxBundleBytes / 1024} KB`);
  }
  if (text.replaceAll(block, '').trim() !== '') {
    return invalid(
      of.region,
      'it holds something else than whole certificates (is it cut off, or a web page?)',
    );
  }
  const roots: Root[] = [];
  for (const [pem] of text.matchAll(block)) {
    const read = readRoot(pem, of);
    if ('breaks' in read) return invalid(of.region, read.breaks);
    roots.push(read);
  }
  return roots.length === 0 ? invalid(of.region, 'it holds no certificate') : uniteRoots([], roots, of.now);
}

/** The roots of a region that still stand in a text that people may have edited; all else in it is passed over. */
export function rootsWithin(
  text: string,
  of: { readonly region: string; readonly now: number },
): readonly Root[] {
  const read = [...text.slice(0, maxBundleBytes).matchAll(block)].map(([pem]) => readRoot(pem, of));
  return read.flatMap((root) => ('breaks' in root ? [] : [root]));
}

/** What is in either, each once, without what has expired by `now`; always in the same order. */
export function uniteRoots(old: readonly Root[], fresh: readonly Root[], now: number): readonly Root[] {
  const byFingerprint = new Map([...old, ...fresh].map((root) => [root.fingerprint, root]));
  return [...byFingerprint.values()]
    .filter((root) => root.notAfter > now)
    .toSorted((a, b) => compare(a.commonName, b.commonName) || compare(a.fingerprint, b.fingerprint));
}

export function writeRoots(roots: readonly Root[]): string {
  return roots.map((root) => root.pem).join('');
}

/**
 * What a fetched bundle becomes: validated, and united with the last good one, so that it never shrinks before its roots
 * expire.
 */
export function acceptBundle(
  fetched: string,
  lastGood: string | undefined,
  of: { readonly region: string; readonly now: number },
): string | Failure {
  const fresh = parseRoots(fetched, of);
  if (fresh instanceof Failure) return fresh;
  return writeRoots(uniteRoots(rootsWithin(lastGood ?? '', of), fresh, of.now));
}

function readRoot(
  pem: string,
  { region, now }: { readonly region: string; readonly now: number },
): Root | { readonly breaks: string } {
  const read = readCertificate(pem);
  if (read === undefined) return { breaks: 'a certificate in it cannot be read' };
  const { certificate, signedByItself } = read;
  if (!certificate.ca) return { breaks: 'a certificate in it is no authority' };
  if (!signedByItself) {
    return { breaks: 'a certificate in it is not signed by itself' };
  }
  if (certificate.validFromDate.getTime() > now || certificate.validToDate.getTime() <= now) {
    return { breaks: 'a certificate in it is not valid today' };
  }
  const names = certificate.subject.split('\n').filter((line) => line.startsWith('CN='));
  const [commonName] = names.map((line) => line.slice('CN='.length));
  if (names.length !== 1 || commonName === undefined || !isNamedFor(region, commonName)) {
    return {
      breaks:
        region === publicRegion
          ? 'a certificate in it is none of the public roots of Amazon'
          : `a certificate in it is not named Amazon RDS ${region} Root CA`,
    };
  }
  return {
    pem: certificate.toString().replace(/\n*$/, '\n'),
    commonName,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: certificate.validToDate.getTime(),
  };
}

const isNamedFor = (region: string, commonName: string) =>
  region === publicRegion
    ? publicRootNames.has(commonName)
    : commonName.startsWith(`Amazon RDS ${region} Root CA`);

function readCertificate(
  pem: string,
): { readonly certificate: X509Certificate; readonly signedByItself: boolean } | undefined {
  try {
    const certificate = new X509Certificate(pem);
    // The key is read only here, and may be broken where the certificate around it is not.
    const signedByItself =
      certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);
    return { certificate, signedByItself };
  } catch {
    return undefined;
  }
}

function invalid(region: string, because: string): Failure {
  return new Failure(
    'unavailable',
    'BundleInvalid',
    `The certificate bundle of ${region} was refused: ${because}.`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
