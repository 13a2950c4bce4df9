// One user's life on the stage, from nothing to nothing, with a fault in each of its steps: what it wrote, and what stands.
import { createWorkloadRole } from '../stage/account.ts';
import { applyNamespace } from '../stage/cluster.ts';
import { picture } from '../stage/picture.ts';
import { type Scene, userManifest } from '../stage/scene.ts';
import type { Stage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { type Counts, nameOf, type Plan, type Step, steps } from './plans.ts';

/** The label by which the stage's IamDatabase lets namespaces in. */
export const admitted = { 'lives-here': 'true' };

/** As JSON; what is another one in each life is not in it. */
export type Picture = string;
/** What stands after each step. */
export type Pictures = Readonly<Record<Step, Picture>>;

/** Longer than any back-off of the faults that we make, and than a full list at the stage's time scale. */
const withinMs = 90_000;

interface Disturbed {
  readonly stage: Stage;
  readonly scene: Scene;
}

/** Lives without a fault; answers with what it wrote and what stood after each step. */
export async function record(
  on: Disturbed,
  id: string,
): Promise<{ readonly counts: Readonly<Record<Step, Counts>>; readonly pictures: Pictures }> {
  const counts = new Map<Step, Counts>();
  const pictures = new Map<Step, Picture>();
  const one = await begin(on, id);
  for (const step of steps) {
    const counted = countWrites(on.stage, id);
    await one.take(step);
    counts.set(step, counted());
    pictures.set(step, await one.picture());
  }
  return { counts: recordOf(counts), pictures: recordOf(pictures) };
}

/** What became of a step. */
export interface Told {
  readonly name: string;
  readonly plan: Plan | undefined;
  readonly wasHit: boolean;
  /** Undefined where it ended as an undisturbed one does. */
  readonly wrong: string | undefined;
}

/** Lives with the faults of these plans, and holds what stands after each step against an undisturbed life. */
export async function live(
  on: Disturbed,
  id: string,
  plans: Partial<Record<Step, Plan>>,
  reference: Pictures,
): Promise<readonly Told[]> {
  const told: Told[] = [];
  const one = await begin(on, id);
  for (const step of steps) {
    const plan = plans[step];
    const fault = plan === undefined ? undefined : arm(on.stage, id, plan);
    const wrong = await one
      .take(step)
      .then(async () => {
        await until('the fault to strike', () => fault?.wasHit() ?? true, { withinMs: 2_000 }).catch(
          () => {},
        );
        return await one.differenceTo(reference[step]);
      })
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    const name = plan === undefined ? `${step}, undisturbed` : nameOf(step, plan);
    told.push({ name, plan, wasHit: fault?.wasHit() ?? true, wrong });
    fault?.lift();
    if (wrong !== undefined) break;
  }
  return told;
}

async function begin({ stage, scene }: Disturbed, id: string) {
  const [first, second] = [`payments-${id}`, `payments-${id}-next`];
  const firstARN = createWorkloadRole(stage.aws, first);
  const secondARN = createWorkloadRole(stage.aws, second);
  await applyNamespace(stage.bed.kube, id, admitted);
  const user = userManifest(
    'checkout',
    { username: `payments_${id}`, principals: [{ roleARN: firstARN }] },
    id,
  );
  const namespace = await scene.read({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: id } });
  let uid = 'none yet';

  const look = async (): Promise<Picture> => {
    uid = (await scene.read(user))?.metadata.uid ?? uid;
    const found = await picture(stage, {
      namespace: id,
      usernames: `payments_${id}`,
      iamNames: first,
      names: [uid, namespace?.metadata.uid ?? '', id],
    });
    // A hash of the role's name stands in the names of its policies.
    return JSON.stringify(found).replaceAll(/-[0-9a-f]{16}-/g, '-hash-');
  };
  const isReady = async () => {
    const found = await scene.read(user);
    const holds = (type: string) =>
      found?.status?.conditions?.some(
        (one) =>
          one.type === type && one.status === 'True' && one.observedGeneration === found.metadata.generation,
      ) === true;
    return holds('Ready') && holds('AccessVerified');
  };
  const seen = async () => (await scene.read(user))?.status?.conditions;
  const acts: Readonly<Record<Step, { act(): Promise<void>; isDone(): Promise<boolean> }>> = {
    create: { act: () => scene.apply(user), isDone: isReady },
    update: {
      act: () =>
        scene.patch(user, {
          spec: {
            memberOf: ['orders_readonly'],
            principals: [{ roleARN: secondARN }],
            connectionLimit: 9,
            connection: { configMapName: 'checkout-db' },
            trustBundle: { configMapName: 'rds-ca' },
          },
        }),
      isDone: isReady,
    },
    remove: {
      act: () => scene.delete(user),
      isDone: async () => (await scene.read(user)) === undefined,
    },
  };

  return {
    picture: look,
    take: async (step: Step) => {
      await acts[step].act();
      await until(`the user to be there as declared, or gone (${step})`, acts[step].isDone, {
        withinMs,
        everyMs: 100,
        seen,
      });
    },
    differenceTo: async (reference: Picture): Promise<string | undefined> => {
      let found = '';
      const isSame = async () => {
        found = await look();
        return found === reference;
      };
      const same = await until('what an undisturbed life leaves', isSame, { withinMs, everyMs: 200 }).catch(
        () => false,
      );
      return same ? undefined : `there stands ${found} where an undisturbed life leaves ${reference}`;
    },
  };
}

const isWrite = (action: string) => /^(?:Create|Delete|Attach|Detach|Tag|Untag|Set|Put)/.test(action);

const isAbout = (id: string) => ({
  kube: ({ path }: { readonly path: string }) => path.includes(`/namespaces/${id}/`),
  /** Policies are named after their role. */
  iam: (action: string, parameters: readonly string[]) =>
    isWrite(action) && parameters.some((value) => value.includes(`payments-${id}`)),
  sql: (text: string) => text.includes('BEGIN ISOLATION') && text.includes(`payments_${id}`),
  watch: (line: string) => line.includes(`"namespace":"${id}"`),
});

function countWrites({ aws, relays }: Stage, id: string): () => Counts {
  if (relays === undefined) throw new Error('the stage has no relays');
  const about = isAbout(id);
  const from = { kube: relays.kube.writes.length, iam: aws.calls.length };
  let [sql, watch] = [0, 0];
  const watching = relays.kube.onNotification((line) => {
    if (about.watch(line)) watch += 1;
  });
  const asking = relays.statements.onQuery((text) => {
    if (about.sql(text)) sql += 1;
  });
  return () => {
    watching();
    asking();
    const kube = relays.kube.writes.slice(from.kube).filter(about.kube).length;
    const iam = aws.calls
      .slice(from.iam)
      .filter(({ action, parameters }) => about.iam(action, Object.values(parameters))).length;
    return { kube, iam, sql, watch };
  };
}

function arm({ aws, relays }: Stage, id: string, plan: Plan): { wasHit(): boolean; lift(): void } {
  if (relays === undefined) throw new Error('the stage has no relays');
  const about = isAbout(id);
  switch (plan.at) {
    case 'kube':
      return relays.kube.failWrite({ ...plan, matches: about.kube });
    case 'watch':
      return relays.kube.failWatch({ ...plan, matches: ({ line }) => about.watch(line) });
    case 'sql':
      return relays.statements.fail({ ...plan, matches: about.sql });
    case 'iam': {
      const fault = {
        service: 'iam',
        after: plan.after,
        error: plan.how,
        matches: (action: string, parameters: { all(): Readonly<Record<string, string>> }) =>
          about.iam(action, Object.values(parameters.all())),
      } as const;
      const lift = aws.faults.add(fault);
      return { wasHit: () => !aws.faults.pending().includes(fault), lift };
    }
    default:
      return plan satisfies never;
  }
}

function recordOf<T>(found: ReadonlyMap<Step, T>): Readonly<Record<Step, T>> {
  const of = (step: Step): T => {
    const one = found.get(step);
    if (one === undefined) throw new Error(`there was no ${step}`);
    return one;
  };
  return { create: of('create'), update: of('update'), remove: of('remove') };
}
