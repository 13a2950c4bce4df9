// The database behind a name is another one than the policy names: found out by logging in, or by looking at RDS.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recreateCluster } from '../stage/cluster-in-rds.ts';
import { accountID, region } from '../stage/account.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const timeScale = 0.03;
const propagationMs = 300_000 * timeScale;

let stage: Stage;
let scene: Scene;
const old = userManifest('old');
const late = userManifest('late');
const users = [old, late];
const usernames = users.map(({ spec }) => String(spec['username']));

const arnOf = (resourceID: string, username: string) =>
  `arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceID}/${username}`;

/** Each login through the gate as that user, since a time. */
const loginsSince = (username: string, at: number) =>
  stage.database.gate.logins.filter((login) => login.user === username && login.at.getTime() >= at);

beforeAll(async () => {
  stage = await startStage({
    // The admin has to come in whatever the server's resource id is, and from 16 on a password admin cannot work.
    postgres: 14,
    admin: 'Secret',
    settings: {
      'time-scale': String(timeScale),
      'leader-elect': 'false',
      'iam-writes-per-second': '0',
      'iam-reads-per-second': '0',
    },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(
    stage.iamDatabase({
      spec: {
        resync: { policy: 'Periodic', intervalSeconds: 30 },
        probe: { policy: 'Periodic', intervalSeconds: 60 },
      },
    }),
  );
  await scene.apply(old);
  await scene.untilCondition(old, 'AccessVerified', 'True');
  await scene.untilReady(old);
});
afterAll(() => stage.stop());

describe('a server with another resource id than the policy says', () => {
  let right: string;
  let changedAt: number;

  beforeAll(async () => {
    right = stage.database.gate.server.resourceId;
    changedAt = Date.now();
    stage.database.gate.setServer({ resourceId: 'cluster-ANOTHERONE' });
    await scene.apply(late);
  });

  it('may still be spreading the policies, so nothing is judged before that time is over', async () => {
    await scene.untilCondition(late, 'AccessVerified', 'Unknown', 'Propagating', propagationMs);
    await scene.untilCondition(late, 'AccessVerified', 'False', 'TokenRefused', propagationMs + 10_000);
    const logins = loginsSince('payments_late', changedAt);
    const letIn = stage.aws.calls.findLast(({ action }) => action === 'CreatePolicyVersion');
    expect(Number(logins.at(-1)?.at) - (letIn?.at ?? 0)).toBeGreaterThanOrEqual(propagationMs);
    // Several tries meanwhile, each with a token of its own.
    expect(logins.length).toBeGreaterThan(2);
  });

  it('refuses everybody, which is told with where to look', async () => {
    for (const user of users) {
      const { message } = await scene.untilCondition(user, 'AccessVerified', 'False', 'TokenRefused');
      expect(message).toContain('resource id');
      await scene.untilCondition(user, 'Ready', 'False', 'TokenRefused');
    }
    for (const username of usernames) {
      expect(loginsSince(username, changedAt)[0]).toMatchObject({
        by: 'token',
        outcome: 'refused',
        why: 'not authorized',
      });
      await expect(scene.login(username)).rejects.toThrow(/PAM authentication failed/);
    }
  });

  it('is believed again once the ids agree', async () => {
    stage.database.gate.setServer({ resourceId: right });
    for (const user of users) {
      await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await scene.untilReady(user);
    }
    expect(scene.allowedARNs('payments-checkout').toSorted()).toEqual(
      usernames.map((username) => arnOf(right, username)).toSorted(),
    );
  });
});

describe('a cluster that is restored under the same name', () => {
  it('has its new id in the policies after a resync, the old one gone, and is proven again', async () => {
    const before = stage.database.gate.server.resourceId;
    const restoredAt = Date.now();
    const after = recreateCluster(stage.aws, stage.database);
    expect(after).not.toBe(before);

    const expected = usernames.map((username) => arnOf(after, username)).toSorted();
    await until(
      'the new id in the policy',
      () => scene.allowedARNs('payments-checkout').toSorted().join(' ') === expected.join(' '),
      { seen: () => scene.allowedARNs('payments-checkout') },
    );
    for (const user of users) {
      await until(
        `a proof of ${user.metadata.name} on the restored cluster`,
        async () => {
          const { status } = (await scene.read(user)) ?? {};
          const proof = status?.conditions?.find(({ type }) => type === 'AccessVerified');
          return (
            proof?.status === 'True' &&
            status?.resourceARNs?.join(' ') === arnOf(after, String(user.spec['username'])) &&
            Date.parse(status.lastVerificationTime ?? '') >= restoredAt - 1_000
          );
        },
        { seen: async () => (await scene.read(user))?.status },
      );
      await scene.untilReady(user);
    }
    for (const username of usernames) {
      expect(loginsSince(username, restoredAt).some(({ outcome }) => outcome === 'accepted')).toBe(true);
      expect(await scene.login(username)).toBe(username);
    }
    const { resourceIDs } =
      (
        await scene.read<{ readonly status: { readonly resourceIDs: readonly string[] } }>(
          stage.iamDatabase(),
        )
      )?.status ?? {};
    expect(resourceIDs).toEqual([after]);
    const marks = await stage.database.postgres.sql<{ readonly mark: string }>(
      `SELECT shobj_description(oid, 'pg_authid') AS mark FROM pg_roles WHERE rolname LIKE 'payments_%'`,
    );
    expect(marks).toHaveLength(2);
    for (const { mark } of marks) {
      expect(mark).toContain(after);
      expect(mark).not.toContain(before);
    }
  });
});
