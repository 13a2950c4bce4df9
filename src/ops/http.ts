// Health and metrics over HTTP.
import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

export interface Probes {
  isReady(): boolean;
}

/** `address` is `host:port`, `[IPv6 address]:port` or `:port`. */
export async function serveOps(address: string, registry: Registry, probes: Probes): Promise<Server> {
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
      case '/readyz':
        answer(probes.isReady() ? 200 : 503, probes.isReady() ? 'ok\n' : 'caches are not synced\n');
        break;
      case '/metrics':
        registry.metrics().then(
          (text) => answer(200, text, registry.contentType),
          () => answer(500, 'metrics could not be read\n'),
        );
        break;
      default:
        answer(404, 'not found\n');
    }
  });
  server.listen({ port, ...(host === '' ? {} : { host }) });
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return server;
}
