// The spine: from apply to a proven login, and back to nothing, with what it cost.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAudit, writesOf } from '../bed/audit.ts';
import { operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import { checkoutRole, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest();

beforeAll(async () => {
  stage = await startStage({
    settings: { 'proofs-per-second': '0', 'iam-writes-per-second': '0', 'iam-reads-per-second': '0' },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.untilReady(stage.iamDatabase());
});
afterAll(() => stage.stop());

/** Writes of the operator to the API server, events and leases apart. */
async function operatorWrites() {
  const audit = await readAudit(stage.bed.kube.auditLogFile);
  return writesOf(`system:serviceaccount:${operatorNamespace}:${operatorAccount}`, audit).filter(
    ({ objectRef }) => objectRef?.resource !== 'events' && objectRef?.resource !== 'leases',
  );
}

const untilStatusWritten = async (resource: string, from: number) =>
  await until(`a status of ${resource} in the audit log`, async () =>
    (await operatorWrites())
      .slice(from)
      .some(({ objectRef }) => objectRef?.resource === resource && objectRef.subresource === 'status'),
  );

describe('a user that is applied', () => {
  it('is ready and proven for few writes', async () => {
    // The audit log has a write a moment after it took effect.
    await untilStatusWritten('iamdatabases', 0);
    const kubeBefore = (await operatorWrites()).length;
    const iamBefore = stage.aws.countWrites();
    await scene.apply(user);
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    await untilStatusWritten('iamdatabaseusers', kubeBefore);
    const writes = (await operatorWrites()).slice(kubeBefore);
    expect(
      writes
        .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.subresource ?? ''}`)
        .toSorted(),
    ).toEqual([
      'create configmaps/', // connection
      'create configmaps/', // trust bundle, shared by the namespace
      'patch iamdatabaseusers/', // finalizer
      'patch iamdatabaseusers/status',
    ]);
    expect(stage.aws.countWrites() - iamBefore).toBe(2);
  });

  it('lets the workload log in as itself', async () => {
    expect(await scene.login('payments_checkout')).toBe('payments_checkout');
  });

  it('has exactly one ARN in the policy of its IAM role', () => {
    const { resourceId } = stage.database.gate.server;
    expect(scene.allowedARNs('payments-checkout')).toEqual([
      `arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:${resourceId}/payments_checkout`,
    ]);
  });

  it('finds how to connect in a ConfigMap made for envFrom', async () => {
    const { data } = (await scene.configMap('payments', 'checkout-connection')) ?? { data: {} };
    expect(data['PGHOST']).toBe(stage.database.endpoint.host);
    expect(data['PGUSER']).toBe('payments_checkout');
    expect(data['PGSSLMODE']).toBe('verify-full');
    expect(Object.keys(data).filter((key) => key.startsWith('AWS_') || !/^[A-Z_]+$/.test(key))).toEqual([]);
  });

  it('is told of each link that it holds', async () => {
    expect(
      (await scene.untilCondition(stage.iamDatabase(), 'AdminReady', 'True', 'Rehearsed')).message,
    ).toBeTruthy();
    await scene.untilCondition(user, 'DatabaseResolved', 'True', 'Resolved');
    await scene.untilCondition(user, 'Allowed', 'True', 'Admitted');
    for (const type of ['RoleReady', 'PolicyReady', 'TrustBundleReady', 'ConnectionReady'] as const) {
      await scene.untilCondition(user, type, 'True', 'AsDeclared');
    }
    await scene.untilCondition(user, 'Ready', 'True', 'Ready');
  });

  it('tells who was proven', async () => {
    const { status } = (await scene.read(user)) ?? {};
    expect(status?.verifiedAs).toBe(checkoutRole);
    expect(status?.principals).toEqual([
      { roleARN: checkoutRole, source: 'Spec', policyARN: expect.stringContaining(':policy/iamdb/stage/') },
    ]);
  });
});

describe('a converged operator', () => {
  it('writes nothing when it is asked to look again', async () => {
    const kubeBefore = (await operatorWrites()).length;
    const iamBefore = stage.aws.countWrites();
    await scene.lookAgain(user);
    // The one write is the echo of the request in status; the audit log has it a moment after it took effect.
    const since = async () => (await operatorWrites()).slice(kubeBefore);
    await until('the echo in the audit log', async () => (await since()).length > 0);
    expect((await since()).map(({ objectRef }) => objectRef?.subresource)).toEqual(['status']);
    expect(stage.aws.countWrites() - iamBefore).toBe(0);
  });
});

describe('a user that is deleted', () => {
  it('is gone with everything that was made for it, and nothing else', async () => {
    const session = scene.login('payments_checkout');
    await session;
    await scene.delete(user);
    await scene.untilGone(user);
    await expect(scene.login('payments_checkout')).rejects.toThrow(/authentication failed/);
    expect(
      await stage.database.postgres.sql(`SELECT 1 FROM pg_roles WHERE rolname = 'payments_checkout'`),
    ).toEqual([]);
    expect(
      [...stage.aws.iamState().policies.values()].filter(({ path }) => path.startsWith('/iamdb/')),
    ).toEqual([]);
    expect(stage.aws.iamState().roles.get('payments-checkout')?.attached).toEqual([]);
    expect(await scene.configMap('payments', 'checkout-connection')).toBeUndefined();
    expect(await scene.configMap('payments', 'rds-ca-ap-northeast-2')).toBeUndefined();
    expect(
      await stage.database.postgres.sql(`SELECT 1 FROM pg_roles WHERE rolname = 'orders_readwrite'`),
    ).toHaveLength(1);
  });
});
