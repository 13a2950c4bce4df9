// What the role needs of a PostgreSQL server: one batched question, and a session to hold.
import type { Failure } from '../../kernel/failure.ts';

export interface RoleServer {
  /** How the admin logs in: whoever does it by password must never become a member of rds_iam. */
  readonly authentication: 'IAM' | 'Secret';
  /**
   * The answer for one item. What is asked at about the same time with the same question travels as one query. Throws a
   * Failure.
   */
  ask<Item>(question: Question<Item>, item: Item, signal: AbortSignal): Promise<unknown>;
  /**
   * One session for as long as `work` runs. A transaction left open ends with it. Throws a Failure when there is no
   * session, or when it breaks on the way: then nothing is known about a COMMIT that was sent.
   */
  hold<T>(work: (session: Session) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** The same in another database than the one where roles are administered; its session is opened and closed for it. */
  holdIn<T>(database: string, work: (session: Session) => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface Question<Item> {
  /** What a connection has to be told once before. */
  readonly preparation: string;
  /** A query with a row `n, answer` for each item, n counting from 1. */
  ask(items: readonly Item[]): string;
}

export interface Session {
  /** `session_user`, which is also `current_user`. */
  readonly admin: string;
  /** As the server calls itself, for example 17.4. */
  readonly serverVersion: string;
  /** Whether statements that need rights are said by the owner of the functions of admin-sql: see admin-helpers.ts. */
  readonly usesHelper: boolean;
  /**
   * Statements in one round trip; the rows of all of them, in their order. A refusal by the server is a value, as it may
   * be what one expects. `write` asks first whether this process may still write; `undo` does not, as it only takes back
   * what this very session gave a moment ago. `preparation`, where given, goes
   * before them the first time on this connection.
   */
  run(kind: 'read' | 'write' | 'undo', sql: string, preparation?: string): Promise<Answer>;
}

export type Row = Readonly<Record<string, unknown>>;

export type Answer = { readonly rows: readonly Row[] } | { readonly refused: ServerRefusal };

export interface ServerRefusal {
  readonly sqlState: string;
  /** What hangs on a role that cannot be dropped, in the server's words; clipped. */
  readonly detail: string | undefined;
  /** What it means where nothing more is known of the statement. */
  readonly failure: Failure;
}
