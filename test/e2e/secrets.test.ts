// No secret gets anywhere: after creation, every kind of failure and deletion, each place a person can read is searched for all of them.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../bed/ports.ts';
import { createIamAdmin, createPasswordAdmin } from '../bed/postgres-admin.ts';
import { accountID, createWorkloadRole, operatorRoleARN, region } from '../stage/account.ts';
import { operatorNamespace } from '../stage/cluster.ts';
import { quickSettings, type Scene, sceneOf, type UserManifest, userManifest } from '../stage/scene.ts';
import { type DatabaseManifest, type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let metricsURL: string;
let secretARN: string;
/** All that was ever shown, by place: what is gone from the cluster later was readable once. */
const seen = new Map<string, string>();

const spec = {
  resync: { policy: 'Periodic', intervalSeconds: 30 },
  probe: { policy: 'Periodic', intervalSeconds: 60 },
} as const;
const byPassword = () => stage.iamDatabase({ spec });
const byToken = () =>
  stage.iamDatabase({
    name: 'by-token',
    spec: { ...spec, admin: { username: 'iam_admin', authentication: 'IAM' } },
  });
const byManagedSecret = () =>
  stage.iamDatabase({
    name: 'by-managed-secret',
    spec: { ...spec, admin: { username: 'rds_admin', authentication: 'ManagedSecret' } },
  });
const managed = { username: 'rds_admin', password: 'Master-Password-Kept-By-Rds-77' } as const;
const users = [
  userManifest('by-password'),
  userManifest('by-managed-secret', { databaseRef: { name: 'by-managed-secret' } }),
  userManifest('by-token', { databaseRef: { name: 'by-token' } }),
] as const;
const databases = (): readonly DatabaseManifest[] => [byPassword(), byToken(), byManagedSecret()];
const allUsers = async (look: (user: UserManifest) => Promise<unknown>) => {
  await Promise.all(users.map((user) => look(user)));
};
const allDatabases = async (look: (database: DatabaseManifest) => Promise<unknown>) => {
  await Promise.all(databases().map((database) => look(database)));
};

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  metricsURL = `http://127.0.0.1:${port}/metrics`;
  stage = await startStage({
    postgres: 14,
    admin: 'Secret',
    settings: { ...quickSettings, 'log-level': 'trace', 'listen-address': `127.0.0.1:${port}` },
  });
  scene = sceneOf(stage);
  await createIamAdmin(stage.database.postgres, 'iam_admin');
  await createPasswordAdmin(stage.database.postgres, managed.username, managed.password);
  secretARN = stage.aws.secrets.createSecret({ name: 'rds!cluster-1', text: JSON.stringify(managed) });
  stage.aws.rds.modifyCluster('orders-prod', { masterUserSecretArn: secretARN });
  stage.aws.putInlinePolicy(operatorRoleARN, 'second-admin', {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: `arn:aws:rds-db:${region}:${accountID}:dbuser:${stage.database.gate.server.resourceId}/iam_admin`,
      },
    ],
  });
  await stage.operator.start();
});
afterAll(() => stage.stop());

/** Everything that must not be seen, by what it is. */
function secrets(): ReadonlyMap<string, string> {
  const kubeconfig = readFileSync(join(dirname(stage.operator.logFile), 'operator.kubeconfig'), 'utf8');
  const { users: entries } = JSON.parse(kubeconfig) as {
    readonly users: readonly { readonly user: { readonly token: string } }[];
  };
  const keys = stage.aws
    .issuedCredentials()
    .flatMap((one) => [
      [`secret access key of ${one.accessKeyId}`, one.secretAccessKey] as const,
      ...(one.sessionToken === undefined
        ? []
        : [[`session token of ${one.accessKeyId}`, one.sessionToken] as const]),
    ]);
  return new Map([
    ['password of the admin', stage.admin.password ?? ''],
    ['password that RDS keeps', managed.password],
    ['token of the ServiceAccount', entries[0]?.user.token ?? ''],
    ...keys,
  ]);
}

/** Marks of a presigned URL, which every token for the database is: plain, in a query, in JSON. */
const marks = ['X-Amz-Signature', 'X-Amz-Security-Token', 'X-Amz-Credential'];

/** Each stretch of it that survives quoting and URL encoding, so that a part of it is found too; a short one whole. */
function traces(secret: string): readonly string[] {
  const stretches = secret.match(/[A-Za-z0-9]{12,}/g) ?? [];
  // Sixteen in a row of random text are nobody's by chance, and a text that was clipped still holds some.
  const pieces = stretches.flatMap((text) => text.match(/.{12,16}/g) ?? []);
  return [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret), ...pieces];
}

/** Names of the secrets that a text holds. */
function leaks(text: string, searched = secrets()): readonly string[] {
  const named = [...searched].filter(([, secret]) => traces(secret).some((trace) => text.includes(trace)));
  return [...named.map(([name]) => name), ...marks.filter((mark) => text.includes(mark))];
}

/** Adds what can be read now to what was read before; answers with the secrets that were ever shown, by place. */
async function leaksAnywhere(): Promise<readonly string[]> {
  const { kube } = stage.bed;
  const text = async (path: string) => JSON.stringify((await kube.request({ path, expect: 200 })).body);
  const { policies, roles } = stage.aws.iamState();
  const metrics = await fetch(metricsURL);
  const found = {
    log: readFileSync(stage.operator.logFile, 'utf8'),
    users: await text('/apis/iamdb.dev/v1alpha1/iamdatabaseusers'),
    databases: await text('/apis/iamdb.dev/v1alpha1/iamdatabases'),
    events: await text('/apis/events.k8s.io/v1/events'),
    configMaps: await text('/api/v1/configmaps'),
    leases: await text('/apis/coordination.k8s.io/v1/leases'),
    metrics: await metrics.text(),
    iam: JSON.stringify([[...policies.values()], [...roles.values()].map(({ inline }) => [...inline])]),
    marks: JSON.stringify(
      await stage.database.postgres.sql(`SELECT description FROM pg_shdescription
        UNION ALL SELECT query FROM pg_stat_activity WHERE usename <> 'postgres'`),
    ),
  };
  for (const [place, now] of Object.entries(found)) seen.set(place, `${seen.get(place) ?? ''}\n${now}`);
  return leaksSeen();
}

function leaksSeen(): readonly string[] {
  const searched = secrets();
  return [...seen].flatMap(([place, text]) => leaks(text, searched).map((name) => `${place}: ${name}`));
}

describe('what a person can read', () => {
  it('while users come to be and are proven, one of a password admin, one of an admin whose password RDS keeps and one of an IAM admin', async () => {
    await allDatabases((database) => scene.apply(database));
    await allUsers((user) => scene.apply(user));
    await allUsers((user) => scene.untilCondition(user, 'AccessVerified', 'True', 'Verified'));
    await allUsers((user) => scene.untilReady(user));
    expect(await leaksAnywhere()).toEqual([]);
  });

  it('while the database is down', async () => {
    await stage.database.gate.close();
    await allDatabases((one) => scene.untilCondition(one, 'AdminReady', 'False', 'DatabaseUnavailable'));
    await allUsers((user) => scene.untilCondition(user, 'Ready', 'False', 'DatabaseUnavailable'));
    expect(await leaksAnywhere()).toEqual([]);
    await stage.database.gate.open();
    await allUsers((user) => scene.untilReady(user));
  });

  it("while the admin's password is wrong", async () => {
    const secret = (password: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-admin', namespace: operatorNamespace },
      data: {
        username: Buffer.from(stage.admin.username).toString('base64'),
        password: Buffer.from(password).toString('base64'),
      },
    });
    await scene.apply(secret('incorrect-horse'));
    await until(
      'AdminLoginRefused, though the one that worked is tried for a while',
      async () => {
        stage.database.gate.dropSessions();
        return (await scene.condition(byPassword(), 'AdminReady'))?.reason === 'AdminLoginRefused';
      },
      { withinMs: 40_000, everyMs: 500 },
    );
    expect(await leaksAnywhere()).toEqual([]);
    await scene.apply(secret(stage.admin.password ?? ''));
    await allUsers((user) => scene.untilReady(user));
  });

  it('while the secret that RDS keeps is not in the form of RDS', async () => {
    // All of it is a secret, whatever it looks like.
    const text = (as: string) => stage.aws.secrets.modifySecret(secretARN, { text: as });
    for (const broken of [
      managed.password,
      JSON.stringify({ username: managed.password, password: managed.password }),
    ]) {
      text(broken);
      stage.database.gate.dropSessions();
      await scene.untilCondition(byManagedSecret(), 'AdminReady', 'False', 'ManagedSecretUnavailable');
      expect(await leaksAnywhere()).toEqual([]);
      text(JSON.stringify(managed));
      await scene.untilCondition(byManagedSecret(), 'AdminReady', 'True', 'Rehearsed');
    }
    await allUsers((user) => scene.untilReady(user));
  });

  it('while AWS refuses, and answers with what was sent to it', async () => {
    const { user, principal } = withRole('denied');
    const clear = stage.aws.faults.add({ service: 'iam', error: 'AccessDenied', times: 1_000 });
    await scene.apply(user);
    await scene.untilCondition(user, 'PolicyReady', 'False', 'AccessDenied');
    expect(await leaksAnywhere()).toEqual([]);
    clear();
    await scene.untilReady(user);
    expect(scene.allowedARNs(principal.split('/').at(-1) ?? '')).toHaveLength(1);
    await remove(user);
  });

  it.each(['reset', 'InvalidClientTokenId', 'ExpiredToken', 'AccessDenied'] as const)(
    'while STS fails with %s',
    async (error) => {
      const { user } = withRole(`sts-${error.toLowerCase()}`);
      const clear = stage.aws.faults.add({ service: 'sts', error, times: 1_000 });
      await scene.apply(user);
      await scene.untilReady(user);
      expect((await scene.condition(user, 'AccessVerified'))?.status).toBe('Unknown');
      expect(await leaksAnywhere()).toEqual([]);
      clear();
      await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await remove(user);
    },
  );

  it('while the API server is away', async () => {
    await stage.bed.kube.pause();
    await untilLogged(/"what":"(watch|list)-failed"/);
    await stage.bed.kube.resume();
    await allUsers((user) => scene.lookAgain(user));
    expect(await leaksAnywhere()).toEqual([]);
  });

  it('while tokens are refused', async () => {
    stage.database.gate.setModes({ iamAuthentication: 'reject' });
    await scene.untilCondition(users[0], 'AccessVerified', 'False', 'TokenRefused');
    stage.database.gate.dropSessions();
    await scene.untilCondition(byToken(), 'AdminReady', 'False', 'AdminLoginRefused');
    expect(await leaksAnywhere()).toEqual([]);
    stage.database.gate.setModes({ iamAuthentication: 'on' });
    await allUsers((user) => scene.untilCondition(user, 'AccessVerified', 'True', 'Verified'));
  });

  it('while and after users are deleted, and when the operator ends', async () => {
    await allUsers((user) => scene.delete(user));
    expect(await leaksAnywhere()).toEqual([]);
    await allUsers((user) => scene.untilGone(user));
    expect(await leaksAnywhere()).toEqual([]);
    await stage.operator.stop();
    seen.set('log', readFileSync(stage.operator.logFile, 'utf8'));
  });

  it('holds no password, no key, no token and no part of one, in any place', () => {
    const searched = secrets();
    // The admin, the operator's own keys, the pod's, and at least one session for each proof.
    expect(searched.size).toBeGreaterThan(10);
    for (const secret of searched.values()) expect(secret.length).toBeGreaterThan(8);
    for (const [place, text] of seen) {
      expect(text.length, place).toBeGreaterThan(2);
    }
    expect(leaksSeen()).toEqual([]);
    expect(seen.get('log')).toContain('"level":"debug"');
    expect(seen.get('metrics')).toContain('iamdb');
    expect(seen.get('metrics')).toMatch(/iamdb_probes_total\{result="Verified"\} [1-9]/);
    expect(seen.get('events')).toContain('TokenRefused');
  });
});

describe('the search itself', () => {
  it('finds each kind of secret: whole, in base64, URL-encoded, clipped, and as a token for the database', () => {
    for (const [name, secret] of secrets()) {
      expect(leaks(`{"msg":"failed with ${secret}"}`)).toContain(name);
      expect(leaks(`data: ${Buffer.from(secret).toString('base64')}`)).toContain(name);
      expect(leaks(`?X=${encodeURIComponent(secret)}&Y=1`)).toContain(name);
    }
    const long = [...secrets()].filter(([, secret]) => secret.length > 100);
    expect(long.length).toBeGreaterThan(0);
    for (const [name, secret] of long) expect(leaks(secret.slice(20, 90))).toContain(name);
    expect(leaks('host:5432/?Action=connect&X-Amz-Signature=abc')).toEqual(['X-Amz-Signature']);
    expect(leaks('X-Amz-Security-Token%3DIQoJ')).toEqual(['X-Amz-Security-Token']);
    expect(leaks('nothing of the kind')).toEqual([]);
  });
});

function withRole(name: string) {
  const principal = createWorkloadRole(stage.aws, `payments-${name}`);
  return { principal, user: userManifest(name, { principals: [{ roleARN: principal }] }) };
}

async function remove(user: UserManifest): Promise<void> {
  await scene.delete(user);
  await scene.untilGone(user);
}

/** The log has to say something new. */
async function untilLogged(pattern: RegExp): Promise<void> {
  const from = readFileSync(stage.operator.logFile, 'utf8').length;
  await expect
    .poll(() => readFileSync(stage.operator.logFile, 'utf8').slice(from), { timeout: 20_000 })
    .toMatch(pattern);
}
