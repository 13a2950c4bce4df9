// The pod of the database: PostgreSQL behind the RDS gate, and the trust store with the roots of the gate's certificate.
import { type AwsAuthority, type Credential } from '../../bed/aws-authority.ts';
import { createChildren } from '../../bed/children.ts';
import { createIamAdmin } from '../../bed/postgres-admin.ts';
import { startPostgres } from '../../bed/postgres.ts';
import { startRdsGate } from '../../bed/rds-gate.ts';
import { createRdsTrust } from '../../bed/rds-trust.ts';
import { startTrustStore } from '../../bed/trust-store.ts';
import { accountID, region } from '../../stage/account.ts';
import { until } from '../../stage/wait.ts';
import {
  databaseHost,
  databasePort,
  type DatabaseReport,
  readerHost,
  reportPort,
  serviceHost,
  trustStorePort,
} from '../names.ts';
import { answer, endOnSignal, publish } from './serve.ts';

const children = createChildren();
endOnSignal(() => children.stop());

async function askAws<T>(path: string, question?: unknown): Promise<T> {
  const response = await fetch(`http://${serviceHost('aws')}:${reportPort}${path}`, {
    ...(question === undefined ? {} : { method: 'POST', body: JSON.stringify(question) }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`AWS answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** As JSON carries it. */
interface Sent extends Omit<Credential, 'expiresAt'> {
  readonly expiresAt?: string;
}

const aws: AwsAuthority = {
  credentials: {
    lookup: async (accessKeyId) => {
      const sent = await askAws<Sent | null>('/credential', accessKeyId);
      if (sent === null) return undefined;
      const { expiresAt, ...rest } = sent;
      return { ...rest, ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }) };
    },
  },
  authorize: (question) => askAws<boolean>('/authorize', question),
};

const postgres = await startPostgres({ major: 17, children });
await createIamAdmin(postgres);
// AWS may start a little later than we do.
const resourceId = await until(
  'the cluster in AWS',
  () => askAws<string>('/resource-id').catch(() => undefined),
  {
    withinMs: 60_000,
    everyMs: 200,
  },
);
const hosts = [databaseHost, readerHost];
const trust = await createRdsTrust(region);
const gate = await startRdsGate({
  upstream: postgres,
  endpoints: hosts.map((host) => ({ host, port: databasePort })),
  server: { partition: 'aws', region, accountId: accountID, resourceId },
  certificate: await trust.issue(hosts),
  aws,
});
const trustStore = await startTrustStore({ current: [trust], next: [trust], expired: [trust] });

async function report(): Promise<DatabaseReport> {
  const rows = await postgres.sql<{ readonly name: string; readonly groups: readonly string[] }>(
    `SELECT r.rolname AS name,
       array(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS groups
     FROM pg_roles r WHERE r.rolname LIKE 'payments\\_%' ORDER BY 1`,
  );
  return { logins: gate.logins, roles: Object.fromEntries(rows.map(({ name, groups }) => [name, groups])) };
}

await publish(databasePort, gate.port);
await publish(trustStorePort, Number(new URL(trustStore.url).port));
await answer(reportPort, { '/report': report });
