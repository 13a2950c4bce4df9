import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRdsTrust } from './rds-trust.ts';
import type { RdsTrust } from './rds-trust.ts';
import { startTrustStore } from './trust-store.ts';
import type { TrustStore } from './trust-store.ts';

const region = 'ap-northeast-2';

const certificates = (text: string) =>
  [...text.matchAll(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g)].map(
    ([pem]) => new X509Certificate(pem),
  );

describe('the trust store of the bed', () => {
  let current: RdsTrust;
  let other: RdsTrust;
  let store: TrustStore;

  beforeAll(async () => {
    const past = { notBefore: new Date('2015-01-01T00:00:00Z'), notAfter: new Date('2020-01-01T00:00:00Z') };
    const [first, second, next, expired] = await Promise.all([
      createRdsTrust(region),
      createRdsTrust('us-east-1'),
      createRdsTrust(region, 2),
      createRdsTrust(region, 1, past),
    ]);
    current = first;
    other = second;
    store = await startTrustStore({
      current: [first, second],
      next: [next],
      expired: [expired],
      slowMs: 200,
    });
  });
  afterAll(() => store.stop());

  const bundle = async (path = `/${region}/${region}-bundle.pem`) => {
    const response = await fetch(store.url + path);
    return { status: response.status, text: await response.text() };
  };
  it("serves the region's three roots, named as RDS names them", async () => {
    store.setMode('ok');
    const roots = certificates((await bundle()).text);
    expect(roots.map((root) => /CN=(.*)/.exec(root.subject)?.[1])).toEqual([
      'Amazon RDS ap-northeast-2 Root CA RSA2048 G1',
      'Amazon RDS ap-northeast-2 Root CA RSA4096 G1',
      'Amazon RDS ap-northeast-2 Root CA ECC384 G1',
    ]);
    expect(
      roots.every((root) => root.ca && root.verify(root.publicKey) && root.validToDate > new Date()),
    ).toBe(true);
  });

  it('serves every region in the global bundle, and no region it does not have', async () => {
    const everywhere = await bundle('/global/global-bundle.pem');
    expect(everywhere.text).toBe([...current.roots, ...other.roots].join(''));
    expect((await bundle('/eu-west-1/eu-west-1-bundle.pem')).status).toBe(404);
    expect(store.requests.at(-1)).toBe('/eu-west-1/eu-west-1-bundle.pem');
  });

  it('can be truncated: the last certificate does not end', async () => {
    store.setMode('truncated');
    const { status, text } = await bundle();
    expect(status).toBe(200);
    expect(certificates(text)).toHaveLength(2);
    expect(text.match(/BEGIN/g)).toHaveLength(3);
  });

  it('can be the page of a captive portal', async () => {
    store.setMode('html');
    expect(await bundle()).toMatchObject({ status: 200, text: expect.stringContaining('<html>') });
  });

  it('can be expired', async () => {
    store.setMode('expired');
    const roots = certificates((await bundle()).text);
    expect(roots).toHaveLength(3);
    expect(roots.every((root) => root.validToDate < new Date())).toBe(true);
  });

  it('can be rotated: other roots, of the next generation', async () => {
    store.setMode('rotated');
    const roots = certificates((await bundle()).text);
    expect(roots.map((root) => root.subject)).toEqual(
      expect.arrayContaining([expect.stringMatching(/RSA2048 G2$/)]),
    );
    expect(roots.map((root) => root.fingerprint256)).not.toContain(
      new X509Certificate(current.roots[0] ?? '').fingerprint256,
    );
  });

  it('can be missing, slow or down', async () => {
    store.setMode('missing');
    expect((await bundle()).status).toBe(404);
    store.setMode('slow');
    const before = performance.now();
    expect((await bundle()).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(190);
    store.setMode('down');
    await expect(bundle()).rejects.toThrow('fetch failed');
  });
});
