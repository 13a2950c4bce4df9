// A PostgreSQL server as its admin sees it: pooled sessions, each set up in the same way, and batched questions.
import { DatabaseError, type Client } from 'pg';
import { Failure } from '../../kernel/failure.ts';
import type { Secret } from '../../kernel/secret.ts';
import type { Answer, RoleServer, Row, Session } from '../../resources/role/server.ts';
import { scaledLimit } from '../../kernel/limit.ts';
import { lockMs } from '../../resources/role/sql.ts';
import { adminLogin } from './admin-login.ts';
import { connect, destroy, type MayDial, untilAborted } from './connection.ts';
import { adminFailure, endsSession, noAnswer, sqlStateOf, troubleOf } from './failures.ts';
import { gather } from './gather.ts';
import { createPool } from './pool.ts';
import { setUp, type SetUp } from './set-up.ts';

export interface ServerOptions {
  /** TLS name; dialled as well unless `dial` says otherwise. */
  readonly host: string;
  readonly port: number;
  readonly dial?: { readonly host: string; readonly port: number };
  readonly username: string;
  readonly authentication: 'IAM' | 'Secret';
  /** Asked for at each new connection, so that a rotated password or a fresh token needs no restart. */
  readonly password: () => Promise<Secret<string>>;
  /** PEM; asked for at each new connection. */
  readonly ca: () => Promise<string>;
  readonly poolSize: number;
  readonly mayDial?: MayDial;
  /** Factor on every wait; on limits as `scaledLimit` says. Default 1. */
  readonly timeScale?: number;
  /** Called right before each transaction that writes; throws to keep it back. */
  readonly beforeWrite?: () => void;
  /** Told each round trip. No statement ever holds a secret. */
  readonly onStatement?: (sql: string) => void;
  readonly onRoundTrip?: (trip: RoundTrip) => void;
  /** Told each session of the admin: 1 when it is open, -1 when it is gone. */
  readonly onConnection?: (change: 1 | -1) => void;
}

export interface RoundTrip {
  /** `undo`: the end of a transaction that is given up. */
  readonly kind: 'read' | 'write' | 'undo';
  /** `refused`: the session goes on. */
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** That were answered. */
  readonly statements: number;
  readonly durationMs: number;
}

export interface PostgresServer extends RoleServer {
  /** Resolves when the last session in use was given back. */
  close(): Promise<void>;
}

const waits = {
  connectMs: 10_000,
  idleMs: 60_000,
  gatherMs: 4,
  /** For one batched question, waiting for a session included. */
  askMs: 30_000,
  statementMs: 15_000,
  lockMs,
  closeMs: 1_000,
};
const maxItems = 1_000;
const maxDetail = 600;

/** Roles are per server, locks are not: everything about roles is done in this one database. */
const database = 'postgres';

interface Connected {
  readonly client: Client;
  /** Preparations that this connection was told. */
  readonly told: Set<string>;
  readonly setUp: SetUp;
}

export function openServer(options: ServerOptions): PostgresServer {
  const { host, port, username, authentication, timeScale = 1 } = options;
  const failure = (error: unknown) => adminFailure(error, { host, port }, username);

  const logIn = adminLogin({
    username,
    password: options.password,
    byToken: authentication === 'IAM',
    now: () => performance.now(),
    timeScale,
  });

  const open = async (signal: AbortSignal, into = database): Promise<Connected> => {
    const ca = await options.ca();
    const { dial, mayDial } = options;
    const to = {
      host,
      port,
      ...(dial === undefined ? {} : { dial }),
      ...(mayDial === undefined ? {} : { mayDial }),
    };
    const timeoutMs = scaledLimit(waits.connectMs, timeScale);
    const client = await logIn(
      async (password) => await connect({ ...to, database: into, username, password, ca, timeoutMs }, signal),
    );
    options.onConnection?.(1);
    client.connection.stream.once('close', () => options.onConnection?.(-1));
    try {
      const statementMs = scaledLimit(waits.statementMs, timeScale);
      const limits = { statementMs, lockMs: waits.lockMs * timeScale };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const connected = {
        client,
        told: new Set<string>(),
        setUp: await untilAborted(setUp(client, { username, authentication }, limits), limit),
      };
      client.once('end', () => pool.discard(connected));
      return connected;
    } catch (error) {
      destroy(client);
      throw error;
    }
  };

  const leave = ({ client }: Connected) => {
    // In order where that works, so that the server need not log a lost connection.
    client.end().catch(() => {});
    setTimeout(() => destroy(client), waits.closeMs * timeScale).unref();
  };

  const pool = createPool<Connected>({
    size: options.poolSize,
    idleMs: waits.idleMs * timeScale,
    open: (signal) => open(signal),
    close: (connected) => leave(connected),
    closed: () => new Failure('unavailable', 'AdminChanging', beingClosed),
  });

  const acquire = async (signal: AbortSignal, place?: 'first'): Promise<Connected> => {
    try {
      return await pool.acquire(signal, place);
    } catch (error) {
      throw failure(signal.aborted ? noAnswer(signal) : error);
    }
  };

  const hold = async <T>(work: (session: Session) => Promise<T>, signal: AbortSignal, place?: 'first') =>
    await use(
      await acquire(signal, place),
      (connected, state) => pool.release(connected, state),
      work,
      signal,
    );

  const holdIn: RoleServer['holdIn'] = async (into, work, signal) => {
    const connected = await open(signal, into).catch((error: unknown) => {
      throw failure(signal.aborted ? noAnswer(signal) : error);
    });
    return await use(connected, leave, work, signal);
  };

  const use = async <T>(
    connected: Connected,
    giveBack: (connected: Connected, state: 'whole' | 'broken') => void,
    work: (session: Session) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    const { client, told } = connected;
    let isBroken = false;
    const cut = () => {
      isBroken = true;
      destroy(client);
    };
    signal.addEventListener('abort', cut, { once: true });

    const run: Session['run'] = async (kind, statements, preparation) => {
      if (kind === 'write') options.beforeWrite?.();
      const isNew = preparation !== undefined && !told.has(preparation);
      const sql = isNew ? `${preparation};\n${statements}` : statements;
      // It comes first, and a rollback does not undo a PREPARE.
      if (isNew) told.add(preparation);
      options.onStatement?.(sql);
      const began = performance.now();
      const tell = (outcome: RoundTrip['outcome'], statements: number) =>
        options.onRoundTrip?.({ kind, outcome, statements, durationMs: performance.now() - began });
      try {
        const results = resultsOf(await untilAborted(client.query(sql), signal));
        tell('ok', results.length);
        return { rows: results.flatMap(({ rows }) => rows) };
      } catch (error) {
        tell(endsSession(error) ? 'failed' : 'refused', 0);
        if (troubleOf(error) === 'read-only') pool.renew();
        // Whether it got as far as past the preparation is not known.
        if (isNew) pool.discard(connected);
        if (!endsSession(error)) return refusal(error, failure(error));
        isBroken = true;
        throw failure(error);
      }
    };

    try {
      return await work({ ...connected.setUp, run });
    } finally {
      signal.removeEventListener('abort', cut);
      // Whoever left a transaction open is not to hand it on.
      const isWhole = !isBroken && client.getTransactionStatus() === 'I';
      if (!isWhole) destroy(client);
      giveBack(connected, isWhole ? 'whole' : 'broken');
    }
  };

  const askTogether = gather({
    windowMs: waits.gatherMs * timeScale,
    maxItems,
    run: async (sql, preparation) =>
      await hold(
        async (session) => {
          const answer = await session.run('read', sql, preparation);
          if ('refused' in answer) throw answer.refused.failure;
          return answer.rows;
        },
        AbortSignal.timeout(scaledLimit(waits.askMs, timeScale)),
        // Many wait for its answer.
        'first',
      ),
  });

  return {
    authentication,
    hold,
    holdIn,
    ask: async (question, item, signal) => {
      try {
        return await untilAborted(askTogether(question, item), signal);
      } catch (error) {
        throw failure(error);
      }
    },
    close: () => pool.close(),
  };
}

/** A pass that began before the IamDatabase changed comes too late, and nothing is wrong. */
const beingClosed =
  'The connections to this server are being closed, because the IamDatabase was changed or is gone; the operator looks again.';

/** A text with several statements is answered with a list. */
function resultsOf(result: unknown): readonly { readonly rows: readonly Row[] }[] {
  return (Array.isArray(result) ? result : [result]) as readonly { readonly rows: readonly Row[] }[];
}

function refusal(error: unknown, failure: Failure): Answer {
  const detail = error instanceof DatabaseError ? error.detail?.slice(0, maxDetail) : undefined;
  return { refused: { sqlState: sqlStateOf(error) ?? '', detail, failure } };
}
