// With --watch-namespaces too the operator has every right that it uses, and uses every right that it has: each Role by itself.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clusterScopedRules,
  copyRules,
  eventRules,
  namespaceRules,
  tokenRules,
  watchedRules,
} from '../../src/systems/permissions.ts';
import { region } from '../stage/account.ts';
import { operatorNamespace } from '../stage/cluster.ts';
import { createIrsaRole } from '../stage/irsa.ts';
import { asGranted, compareKubernetes } from '../stage/rights.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest();
const byToken = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });
const foreign = userManifest('foreign');

const configMap = (name: string, namespace = 'payments') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
});
const orders = (suspend = false) =>
  stage.iamDatabase({ spec: { suspend, resync: { policy: 'Periodic', intervalSeconds: 30 } } });

beforeAll(async () => {
  stage = await startStage({
    settings: {
      ...quickSettings,
      // Quicker still: a series of events is told after ten minutes.
      'time-scale': '0.02',
      'watch-namespaces': 'payments',
      'prove-with-service-accounts-in': 'payments',
    },
  });
  scene = sceneOf(stage);
});
afterAll(() => stage.stop());

describe('what an operator of one namespace may do', () => {
  it('is all used, in a life of its objects', { timeout: 180_000 }, async () => {
    const elected = { mode: 'Plan', 'leader-elect': 'true', 'time-scale': '1' };
    const other = await stage.replica('other', elected);
    await other.start();
    await until('it to lead', () => other.log().some(({ msg }) => msg === 'leading'));
    await other.stop();

    // The copy of the trust bundles: not where somebody else's stands, made once that is gone, and mended.
    const copy = configMap('iamdb-operator-stage-trust-store', operatorNamespace);
    await scene.apply({ ...copy, data: { theirs: 'true' } });
    await stage.operator.start();
    const admin = { username: 'somebody', authentication: 'Secret', secretRef: { name: 'orders-admin' } };
    const byPassword = stage.iamDatabase({ name: 'by-password', spec: { admin } as never });
    await scene.apply(byPassword);
    await scene.untilCondition(byPassword, 'AdminReady', 'False', 'AdminSecretMissing');
    await scene.apply(orders());
    await scene.apply(user);
    await scene.untilReady(user);
    await until('the copy to be refused', () =>
      stage.operator.log().some(({ msg }) => msg === 'the trust bundle could not be kept for a restart'),
    );
    await scene.delete(copy);
    const bundle = `${region}-bundle.pem`;
    const kept = async () => (await scene.configMap(operatorNamespace, copy.metadata.name))?.data[bundle];
    for (const edited of [undefined, 'edited']) {
      if (edited !== undefined) await scene.patch(copy, { data: { [bundle]: edited } });
      await stage.operator.stop();
      await stage.operator.start();
      await until('the copy', async () => (await kept())?.includes('BEGIN CERTIFICATE'));
    }

    // Proven by a token of its ServiceAccount.
    const annotations = { 'eks.amazonaws.com/role-arn': createIrsaRole(stage, 'payments', 'shop') };
    const metadata = { name: 'shop', namespace: 'payments', annotations };
    await scene.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    await scene.apply(byToken);
    await scene.untilCondition(byToken, 'AccessVerified', 'True', 'Verified');

    // A ConfigMap that is not ours is looked at and left alone.
    await scene.apply({ ...configMap('foreign-connection'), data: { theirs: 'true' } });
    await scene.apply(foreign);
    await scene.untilCondition(foreign, 'ConnectionReady', 'False', 'ForeignConfigMap');

    // The same of a user twice is one event, counted, and of a database, which is in no namespace, as well.
    const connection = configMap('checkout-connection');
    for (const PGHOST of ['one.example.com', 'two.example.com']) {
      // Only of one that was Ready a repair is told.
      await scene.lookAgain(user);
      await scene.untilReady(user);
      await scene.patch(connection, { data: { PGHOST } });
      await until('it to be mended', async () => {
        const { data } = (await scene.configMap('payments', 'checkout-connection')) ?? { data: {} };
        return data['PGHOST'] === stage.database.endpoint.host;
      });
      await scene.untilEvent(user, 'DriftRepaired', /ConnectionReady/);
      await scene.apply(orders(true));
      await scene.untilCondition(orders(), 'Ready', 'True', 'Suspended');
      await scene.untilCondition(user, 'Ready', 'True', 'Suspended');
      await scene.apply(orders());
      await scene.untilReady(orders());
    }

    const all = [user, byToken, foreign];
    for (const one of all) await scene.delete(one);
    for (const one of all) await scene.untilGone(one);
    await scene.delete(orders());
    await scene.untilGone(orders());

    const granted = [
      { rules: clusterScopedRules },
      { rules: [...namespaceRules, ...copyRules], namespace: operatorNamespace },
      { rules: eventRules, namespace: 'default' },
      { rules: [...watchedRules, ...tokenRules], namespace: 'payments' },
    ];
    const unused = async () => (await compareKubernetes(stage, granted)).unused;
    await until('every right to be used', async () => (await unused()).length === 0, {
      withinMs: 30_000,
      seen: unused,
    });
    expect(await compareKubernetes(stage, granted)).toEqual(asGranted);
  });
});
