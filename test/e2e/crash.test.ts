// An operator that is killed after any of its writes: the next one finishes the work, and nothing is left over.
import { setImmediate } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkloadRole } from '../stage/account.ts';
import { picture } from '../stage/picture.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { watchWrites } from '../stage/watch-writes.ts';

let stage: Stage;
let scene: Scene;
let postgres: Client;
let otherRole: string;
const user = userManifest();

beforeAll(async () => {
  stage = await startStage({
    usualPostgres: 16,
    settings: {
      'time-scale': '0.05',
      'leader-elect': 'false',
      'iam-writes-per-second': '0',
      'iam-reads-per-second': '0',
    },
  });
  scene = sceneOf(stage);
  otherRole = createWorkloadRole(stage.aws, 'payments-other');
  // So that CONNECT has to be granted as well.
  await stage.database.postgres.sql(`REVOKE CONNECT ON DATABASE orders FROM PUBLIC;
    GRANT CONNECT ON DATABASE orders TO ${stage.admin.username} WITH GRANT OPTION`);
  postgres = new Client(stage.database.postgres.superuser);
  await postgres.connect();
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.untilReady(stage.iamDatabase());
});
afterAll(async () => {
  await postgres.end();
  await stage.stop();
});

/** What a user's end has to lead back to. */
type Picture = Awaited<ReturnType<typeof picture>>;

interface Step {
  readonly what: string;
  /** What a person does. */
  readonly act: () => Promise<void>;
  /** Whether the operator has said that it is done. */
  readonly isDone: () => Promise<boolean>;
}

async function isReady(): Promise<boolean> {
  const [ready, proof] = [
    await scene.condition(user, 'Ready'),
    await scene.condition(user, 'AccessVerified'),
  ];
  return ready?.status === 'True' && proof?.status === 'True';
}

const create: Step = { what: 'created', act: () => scene.apply(user), isDone: isReady };
const update: Step = {
  what: 'given other groups, another IAM role, another limit, other ConfigMaps',
  act: () =>
    scene.patch(user, {
      spec: {
        memberOf: ['orders_readonly'],
        principals: [{ roleARN: otherRole }],
        connectionLimit: 9,
        connection: { configMapName: 'checkout-db' },
        trustBundle: { configMapName: 'rds-ca' },
      },
    }),
  isDone: isReady,
};
const remove: Step = {
  what: 'deleted',
  act: () => scene.delete(user),
  isDone: async () => (await scene.read(user)) === undefined,
};

/** Kills the operator as soon as `count` of its writes were seen. False if it had done all it wanted before. */
async function killAfter(count: number, { what, act, isDone }: Step): Promise<boolean> {
  if (count < 0) {
    await stage.operator.kill();
    await act();
    return true;
  }
  const written = await watchWrites(stage, postgres);
  await act();
  const pid = stage.operator.pid();
  if (pid === undefined) throw new Error('the operator does not run');
  const deadline = performance.now() + 20_000;
  let looked = performance.now();
  for (;;) {
    if ((await written()) >= count) {
      process.kill(pid, 'SIGKILL');
      await stage.operator.kill();
      return true;
    }
    if (performance.now() > deadline) throw new Error(`never ${what}, and no ${count} writes either`);
    if (performance.now() - looked > 50) {
      if (await isDone()) return false;
      looked = performance.now();
    }
    await setImmediate();
  }
}

const uidOf = async () => (await scene.read(user))?.metadata.uid;

async function untilLike(reference: Picture, when: string): Promise<void> {
  const uid = await uidOf();
  const expected = JSON.stringify(reference);
  const deadline = performance.now() + 20_000;
  const seen = await until(
    'a picture',
    async () => {
      const now = await picture(stage, { names: uid === undefined ? [] : [uid] });
      return JSON.stringify(now) === expected || performance.now() > deadline ? now : undefined;
    },
    { withinMs: 30_000 },
  );
  expect(seen, when).toEqual(reference);
}

async function finish(step: Step, when: string): Promise<void> {
  await until(`the user to be ${step.what} ${when}`, step.isDone, {
    seen: async () => (await scene.read(user))?.status,
  });
}

describe('an operator that is killed', () => {
  const references = new Map<Step | 'nothing', Picture>();
  const reference = (step: Step | 'nothing'): Picture => {
    const found = references.get(step);
    if (found === undefined) throw new Error('the undisturbed run is missing');
    return found;
  };

  beforeAll(async () => {
    references.set('nothing', await picture(stage));
    for (const step of [create, update, remove]) {
      await step.act();
      await finish(step, 'undisturbed');
      // What is left behind is swept right after.
      await until('the end of what is left behind', async () => {
        const before = JSON.stringify(await picture(stage));
        await scene.lookAgain(stage.iamDatabase());
        return before === JSON.stringify(await picture(stage));
      });
      const uid = await uidOf();
      references.set(step, await picture(stage, { names: uid === undefined ? [] : [uid] }));
    }
  });

  it('has a run to be compared with that makes, changes and removes', () => {
    expect(reference(remove)).toEqual(reference('nothing'));
    expect(reference(create).role).toHaveLength(1);
    expect(
      reference(create).iamRoles.find(({ name }) => name === 'payments-checkout')?.attached,
    ).toHaveLength(1);
    const { iamRoles, configMaps } = reference(update);
    expect(iamRoles.find(({ name }) => name === 'payments-checkout')?.attached).toEqual([]);
    expect(iamRoles.find(({ name }) => name === 'payments-other')?.attached).toHaveLength(1);
    expect(Object.keys(configMaps).toSorted()).toEqual(['checkout-db', 'rds-ca']);
  });

  it.each([
    { step: create, before: [], after: [remove], atLeast: 7 },
    { step: update, before: [create], after: [remove], atLeast: 9 },
    { step: remove, before: [create], after: [], atLeast: 7 },
  ])(
    'after any write while a user is $step.what: the next one ends where an undisturbed one does',
    async ({ step, before, after, atLeast }) => {
      let kills = 0;
      let secondKills = 0;
      // -1: before the person did anything.
      for (let count = -1; ; count++) {
        const when = `after it was killed at write ${count}`;
        for (const earlier of before) {
          await earlier.act();
          await finish(earlier, 'first');
        }
        if (!(await killAfter(count, step))) {
          for (const later of after) {
            await later.act();
            await finish(later, 'at last');
          }
          break;
        }
        kills += 1;
        // The next one is killed as well, at the first thing it does, if anything is left to be done.
        const again = await killAfter(1, { ...step, act: () => stage.operator.start() });
        if (again) await stage.operator.start();
        secondKills += again ? 1 : 0;
        await finish(step, when);
        await untilLike(reference(step), when);
        for (const later of after) {
          await later.act();
          await finish(later, when);
          await untilLike(reference(later), when);
        }
      }
      expect(kills).toBeGreaterThanOrEqual(atLeast);
      expect(secondKills).toBeGreaterThanOrEqual(atLeast - 2);
    },
    180_000,
  );
});
