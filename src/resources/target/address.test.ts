import { describe, expect, it } from 'vitest';
import { checkAddress } from './address.ts';

const refused = [
  ['localhost', 'LOCALHOST', 'localhost.', 'db.localhost', 'ip6-localhost', 'localhost.localdomain'],
  ['127.0.0.1', '127.1', '127.8.9.10', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '127.0.0.1.'],
  ['0.0.0.0', '0', '0.1.2.3'],
  ['169.254.169.254', '169.254.170.2', '0xa9fea9fe', '2852039166', '169.254.0.1'],
  ['instance-data', 'instance-data.ec2.internal'],
  ['224.0.0.1', '255.255.255.255'],
  ['::1', '[::1]', '::', '0:0:0:0:0:0:0:1', '::127.0.0.1'],
  ['fd00:ec2::254', 'FD00:EC2::254', 'fd00:ec2::23', 'fe80::1', 'fe80::1%eth0', 'ff02::1'],
  ['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.169.254', '[::ffff:a9fe:a9fe]'],
  ['64:ff9b::7f00:1', '64:ff9b::169.254.169.254'],
  // What a resolver may take for such a name.
  ['ｌｏｃａｌｈｏｓｔ', 'instance－data'],
  // The edges of what is refused.
  ['0.255.255.255', '127.255.255.255', '169.254.255.255', '224.0.0.0', 'febf:ffff::1', 'ff00::', 'ffff::1'],
  ['64:ff9b::ffff:ffff', '::ffff:0:0', '::ffff:0', 'fd00:ec2:ffff::1', 'fe80::1%25eth0', '[fe80::1%eth0]'],
  ['', '.', '[]', '999.1.1.1', '1.2.3.4.5', 'a b'],
].flat();
const dialled = [
  'orders-prod.cluster-cabcdefghijk.ap-northeast-2.rds.amazonaws.com',
  'db.internal',
  'pgbouncer.platform.svc.cluster.local',
  'localhost.example.com',
  'notlocalhost',
  '10.0.12.7',
  '172.16.0.1',
  '192.168.1.1',
  '128.0.0.1',
  '169.253.255.255',
  'fd12:3456::1',
  '2001:db8::1',
  '::ffff:10.0.0.1',
  '64:ff9b::10.0.0.1',
  '[2001:db8::1]',
  '2001:db8::1%eth0',
  // Next to what is refused.
  '1.0.0.1',
  '126.255.255.255',
  '169.255.0.1',
  '223.255.255.255',
  'fe7f::1',
  'fec0::1',
  'fd00:ec1::254',
  'fd00:ec3::254',
  '1::',
  '2001:db8::7f00:1',
  '64:ff9a::7f00:1',
  '64:ff9b::80ff:1',
  'orders.example.com.',
];

describe('an address to dial', () => {
  it.each(refused)('%j is refused', (host) => {
    expect(checkAddress(host, { allowLocal: false })).toMatchObject({
      kind: 'invalid',
      reason: 'AddressRefused',
    });
  });

  it.each(dialled)('%j may be dialled', (host) => {
    expect(checkAddress(host, { allowLocal: false })).toBeUndefined();
  });

  it.each(['localhost', '127.0.0.1', '169.254.169.254', '::1'])(
    '%j may be dialled where local addresses are allowed',
    (host) => {
      expect(checkAddress(host, { allowLocal: true })).toBeUndefined();
    },
  );

  it('is not repeated in the message', () => {
    expect(checkAddress('169.254.169.254', { allowLocal: false })?.message).not.toContain('169.254');
  });

  it('that is refused is told with what to do instead', () => {
    expect(checkAddress('localhost', { allowLocal: false })?.message).toBe(
      "The address to dial is loopback, link-local or a metadata service; name the database's own host.",
    );
  });
});
