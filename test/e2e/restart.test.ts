// An operator that is started anew takes nothing away for what it does not know yet, and does nothing that is done.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { iamWrites, kubeWrites } from '../stage/writes.ts';

let stage: Stage;
let scene: Scene;

const database = () =>
  stage.iamDatabase({
    spec: {
      resync: { policy: 'Periodic', intervalSeconds: 30 },
      // So long that none comes due while the tests run, whatever an object's place in the interval.
      probe: { policy: 'Periodic', intervalSeconds: 604_800 },
    },
  });

beforeAll(async () => {
  stage = await startStage({
    usualPostgres: 14,
    settings: {
      'time-scale': '0.1',
      'leader-elect': 'false',
      'iam-writes-per-second': '0',
      'iam-reads-per-second': '0',
    },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(database());
});
afterAll(() => stage.stop());

/** Passes since a line of the log, by object. */
function passesSince(line: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { msg, object, controller } of stage.operator.log().slice(line)) {
    const key = `${String(controller)} ${String(object)}`;
    if (msg === 'pass') counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

const loginsAs = (username: string) =>
  stage.database.gate.logins.filter(({ user }) => user === username).length;

describe('an operator that is started while AWS asks to slow down', () => {
  const converged = [userManifest('first'), userManifest('second')];
  const suspended = userManifest('suspended');
  const all = [...converged, suspended];
  let stopThrottling: () => void;
  let allowed: readonly string[];
  let calls: number;
  let statusWrites: number;
  let logins: readonly number[];

  const usernames = all.map(({ spec }) => String(spec['username']));
  const names = new Set<string | undefined>(all.map(({ metadata }) => metadata.name));
  const writesOfStatus = async () =>
    (await kubeWrites(stage)).filter(
      ({ objectRef }) => objectRef?.resource === 'iamdatabaseusers' && names.has(objectRef.name),
    );
  /** As the workload, by the test below. */
  const ourLogins = 1;

  beforeAll(async () => {
    for (const user of all) await scene.apply(user);
    for (const user of all) await scene.untilCondition(user, 'AccessVerified', 'True');
    for (const user of all) await scene.untilReady(user);
    await scene.patch(suspended, { spec: { suspend: true } });
    await scene.untilCondition(suspended, 'Ready', 'True', 'Suspended');
    allowed = scene.allowedARNs('payments-checkout');

    await stage.operator.stop();
    stopThrottling = stage.aws.faults.add({
      service: 'rds',
      error: 'Throttling',
      times: Number.MAX_SAFE_INTEGER,
    });
    calls = stage.aws.calls.length;
    statusWrites = (await writesOfStatus()).length;
    logins = usernames.map(loginsAs);
    const line = stage.operator.log().length;
    await stage.operator.start();
    // Time enough for whatever it may think to do: everybody was looked at after several looks at the database failed.
    await until(
      'several looks at the database',
      () => (passesSince(line).get('iamdatabase orders') ?? 0) >= 3,
      { withinMs: 60_000 },
    );
    await until(
      'a pass over each',
      () => all.every(({ metadata }) => passesSince(line).has(`iamdatabaseuser payments/${metadata.name}`)),
      { withinMs: 60_000 },
    );
    await until('the sweep', () => passesSince(line).has('sweep all'));
  });

  it('says so of the database', async () => {
    await scene.untilCondition(database(), 'TargetResolved', 'False', 'Throttled');
  });

  it('leaves every ARN where it is', async () => {
    expect(allowed).toHaveLength(3);
    expect(scene.allowedARNs('payments-checkout')).toEqual(allowed);
    expect(iamWrites(stage, calls)).toEqual([]);
    for (const username of usernames) expect(await scene.login(username)).toBe(username);
  });

  it('says nothing new of any user, for nothing is known that is new', async () => {
    expect((await writesOfStatus()).slice(statusWrites)).toEqual([]);
    for (const user of converged) await scene.untilReady(user);
  });

  it('says of a user that is new why it waits', async () => {
    const late = userManifest('late');
    await scene.apply(late);
    await scene.untilCondition(late, 'Ready', 'False', 'Throttled');
    await scene.delete(late);
    await scene.untilGone(late);
  });

  it('goes on when AWS answers again, without proving anew what was proven', async () => {
    const line = stage.operator.log().length;
    stopThrottling();
    await scene.untilCondition(database(), 'TargetResolved', 'True');
    await until(
      'a pass over each',
      () =>
        converged.every(({ metadata }) => passesSince(line).has(`iamdatabaseuser payments/${metadata.name}`)),
      { withinMs: 60_000 },
    );
    for (const user of converged) await scene.untilCondition(user, 'AccessVerified', 'True');
    for (const user of converged) await scene.untilReady(user);
    await scene.untilCondition(suspended, 'Ready', 'True', 'Suspended');
    expect(scene.allowedARNs('payments-checkout')).toEqual(allowed);
    expect(iamWrites(stage, calls)).toEqual([]);
    expect(usernames.map(loginsAs)).toEqual(logins.map((count) => count + ourLogins));
    expect((await writesOfStatus()).slice(statusWrites)).toEqual([]);
  });
});

describe('a converged operator that is started anew', () => {
  const users = Array.from({ length: 30 }, (_, n) => {
    const role = `payments-restart-${n % 6}`;
    return { role, manifest: userManifest(`many-${n}`, { principals: [{ roleARN: roleARN(role) }] }) };
  });

  beforeAll(async () => {
    for (const name of new Set(users.map(({ role }) => role))) createWorkloadRole(stage.aws, name);
    await Promise.all(users.map(({ manifest }) => scene.apply(manifest)));
    for (const { manifest } of users) await scene.untilCondition(manifest, 'AccessVerified', 'True');
    for (const { manifest } of users) await scene.untilReady(manifest);
  });

  it('writes nothing to IAM or to the API server, and logs in as nobody', async () => {
    await stage.operator.stop();
    const calls = stage.aws.calls.length;
    const kube = (await kubeWrites(stage)).length;
    const logins = stage.database.gate.logins.length;
    const line = stage.operator.log().length;
    await stage.operator.start();
    // The last one is a resync, after all that a start does at once.
    await until(
      'three passes over each user',
      () => {
        const passes = passesSince(line);
        return users.every(
          ({ manifest }) => (passes.get(`iamdatabaseuser payments/${manifest.metadata.name}`) ?? 0) >= 3,
        );
      },
      { withinMs: 50_000 },
    );
    await until('the sweep', () => passesSince(line).has('sweep all'));
    expect(iamWrites(stage, calls)).toEqual([]);
    expect(
      (await kubeWrites(stage))
        .slice(kube)
        .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.name}`),
    ).toEqual([]);
    expect(
      stage.database.gate.logins.slice(logins).filter(({ user }) => user !== stage.admin.username),
    ).toEqual([]);
    for (const { manifest } of users) await scene.untilCondition(manifest, 'Ready', 'True');
  });
});

function roleARN(name: string): string {
  return `arn:aws:iam::111122223333:role/${name}`;
}
