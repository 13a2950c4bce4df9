// A thousand users over twenty IAM roles on one server: what creating them, a full resync and a new resource id cost.
import type { Call } from '../aws/calls.ts';
import { accountID, createWorkloadRole } from '../stage/account.ts';
import { type Scene, userManifest } from '../stage/scene.ts';
import type { Stage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { countStatements, isProven, kubeWrites, print, roundTrips, untilAll } from './counts.ts';

const [users, roles] = [1_000, 20];
const roleOf = (i: number) => `payments-role-${i % roles}`;

export async function measureAtSize(stage: Stage, scene: Scene): Promise<void> {
  const { aws } = stage;
  const statements = await countStatements(stage);
  for (let i = 0; i < roles; i += 1) createWorkloadRole(aws, roleOf(i));
  const counters = async () => ({
    began: performance.now(),
    calls: aws.calls.length,
    sql: statements().length,
    kube: (await kubeWrites(stage)).length,
    logins: stage.database.gate.logins.length,
  });
  const since = async (before: Awaited<ReturnType<typeof counters>>) => ({
    ms: performance.now() - before.began,
    calls: aws.calls.slice(before.calls),
    sql: roundTrips(statements().slice(before.sql)),
    kube: (await kubeWrites(stage)).length - before.kube,
    logins: stage.database.gate.logins.length - before.logins,
  });

  const manifests = Array.from({ length: users }, (_, i) =>
    userManifest(`user-${i}`, { principals: [{ roleARN: `arn:aws:iam::${accountID}:role/${roleOf(i)}` }] }),
  );
  for (let i = 0; i < users; i += 50) {
    await Promise.all(manifests.slice(i, i + 50).map((one) => scene.apply(one)));
  }
  await scene.apply(stage.iamDatabase());
  // They are all there when it starts, so that the figures do not depend on how fast a machine can create them.
  let before = await counters();
  await stage.operator.start();
  await untilAll(stage, (all) => all.length === users && all.every(isProven));
  const creating = await since(before);

  before = await counters();
  const passes = countPasses(stage);
  // All users of the namespace are woken by it, and no object of ours is written for it.
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'payments' } };
  await scene.patch(namespace, { metadata: { labels: { resync: 'now' } } });
  await until('a pass over every user', () => passes() >= users, {
    withinMs: 120_000,
    everyMs: 500,
    seen: passes,
  });
  const resync = await since(before);

  const { gate, endpoint, readerEndpoint } = stage.database;
  before = await counters();
  aws.rds.deleteCluster('orders-prod');
  const { resourceId } = aws.rds.createCluster({
    identifier: 'orders-prod',
    endpoint: endpoint.host,
    readerEndpoint: readerEndpoint.host,
    port: endpoint.port,
    engineVersion: '17.5',
  });
  gate.setServer({ resourceId });
  await scene.lookAgain(stage.iamDatabase());
  const nameAll = () =>
    Array.from({ length: roles }, (_, i) => scene.allowedARNs(roleOf(i)))
      .flat()
      .filter((arn) => arn.includes(`:${resourceId}/`)).length === users;
  await until('the new id in every policy', nameAll, { withinMs: 120_000, everyMs: 200 });
  const moved = await since(before);
  // Old versions go last, when everybody has access again.
  const hasRoom = () => [...aws.iamState().policies.values()].every(({ versions }) => versions.length < 5);
  await until('room for one more version of every policy', hasRoom, { withinMs: 120_000, everyMs: 200 });
  const settled = await since(before);

  print([
    [`${users} users over ${roles} IAM roles: to ready and proven`, `${creating.ms.toFixed(0)} ms`, ''],
    ['IAM writes for one of them', (writes(creating.calls) / users).toFixed(3), '0.3'],
    ['IAM reads for one of them', (reads(creating.calls) / users).toFixed(3), '0.1'],
    ['API server writes for one of them', (creating.kube / users).toFixed(2), '3.05'],
    ['batched observations for all of them', String(creating.sql.observations), '100'],
    [`full resync of ${users} users`, `${resync.ms.toFixed(0)} ms`, ''],
    ['SQL queries of it', String(resync.sql.observations + resync.sql.own), '3'],
    ['AWS calls of it', String(resync.calls.length), '12'],
    ['API server writes of it', String(resync.kube), '0'],
    ['logins of it', String(resync.logins), '0'],
    ['a new resource id: until every policy names it', `${moved.ms.toFixed(0)} ms`, ''],
    ['IAM calls for a policy until it does, listings apart', perPolicy(untilWritten(settled.calls)), '2'],
    ['the same with old versions deleted', perPolicy(ofPolicies(settled.calls)), '3'],
  ]);
  const each = { creating, resync, moved: settled };
  for (const [what, { calls }] of Object.entries(each)) console.error(`AWS calls, ${what}:`, tally(calls));
}

const iam = (calls: readonly Call[]) => calls.filter(({ service }) => service === 'iam');
const writes = (calls: readonly Call[]) => iam(calls).filter((call) => call.writes).length;
const ofPolicies = (calls: readonly Call[]) => iam(calls).filter(({ action }) => action !== 'ListPolicies');
/** Those that come before a policy lets in again, the write itself among them. */
const untilWritten = (calls: readonly Call[]) =>
  [...Map.groupBy(ofPolicies(calls), ({ parameters }) => parameters['PolicyArn']).values()].flatMap((some) =>
    some.slice(0, some.findIndex(({ action }) => action === 'CreatePolicyVersion') + 1 || some.length),
  );
const perPolicy = (calls: readonly Call[]) => (calls.length / roles).toFixed(2);
const reads = (calls: readonly Call[]) => iam(calls).filter((call) => !call.writes).length;
const tally = (calls: readonly Call[]) =>
  Object.fromEntries(
    [...Map.groupBy(calls, ({ service, action }) => `${service}:${action}`)].map(([name, some]) => [
      name,
      some.length,
    ]),
  );

/** Passes over users that have ended since. */
function countPasses(stage: Stage): () => number {
  const ended = () =>
    stage.operator.log().filter(({ msg, object }) => msg === 'pass' && String(object).includes('/')).length;
  const before = ended();
  return () => ended() - before;
}
