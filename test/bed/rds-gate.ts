/**
 * The gate that makes a PostgreSQL server behave as RDS does: it ends TLS, lets the server's own pg_hba find out whether
 * the user is a member of rds_iam, asks members for a token and judges it, and relays everything else untouched.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { judgeToken } from './aws-authority.ts';
import type { AwsAuthority, DatabaseServer } from './aws-authority.ts';
import { begin, tlsContext } from './pg-opening.ts';
import type { Opening } from './pg-opening.ts';
import { relay, type StatementFaults } from './pg-relay.ts';
import * as wire from './pg-wire.ts';
import type { Endpoint, TokenFault } from './rds-token.ts';
import type { Certified } from './x509.ts';

export interface GateModes {
  /** Off: members fall through to their password, as where the flag of the server is off. Reject: pg_hba says `reject` for them. */
  readonly iamAuthentication: 'on' | 'off' | 'reject';
  /** Before the answer to each login, or to those of one user. */
  readonly delayMs: number | { readonly of: string; readonly ms: number };
  /** Cuts each session after so many bytes from the server, the answers to the login not counted. */
  readonly dropAfterBytes: number | undefined;
  /** Sessions that begin now can only read (25006), as on a writer endpoint that points to a reader. */
  readonly readOnly: boolean;
}

export interface Login {
  readonly at: Date;
  readonly user: string;
  readonly database: string;
  readonly applicationName: string | undefined;
  readonly tls: boolean;
  /** `password`: not a member, so the server itself decided. */
  readonly by: 'token' | 'password';
  readonly outcome: 'accepted' | 'refused';
  /** Why a token was refused; the client is not told. */
  readonly why?: TokenFault | 'no encryption' | 'rejected';
  /** ARN of whoever signed the token. */
  readonly principal?: string;
}

export interface Session {
  readonly user: string;
  readonly database: string;
  readonly since: Date;
}

export interface GateOptions {
  readonly upstream: { readonly port: number; readonly socketPath: string };
  /** Names and ports as clients sign them: writer, reader, custom endpoints. */
  readonly endpoints: readonly Endpoint[];
  readonly server: DatabaseServer;
  /** With the certificates between it and the root. */
  readonly certificate: Certified;
  readonly aws: AwsAuthority;
  readonly clock?: () => Date;
  /** Of sessions that were let in by a token. */
  readonly statements?: StatementFaults | undefined;
}

export interface RdsGate {
  /** Where it listens on 127.0.0.1, which is not the endpoint's port. */
  readonly port: number;
  readonly modes: GateModes;
  readonly server: DatabaseServer;
  readonly logins: readonly Login[];
  readonly sessions: ReadonlySet<Session>;
  setModes(modes: Partial<GateModes>): void;
  /** Another resource behind the same name, as after a restore or a blue/green switch-over. */
  setServer(server: Partial<DatabaseServer>): void;
  setEndpoints(endpoints: readonly Endpoint[]): void;
  setCertificate(certificate: Certified): void;
  /** Cuts every connection without a word. */
  dropSessions(): void;
  /** Connections are refused until `open`: the database is down. */
  close(): Promise<void>;
  open(): Promise<void>;
  stop(): Promise<void>;
}

const usualModes: GateModes = {
  iamAuthentication: 'on',
  delayMs: 0,
  dropAfterBytes: undefined,
  readOnly: false,
};

export async function startRdsGate(options: GateOptions): Promise<RdsGate> {
  const clock = options.clock ?? (() => new Date());
  const logins: Login[] = [];
  const sessions = new Set<Session>();
  const sockets = new Set<Duplex>();
  let modes = usualModes;
  let { server, endpoints } = options;
  let secureContext = tlsContext(options.certificate);

  const track = <S extends Duplex>(socket: S): S => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Each end's failure shows at the other as the end of the connection.
    socket.on('error', () => socket.destroy());
    return socket;
  };

  async function serve(socket: Socket): Promise<void> {
    const opening = await begin(track(socket), secureContext, track);
    if (opening.packet.code === wire.codes.cancel) {
      const upstream = track(connect({ port: options.upstream.port, host: '127.0.0.1', noDelay: true }));
      upstream.end(opening.packet.raw);
      upstream.once('close', () => opening.client.destroy());
      return;
    }
    await login(opening);
  }

  async function login({ client, packet, tls }: Opening): Promise<void> {
    const parameters = wire.parseStartup(packet);
    const user = parameters.get('user') ?? '';
    const database = parameters.get('database') ?? user;
    const note = (by: Login['by'], outcome: Login['outcome'], more: Partial<Login> = {}): void => {
      const applicationName = parameters.get('application_name');
      logins.push({ at: clock(), user, database, applicationName, tls, by, outcome, ...more });
    };
    const { iamAuthentication, delayMs, readOnly, dropAfterBytes } = modes;
    const waitMs = typeof delayMs === 'number' ? delayMs : delayMs.of === user ? delayMs.ms : 0;
    if (waitMs > 0) await wait(waitMs, undefined, { ref: false });

    // Over the socket pg_hba has no line for members, so that their password decides.
    const upstream = track(
      iamAuthentication === 'off'
        ? connect(options.upstream.socketPath)
        : connect({ port: options.upstream.port, host: '127.0.0.1', noDelay: true }),
    );
    client.once('close', () => upstream.destroy());
    upstream.write(readOnly ? wire.startup(packet.code, withReadOnly(parameters)) : packet.raw);

    const answers: Buffer[] = [];
    let statements: StatementFaults | undefined;
    let answer = await wire.readMessage(upstream);
    // A server older than the client's protocol says so first.
    for (; answer.type === 'v'; answer = await wire.readMessage(upstream)) answers.push(answer.raw);

    if (iamAuthentication !== 'off' && wire.isAuthenticationOk(answer)) {
      const refuse = (text: string, more: Partial<Login>): void => {
        note('token', 'refused', more);
        client.end(wire.fatal('28000', text));
        upstream.destroy();
      };
      const rejected = `pg_hba.conf rejects connection for host "127.0.0.1", user "${user}", database "${database}", ${tls ? 'SSL encryption' : 'no encryption'}`;
      if (!tls) return refuse(rejected, { why: 'no encryption' });
      if (iamAuthentication === 'reject') return refuse(rejected, { why: 'rejected' });
      client.write(Buffer.concat([...answers.splice(0), wire.askForPassword]));
      const password = wire.passwordOf(await wire.readMessage(client)) ?? '';
      const expected = { endpoints, region: server.region, username: user, now: clock() };
      const judged = await judgeToken(password, expected, server, options.aws);
      if (judged.why !== undefined) return refuse(`PAM authentication failed for user "${user}"`, judged);
      note('token', 'accepted', judged);
      statements = options.statements;
      if (statements === undefined) client.pipe(upstream);
    } else {
      client.pipe(upstream);
      for (
        ;
        !wire.isAuthenticationOk(answer) && answer.type !== 'E';
        answer = await wire.readMessage(upstream)
      ) {
        client.write(answer.raw);
      }
      note('password', answer.type === 'E' ? 'refused' : 'accepted');
    }

    client.write(Buffer.concat([...answers, answer.raw]));
    if (statements !== undefined) {
      relay(client, upstream, statements);
    } else {
      upstream.once('close', () => client.end());
      upstream.pipe(client);
    }
    if (answer.type === 'E') return;
    const session: Session = { user, database, since: clock() };
    sessions.add(session);
    client.once('close', () => sessions.delete(session));
    if (dropAfterBytes !== undefined) cutAfter(dropAfterBytes, upstream, client);
  }

  let listener: Server;
  let port = 0;
  const dropSessions = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const open = async (): Promise<void> => {
    listener = createServer({ noDelay: true }, (socket) => {
      // What went wrong is the client's loss: it sees its connection end, as with a real server.
      serve(socket).catch(() => socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(port, '127.0.0.1', resolve);
    });
    port = (listener.address() as AddressInfo).port;
  };
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => listener.close(resolve));
    dropSessions();
    await closed;
  };
  await open();

  return {
    port,
    get modes() {
      return modes;
    },
    get server() {
      return server;
    },
    logins,
    sessions,
    setModes(changed) {
      modes = { ...modes, ...changed };
    },
    setServer(changed) {
      server = { ...server, ...changed };
    },
    setEndpoints(changed) {
      endpoints = changed;
    },
    setCertificate(certificate) {
      secureContext = tlsContext(certificate);
    },
    dropSessions,
    close,
    async open() {
      if (!listener.listening) await open();
    },
    stop: close,
  };
}

function withReadOnly(parameters: wire.StartupParameters): wire.StartupParameters {
  const options = `${parameters.get('options') ?? ''} -c default_transaction_read_only=on`.trim();
  return new Map([...parameters, ['options', options]]);
}

function cutAfter(bytes: number, upstream: Socket, client: Duplex): void {
  let left = bytes;
  upstream.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left > 0) return;
    client.destroy();
    upstream.destroy();
  });
}
