// Which addresses may be dialled at all: never this machine itself, never a link-local or metadata service.
import { BlockList, isIP, isIPv6 } from 'node:net';
import { Failure } from '../../kernel/failure.ts';

/** Names that lead to this machine or to the metadata service of a node wherever they are known. */
const refusedNames = new Set([
  'localhost',
  'localhost.localdomain',
  'ip6-localhost',
  'ip6-loopback',
  'instance-data',
  'instance-data.ec2.internal',
]);

const refused = new BlockList();
refused.addSubnet('0.0.0.0', 8, 'ipv4');
refused.addSubnet('127.0.0.0', 8, 'ipv4');
refused.addSubnet('169.254.0.0', 16, 'ipv4');
refused.addSubnet('224.0.0.0', 3, 'ipv4');
// Unspecified, loopback and the IPv4-compatible form.
refused.addSubnet('::', 96, 'ipv6');
refused.addSubnet('fe80::', 10, 'ipv6');
refused.addSubnet('ff00::', 8, 'ipv6');
// The link-local services of EC2 under IPv6: metadata, DNS, time, Pod Identity.
refused.addSubnet('fd00:ec2::', 32, 'ipv6');

/**
 * A Failure when `host` (a name or an address in any notation that resolvers take) must not be dialled. What a name
 * resolves to is for the dialler to check, with this same function.
 */
export function checkAddress(host: string, options: { readonly allowLocal: boolean }): Failure | undefined {
  if (options.allowLocal) return undefined;
  return mayBeDialled(host) ? undefined : addressRefused;
}

const addressRefused = new Failure(
  'invalid',
  'AddressRefused',
  "The address to dial is loopback, link-local or a metadata service; name the database's own host.",
);

function mayBeDialled(host: string): boolean {
  const name = host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (refusedNames.has(name) || name.endsWith('.localhost')) return false;
  if (isIPv6(name)) {
    const inner = innerIPv4(name);
    return !refused.check(name, 'ipv6') && (inner === undefined || !refused.check(inner, 'ipv4'));
  }
  // URL parsing brings 2130706433, 0x7f.1 and 127.1 to dotted form, as getaddrinfo would.
  const canonical = URL.parse(`http://${name}/`)?.hostname;
  if (canonical === undefined) return false;
  return isIP(canonical) === 4 ? !refused.check(canonical, 'ipv4') : !refusedNames.has(canonical);
}

/** The IPv4 address that an IPv4-mapped (::ffff:0:0/96) or NAT64 (64:ff9b::/96) address leads to. */
function innerIPv4(address: string): string | undefined {
  const canonical = URL.parse(`http://[${address}]/`)?.hostname ?? '';
  const words = /^\[(?:::ffff|64:ff9b:):([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(canonical)?.slice(1);
  return words
    ?.map((word) => Number.parseInt(word, 16))
    .map((word) => `${word >> 8}.${word & 0xff}`)
    .join('.');
}
