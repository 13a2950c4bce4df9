// What several users share: an IAM role, a user name, a database; nobody loses a thing because of another.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { applyNamespace } from '../stage/cluster.ts';
import { type Scene, sceneOf, type UserManifest, userManifest } from '../stage/scene.ts';
import { type DatabaseManifest, type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { iamWrites, kubeWrites } from '../stage/writes.ts';

let stage: Stage;
let scene: Scene;

const sql = async <Row = Record<string, unknown>>(text: string, database = 'postgres') =>
  await stage.database.postgres.sql<Row>(text, database);
const usernameOf = ({ spec }: UserManifest) => String(spec['username']);
const arnsOf = (...users: readonly UserManifest[]) =>
  users
    .map(
      (user) =>
        `arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:${stage.database.gate.server.resourceId}/${usernameOf(user)}`,
    )
    .toSorted();
const allowed = (roleARN: string) => scene.allowedARNs(nameOf(roleARN)).toSorted();
const policiesFor = (roleARN: string) =>
  [...stage.aws.iamState().policies.values()].filter(
    ({ tags }) => tags.get('iamdb.dev/role-arn') === roleARN,
  );
const nameOf = (roleARN: string) => roleARN.slice(roleARN.lastIndexOf('/') + 1);
const newRole = (name: string) => createWorkloadRole(stage.aws, `payments-${name}`);

/** An IamDatabase on the stage's server that both namespaces may use. */
const database = (name?: string): DatabaseManifest =>
  stage.iamDatabase({
    ...(name === undefined ? {} : { name }),
    spec: {
      resync: { policy: 'Periodic', intervalSeconds: 30 },
      allow: [
        {
          namespaces: { names: ['payments', 'billing'] },
          usernames: ['payments_*'],
          memberOf: ['orders_readwrite'],
          principals: ['arn:aws:iam::111122223333:role/payments-*'],
        },
      ],
    },
  });

async function untilProven(user: UserManifest): Promise<void> {
  await scene.untilCondition(user, 'AccessVerified', 'True');
  await scene.untilReady(user);
}

async function untilAllowed(roleARN: string, ...users: readonly UserManifest[]): Promise<void> {
  const expected = arnsOf(...users).join(' ');
  await until(
    `the users ${users.map(usernameOf).join(', ')} in the policy of ${nameOf(roleARN)}`,
    () => allowed(roleARN).join(' ') === expected,
    { seen: () => allowed(roleARN) },
  );
}

beforeAll(async () => {
  stage = await startStage({
    usualPostgres: 18,
    settings: {
      'time-scale': '0.1',
      'leader-elect': 'false',
      'iam-writes-per-second': '0',
      'iam-reads-per-second': '0',
    },
  });
  scene = sceneOf(stage);
  await applyNamespace(stage.bed.kube, 'billing');
  await stage.operator.start();
  await scene.apply(database());
  await scene.untilReady(database());
});
afterAll(() => stage.stop());

describe('users who log in as one IAM role', () => {
  let role: string;
  let users: Readonly<Record<'leaving' | 'suspended' | 'staying' | 'stranded' | 'lost', UserManifest>>;

  beforeAll(async () => {
    role = newRole('shared');
    const on = (name: string, databaseName = 'orders') =>
      userManifest(name, { principals: [{ roleARN: role }], databaseRef: { name: databaseName } });
    users = {
      leaving: on('leaving'),
      suspended: on('suspended'),
      staying: on('staying'),
      stranded: on('stranded', 'archive'),
      lost: on('lost', 'no-such-database'),
    };
    await scene.apply(database('archive'));
    await Promise.all(Object.values(users).map((user) => scene.apply(user)));
    const { lost, ...others } = users;
    await Promise.all(Object.values(others).map(untilProven));
    await scene.untilCondition(lost, 'DatabaseResolved', 'False', 'DatabaseNotFound');
  });

  it('share one policy, in which one that has no database never was', () => {
    const { leaving, suspended, staying, stranded } = users;
    expect(policiesFor(role)).toHaveLength(1);
    expect(allowed(role)).toEqual(arnsOf(leaving, suspended, staying, stranded));
  });

  it('stay when another is suspended, when its database is gone, and when yet another is deleted', async () => {
    const { leaving, suspended, staying, stranded } = users;
    await scene.patch(suspended, { spec: { suspend: true } });
    await scene.untilCondition(suspended, 'Ready', 'True', 'Suspended');
    // As people do who are in a hurry: the finalizer would have waited for the user.
    await scene.delete(database('archive'));
    await scene.patch(database('archive'), { metadata: { finalizers: null } });
    await scene.untilCondition(stranded, 'DatabaseResolved', 'False', 'DatabaseNotFound');
    expect(allowed(role)).toEqual(arnsOf(leaving, suspended, staying, stranded));

    await scene.delete(leaving);
    await scene.untilGone(leaving);
    expect(allowed(role)).toEqual(arnsOf(suspended, staying, stranded));
    // A look at the policy with all of them in sight takes nobody out either.
    await scene.lookAgain(staying);
    expect(allowed(role)).toEqual(arnsOf(suspended, staying, stranded));
    for (const user of [suspended, staying, stranded]) {
      expect(await scene.login(usernameOf(user), role)).toBe(usernameOf(user));
    }
    await expect(scene.login(usernameOf(leaving), role)).rejects.toThrow(/authentication failed/);
    await scene.untilReady(staying);
  });

  it('keep the trust bundle that they share until the last of them is gone', async () => {
    const { staying, suspended, stranded, lost } = users;
    const bundle = async () => await scene.configMap('payments', 'rds-ca-ap-northeast-2');
    await Promise.all([staying, lost].map((user) => scene.delete(user)));
    await Promise.all([staying, lost].map((user) => scene.untilGone(user)));
    await scene.patch(suspended, { spec: { suspend: false } });
    await untilProven(suspended);
    await scene.delete(suspended);
    await scene.untilGone(suspended);
    expect(await bundle()).toBeDefined();
    expect(allowed(role)).toEqual(arnsOf(stranded));

    // Its database is needed to end its role; given back, it is as before, and may go as well.
    await scene.apply(database('archive'));
    await untilProven(stranded);
    await scene.delete(stranded);
    await scene.untilGone(stranded);
    expect(await bundle()).toBeUndefined();
    expect(policiesFor(role)).toEqual([]);
  });
});

describe('a user that changes its IAM role', () => {
  it('leaves the policy of the old one, which stays for the others and goes with the last', async () => {
    const [before, after] = [newRole('before'), newRole('after')];
    const first = userManifest('mover-1', { principals: [{ roleARN: before }] });
    const second = userManifest('mover-2', { principals: [{ roleARN: before }] });
    await Promise.all([first, second].map((user) => scene.apply(user)));
    await Promise.all([first, second].map(untilProven));
    expect(allowed(before)).toEqual(arnsOf(first, second));

    await scene.patch(first, { spec: { principals: [{ roleARN: after }] } });
    await untilProven(first);
    await untilAllowed(before, second);
    expect(allowed(after)).toEqual(arnsOf(first));
    await expect(scene.login('payments_mover_1', before)).rejects.toThrow(/PAM authentication failed/);
    expect(await scene.login('payments_mover_1', after)).toBe('payments_mover_1');
    expect(await scene.login('payments_mover_2', before)).toBe('payments_mover_2');

    await scene.patch(second, { spec: { principals: [{ roleARN: after }] } });
    await untilProven(second);
    await until('the end of the empty policy', () => policiesFor(before).length === 0);
    expect(stage.aws.iamState().roles.get('payments-before')?.attached).toEqual([]);
    expect(allowed(after)).toEqual(arnsOf(first, second));
  });
});

describe('a user that changes its IAM role and its trust bundle while the operator is away', () => {
  it('leaves nothing behind, though the only one it shared them with is suspended', async () => {
    const [before, after] = [newRole('earlier'), newRole('later')];
    const trustBundle = { configMapName: 'shared-ca' };
    const mover = userManifest('absent-minded', { principals: [{ roleARN: before }], trustBundle });
    const suspended = userManifest('sleeping', { principals: [{ roleARN: before }] });
    await Promise.all([mover, suspended].map((user) => scene.apply(user)));
    await Promise.all([mover, suspended].map(untilProven));
    await scene.patch(suspended, { spec: { suspend: true } });
    await scene.untilCondition(suspended, 'Ready', 'True', 'Suspended');
    expect(await scene.configMap('payments', 'shared-ca')).toBeDefined();

    await stage.operator.stop();
    await scene.patch(mover, {
      spec: { principals: [{ roleARN: after }], trustBundle: { configMapName: 'own-ca' } },
    });
    await stage.operator.start();
    await untilProven(mover);
    await untilAllowed(before, suspended);
    await until(
      'the end of the old trust bundle',
      async () => (await scene.configMap('payments', 'shared-ca')) === undefined,
    );
    expect(allowed(after)).toEqual(arnsOf(mover));
    expect(await scene.configMap('payments', 'own-ca')).toBeDefined();
    await expect(scene.login(usernameOf(mover), before)).rejects.toThrow(/PAM authentication failed/);
    expect(await scene.login(usernameOf(suspended), before)).toBe(usernameOf(suspended));
  });
});

describe('two namespaces that ask for one user name', () => {
  it('the second gets Conflict and changes nothing, and takes over when the first is deleted', async () => {
    const spec = { username: 'payments_contested' };
    const [ours, theirs] = [newRole('ours'), newRole('theirs')];
    const winner = userManifest('contested', { ...spec, principals: [{ roleARN: ours }] });
    const loser = userManifest('contested', { ...spec, principals: [{ roleARN: theirs }] }, 'billing');
    await scene.apply(winner);
    await untilProven(winner);
    const mark = async () =>
      await sql(`SELECT oid, shobj_description(oid, 'pg_authid') AS mark, rolcanlogin
        FROM pg_roles WHERE rolname = 'payments_contested'`);
    const before = await mark();
    const calls = stage.aws.calls.length;

    await scene.apply(loser);
    const { message } = await scene.untilCondition(loser, 'Allowed', 'False', 'Conflict');
    expect(message).toContain('payments/contested');
    await scene.untilCondition(loser, 'Ready', 'False', 'Conflict');
    await scene.untilCondition(loser, 'Stalled', 'True', 'Conflict');
    await scene.lookAgain(loser);
    await scene.lookAgain(winner);
    expect((await scene.read(loser))?.metadata.finalizers ?? []).toEqual([]);
    expect(await mark()).toEqual(before);
    expect(iamWrites(stage, calls)).toEqual([]);
    expect(policiesFor(theirs)).toEqual([]);
    const inBilling = (await kubeWrites(stage)).filter(({ objectRef }) => objectRef?.namespace === 'billing');
    expect(new Set(inBilling.map(({ objectRef }) => objectRef?.subresource))).toEqual(new Set(['status']));
    await scene.untilReady(winner);

    await scene.delete(winner);
    await scene.untilGone(winner);
    await untilProven(loser);
    expect(await scene.login('payments_contested', theirs)).toBe('payments_contested');
    await expect(scene.login('payments_contested', ours)).rejects.toThrow(/PAM authentication failed/);
    expect(policiesFor(ours)).toEqual([]);
    const [left] = await sql<{ readonly mark: string }>(
      `SELECT shobj_description(oid, 'pg_authid') AS mark FROM pg_roles WHERE rolname = 'payments_contested'`,
    );
    expect(left?.mark).toContain('billing/contested');
  });
});

describe('an object that is created again with the same namespace and name', () => {
  const user = userManifest('returning');
  const theRole = async () => {
    const [role] = await sql<{ readonly oid: number; readonly login: boolean; readonly mark: string }>(
      `SELECT oid, rolcanlogin AS login, shobj_description(oid, 'pg_authid') AS mark
        FROM pg_roles WHERE rolname = 'payments_returning'`,
    );
    return role;
  };

  it('takes its role back, with the table that kept it from being dropped', async () => {
    await scene.apply(user);
    await untilProven(user);
    const { oid } = (await theRole()) ?? {};
    await sql(
      'CREATE TABLE kept AS SELECT 42 AS answer; ALTER TABLE kept OWNER TO payments_returning',
      'orders',
    );

    await scene.delete(user);
    await scene.untilGone(user);
    expect(await theRole()).toMatchObject({ oid, login: false });
    await expect(scene.login('payments_returning')).rejects.toThrow(/authentication failed|not permitted/);
    await scene.untilEvent(user, 'RoleKept', /./);
    const told = await scene.events('RoleKept');
    expect(told.map(({ about }) => about)).toEqual(['returning']);

    await scene.apply(user);
    await untilProven(user);
    expect(await theRole()).toMatchObject({ oid, login: true });
    expect(await scene.login('payments_returning')).toBe('payments_returning');
    expect(
      await sql('SELECT answer, tableowner FROM kept, pg_tables WHERE tablename = $$kept$$', 'orders'),
    ).toEqual([{ answer: 42, tableowner: 'payments_returning' }]);
  });

  it('takes over everything even where nobody cleaned up after its predecessor', async () => {
    const [role, policy] = [await theRole(), policiesFor(checkout(user))[0]?.arn];
    const uid = (await scene.read(user))?.metadata.uid ?? 'none';
    await stage.operator.stop();
    await scene.delete(user);
    await scene.patch(user, { metadata: { finalizers: null } });
    await scene.untilGone(user);
    await scene.apply(user);
    await stage.operator.start();
    await untilProven(user);
    const now = await theRole();
    expect(now).toMatchObject({ oid: role?.oid, login: true });
    expect(now?.mark).not.toContain(uid);
    expect(now?.mark).toContain((await scene.read(user))?.metadata.uid);
    expect(policiesFor(checkout(user)).map(({ arn }) => arn)).toEqual([policy]);
    expect(await scene.login('payments_returning')).toBe('payments_returning');
  });

  it('is not let in where another namespace has its name', async () => {
    await scene.delete(user);
    await scene.untilGone(user);
    const stranger = userManifest('returning', {}, 'billing');
    const before = await theRole();
    await scene.apply(stranger);
    await scene.untilCondition(stranger, 'RoleReady', 'False', 'RoleNotOurs');
    expect(await theRole()).toEqual(before);
    expect(allowed(checkout(user))).toEqual([]);
    await scene.delete(stranger);
    await scene.untilGone(stranger);
    expect(await theRole()).toEqual(before);
  });
});

const checkout = ({ spec }: UserManifest): string =>
  (spec['principals'] as readonly { readonly roleARN: string }[])[0]?.roleARN ?? '';

describe('a database that is deleted', () => {
  it('waits for its users, says for whom, and lets nobody in until it is created again', async () => {
    const ledger = database('ledger');
    const users = ['ledger-1', 'ledger-2'].map((name) =>
      userManifest(name, { databaseRef: { name: 'ledger' } }),
    );
    await scene.apply(ledger);
    await Promise.all(users.map((user) => scene.apply(user)));
    await Promise.all(users.map(untilProven));

    await scene.delete(ledger);
    const { message } = await scene.untilCondition(ledger, 'Ready', 'False', 'InUse');
    expect(message).toContain('payments/ledger-1, payments/ledger-2');
    const late = userManifest('ledger-3', { databaseRef: { name: 'ledger' } });
    await scene.apply(late);
    await scene.untilCondition(late, 'DatabaseResolved', 'False', 'Terminating');
    expect(await scene.login('payments_ledger_1')).toBe('payments_ledger_1');

    const [first, second] = users;
    if (first === undefined || second === undefined) throw new Error('two users are needed');
    await scene.delete(first);
    await scene.untilGone(first);
    await until('the message to name the one that is left', async () =>
      (await scene.condition(ledger, 'Ready'))?.message.startsWith(
        '1 IamDatabaseUser(s) name this database: payments/ledger-2.',
      ),
    );
    expect(await scene.login('payments_ledger_2')).toBe('payments_ledger_2');
    await scene.delete(second);
    await scene.untilGone(second);
    await scene.untilGone(ledger);
    expect(await sql(`SELECT 1 FROM pg_roles WHERE rolname LIKE 'payments_ledger%'`)).toEqual([]);

    await scene.apply(ledger);
    await untilProven(late);
    await scene.delete(late);
    await scene.untilGone(late);
    await scene.delete(ledger);
    await scene.untilGone(ledger);
  });
});
