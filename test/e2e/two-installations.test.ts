// Two installations of one operator id that serve different namespaces under the reduced rights: one works, the other waits and says why.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAudit } from '../bed/audit.ts';
import {
  applyNamespace,
  installOperatorAccount,
  operatorAccount,
  operatorNamespace,
} from '../stage/cluster.ts';
import { operatorID } from '../stage/account.ts';
import { checkoutRole, quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Replica, type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const secondNamespace = 'second-install';
let stage: Stage;
let scene: Scene;
let second: Replica;
const ofFirst = userManifest('first');
const ofSecond = userManifest('second', {}, 'shop');

beforeAll(async () => {
  // The time of a real Lease: one that is lost on a busy machine ends its holder.
  const settings = { ...quickSettings, 'time-scale': '1', 'leader-elect': 'true' };
  stage = await startStage({ settings: { ...settings, 'watch-namespaces': 'payments' } });
  scene = sceneOf(stage);
  await applyNamespace(stage.bed.kube, 'shop');
  await installOperatorAccount(stage.bed.kube, { watched: ['shop'], namespace: secondNamespace });
  second = await stage.replica('second', { namespace: secondNamespace, 'watch-namespaces': 'shop' });
  const namespaces = { names: ['payments', 'shop'] };
  const allow = { usernames: ['payments_*'], memberOf: ['orders_readwrite'], principals: [checkoutRole] };
  const database = stage.iamDatabase({ spec: { allow: [{ namespaces, ...allow }] } });
  await stage.operator.start();
  await scene.apply(database);
  for (const user of [ofFirst, ofSecond]) await scene.apply(user);
  await scene.untilReady(ofFirst, 45_000);
});
afterAll(() => stage.stop());

/** What the second asked for, with the answers. */
const asked = async () =>
  (await readAudit(stage.bed.kube.auditLogFile)).filter(
    ({ user, stage: at }) =>
      user.username === `system:serviceaccount:${secondNamespace}:${operatorAccount}` &&
      at === 'ResponseComplete',
  );
const awsCallsOf = ({ name }: Replica) =>
  stage.aws.calls.filter(({ principal }) => principal.endsWith(`/iamdb-operator/${name}`));
const linesOf = (replica: Replica, msg: string) => replica.log().filter((line) => line['msg'] === msg);
const told = 'another installation has the same operator id; nothing is done beside it';

/** Until the second has looked once more, and still waits. */
async function untilItLooksAgain(): Promise<void> {
  const before = linesOf(second, told).length;
  await until('the second to look again and to wait on', () => linesOf(second, told).length > before, {
    seen: () => second.log().slice(-3),
  });
}

// Each goes on where the one before ended.
describe('a second installation of the same operator id', () => {
  it('says whose id it is and what to do, and changes nothing', async () => {
    await second.start();
    await untilItLooksAgain();
    expect(linesOf(second, told)[0]).toMatchObject({
      operatorID: 'stage',
      otherNamespace: operatorNamespace,
      remedy: expect.stringContaining('another --operator-id') as string,
    });
    expect((await scene.read(ofSecond))?.metadata.finalizers).toBeUndefined();
    expect(linesOf(second, 'leading')).toEqual([]);
    expect(awsCallsOf(second)).toEqual([]);
    const writing = new Set(['create', 'update', 'patch', 'delete']);
    const written = (await asked()).filter(({ verb }) => writing.has(verb));
    expect(new Set(written.map(({ objectRef }) => objectRef?.resource))).toEqual(new Set(['leases']));
  });

  it('sees no other Lease than those of its id, and asks for none', async () => {
    const requests = await asked();
    expect(requests.filter(({ responseStatus }) => responseStatus?.code === 403)).toEqual([]);
    const account = { namespace: secondNamespace, name: operatorAccount };
    const token = await stage.bed.kube.serviceAccountToken(account.namespace, account.name);
    const all = await stage.bed.kube.request({ path: '/apis/coordination.k8s.io/v1/leases', token });
    expect(all.status).toBe(403);
  });

  it.each(['stop', 'kill'] as const)(
    'goes on waiting over a %s of the first, which goes on with its work',
    async (end) => {
      const led = linesOf(stage.operator, 'leading').length;
      await stage.operator[end]();
      await untilItLooksAgain();
      await stage.operator.start();
      // One that was killed is followed once its Lease has run out.
      await until('the first to lead again', () => linesOf(stage.operator, 'leading').length > led, {
        withinMs: 45_000,
        seen: () => [stage.operator.log().slice(-3), second.log().slice(-3)],
      });
      await untilItLooksAgain();
      expect(linesOf(second, 'leading')).toEqual([]);
      expect(awsCallsOf(second)).toEqual([]);
      await scene.lookAgain(ofFirst);
    },
  );

  it('takes up its own namespace once the first is gone, and its Lease', async () => {
    await stage.operator.stop();
    await scene.delete({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: operatorNamespace, name: `iamdb-operator-${operatorID}` },
    });
    await scene.untilReady(ofSecond, 45_000);
    expect(await scene.login('payments_second')).toBe('payments_second');
    expect(await scene.login('payments_first')).toBe('payments_first');
  });
});
