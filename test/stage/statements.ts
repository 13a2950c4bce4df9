// What the operator's admin said to PostgreSQL, from the server's own statement log, and what of it could last.
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Stage } from './stage.ts';
import { until } from './wait.ts';

interface Said {
  readonly session: string;
  readonly sql: string;
}

export interface StatementLog {
  /** All statements of the admin since the log was begun. */
  said(): readonly Said[];
  /** Those of them that change something and were not in a transaction that was rolled back. */
  writes(): readonly string[];
}

const marker = /^<(\d+) ([^>]*)> LOG: {2}statement: /;
const changing = /^(?:CREATE|ALTER|GRANT|REVOKE|DROP|COMMENT|DO|COMMIT|INSERT|UPDATE|DELETE|TRUNCATE)\b/im;

export async function startStatementLog({ database, admin }: Stage): Promise<StatementLog> {
  const { postgres } = database;
  const file = join(dirname(postgres.socketPath), 'postgres.log');
  const from = statSync(file).size;
  await postgres.sql(`ALTER SYSTEM SET log_line_prefix = '<%p %u> '`);
  await postgres.sql(`ALTER SYSTEM SET log_statement = 'all'`);
  await postgres.sql('SELECT pg_reload_conf()');
  await until('the statement log', async () => {
    const rows = await postgres.sql<{ readonly log_statement: string }>('SHOW log_statement');
    return rows[0]?.log_statement === 'all';
  });

  const said = (): readonly Said[] => {
    const all: { session: string; user: string; sql: string }[] = [];
    let isOpen = false;
    for (const line of readFileSync(file).subarray(from).toString('utf8').split('\n')) {
      const [prefix, session = '', user = ''] = marker.exec(line) ?? [];
      if (prefix !== undefined) all.push({ session, user, sql: line.slice(prefix.length) });
      const last = all.at(-1);
      // The further lines of a statement are indented with a tab.
      if (prefix === undefined && isOpen && line.startsWith('\t') && last !== undefined) {
        last.sql += `\n${line.slice(1)}`;
      } else {
        isOpen = prefix !== undefined;
      }
    }
    return all.filter(({ user }) => user === admin.username);
  };

  return {
    said,
    writes: () => {
      const pending = new Map<string, string[]>();
      const lasting: string[] = [];
      for (const { session, sql } of said()) {
        const open = pending.get(session);
        // The rehearsal is one script from BEGIN to ROLLBACK.
        if (/^BEGIN\b/i.test(sql) && /;\s*ROLLBACK$/i.test(sql.trim())) continue;
        if (/^BEGIN[^;]*$/i.test(sql.trim())) pending.set(session, []);
        else if (/^ROLLBACK$/i.test(sql.trim())) pending.delete(session);
        else if (changing.test(sql)) {
          if (open === undefined || /^COMMIT\b/im.test(sql)) lasting.push(...(open ?? []), sql);
          else open.push(sql);
        }
      }
      return lasting;
    },
  };
}
