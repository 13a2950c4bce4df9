/** The files a kube-apiserver starts with: certificate, tokens, signing key, audit policy. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority } from './x509.ts';

export interface KubeFiles {
  readonly caPem: string;
  readonly certificate: string;
  readonly key: string;
  readonly tokens: string;
  readonly signingKey: string;
  readonly signingPublicKeyPem: string;
  readonly auditPolicy: string;
}

export async function writeKubeFiles(folder: string, adminToken: string): Promise<KubeFiles> {
  const authority = await createAuthority({ subject: { commonName: 'bed-kubernetes-ca' }, keyType: 'p-256' });
  const serving = await authority.issue({
    subject: { commonName: 'kube-apiserver' },
    keyType: 'p-256',
    dnsNames: ['localhost', 'kubernetes.default.svc'],
    ipAddresses: ['127.0.0.1'],
    usage: 'server',
  });
  const signing = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pki = join(folder, 'pki');
  await mkdir(pki, { mode: 0o700 });
  const put = async (name: string, content: string): Promise<string> => {
    const path = join(pki, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  return {
    caPem: authority.certificatePem,
    certificate: await put('server.pem', serving.certificatePem),
    key: await put('server.key', serving.keyPem),
    tokens: await put('tokens.csv', `${adminToken},bed-admin,bed-admin,"system:masters"\n`),
    signingKey: await put(
      'service-accounts.key',
      signing.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ),
    signingPublicKeyPem: signing.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    auditPolicy: await put(
      'audit-policy.yaml',
      JSON.stringify({
        apiVersion: 'audit.k8s.io/v1',
        kind: 'Policy',
        omitStages: ['RequestReceived'],
        rules: [{ level: 'Metadata' }],
      }),
    ),
  };
}
