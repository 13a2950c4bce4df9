/** A stand-in for truststore.pki.rds.amazonaws.com, which can also serve what a broken or hostile one would. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { RdsTrust } from './rds-trust.ts';

export type TrustStoreMode =
  | 'ok'
  /** The last certificate ends in the middle, with a status of 200. */
  | 'truncated'
  /** A captive portal's page, with a status of 200. */
  | 'html'
  /** Only certificates that have expired. */
  | 'expired'
  /** Roots of the next generation only. */
  | 'rotated'
  | 'missing'
  /** The connection ends without an answer. */
  | 'down'
  /** The right answer after `slowMs`. */
  | 'slow';

export interface TrustStore {
  /** Paths below it: `/<region>/<region>-bundle.pem` and `/global/global-bundle.pem`. */
  readonly url: string;
  readonly mode: TrustStoreMode;
  /** Paths asked for, in order. */
  readonly requests: readonly string[];
  setMode(mode: TrustStoreMode): void;
  stop(): Promise<void>;
}

export interface TrustStoreOptions {
  readonly current: readonly RdsTrust[];
  readonly next: readonly RdsTrust[];
  readonly expired: readonly RdsTrust[];
  readonly slowMs?: number;
}

const page =
  '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in to the network</body></html>\n';

export async function startTrustStore(options: TrustStoreOptions): Promise<TrustStore> {
  const requests: string[] = [];
  let mode: TrustStoreMode = 'ok';

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const generation =
      mode === 'rotated' ? options.next : mode === 'expired' ? options.expired : options.current;
    const bundle = bundleAt(path, generation);
    if (mode === 'down') {
      response.destroy();
      return;
    }
    if (mode === 'slow') await wait(options.slowMs ?? 5_000, undefined, { ref: false });
    if (mode === 'missing' || bundle === undefined) {
      response.writeHead(404, { 'content-type': 'application/xml' });
      response.end('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>');
      return;
    }
    if (mode === 'html') {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(page);
      return;
    }
    response.writeHead(200, { 'content-type': 'binary/octet-stream' });
    response.end(mode === 'truncated' ? bundle.slice(0, -300) : bundle);
  }

  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    answer(path, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    get mode() {
      return mode;
    },
    requests,
    setMode(changed) {
      mode = changed;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function bundleAt(path: string, trusts: readonly RdsTrust[]): string | undefined {
  if (path === '/global/global-bundle.pem') return trusts.flatMap((trust) => trust.roots).join('');
  return trusts.find(({ region }) => path === `/${region}/${region}-bundle.pem`)?.roots.join('');
}
