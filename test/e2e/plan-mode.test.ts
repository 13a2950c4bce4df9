// Plan mode: what would be changed is told for review, and every outside write is recorded to show that there is none.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { picture } from '../stage/picture.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { startStatementLog, type StatementLog } from '../stage/statements.ts';
import { until } from '../stage/wait.ts';
import { iamWrites, kubeWrites } from '../stage/writes.ts';
import { type Refusals, startRefusals } from './refusals.ts';

/** Begins to record; `written` answers with everything that the operator wrote since, the status of our objects apart. */
async function recorded(stage: Stage, log: StatementLog) {
  const awsFrom = stage.aws.calls.length;
  const kubeFrom = (await kubeWrites(stage)).length;
  const sqlFrom = log.writes().length;
  const before = await picture(stage);
  const status = ({ objectRef }: { readonly objectRef?: { readonly subresource?: string } }) =>
    objectRef?.subresource === 'status';
  return {
    written: async () => {
      const kube = (await kubeWrites(stage)).slice(kubeFrom);
      return {
        kubernetes: kube.filter((entry) => !status(entry)).map(({ verb, objectRef }) => [verb, objectRef]),
        aws: iamWrites(stage, awsFrom),
        sql: log.writes().slice(sqlFrom),
        isAsBefore: JSON.stringify(await picture(stage)) === JSON.stringify(before),
      };
    },
    statusWrites: async () => (await kubeWrites(stage)).slice(kubeFrom).filter(status).length,
  };
}
const nothing = { kubernetes: [], aws: [], sql: [], isAsBefore: true };

describe('an operator in plan mode', () => {
  let stage: Stage;
  let scene: Scene;
  let log: StatementLog;
  const user = userManifest();
  beforeAll(async () => {
    stage = await startStage({ usualPostgres: 18, settings: { ...quickSettings, mode: 'Plan' } });
    scene = sceneOf(stage);
    log = await startStatementLog(stage);
  });
  afterAll(() => stage.stop());

  it('tells the SQL, the policy and the ConfigMaps, and writes nothing but status, from its start on', async () => {
    const record = await recorded(stage, log);
    await stage.operator.start();
    await scene.apply(stage.iamDatabase());
    await scene.apply(user);
    await scene.untilReady(stage.iamDatabase());
    await scene.lookAgain(user);
    await scene.untilCondition(user, 'Ready', 'False', 'Planned');
    const { status, metadata } = (await scene.read(user)) ?? {};
    expect(status?.plan).toEqual(
      expect.arrayContaining([
        'SQL: CREATE ROLE "payments_checkout" LOGIN CONNECTION LIMIT -1;',
        'SQL: GRANT rds_iam TO "payments_checkout";',
        'SQL: GRANT "orders_readwrite" TO "payments_checkout";',
        expect.stringMatching(/^IAM: .*: allow rds-db:connect on .*\/payments_checkout$/),
        expect.stringMatching(/^IAM: .*: attach to role payments-checkout$/),
        'ConfigMap payments/checkout-connection: create',
        expect.stringContaining('ConfigMap payments/rds-ca-ap-northeast-2: create with ca.crt'),
      ]),
    );
    expect(status?.conditions?.map(({ type }) => type)).not.toContain('Reconciling');
    expect(status?.conditions?.map(({ type }) => type)).not.toContain('Stalled');
    expect(metadata?.finalizers).toBeUndefined();
    expect(await record.written()).toEqual(nothing);
    // The recorders work: there were looks, a rehearsal that was rolled back, and writes of status.
    await until('the rehearsal in the log', () => log.said().some(({ sql }) => /^CREATE ROLE/m.test(sql)));
    expect(await record.statusWrites()).toBeGreaterThan(0);
  });

  it('lets a user go that never began', async () => {
    const record = await recorded(stage, log);
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await record.written()).toEqual(nothing);
  });
});

describe('a user in plan mode', () => {
  let t: Refusals;
  let log: StatementLog;
  const user = userManifest('reviewed', { mode: 'Plan' });
  beforeAll(async () => {
    t = await startRefusals({}, 14);
    log = await startStatementLog(t.stage);
  });
  afterAll(() => t.stage.stop());

  it('among others that are served changes nothing, and is served once it is to be', async () => {
    const record = await recorded(t.stage, log);
    await t.scene.apply(user);
    await t.scene.untilCondition(user, 'Ready', 'False', 'Planned');
    await t.scene.lookAgain(user);
    expect(await record.written()).toEqual(nothing);
    await t.expectNothingBegun(user);
    const planned = (await t.scene.read(user))?.status?.plan ?? [];
    await t.scene.apply({ ...user, spec: { ...user.spec, mode: 'Enforce' } });
    await t.expectServed(user);
    // What was told is what was sent.
    const told = planned.filter((line) => line.startsWith('SQL: ')).map((line) => line.slice(5, -1));
    expect(told.length).toBeGreaterThan(2);
    const unsent = () => {
      const sent = log.writes().join('\n');
      return told.filter((sql) => !sent.includes(sql));
    };
    await until('what was told to be in the log', () => unsent().length === 0, { seen: unsent });
    expect((await t.scene.read(user))?.status?.plan).toBeUndefined();
  });

  it('that worked before works on, and drift is told and not repaired', async () => {
    await t.scene.patch(user, { spec: { mode: 'Plan' } });
    await t.scene.untilCondition(user, 'Ready', 'False', 'Planned');
    await t.sql('ALTER ROLE payments_reviewed CONNECTION LIMIT 3');
    const record = await recorded(t.stage, log);
    await t.scene.lookAgain(user);
    await t.scene.untilCondition(user, 'Ready', 'False', 'Planned');
    expect((await t.scene.read(user))?.status?.plan).toEqual([
      'SQL: ALTER ROLE "payments_reviewed" CONNECTION LIMIT -1;',
    ]);
    expect(await record.written()).toEqual(nothing);
    expect(await t.scene.login('payments_reviewed')).toBe('payments_reviewed');
    await t.expectBystander();
  });

  it('that is deleted leaves its access behind, and says so', async () => {
    await t.remove(user);
    await t.scene.untilEvent(user, 'Retained', /Deleted in plan mode/);
    expect(await t.scene.login('payments_reviewed')).toBe('payments_reviewed');
    await t.expectBystander();
  });
});
