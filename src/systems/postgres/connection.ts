// One connection to a PostgreSQL server: over TLS that is verified in full, to the very name, and to nobody else's settings.
import { Socket } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { Client } from 'pg';
import type { Secret } from '../../reconcile/kernel/secret.ts';
import { noAnswer } from './failures.ts';

export interface ConnectionRequest {
  /** TLS name; dialled as well unless `dial` says otherwise. */
  readonly host: string;
  readonly port: number;
  readonly dial?: { readonly host: string; readonly port: number };
  readonly database: string;
  readonly username: string;
  readonly password: Secret<string>;
  /** PEM: the only authorities trusted. */
  readonly ca: string;
  readonly timeoutMs: number;
}

const keepAliveMs = 30_000;

/** Rejects with what went wrong, untranslated. The caller listens to `error` and `end` once it has the client. */
export async function connect(request: ConnectionRequest, signal: AbortSignal): Promise<Client> {
  const client = create(request);
  // Without a listener an error that comes between two awaits would end the process.
  client.on('error', () => {});
  const limit = AbortSignal.any([signal, AbortSignal.timeout(request.timeoutMs)]);
  try {
    await untilAborted(client.connect(), limit);
    return client;
  } catch (error) {
    destroy(client);
    throw error;
  }
}

function create({ host, port, dial, database, username, password, ca }: ConnectionRequest): Client {
  const client = new Client({
    host,
    port,
    database,
    user: username,
    password: password.reveal(),
    application_name: 'iamdb-operator',
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    sslnegotiation: 'postgres',
    ssl: {
      ca,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      // The driver sets the name for SNI to `host`, or to none for an address; what is checked is always `host`.
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    },
    // The driver dials what it takes the TLS name from; here these may be two things.
    stream: () => dialling(dial ?? { host, port }),
  });
  forgetEnvironment(client);
  return client;
}

function dialling(to: { readonly host: string; readonly port: number }): Socket {
  const socket = new Socket();
  const dial = socket.connect.bind(socket);
  return Object.assign(socket, { connect: () => dial({ host: to.host, port: to.port }) });
}

/** PGOPTIONS and PGREPLICATION are the only variables that the driver reads where no setting can say "none". */
function forgetEnvironment(client: Client): void {
  const { connectionParameters } = client as unknown as {
    readonly connectionParameters: { options: unknown; replication: unknown };
  };
  connectionParameters.options = undefined;
  connectionParameters.replication = undefined;
}

/** At once, whatever is under way; a transaction of it is rolled back by the server. */
export function destroy(client: Client): void {
  client.connection.stream.destroy();
}

/** Rejects when the signal is aborted; the promise is left to itself then. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(noAnswer(signal));
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([promise, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
