// Two operators: one of them writes, the other takes over, and who was paused too long writes nothing any more.
import { setImmediate } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditEntry, readAudit, writesOf } from '../bed/audit.ts';
import { createWorkloadRole, operatorID } from '../stage/account.ts';
import { operatorAccount } from '../stage/cluster.ts';
import { picture } from '../stage/picture.ts';
import { type Scene, sceneOf, type UserManifest, userManifest } from '../stage/scene.ts';
import { type Replica, type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { watchWrites } from '../stage/watch-writes.ts';

let stage: Stage;
let scene: Scene;
let postgres: Client;
let both: readonly [Replica, Replica];

beforeAll(async () => {
  stage = await startStage({
    usualPostgres: 16,
    // A lease of 7.5 s, to be renewed within 5 s: enough for a machine that is busy.
    settings: { 'time-scale': '0.5', 'iam-writes-per-second': '0', 'iam-reads-per-second': '0' },
  });
  scene = sceneOf(stage);
  postgres = new Client(stage.database.postgres.superuser);
  await postgres.connect();
  both = [stage.operator, await stage.replica('replica')];
  await both[0].start();
  await until('a leader', async () => (await leader()) === both[0]);
  await both[1].start();
  await until('a standby', () => said(both[1], 'caches synced'));
  await scene.apply(stage.iamDatabase());
});
afterAll(async () => {
  await postgres.end();
  await stage.stop();
});

/** Whether the present process of that replica has said so. */
const said = (replica: Replica, msg: string) => {
  const log = replica.log();
  return log
    .slice(log.findLastIndex((line) => line['msg'] === 'starting'))
    .some((line) => line['msg'] === msg);
};
const instanceOf = (replica: Replica) =>
  replica.log().findLast(({ msg }) => msg === 'starting')?.['instance'];
async function startAgain(replica: Replica): Promise<void> {
  const before = instanceOf(replica);
  await replica.start();
  await until('a standby', () => instanceOf(replica) !== before && said(replica, 'caches synced'));
}
const otherThan = (replica: Replica) => (replica === both[0] ? both[1] : both[0]);

async function leader(): Promise<Replica | undefined> {
  const lease = await scene.read<{ readonly spec: { readonly holderIdentity?: string } }>({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'iamdb-system', name: `iamdb-operator-${operatorID}` },
  });
  const holder = lease?.spec.holderIdentity;
  return both.find((replica) => holder !== undefined && instanceOf(replica) === holder);
}

/** Who leads, once somebody does. */
const theLeader = async () => await until('a leader', leader);

/** On its way when the pause came, and refused, as another has written meanwhile: the object's version or name is its fence. */
const isRefused = ({ responseStatus }: AuditEntry) => responseStatus?.code === 409;

/** Everything that replica has written: to the API server (leases and events too), to AWS; and its logins. */
async function marksOf({ credentialID, name }: Replica) {
  const audit = await readAudit(stage.bed.kube.auditLogFile);
  const isIts = ({ user }: AuditEntry) =>
    user.extra?.['authentication.kubernetes.io/credential-id']?.includes(credentialID) === true;
  return {
    kube: writesOf(`system:serviceaccount:iamdb-system:${operatorAccount}`, audit.filter(isIts))
      .filter((entry) => !isRefused(entry))
      .map(
        ({ verb, objectRef }) =>
          `${verb} ${objectRef?.resource}/${objectRef?.name}${objectRef?.subresource === undefined ? '' : `/${objectRef.subresource}`}`,
      ),
    aws: stage.aws.calls
      .filter(({ principal, writes }) => writes && principal.endsWith(`/${name}`))
      .map(({ action }) => action),
    logins: stage.database.gate.logins.filter(({ principal }) => principal?.endsWith(`/${name}`)).length,
  };
}

async function untilProven(user: UserManifest): Promise<void> {
  await scene.untilCondition(user, 'AccessVerified', 'True', undefined, 30_000);
  await scene.untilReady(user, 30_000);
}

/** Does something, and sends the signal to the leader as soon as it has written so often. */
async function signalAfter(
  count: number,
  to: Replica,
  signal: 'SIGKILL' | 'SIGSTOP',
  act: () => Promise<void>,
): Promise<void> {
  const pid = to.pid();
  if (pid === undefined) throw new Error('the leader does not run');
  const written = await watchWrites(stage, postgres);
  await act();
  const deadline = performance.now() + 20_000;
  while ((await written()) < count) {
    if (performance.now() > deadline) throw new Error(`the leader did not write ${count} times`);
    await setImmediate();
  }
  process.kill(pid, signal);
}

describe('two operators', () => {
  it('do the work of one: the other only watches', async () => {
    const [first, second] = both;
    const user = userManifest('together');
    await scene.apply(user);
    await untilProven(user);
    expect(await theLeader()).toBe(first);
    expect(await marksOf(second)).toEqual({ kube: [], aws: [], logins: 0 });
    const { kube, aws, logins } = await marksOf(first);
    expect(kube).toContain('patch iamdatabaseusers/together');
    expect(aws).toEqual(['CreatePolicy', 'AttachRolePolicy']);
    expect(logins).toBeGreaterThan(0);
    expect(said(second, 'leading')).toBe(false);
  });

  it('lose nothing when the leader is killed: the other finishes what was begun, and begins what was not', async () => {
    const killed = await theLeader();
    const left = otherThan(killed);
    const [begun, waiting] = [userManifest('begun'), userManifest('waiting')];
    await signalAfter(2, killed, 'SIGKILL', () => scene.apply(begun));
    await killed.kill();
    await scene.apply(waiting);
    await scene.delete(userManifest('together'));
    await until('the other to lead', async () => (await leader()) === left);
    await untilProven(begun);
    await untilProven(waiting);
    await scene.untilGone(userManifest('together'));
    expect((await marksOf(left)).kube).toContain('patch iamdatabaseusers/waiting');
    expect(await scene.login('payments_begun')).toBe('payments_begun');
    await startAgain(killed);
  });
});

describe('a leader that is paused for longer than its lease', () => {
  // Finalizer, ConfigMap, role, policy, its attachment, status; after the last one an event is left.
  it.each([1, 2, 3, 4, 5, 6])(
    'while it works, after write %i: writes nothing when it goes on, and ends with an error',
    async (count) => {
      const paused = await theLeader();
      const other = otherThan(paused);
      const roleARN = createWorkloadRole(stage.aws, `payments-paused-${count}`);
      const user = userManifest(`paused-${count}`, { principals: [{ roleARN }] });
      await signalAfter(count, paused, 'SIGSTOP', () => scene.apply(user));
      await until('the other to lead', async () => (await leader()) === other, { withinMs: 30_000 });
      await untilProven(user);
      const before = { marks: await marksOf(paused), picture: await picture(stage) };

      process.kill(paused.pid() ?? 0, 'SIGCONT');
      await until('the end of the one that was paused', () => !paused.running());
      const { marks, picture: now } = { marks: await marksOf(paused), picture: await picture(stage) };
      const end = {
        code: paused.exitCode(),
        said: paused.log().findLast(({ level }) => level === 'fatal')?.['msg'],
      };
      await startAgain(paused);

      expect(end).toEqual({ code: 1, said: 'the lease was lost' });
      expect(now).toEqual(before.picture);
      // A call that was checked and not yet on its way when the pause came, less than a millisecond, cannot be called back,
      // and neither IAM nor a status or an event has a fence. It is one at most, and above it was seen to change nothing.
      const more = [
        ...marks.kube.slice(before.marks.kube.length),
        ...marks.aws.slice(before.marks.aws.length),
      ];
      expect(more.length).toBeLessThanOrEqual(1);
      for (const one of marks.kube.slice(before.marks.kube.length))
        expect(one).toMatch(/\/status$| events\//);
      expect(marks.logins).toBe(before.marks.logins);
      expect(await theLeader()).toBe(other);
    },
  );
});
