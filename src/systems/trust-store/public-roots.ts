// The public roots of Amazon, which certificates of RDS Proxies chain to: out of those that Node brings with it.
import { X509Certificate } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { publicRootNames } from '../../resources/trust-bundle/roots.ts';

/**
 * PEM. Node's own, and those of NODE_EXTRA_CA_CERTS that bear one of the names: no network is asked, and none of what the
 * operating system trusts is taken.
 */
export function publicRoots(): string {
  found ??= [...getCACertificates('bundled'), ...getCACertificates('extra')].filter(isPublicRoot).join('\n');
  return found;
}

let found: string | undefined;

function isPublicRoot(pem: string): boolean {
  const [, commonName = ''] = /^CN=(.*)$/m.exec(new X509Certificate(pem).subject) ?? [];
  return publicRootNames.has(commonName);
}
