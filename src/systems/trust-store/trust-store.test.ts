import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRdsTrust, type RdsTrust } from '../../../test/bed/rds-trust.ts';
import { startTrustStore, type TrustStore as StandIn } from '../../../test/bed/trust-store.ts';
import { Failure } from '../../kernel/failure.ts';
import { acceptBundle, maxBundleBytes } from '../../resources/trust-bundle/roots.ts';
import { trustStore, type TrustStore, type TrustStoreOptions } from './trust-store.ts';

const region = 'ap-northeast-2';
const day = 86_400_000;
const { signal } = new AbortController();
const untilTrue = (ask: () => boolean | Promise<boolean>) => vi.waitUntil(ask, { timeout: 10_000 });

let trusts: { current: RdsTrust; next: RdsTrust; expired: RdsTrust };
beforeAll(async () => {
  const past = { notBefore: new Date('2015-01-01T00:00:00Z'), notAfter: new Date('2020-01-01T00:00:00Z') };
  const [current, next, expired] = await Promise.all([
    createRdsTrust(region),
    createRdsTrust(region, 2),
    createRdsTrust(region, 1, past),
  ]);
  trusts = { current, next, expired };
}, 30_000);

let standIn: StandIn;
let clock: number;
let stale: Failure[];
beforeEach(async () => {
  clock = Date.now();
  stale = [];
  standIn = await startTrustStore({
    current: [trusts.current],
    next: [trusts.next],
    expired: [trusts.expired],
  });
});
afterEach(async () => {
  await standIn.stop();
});

function open(changes: Partial<TrustStoreOptions> = {}): TrustStore {
  return trustStore({
    baseURL: standIn.url,
    timing: { refreshMs: day, retryMs: 5_000, timeoutMs: 2_000 },
    maxBytes: maxBundleBytes,
    now: () => clock,
    accept: acceptBundle,
    onStale: (_, failure) => stale.push(failure),
    ...changes,
  });
}

const certificates = (text: string): number => text.match(/BEGIN CERTIFICATE/g)?.length ?? 0;

/** A server that answers as told, for as long as `use` runs. */
async function serving(listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('the roots of a region', () => {
  it('are fetched from the path that AWS uses', async () => {
    expect(certificates(await open().roots(region, 'aws', signal))).toBe(3);
    expect(standIn.requests).toEqual([`/${region}/${region}-bundle.pem`]);
  });

  it('are fetched once for all who ask, and not again the same day', async () => {
    const store = open();
    await Promise.all([1, 2, 3].map(() => store.roots(region, 'aws', signal)));
    clock += day - 1;
    await store.roots(region, 'aws', signal);
    expect(standIn.requests).toHaveLength(1);
  });

  it('are refreshed after a day without keeping anybody waiting, and united with the old ones', async () => {
    const store = open();
    await store.roots(region, 'aws', signal);
    standIn.setMode('rotated');
    clock += day;
    const answers = await Promise.all([1, 2, 3].map(() => store.roots(region, 'aws', signal)));
    expect(answers.map(certificates)).toEqual([3, 3, 3]);
    await untilTrue(async () => certificates(await store.roots(region, 'aws', signal)) === 6);
    expect(standIn.requests).toHaveLength(2);
  });

  it.each(['truncated', 'html', 'expired', 'missing', 'down'] as const)(
    'stay the last good ones when a refresh is %s, which is told once',
    async (mode) => {
      const store = open();
      const good = await store.roots(region, 'aws', signal);
      standIn.setMode(mode);
      clock += day;
      await Promise.all([1, 2, 3].map(() => store.roots(region, 'aws', signal)));
      await untilTrue(() => stale.length === 1);
      expect(await store.roots(region, 'aws', signal)).toBe(good);
      expect(standIn.requests).toHaveLength(2);

      standIn.setMode('ok');
      clock += 5_000;
      await store.roots(region, 'aws', signal);
      await untilTrue(() => standIn.requests.length === 3);
      expect(stale).toHaveLength(1);
    },
  );
});

describe('a trust store that gives nothing good', () => {
  it.each([
    ['truncated', 'BundleInvalid'],
    ['html', 'BundleInvalid'],
    ['expired', 'BundleInvalid'],
    ['missing', 'BundleUnavailable'],
    ['down', 'BundleUnavailable'],
  ] as const)('is told when it is %s, is not asked again at once, and is forgiven', async (mode, reason) => {
    standIn.setMode(mode);
    const store = open();
    await expect(store.roots(region, 'aws', signal)).rejects.toMatchObject({ reason });
    await expect(store.roots(region, 'aws', signal)).rejects.toMatchObject({ reason });
    expect(standIn.requests).toHaveLength(1);

    standIn.setMode('ok');
    clock += 5_000;
    expect(certificates(await store.roots(region, 'aws', signal))).toBe(3);
    expect(stale).toEqual([]);
  });

  it('is not waited for longer than the time-out', async () => {
    standIn.setMode('slow');
    const store = open({ timing: { refreshMs: day, retryMs: 5_000, timeoutMs: 50 } });
    await expect(store.roots(region, 'aws', signal)).rejects.toMatchObject({ reason: 'BundleUnavailable' });
  });

  it('is not followed to another address', async () => {
    const listener: RequestListener = (_, response) => {
      response.writeHead(302, { location: `${standIn.url}/${region}/${region}-bundle.pem` }).end();
    };
    await serving(listener, async (baseURL) => {
      await expect(open({ baseURL }).roots(region, 'aws', signal)).rejects.toMatchObject({
        reason: 'BundleUnavailable',
        message: expect.stringContaining('302') as unknown,
      });
    });
    expect(standIn.requests).toEqual([]);
  });

  it('is cut off when it does not end, and its words are not repeated', async () => {
    let sent = 0;
    const listener: RequestListener = (_, response) => {
      response.on('error', () => {});
      const write = (): void => {
        sent += 16_384;
        if (!response.destroyed) response.write('evil'.repeat(4_096), () => setImmediate(write));
      };
      write();
    };
    await serving(listener, async (baseURL) => {
      const thrown = await open({ baseURL })
        .roots(region, 'aws', signal)
        .catch((error: unknown) => error);
      expect(thrown).toMatchObject({ reason: 'BundleInvalid' });
      expect(thrown instanceof Failure ? thrown.message : '').not.toContain('evil');
    });
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  it('keeps nobody waiting who no longer wants to', async () => {
    standIn.setMode('slow');
    const store = open();
    const pass = new AbortController();
    const waiting = store.roots(region, 'aws', pass.signal);
    pass.abort(new Error('the pass is over'));
    await expect(waiting).rejects.toThrow('the pass is over');
    await expect(store.roots(region, 'aws', pass.signal)).rejects.toThrow('the pass is over');
  });
});

/** Stands where undici would open a connection, and notes to where. */
async function hostFor(partition: string, where = region): Promise<string> {
  let origin = 'nobody';
  const store = open({
    baseURL: undefined,
    dispatcher: {
      dispatch: (request: { origin?: string | URL }) => {
        origin = String(request.origin);
        throw new Error('not in a test');
      },
    } as unknown as NonNullable<TrustStoreOptions['dispatcher']>,
  });
  await store.roots(where, partition, signal).catch(() => {});
  return origin;
}

describe('which host is asked', () => {
  it.each([
    ['aws', 'https://truststore.pki.rds.amazonaws.com'],
    ['aws-us-gov', 'https://truststore.pki.us-gov-west-1.rds.amazonaws.com'],
    ['aws-cn', 'https://rds-truststore.s3.cn-north-1.amazonaws.com.cn'],
    ['aws-iso', 'nobody'],
  ])('in partition %s it is %s', async (partition, origin) => {
    expect(await hostFor(partition)).toBe(origin);
  });

  it.each(['../global', 'evil.example.com/x', ''])('a region %j is not asked for', async (where) => {
    expect(await hostFor('aws', where)).toBe('nobody');
  });
});

describe('a copy from before a restart', () => {
  const fetchedAt = Date.now() - day / 2;
  const copyOf = (text: string | undefined) => {
    const kept: string[] = [];
    return {
      kept,
      find: async () => (text === undefined ? undefined : { text, fetchedAt }),
      keep: async (_: string, roots: { readonly text: string }) => void kept.push(roots.text),
    };
  };
  const current = () => trusts.current.roots.join('');

  it('serves where the trust store does not answer, as old as it is', async () => {
    standIn.setMode('down');
    const told: number[] = [];
    const store = open({ copy: copyOf(current()), onRoots: (_, roots) => told.push(roots.fetchedAt) });
    expect(certificates(await store.roots(region, 'aws', signal))).toBe(3);
    expect(told).toEqual([fetchedAt]);
    expect(stale.map(({ reason }) => reason)).toEqual(['BundleUnavailable']);
    // It is tried again as soon as a failed fetch is.
    standIn.setMode('ok');
    clock += 5_000;
    await store.roots(region, 'aws', signal);
    await untilTrue(() => told.length === 2);
  });

  it('is united with what is fetched, so that a restart takes no authority away, and kept anew', async () => {
    standIn.setMode('rotated');
    const copy = copyOf(current());
    const text = await open({ copy }).roots(region, 'aws', signal);
    expect(certificates(text)).toBe(6);
    expect(copy.kept).toEqual([text]);
  });

  it('that is not there, or cannot be read, is none', async () => {
    standIn.setMode('down');
    const broken = { ...copyOf(undefined), find: async () => await Promise.reject(new Error('no answer')) };
    for (const copy of [copyOf(undefined), broken]) {
      await expect(open({ copy }).roots(region, 'aws', signal)).rejects.toMatchObject({
        reason: 'BundleUnavailable',
      });
    }
  });
});
