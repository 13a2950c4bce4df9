/** The certificate authorities of an RDS region, as far as tests need them: three roots, one issuing authority, server certificates. */
import { createAuthority } from './x509.ts';
import type { Certified, KeyType, Validity } from './x509.ts';

export interface RdsTrust {
  readonly region: string;
  /** PEM, one certificate each: what the region's bundle consists of. */
  readonly roots: readonly string[];
  /** A server's certificate for these names, followed by the issuing authority's, as RDS servers send them. */
  issue(names: readonly string[], validity?: Validity): Promise<Certified>;
}

/**
 * Generation 2 is what a rotation of the roots brings. RDS's roots are called RSA2048, RSA4096 and ECC384; the second
 * has a shorter key here, as 4,096 bits take a second to find and nobody looks at its size.
 */
export async function createRdsTrust(
  region: string,
  generation = 1,
  validity: Validity = {},
): Promise<RdsTrust> {
  const root = (algorithm: string, keyType: KeyType) =>
    createAuthority({
      ...validity,
      subject: subject(`${region} Root CA ${algorithm} G${generation}`),
      keyType,
    });
  const [first, ...others] = await Promise.all([
    root('RSA2048', 'rsa-2048'),
    root('RSA4096', 'rsa-2048'),
    root('ECC384', 'p-384'),
  ]);
  const issuing = await first.issueAuthority({
    ...validity,
    subject: subject(`${region} Subordinate CA RSA2048 G${generation}.A.1`),
    keyType: 'rsa-2048',
  });
  return {
    region,
    roots: [first, ...others].map((authority) => authority.certificatePem),
    async issue(names, leafValidity = {}) {
      const leaf = await issuing.issue({
        ...leafValidity,
        // A name may hold 64 characters; an Aurora endpoint is longer and stands in the alternative names only.
        subject: { ...subject(''), commonName: (names[0] ?? 'unnamed').slice(0, 64) },
        keyType: 'rsa-2048',
        dnsNames: names,
        usage: 'server',
      });
      return { ...leaf, certificatePem: leaf.certificatePem + issuing.certificatePem };
    },
  };
}

function subject(name: string) {
  return {
    commonName: `Amazon RDS ${name}`,
    organization: 'Amazon Web Services, Inc.',
    organizationalUnit: 'Amazon RDS',
  };
}
