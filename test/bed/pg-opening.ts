/** The first steps of a PostgreSQL client, up to its start-up message: over TLS if it asks for that. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { codes, readFirstPacket } from './pg-wire.ts';
import type { FirstPacket } from './pg-wire.ts';
import type { Certified } from './x509.ts';

export interface Opening {
  /** What to read from and write to from now on. */
  readonly client: Duplex;
  readonly packet: FirstPacket;
  readonly tls: boolean;
}

/** `track` is shown the stream that takes the socket's place. */
export async function begin(
  socket: Socket,
  secureContext: SecureContext,
  track: (stream: Duplex) => void,
): Promise<Opening> {
  let client: Duplex = socket;
  for (;;) {
    const packet = await readFirstPacket(client);
    const tls = client !== socket;
    if (packet.code === codes.gss) {
      client.write('N');
    } else if (packet.code === codes.ssl && !tls) {
      // Bytes sent before the answer would be read as if they had come over TLS (CVE-2021-23214).
      if (socket.readableLength > 0) throw new Error('data before TLS began');
      socket.write('S');
      client = new TLSSocket(socket, { isServer: true, secureContext });
      track(client);
    } else {
      return { client, packet, tls };
    }
  }
}

/** Not before TLS 1.2, as RDS. */
export function tlsContext({ certificatePem, keyPem }: Certified): SecureContext {
  return createSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' });
}
