/** Relays the sessions of clients to PostgreSQL, and fails the statements that it is told to. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorResponse } from './pg-wire.ts';

/** A SQLSTATE is answered instead of asking the server, as ERROR or, of class 57P, as the end of the session. */
export type StatementFault = { readonly sqlState: string } | 'cut' | 'cutAfterEffect' | 'silent';

export interface StatementFaults {
  /** Fails the query that comes after `after` others of those whose text matches. */
  fail(fault: {
    readonly matches: (text: string) => boolean;
    readonly after: number;
    readonly how: StatementFault;
  }): { wasHit(): boolean; lift(): void };
  /** The fate of a query. */
  take(text: string): StatementFault | undefined;
  /** Tells each query; call what is answered to be told no more. */
  onQuery(tell: (text: string) => void): () => void;
}

export function createStatementFaults(): StatementFaults {
  const all = new Set<{
    readonly matches: (text: string) => boolean;
    left: number;
    readonly how: StatementFault;
    struck: boolean;
  }>();
  const listeners = new Set<(text: string) => void>();
  return {
    onQuery: (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    fail: ({ matches, after, how }) => {
      const one = { matches, left: after, how, struck: false };
      all.add(one);
      return { wasHit: () => one.struck, lift: () => all.delete(one) };
    },
    take: (text) => {
      for (const tell of listeners) tell(text);
      for (const one of all) {
        if (!one.matches(text) || one.left-- > 0) continue;
        one.struck = true;
        all.delete(one);
        return one.how;
      }
      return undefined;
    },
  };
}

/** Until one of both ends. Only the simple protocol is looked into, which is what whole transactions are sent by. */
export function relay(client: Duplex, upstream: Socket, faults: StatementFaults): void {
  const end = () => {
    client.destroy();
    upstream.destroy();
  };
  // Answers go nowhere from the query on that must not be answered.
  let isMute = false;
  let isToEnd = false;
  upstream.on('data', (chunk: Buffer) => {
    if (!isMute) client.write(chunk);
    // The last message of each answer; 'I': not in a transaction.
    else if (isToEnd && chunk.subarray(-6).equals(readyForQuery)) end();
  });
  upstream.once('close', () => client.end());
  client.once('close', () => upstream.destroy());

  let rest: Buffer = Buffer.alloc(0);
  client.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
      const size = rest.readUInt32BE(1) + 1;
      const message = rest.subarray(0, size);
      rest = rest.subarray(size);
      if (isMute) continue;
      const how =
        message.toString('latin1', 0, 1) === 'Q'
          ? faults.take(message.toString('utf8', 5, size - 1))
          : undefined;
      if (how === 'cut') end();
      else if (how === 'silent') isMute = true;
      else if (how === 'cutAfterEffect') isMute = isToEnd = true;
      if (how === undefined || how === 'cutAfterEffect') upstream.write(message);
      else if (typeof how === 'object') {
        const isEnd = how.sqlState.startsWith('57P');
        client.write(errorResponse(isEnd ? 'FATAL' : 'ERROR', how.sqlState, 'a fault of the test bed'));
        if (isEnd) end();
        else client.write(readyForQuery);
      }
    }
  });
}

const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
