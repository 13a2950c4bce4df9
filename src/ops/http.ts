// Health and metrics over HTTP.
import { createServer, type Server } from 'node:http';
import type { Metrics } from './metrics.ts';

export interface Probes {
  /** Undefined: it is ready. */
  notReady(): string | undefined;
  isLeader(): boolean;
}

/** `address` is `host:port`, `[IPv6 address]:port` or `:port`. */
export async function serveOps(
  address: string,
  metrics: Pick<Metrics, 'text' | 'contentType'>,
  probes: Probes,
): Promise<Server> {
  const colon = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, colon).replace(/^\[|\]$/g, ''), Number(address.slice(colon + 1))];
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    switch (request.url) {
      case '/healthz':
        answer(200, 'ok\n');
        break;
      case '/readyz': {
        const why = probes.notReady();
        if (why !== undefined) answer(503, `${why}\n`);
        else answer(200, probes.isLeader() ? 'ok, leader\n' : 'ok, standby\n');
        break;
      }
      case '/metrics':
        metrics.text().then(
          (text) => answer(200, text, metrics.contentType),
          () => answer(500, 'metrics could not be read\n'),
        );
        break;
      default:
        answer(404, 'not found\n');
    }
  });
  await listen(server, port, host === '' ? undefined : host);
  return server;
}

export async function listen(server: Server, port: number, host: string | undefined): Promise<void> {
  server.listen({ port, ...(host === undefined ? {} : { host }) });
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
}
