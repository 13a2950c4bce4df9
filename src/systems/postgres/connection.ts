// One connection to a PostgreSQL server: over TLS that is verified in full, to the very name, and to nobody else's settings.
import { lookup } from 'node:dns';
import { isIP, type LookupFunction, Socket } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { Client } from 'pg';
import { Failure } from '../../kernel/failure.ts';
import type { Secret } from '../../kernel/secret.ts';
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
  /** Whether an address may be dialled; a name is asked for each address that it leads to. Default: all may. */
  readonly mayDial?: MayDial;
}

export type MayDial = (address: string) => boolean;

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

function create(request: ConnectionRequest): Client {
  const { host, port, dial, database, username, password, ca, mayDial = () => true } = request;
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
    stream: () => dialling(dial ?? { host, port }, mayDial),
  });
  forgetEnvironment(client);
  return client;
}

function dialling(to: { readonly host: string; readonly port: number }, mayDial: MayDial): Socket {
  const socket = new Socket();
  const dial = socket.connect.bind(socket);
  const connect = () => {
    if (isIP(to.host) !== 0 && !mayDial(to.host)) return socket.destroy(addressRefused);
    return dial({ host: to.host, port: to.port, lookup: allowedOnly(mayDial) });
  };
  return Object.assign(socket, { connect });
}

/** What a name leads to is known only now, and may be another address than when the name was judged. */
const allowedOnly =
  (mayDial: MayDial): LookupFunction =>
  (hostname, options, answer) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return answer(error, []);
      if (!addresses.every(({ address }) => mayDial(address))) return answer(addressRefused, []);
      const [first] = addresses;
      return options.all === true || first === undefined
        ? answer(null, addresses)
        : answer(null, first.address, first.family);
    });
  };

const addressRefused = new Failure(
  'invalid',
  'AddressRefused',
  "The host's name leads to an address that is loopback, link-local or a metadata service.",
);

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
