// npm run bench: what one user, a hundred users and a restart cost, counted on real parts; prints each with its target.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { freePorts } from '../bed/ports.ts';
import { accountID, createWorkloadRole } from '../stage/account.ts';
import { operatorBundle } from '../stage/bundle.ts';
import { countCosts, roundTrips } from '../stage/costs.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { kubeWrites } from '../stage/writes.ts';
import { measureAtSize } from './at-size.ts';
import { isProven, print, untilAll } from './counts.ts';

const many = 100;
const names = Array.from({ length: many }, (_, i) => `user-${i}`);

async function measure(stage: Stage, scene: Scene): Promise<void> {
  const count = await countCosts(stage);
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

  const counted = await count();
  await Promise.all(names.map((name) => scene.apply(manifestOf(name))));
  await untilAll(stage, (users) => users.length === many + 1 && users.every(isProven));
  const costs = await counted();
  const iam = costs.calls.filter((call) => call.writes).length;
  const sql = roundTrips(costs.sql);
  const memory = resident(stage.operator.pid());

  const restart = await measureRestart(stage, scene);
  const deleting = { kube: (await kubeWrites(stage)).length, began: performance.now() };
  await Promise.all(names.map((name) => scene.delete(manifestOf(name))));
  await untilAll(stage, (users) => users.length === 1);
  const gone = performance.now() - deleting.began;
  const deletes = (await kubeWrites(stage)).length - deleting.kube;

  print([
    ['one user: apply to ready and proven', `${one.toFixed(0)} ms`, '2,000 ms'],
    [`${many} users, each with its own IAM role: to ready and proven`, `${costs.ms.toFixed(0)} ms`, ''],
    ['API server writes for a new user', (costs.kubeWrites / many).toFixed(2), '3.05'],
    ['IAM writes for a new user with its own role', (iam / many).toFixed(2), '2.05'],
    [
      'SQL round trips for a new user, batched observation and new sessions apart',
      (sql.own / many).toFixed(2),
      '2',
    ],
    ['batched observations for all of them', String(sql.observations), ''],
    ['resident memory right after creating them', `${memory.toFixed(0)} MB`, ''],
    ['resident memory with that many users, after a restart', `${restart.memory.toFixed(0)} MB`, '120 MB'],
    [
      'start of the operator to /readyz, with that many users',
      `${restart.readyMs.toFixed(0)} ms`,
      '1,000 ms',
    ],
    ['writes after the restart: API server, IAM', `${restart.kube}, ${restart.iam}`, '0, 0'],
    ['logins as users after the restart', String(restart.logins), '0'],
    ['API server writes for a deleted user', (deletes / many).toFixed(2), '2.05'],
    [`${many} users deleted`, `${gone.toFixed(0)} ms`, ''],
    ['size of the bundle', `${(bundle / 1e6).toFixed(1)} MB`, '5 MB'],
  ]);
}

async function measureRestart(stage: Stage, scene: Scene) {
  await stage.operator.stop();
  const kube = (await kubeWrites(stage)).length;
  const iam = stage.aws.countWrites();
  const logins = stage.database.gate.logins.length;
  const began = performance.now();
  await stage.operator.start();
  const isReady = async () =>
    await fetch(`http://${listenAddress}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('/readyz', isReady, { everyMs: 5 });
  const readyMs = performance.now() - began;
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
    readyMs,
    kube: mine.length,
    iam: Math.max(0, stage.aws.countWrites() - iam - probing),
    logins: users.length,
  };
}

const manifestOf = (name: string) =>
  userManifest(name, { principals: [{ roleARN: `arn:aws:iam::${accountID}:role/payments-${name}` }] });

function resident(pid: number | undefined): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Number(stdout) / 1024;
}

const [port = 0] = await freePorts(1);
const listenAddress = `127.0.0.1:${port}`;
const parts = {
  costs: { run: measure, settings: { 'log-level': 'info', 'listen-address': listenAddress } },
  // Passes are counted in its log. With a pass's real time: the shortened one of tests is none for a thousand users.
  size: { run: measureAtSize, settings: { 'log-level': 'debug', 'time-scale': '1' } },
};

/** A stage of its own for each part. */
async function onStage({ run, settings }: (typeof parts)[keyof typeof parts]): Promise<void> {
  const stage = await startStage({
    settings: {
      'proofs-per-second': '0',
      'iam-writes-per-second': '0',
      'iam-reads-per-second': '0',
      ...settings,
    },
    progress: (text) => console.error(`  ${text}`),
  });
  try {
    await run(stage, sceneOf(stage));
  } finally {
    await stage.stop();
  }
}

const [chosen] = process.argv.slice(2);
for (const [name, part] of Object.entries(parts)) {
  if (chosen === undefined || chosen === name) await onStage(part);
}
