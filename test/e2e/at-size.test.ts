// A hundred users over two IAM roles, as many to a role as a thousand over twenty: what they cost, counted and never timed.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accountID, createWorkloadRole } from '../stage/account.ts';
import { recreateCluster } from '../stage/cluster-in-rds.ts';
import { type Costs, callsUntilWritten, costsOfResync, countCosts, roundTrips } from '../stage/costs.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const [users, roles] = [100, 2];
const roleOf = (i: number) => `payments-role-${i % roles}`;
const manifests = Array.from({ length: users }, (_, i) =>
  userManifest(`user-${i}`, { principals: [{ roleARN: `arn:aws:iam::${accountID}:role/${roleOf(i)}` }] }),
);
const timeScale = 0.2;
const resync = { policy: 'Periodic', intervalSeconds: 30 } as const;

let stage: Stage;
let scene: Scene;
let count: Awaited<ReturnType<typeof countCosts>>;
const database = () =>
  stage.iamDatabase({ spec: { resync, probe: { policy: 'OnChange', intervalSeconds: 3_600 } } });

beforeAll(async () => {
  stage = await startStage({
    settings: { ...quickSettings, 'time-scale': String(timeScale), 'proofs-per-second': '0' },
  });
  scene = sceneOf(stage);
  count = await countCosts(stage);
  for (let i = 0; i < roles; i += 1) createWorkloadRole(stage.aws, roleOf(i));
  for (const manifest of manifests) await scene.apply(manifest);
  await scene.apply(database());
});
afterAll(() => stage.stop());

const writesOf = ({ calls }: Costs) => calls.filter((call) => call.service === 'iam' && call.writes);

it('they are made with at most 0.3 IAM writes for each', { timeout: 300_000 }, async () => {
  const counted = await count();
  await stage.operator.start();
  for (const manifest of manifests) {
    await scene.untilCondition(manifest, 'AccessVerified', 'True', undefined, 120_000);
    await scene.untilReady(manifest, 120_000);
  }
  expect(writesOf(await counted()).length).toBeLessThanOrEqual(0.3 * users);
});

/**
 * Questions that are asked within milliseconds of each other go together, so a machine that stands still in between may
 * tear one resync's apart; not each of ten, whereas a question for each user would need a hundred every time.
 */
it('a full resync takes 3 SQL queries and 12 AWS calls at most, and writes nothing', {
  timeout: 300_000,
}, async () => {
  const intervalMs = resync.intervalSeconds * 1_000 * timeScale;
  // Behind one, everything is done that was still on its way when the last user was ready.
  await costsOfResync(stage, count, { intervalMs, users });
  const trips: ReturnType<typeof roundTrips>[] = [];
  while (trips.length < 10 && (trips.at(-1)?.queries ?? 4) > 3) {
    const costs = await costsOfResync(stage, count, { intervalMs, users });
    expect(costs.kubeWrites).toBe(0);
    expect(costs.calls.length).toBeLessThanOrEqual(12);
    expect(costs.calls.filter((call) => call.writes)).toEqual([]);
    expect(costs.logins.filter((user) => user.startsWith('payments_'))).toEqual([]);
    trips.push(roundTrips(costs.sql));
  }
  expect(trips.at(-1)?.queries, JSON.stringify(trips)).toBeLessThanOrEqual(3);
  expect(trips.at(-1)).toMatchObject({ own: 0 });
});

it('a new resource id is in each policy after 2 IAM calls about it', { timeout: 300_000 }, async () => {
  const counted = await count();
  const resourceID = recreateCluster(stage.aws, stage.database);
  const namesAll = () =>
    Array.from({ length: roles }, (_, i) => scene.allowedARNs(roleOf(i)))
      .flat()
      .filter((arn) => arn.includes(`:${resourceID}/`)).length === users;
  await until('the new id for every user', namesAll, { withinMs: 120_000 });
  const written = callsUntilWritten((await counted()).calls);
  expect(written.size).toBe(roles);
  for (const [, actions] of written) expect(actions.length, actions.join()).toBeLessThanOrEqual(2);
});
