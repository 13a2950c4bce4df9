// A standby whose watch has fallen silent takes over: it takes nothing away from users of whom it has not heard.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Replica, type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let standby: Replica;
const known = userManifest('known');
const unheard = userManifest('unheard');

beforeAll(async () => {
  stage = await startStage({
    relays: true,
    // A lease of 7.5 s, and 45 s until a silent watch is given up: what is tried here is over by then.
    settings: { 'time-scale': '0.5', 'iam-writes-per-second': '0', 'iam-reads-per-second': '0' },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await until('a leader', () => said(stage.operator, 'leading'));
  standby = await stage.replica('standby');
  await standby.start();
  await until('a standby', () => said(standby, 'caches synced'));
  await scene.apply(stage.iamDatabase());
  await scene.apply(known);
  await scene.untilReady(known);
});
afterAll(() => stage.stop());

const said = (replica: Replica, msg: string) => replica.log().some((line) => line['msg'] === msg);
const changesBy = ({ name }: Replica) =>
  stage.aws.calls
    .filter(({ principal, writes }) => writes && principal.endsWith(`/iamdb-operator/${name}`))
    .map(({ action }) => action);

describe('a standby that heard nothing of a user whom the leader let in', () => {
  it('lets that user keep its access when it takes over', async () => {
    const silence = stage.relays?.kube.failWatch({
      matches: ({ line, authorization }) =>
        authorization === `Bearer ${standby.token}` &&
        line.includes('"object":{"apiVersion":"iamdb.dev/v1alpha1","kind":"IamDatabaseUser"') &&
        line.includes('"name":"unheard"'),
      after: 0,
      how: 'silent',
    });
    await scene.apply(unheard);
    await scene.untilReady(unheard);
    await until('the silence of its watch', () => silence?.wasHit() === true);
    const before = scene.allowedARNs('payments-checkout');
    expect(before.some((arn) => arn.endsWith('/payments_unheard'))).toBe(true);

    await stage.operator.kill();
    await until('the standby to lead', () => said(standby, 'leading'), {
      seen: () => standby.log().slice(-3),
      withinMs: 30_000,
    });
    for (const user of [known, unheard]) await scene.lookAgain(user);

    expect(standby.log().some(({ what }) => what === 'watch-silent')).toBe(false);
    expect(changesBy(standby)).toEqual([]);
    expect(scene.allowedARNs('payments-checkout')).toEqual(before);
    expect(await scene.login('payments_unheard')).toBe('payments_unheard');
  });
});
