// Each fault at each write of a user's life, and at each notification: all lives end where an undisturbed one does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { applyNamespace, apply } from '../stage/cluster.ts';
import { picture } from '../stage/picture.ts';
import { quickSettings, type Scene, sceneOf } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { admitted, live, record, type Told } from './life.ts';
import { livesOf, type Place, plansOf, steps } from './plans.ts';

/** As many lives as this at once: most of each is waiting for a back-off. */
const atOnce = 40;

let stage: Stage;
let scene: Scene;
let told: readonly Told[];
let lives: number;
let foreignBefore: unknown;

beforeAll(async () => {
  stage = await startStage({ relays: true, settings: { ...quickSettings, 'proofs-per-second': '100' } });
  scene = sceneOf(stage);
  await makeForeign();
  foreignBefore = await foreign();
  await stage.operator.start();
  const allow = [
    {
      namespaces: { selector: { matchLabels: admitted } },
      usernames: ['payments_*'],
      memberOf: ['orders_readwrite', 'orders_readonly'],
      principals: ['arn:aws:iam::111122223333:role/payments-*'],
    },
  ];
  await scene.apply(stage.iamDatabase({ spec: { allow } }));
  await scene.untilReady(stage.iamDatabase());

  const on = { stage, scene };
  const { counts, pictures } = await record(on, 'undisturbed');
  const { create, update, remove } = counts;
  const all = livesOf({ create: plansOf(create), update: plansOf(update), remove: plansOf(remove) });
  lives = all.length;
  const left = [...all.entries()];
  const found: Told[] = [];
  const liveOn = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, plans] = next;
      found.push(...(await live(on, `l${String(index).padStart(3, '0')}`, plans, pictures)));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, liveOn));
  told = found;
});
afterAll(async () => await stage.stop());

/** What has the name, the place or the look of ours and is not. */
async function makeForeign(): Promise<void> {
  await stage.database.postgres.sql(`CREATE ROLE payments_stranger LOGIN PASSWORD 'its own';
    COMMENT ON ROLE payments_stranger IS 'made by hand'; GRANT orders_readonly TO payments_stranger`);
  createWorkloadRole(stage.aws, 'payments-stranger');
  await applyNamespace(stage.bed.kube, 'payments', admitted);
  await apply(stage.bed.kube, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'checkout-db', namespace: 'payments' },
    data: { PGHOST: 'elsewhere' },
  });
}
const foreign = async () =>
  await picture(stage, { namespace: 'payments', usernames: 'payments_stranger', iamNames: 'stranger' });

describe('the lives of users with a fault in each step', () => {
  it.each<[string, Place]>([
    ['write to the API server', 'kube'],
    ['write to IAM', 'iam'],
    ['transaction in PostgreSQL', 'sql'],
    ['notification of the API server', 'watch'],
  ])('leave at each step what an undisturbed one does, whatever happens to a %s', (_, place) => {
    expect(told.filter(({ plan, wrong }) => plan?.at === place && wrong !== undefined)).toEqual([]);
  });

  it('were disturbed: nearly every fault struck, and each kind of it in some life', () => {
    const struck = told.filter(({ wasHit }) => wasHit);
    const kindsOf = (all: readonly Told[]) =>
      new Set(all.map(({ plan }) => JSON.stringify([plan?.at, plan?.how])));
    expect(kindsOf(struck)).toEqual(kindsOf(told));
    expect(told.length).toBeGreaterThan(lives * (steps.length - 1));
    // How many notifications there are is the API server's to say: it tells of two changes as one.
    const missed = told.filter(({ plan, wasHit }) => !wasHit && plan?.at !== 'watch');
    expect(missed.length / told.length).toBeLessThan(0.05);
  });

  it('made each policy once, and removed each once', () => {
    const effective = (wanted: string) =>
      stage.aws.calls.filter(
        ({ action, status, errorCode }) =>
          action === wanted && (status === 200 || errorCode?.endsWith('AfterEffect') === true),
      ).length;
    // One role in the first step, another one in the second; the undisturbed life as well.
    expect(effective('CreatePolicy')).toBe(2 * (lives + 1));
    expect(effective('DeletePolicy')).toBe(2 * (lives + 1));
  });

  it('touched nothing that has the look of ours and is not', async () => {
    expect(await foreign()).toEqual(foreignBefore);
  });

  it('were disturbed by nothing that counts as a defect of the operator', () => {
    const ended = (by: string) => stage.operator.log().filter(({ what }) => what === by);
    expect(ended('pass-threw')).toEqual([]);
    expect(ended('pass-failed').length).toBeGreaterThan(0);
  });

  it('brought no token, key or password into the log', () => {
    expect(stage.operator.output()).not.toMatch(
      /X-Amz-(?:Signature|Security-Token)=|BEGIN [A-Z ]*PRIVATE KEY/,
    );
  });
});
