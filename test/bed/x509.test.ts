import { X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createAuthority } from './x509.ts';
import type { KeyType } from './x509.ts';

describe('certificates made for tests', () => {
  it.each<KeyType>(['rsa-2048', 'p-256', 'p-384'])(
    'a %s root signs itself and is an authority',
    async (keyType) => {
      const root = await createAuthority({ subject: { commonName: 'Root', organization: 'Tests' }, keyType });
      const read = new X509Certificate(root.certificatePem);
      expect(read.ca).toBe(true);
      expect(read.verify(read.publicKey)).toBe(true);
      expect(read.checkIssued(read)).toBe(true);
      expect(read.subject).toBe('O=Tests\nCN=Root');
      expect(read.validToDate.getUTCFullYear()).toBeGreaterThanOrEqual(2050);
    },
  );

  it('a server certificate below an intermediate is accepted by a client that trusts the root only', async () => {
    const root = await createAuthority({ subject: { commonName: 'Root' }, keyType: 'rsa-2048' });
    const middle = await root.issueAuthority({ subject: { commonName: 'Middle' }, keyType: 'rsa-2048' });
    const leaf = await middle.issue({
      subject: { commonName: 'db' },
      keyType: 'rsa-2048',
      dnsNames: ['db.example.test'],
      ipAddresses: ['127.0.0.1'],
      usage: 'server',
    });
    expect(new X509Certificate(leaf.certificatePem).ca).toBe(false);
    expect(new X509Certificate(leaf.certificatePem).checkIP('127.0.0.1')).toBe('127.0.0.1');

    const server = createServer({ cert: leaf.certificatePem + middle.certificatePem, key: leaf.keyPem });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const outcome = (servername: string, ca: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect({ host: '127.0.0.1', port, servername, ca }, () => {
          socket.end();
          resolve('accepted');
        });
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      });
    const other = await createAuthority({ subject: { commonName: 'Root' }, keyType: 'rsa-2048' });
    try {
      expect(await outcome('db.example.test', root.certificatePem)).toBe('accepted');
      expect(await outcome('other.example.test', root.certificatePem)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
      expect(await outcome('db.example.test', other.certificatePem)).not.toBe('accepted');
    } finally {
      server.close();
    }
  });

  it('a certificate can be made that has expired', async () => {
    const root = await createAuthority({
      subject: { commonName: 'Old' },
      keyType: 'p-256',
      notBefore: new Date('2020-01-01T00:00:00Z'),
      notAfter: new Date('2021-01-01T00:00:00Z'),
    });
    expect(new X509Certificate(root.certificatePem).validToDate).toEqual(new Date('2021-01-01T00:00:00Z'));
  });
});
