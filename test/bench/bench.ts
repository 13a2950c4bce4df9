// npm run bench: what one user, a hundred users and a restart cost, counted on real parts; prints each with its target.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { IamDatabaseUser } from '../../src/api/objects.ts';
import { readAudit, writesOf } from '../bed/audit.ts';
import { accountID, createWorkloadRole } from '../stage/account.ts';
import { operatorBundle } from '../stage/bundle.ts';
import { operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const count = 100;
const names = Array.from({ length: count }, (_, i) => `user-${i}`);

async function measure(stage: Stage, scene: Scene): Promise<void> {
  const statements = await countStatements(stage);
  for (const name of names) createWorkloadRole(stage.aws, `payments-${name}`);
  const bundle = statSync(operatorBundle()).size;
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.untilReady(stage.iamDatabase());

  const first = userManifest();
  const began = performance.now();
  await scene.apply(first);
  await scene.untilCondition(first, 'AccessVerified', 'True');
  await scene.untilReady(first);
  const one = performance.now() - began;

  const before = { kube: (await kubeWrites(stage)).length, iam: stage.aws.countWrites(), sql: statements() };
  const startedAll = performance.now();
  await Promise.all(names.map((name) => scene.apply(manifestOf(name))));
  await untilAll(stage, (users) => users.length === count + 1 && users.every(isProven));
  const all = performance.now() - startedAll;
  const kube = (await kubeWrites(stage)).length - before.kube;
  const iam = stage.aws.countWrites() - before.iam;
  const sql = roundTrips(statements().slice(before.sql.length));
  const memory = resident(stage.operator.pid());

  const restart = await measureRestart(stage, scene);
  const deleting = { kube: (await kubeWrites(stage)).length, began: performance.now() };
  await Promise.all(names.map((name) => scene.delete(manifestOf(name))));
  await untilAll(stage, (users) => users.length === 1);
  const gone = performance.now() - deleting.began;
  const deletes = (await kubeWrites(stage)).length - deleting.kube;

  print([
    ['one user: apply to ready and proven', `${one.toFixed(0)} ms`, '2,000 ms'],
    [`${count} users, each with its own IAM role: to ready and proven`, `${all.toFixed(0)} ms`, ''],
    ['API server writes for a new user', (kube / count).toFixed(2), '3.05'],
    ['IAM writes for a new user with its own role', (iam / count).toFixed(2), '2.05'],
    ['SQL round trips for a new user, batched observation apart', (sql.own / count).toFixed(2), '2'],
    ['batched observations for all of them', String(sql.observations), ''],
    ['resident memory right after creating them', `${memory.toFixed(0)} MB`, ''],
    ['resident memory with that many users, after a restart', `${restart.memory.toFixed(0)} MB`, '120 MB'],
    ['restart to caches synced', `${restart.syncedMs.toFixed(0)} ms`, ''],
    ['writes after the restart: API server, IAM', `${restart.kube}, ${restart.iam}`, '0, 0'],
    ['logins as users after the restart', String(restart.logins), '0'],
    ['API server writes for a deleted user', (deletes / count).toFixed(2), '2.05'],
    [`${count} users deleted`, `${gone.toFixed(0)} ms`, ''],
    ['size of the bundle', `${(bundle / 1e6).toFixed(1)} MB`, '5 MB'],
  ]);
}

async function measureRestart(stage: Stage, scene: Scene) {
  await stage.operator.stop();
  const kube = (await kubeWrites(stage)).length;
  const iam = stage.aws.countWrites();
  const logins = stage.database.gate.logins.length;
  const lines = stage.operator.log().length;
  const began = performance.now();
  await stage.operator.start();
  const log = () => stage.operator.log().slice(lines);
  await until('synced caches', () => log().some(({ msg }) => msg === 'caches synced'));
  const syncedMs = performance.now() - began;
  // A new user is looked at only after everybody was, because what starts up has the least priority of all but comes first.
  const probe = userManifest('probe');
  await scene.apply(probe);
  await scene.untilReady(probe);
  const memory = resident(stage.operator.pid());
  await scene.delete(probe);
  await scene.untilGone(probe);
  const mine = (await kubeWrites(stage))
    .slice(kube)
    .filter(({ objectRef }) => !objectRef?.name?.startsWith('probe'));
  const users = stage.database.gate.logins
    .slice(logins)
    .filter(({ user }) => user.startsWith('payments_user'));
  const probing = 4; // create, attach or a version; the same back
  return {
    memory,
    syncedMs,
    kube: mine.length,
    iam: Math.max(0, stage.aws.countWrites() - iam - probing),
    logins: users.length,
  };
}

const manifestOf = (name: string) =>
  userManifest(name, { principals: [{ roleARN: `arn:aws:iam::${accountID}:role/payments-${name}` }] });

const isProven = ({ status }: IamDatabaseUser) =>
  ['Ready', 'AccessVerified'].every((type) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True'),
  );

async function untilAll(stage: Stage, holds: (users: readonly IamDatabaseUser[]) => boolean): Promise<void> {
  const path = '/apis/iamdb.dev/v1alpha1/namespaces/payments/iamdatabaseusers';
  await until(
    'all users',
    async () =>
      holds(
        (await stage.bed.kube.request<{ readonly items: readonly IamDatabaseUser[] }>({ path })).body.items,
      ),
    { withinMs: 120_000, everyMs: 50 },
  );
}

/** Events and the lease apart. */
async function kubeWrites({ bed }: Stage) {
  const account = `system:serviceaccount:${operatorNamespace}:${operatorAccount}`;
  return writesOf(account, await readAudit(bed.kube.auditLogFile)).filter(
    ({ objectRef }) => objectRef?.resource !== 'events' && objectRef?.resource !== 'leases',
  );
}

/** Each simple query is one round trip and one entry in the server's log. */
async function countStatements({ database: { postgres } }: Stage): Promise<() => readonly string[]> {
  await postgres.sql(`ALTER SYSTEM SET log_statement = 'all'`);
  await postgres.sql(`ALTER SYSTEM SET log_line_prefix = '@%u@'`);
  await postgres.sql('SELECT pg_reload_conf()');
  const [row] = await postgres.sql<{ readonly data_directory: string }>('SHOW data_directory');
  const file = join(dirname(row?.data_directory ?? ''), 'postgres.log');
  return () => readFileSync(file, 'utf8').split('@iamdb_admin@LOG:  statement: ').slice(1);
}

function roundTrips(statements: readonly string[]) {
  const observations = statements.filter((text) => text.startsWith('EXECUTE iamdb_roles')).length;
  return { observations, own: statements.length - observations };
}

function resident(pid: number | undefined): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Number(stdout) / 1024;
}

function print(rows: readonly (readonly [what: string, figure: string, target: string])[]): void {
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, figure, target] of rows) {
    console.log(
      `${what.padEnd(width)}  ${figure.padStart(10)}${target === '' ? '' : `  (at most ${target})`}`,
    );
  }
}

const stage = await startStage({
  settings: {
    'proofs-per-second': '0',
    'iam-writes-per-second': '0',
    'iam-reads-per-second': '0',
    'log-level': 'info',
  },
  progress: (text) => console.error(`  ${text}`),
});
try {
  await measure(stage, sceneOf(stage));
} finally {
  await stage.stop();
}
