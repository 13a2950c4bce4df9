// What the benchmark counts: writes to the API server, SQL statements, users that are ready; and how a figure is printed.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { IamDatabaseUser } from '../../src/api/objects.ts';
import { readAudit, writesOf } from '../bed/audit.ts';
import { operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import type { Stage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

export const isProven = ({ status }: IamDatabaseUser) =>
  ['Ready', 'AccessVerified'].every((type) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True'),
  );

export async function untilAll(
  stage: Stage,
  holds: (users: readonly IamDatabaseUser[]) => boolean,
): Promise<void> {
  const path = '/apis/iamdb.dev/v1alpha1/namespaces/payments/iamdatabaseusers';
  await until(
    'all users',
    async () =>
      holds(
        (await stage.bed.kube.request<{ readonly items: readonly IamDatabaseUser[] }>({ path })).body.items,
      ),
    // Each look lists them all, and must not be most of what the API server does.
    { withinMs: 300_000, everyMs: 500 },
  );
}

/** Events and the lease apart. */
export async function kubeWrites({ bed }: Stage) {
  const account = `system:serviceaccount:${operatorNamespace}:${operatorAccount}`;
  return writesOf(account, await readAudit(bed.kube.auditLogFile)).filter(
    ({ objectRef }) => objectRef?.resource !== 'events' && objectRef?.resource !== 'leases',
  );
}

/** Each simple query is one round trip and one entry in the server's log. */
export async function countStatements({ database: { postgres } }: Stage): Promise<() => readonly string[]> {
  await postgres.sql(`ALTER SYSTEM SET log_statement = 'all'`);
  await postgres.sql(`ALTER SYSTEM SET log_line_prefix = '@%u@'`);
  await postgres.sql('SELECT pg_reload_conf()');
  const [row] = await postgres.sql<{ readonly data_directory: string }>('SHOW data_directory');
  const file = join(dirname(row?.data_directory ?? ''), 'postgres.log');
  return () => readFileSync(file, 'utf8').split('@iamdb_admin@LOG:  statement: ').slice(1);
}

export function roundTrips(statements: readonly string[]) {
  const observations = statements.filter((text) => text.startsWith('EXECUTE iamdb_roles')).length;
  return { observations, own: statements.length - observations };
}

export function print(rows: readonly (readonly [what: string, figure: string, target: string])[]): void {
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, figure, target] of rows) {
    console.log(
      `${what.padEnd(width)}  ${figure.padStart(10)}${target === '' ? '' : `  (at most ${target})`}`,
    );
  }
}
