// Whose role it is, by its mark: of a restored copy, a recreated namespace, another operator, and one that is trusted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest('shop');
const orders = (more: object = {}) =>
  stage.iamDatabase({ spec: { resync: { policy: 'Periodic', intervalSeconds: 30 }, ...more } });

interface Marked {
  readonly operator: string;
  readonly namespaceUID: string;
  readonly server: string;
  readonly groups: readonly string[];
}
const comment = async (): Promise<string> => {
  const [row] = await stage.database.postgres.sql<{ readonly comment: string }>(
    `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = 'payments_shop'`,
  );
  return row?.comment ?? '';
};
const mark = async () => JSON.parse(/\{.*\}$/.exec(await comment())?.[0] ?? '{}') as Marked;
/** The role as it would be found if the mark had been written by, for, or on another. */
const remark = async (change: Partial<Marked>) => {
  const before = await comment();
  const json = JSON.stringify({ ...(await mark()), ...change });
  await stage.database.postgres.sql(
    `COMMENT ON ROLE payments_shop IS '${before.slice(0, before.indexOf('{'))}${json}'`,
  );
};
const allowed = () => scene.allowedARNs('payments-checkout').filter((arn) => arn.endsWith('/payments_shop'));
const login = () => scene.login('payments_shop');

beforeAll(async () => {
  stage = await startStage({ usualPostgres: 16, settings: quickSettings });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(orders());
  await scene.untilReady(orders());
  await scene.apply(user);
  await scene.untilReady(user);
});
afterAll(() => stage.stop());

// Each goes on where the one before ended.
describe('the mark of a role', () => {
  it('names operator, namespace, object, server and what was granted', async () => {
    const namespace = await scene.read<{ readonly metadata: { readonly uid: string } }>({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'payments' },
    });
    expect(await mark()).toMatchObject({
      operator: 'stage',
      namespaceUID: namespace?.metadata.uid,
      namespace: 'payments',
      name: 'shop',
      uid: (await scene.read(user))?.metadata.uid,
      server: stage.database.gate.server.resourceId,
      groups: ['orders_readwrite'],
    });
  });

  it('of another server is that of a restored copy: the role is taken again, no login refused', async () => {
    const { server } = await mark();
    await remark({ server: 'cluster-RESTOREDFROM' });
    await until('the mark to name this server', async () => (await mark()).server === server);
    expect(await login()).toBe('payments_shop');
    await scene.untilReady(user);
  });

  it('of an earlier namespace of that name is that of another tenant, and nobody is let in', async () => {
    const { namespaceUID } = await mark();
    await remark({ namespaceUID: 'earlier' });
    const { message } = await scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotOurs');
    expect(message).toContain('earlier namespace of the same name');
    await until('the policy to let it in no more', () => allowed().length === 0);
    await expect(login()).rejects.toThrow(/authentication failed/);
    expect((await mark()).namespaceUID).toBe('earlier');
    await remark({ namespaceUID });
    await scene.untilReady(user);
  });

  it('of another operator is respected until that one is trusted, and is rewritten then', async () => {
    const { namespaceUID } = await mark();
    await remark({ operator: 'old-cluster', namespaceUID: 'in-the-old-cluster' });
    const { message } = await scene.untilCondition(user, 'RoleReady', 'False', 'RoleNotOurs');
    expect(message).toContain('another operator');
    await scene.apply(orders({ trustedOperatorIDs: ['old-cluster'] }));
    await scene.untilCondition(user, 'RoleReady', 'True');
    expect(await mark()).toMatchObject({ operator: 'stage', namespaceUID, groups: ['orders_readwrite'] });
    await scene.untilReady(user);
    expect(await login()).toBe('payments_shop');
  });

  it('of another operator keeps the role when the object is deleted, trusted or not', async () => {
    await stage.operator.stop();
    await remark({ operator: 'old-cluster' });
    await scene.delete(user);
    await stage.operator.start();
    await scene.untilGone(user);
    await scene.untilEvent(user, 'RoleNotOurs', /left alone/);
    expect(await mark()).toMatchObject({ operator: 'old-cluster' });
    expect(allowed()).toEqual([]);
  });

  it('of a trusted operator decides who holds a contested user name, whoever was applied first', async () => {
    const early = userManifest('early', { username: 'payments_shop' });
    await scene.apply(early);
    await scene.untilCondition(early, 'RoleReady', 'False', 'RoleNotOurs');
    await scene.apply(user);
    await scene.untilReady(user);
    expect(await mark()).toMatchObject({ operator: 'stage', name: 'shop' });
    expect(await login()).toBe('payments_shop');
    await scene.untilCondition(early, 'Allowed', 'False', 'Conflict');
  });
});

it('without --operator-id an operator signs with the uid of kube-system', { timeout: 180_000 }, async () => {
  const other = await startStage({ usualPostgres: 18, settings: { ...quickSettings, 'operator-id': '' } });
  try {
    const there = sceneOf(other);
    await other.operator.start();
    await there.apply(other.iamDatabase());
    await there.untilReady(other.iamDatabase());
    await there.apply(user);
    await there.untilCondition(user, 'RoleReady', 'True');
    const system = await there.read<{ readonly metadata: { readonly uid: string } }>({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'kube-system' },
    });
    const [row] = await other.database.postgres.sql<{ readonly comment: string }>(
      `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = 'payments_shop'`,
    );
    expect(row?.comment).toContain(`"operator":"${system?.metadata.uid}"`);
  } finally {
    await other.stop();
  }
});
