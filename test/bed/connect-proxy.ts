/** The way out of a closed network: a CONNECT proxy that leads each name to one server behind TLS, as AWS's names to the stand-in. */
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { createAuthority } from './x509.ts';

export interface ConnectProxy {
  readonly url: string;
  /** PEM of the root that signs for all names. */
  readonly root: string;
  /** Names and ports that were asked for, in order. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

export async function startConnectProxy(options: {
  /** In certificates; wildcards as TLS knows them. */
  readonly names: readonly string[];
  /** Port on 127.0.0.1 of what speaks plainly behind. */
  readonly to: number;
}): Promise<ConnectProxy> {
  const authority = await createAuthority({
    subject: { commonName: 'Test root of all names' },
    keyType: 'p-256',
  });
  const { certificatePem: cert, keyPem: key } = await authority.issue({
    subject: { commonName: 'names' },
    keyType: 'p-256',
    dnsNames: options.names,
    usage: 'server',
  });
  const sockets = new Set<Socket>();
  const join = (a: Socket, b: Socket) => {
    for (const socket of [a, b]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {});
    }
    a.pipe(b).pipe(a);
  };
  const front = createTlsServer({ cert, key }, (socket) => join(socket, connect(options.to, '127.0.0.1')));
  front.on('tlsClientError', () => {});
  await listen(front);

  const asked: string[] = [];
  const proxy = createServer((_, response) => {
    // Whatever comes without CONNECT would be seen on the way.
    response.writeHead(405).end();
  });
  proxy.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    const inner = connect(portOf(front), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      join(socket, inner);
    });
    inner.on('error', () => socket.destroy());
  });
  await listen(proxy);
  return {
    url: `http://127.0.0.1:${portOf(proxy)}`,
    root: authority.certificatePem,
    asked,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([front, proxy].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

const listen = (server: Server) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

const portOf = (server: Server) => (server.address() as AddressInfo).port;
