// A thousand users over twenty IAM roles on one server: what creating them, a full resync and a new resource id cost.
import type { Call } from '../aws/calls.ts';
import { accountID, createWorkloadRole } from '../stage/account.ts';
import { recreateCluster } from '../stage/cluster-in-rds.ts';
import {
  callsUntilWritten,
  costsOfResync,
  countCosts,
  roundTrips,
  untilAllPassed,
  untilBetweenResyncs,
} from '../stage/costs.ts';
import { type Scene, userManifest } from '../stage/scene.ts';
import type { Stage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { isProven, print, untilAll } from './counts.ts';

const [users, roles] = [1_000, 20];
/** Longer than idle connections of the admin live, so that a resync has to log in as any other has. */
const resync = { policy: 'Periodic', intervalSeconds: 90 } as const;
const roleOf = (i: number) => `payments-role-${i % roles}`;

export async function measureAtSize(stage: Stage, scene: Scene): Promise<void> {
  const { aws } = stage;
  const count = await countCosts(stage);
  for (let i = 0; i < roles; i += 1) createWorkloadRole(aws, roleOf(i));

  const manifests = Array.from({ length: users }, (_, i) =>
    userManifest(`user-${i}`, { principals: [{ roleARN: `arn:aws:iam::${accountID}:role/${roleOf(i)}` }] }),
  );
  for (let i = 0; i < users; i += 50) {
    await Promise.all(manifests.slice(i, i + 50).map((one) => scene.apply(one)));
  }
  await scene.apply(stage.iamDatabase());
  // They are all there when it starts, so that the figures do not depend on how fast a machine can create them.
  let counted = await count();
  await stage.operator.start();
  await untilAll(stage, (all) => all.length === users && all.every(isProven));
  const creating = await counted();

  const line = stage.operator.log().length;
  await scene.patch(stage.iamDatabase(), { spec: { resync } });
  // By that change, which wakes them all.
  await untilAllPassed(stage, line, users);
  const intervalMs = resync.intervalSeconds * 1_000;
  const resyncing = await costsOfResync(stage, count, { intervalMs, users });
  const trips = roundTrips(resyncing.sql);

  // Long enough for what RDS said last to be asked anew.
  await untilBetweenResyncs(intervalMs);
  counted = await count();
  const resourceId = recreateCluster(stage.aws, stage.database);
  await scene.lookAgain(stage.iamDatabase());
  const nameAll = () =>
    Array.from({ length: roles }, (_, i) => scene.allowedARNs(roleOf(i)))
      .flat()
      .filter((arn) => arn.includes(`:${resourceId}/`)).length === users;
  await until('the new id in every policy', nameAll, { withinMs: 120_000, everyMs: 200 });
  const moved = await counted();
  // Old versions go last, when everybody has access again.
  const hasRoom = () => [...aws.iamState().policies.values()].every(({ versions }) => versions.length < 5);
  await until('room for one more version of every policy', hasRoom, { withinMs: 120_000, everyMs: 200 });
  const settled = await counted();

  print([
    [`${users} users over ${roles} IAM roles: to ready and proven`, `${creating.ms.toFixed(0)} ms`, ''],
    ['IAM writes for one of them', (writes(creating.calls) / users).toFixed(3), '0.3'],
    ['IAM reads for one of them', (reads(creating.calls) / users).toFixed(3), '0.1'],
    ['API server writes for one of them', (creating.kubeWrites / users).toFixed(2), '3.05'],
    ['batched observations for all of them', String(roundTrips(creating.sql).observations), '100'],
    [
      'SQL queries of a full resync, of the database and all users',
      String(trips.observations + trips.rehearsals + trips.own),
      '3',
    ],
    ['the rehearsal of the admin among them', String(trips.rehearsals), ''],
    ['new sessions of the admin besides, one round trip each', String(trips.setUps), ''],
    ['AWS calls of it', String(resyncing.calls.length), '12'],
    ['API server writes of it', String(resyncing.kubeWrites), '0'],
    ['logins as users of it', String(resyncing.logins.filter(isUser).length), '0'],
    ['a new resource id: until every policy names it', `${moved.ms.toFixed(0)} ms`, ''],
    [
      'IAM calls for a policy until it does, listings apart',
      perPolicy([...callsUntilWritten(settled.calls).values()].flat()),
      '2',
    ],
    ['the same with old versions deleted', perPolicy(ofPolicies(settled.calls)), '3'],
  ]);
  const each = { creating, resyncing, moved: settled };
  for (const [what, { calls }] of Object.entries(each)) console.error(`AWS calls, ${what}:`, tally(calls));
}

const iam = (calls: readonly Call[]) => calls.filter(({ service }) => service === 'iam');
const writes = (calls: readonly Call[]) => iam(calls).filter((call) => call.writes).length;
const ofPolicies = (calls: readonly Call[]) => iam(calls).filter(({ action }) => action !== 'ListPolicies');
const isUser = (name: string) => name.startsWith('payments_');
const perPolicy = (calls: readonly unknown[]) => (calls.length / roles).toFixed(2);
const reads = (calls: readonly Call[]) => iam(calls).filter((call) => !call.writes).length;
const tally = (calls: readonly Call[]) =>
  Object.fromEntries(
    [...Map.groupBy(calls, ({ service, action }) => `${service}:${action}`)].map(([name, some]) => [
      name,
      some.length,
    ]),
  );
