import { describe, expect, it } from 'vitest';
import { converge, type Plan, type Resource } from './converge.ts';
import { Failure } from './failure.ts';

type Stage = 'observe' | 'plan' | 'apply' | 'second observe' | 'second plan';
interface Change {
  readonly do: 'set';
}
const no = new Failure('conflict', 'RoleNotOurs', 'It is not ours.');

/** A number that is to be another one; each stage can be made to throw, and apply to answer or not, to refuse or to miss. */
function aNumber(options: {
  readonly is: number;
  readonly throws?: Partial<Record<Stage, unknown>>;
  readonly answers?: boolean;
  readonly applies?: boolean;
  readonly refuses?: (observed: number) => boolean;
  readonly during?: (stage: Stage) => void;
}) {
  let { is } = options;
  const stages: Stage[] = [];
  const enter = (stage: Stage) => {
    stages.push(stage);
    options.during?.(stage);
    const thrown = options.throws?.[stage];
    if (thrown !== undefined) throw thrown;
  };
  const again = (stage: 'observe' | 'plan') =>
    stages.includes(stage) ? (`second ${stage}` as const) : stage;
  const resource: Resource<number, number, Change> = {
    observe: async () => {
      enter(again('observe'));
      await Promise.resolve();
      return is;
    },
    plan: (desired, observed): Plan<Change> => {
      enter(again('plan'));
      if (options.refuses?.(observed) === true) return { refused: no };
      return desired === observed ? [] : [{ do: 'set' }];
    },
    describe: (_change, desired) => [`set to ${desired}`],
    apply: async (_changes, desired) => {
      enter('apply');
      await Promise.resolve();
      if (options.applies !== false) is = desired;
      return options.answers === true ? is : undefined;
    },
  };
  return { resource, stages, value: () => is };
}

const never = new AbortController().signal;
const change: Change = { do: 'set' };

describe('converge ends', () => {
  it('converged where the wish holds, having only looked', async () => {
    const { resource, stages } = aNumber({ is: 1 });
    expect(await converge(resource, 1, 'Enforce', never)).toEqual({ result: 'converged', observed: 1 });
    expect(stages).toEqual(['observe', 'plan']);
  });

  it('changed after looking once more, where apply does not answer', async () => {
    const { resource, stages } = aNumber({ is: 0 });
    expect(await converge(resource, 1, 'Enforce', never)).toEqual({
      result: 'changed',
      observed: 1,
      changes: [change],
    });
    expect(stages).toEqual(['observe', 'plan', 'apply', 'second observe', 'second plan']);
  });

  it('changed by the closing read of apply, without another look', async () => {
    const { resource, stages } = aNumber({ is: 0, answers: true });
    expect(await converge(resource, 1, 'Enforce', never)).toMatchObject({ result: 'changed', observed: 1 });
    expect(stages).toEqual(['observe', 'plan', 'apply', 'second plan']);
  });

  it('planned in Plan mode, and never applies', async () => {
    const { resource, stages, value } = aNumber({ is: 0 });
    expect(await converge(resource, 1, 'Plan', never)).toEqual({
      result: 'planned',
      observed: 0,
      changes: [change],
    });
    expect(stages).toEqual(['observe', 'plan']);
    expect(value()).toBe(0);
  });

  it('converged in Plan mode where there is nothing to do', async () => {
    expect(await converge(aNumber({ is: 1 }).resource, 1, 'Plan', never)).toMatchObject({
      result: 'converged',
    });
  });

  it('blocked by a plan that refuses, with nothing changed and what is there', async () => {
    const { resource, stages, value } = aNumber({ is: 0, refuses: () => true });
    expect(await converge(resource, 1, 'Enforce', never)).toEqual({
      result: 'blocked',
      failure: no,
      observed: 0,
      changes: [],
    });
    expect(stages).toEqual(['observe', 'plan']);
    expect(value()).toBe(0);
  });

  it('blocked where the rest cannot be done, with what was done', async () => {
    const { resource } = aNumber({ is: 0, refuses: (observed) => observed === 1 });
    expect(await converge(resource, 1, 'Enforce', never)).toEqual({
      result: 'blocked',
      failure: no,
      observed: 1,
      changes: [change],
    });
  });

  it.each([true, false])(
    'failed where reading back does not show the change (apply answers: %s)',
    async (answers) => {
      const { resource } = aNumber({ is: 0, applies: false, answers });
      expect(await converge(resource, 1, 'Enforce', never)).toMatchObject({
        result: 'failed',
        failure: { kind: 'unavailable', reason: 'NotVisibleYet' },
      });
    },
  );
});

describe('what is thrown', () => {
  const stages: readonly Stage[] = ['observe', 'plan', 'apply', 'second observe', 'second plan'];

  it.each(stages)('as a Failure at %s is the failure itself', async (stage) => {
    const { resource } = aNumber({ is: 0, throws: { [stage]: no } });
    expect(await converge(resource, 1, 'Enforce', never)).toEqual({ result: 'failed', failure: no });
  });

  it.each(stages)('as anything else at %s shows nothing of it, and keeps it for the log', async (stage) => {
    const thrown = new Error('password=hunter2');
    const { resource } = aNumber({ is: 0, throws: { [stage]: thrown } });
    const outcome = await converge(resource, 1, 'Enforce', never);
    expect(outcome).toMatchObject({
      result: 'failed',
      failure: { kind: 'unexpected', reason: 'InternalError' },
    });
    const { failure } = outcome as { failure: Failure };
    expect(failure.message).not.toContain('hunter2');
    expect(failure.cause).toBe(thrown);
  });

  it('as no error at all is unexpected too', async () => {
    const { resource } = aNumber({ is: 0, throws: { apply: 'a text' } });
    expect(await converge(resource, 1, 'Enforce', never)).toMatchObject({
      failure: { reason: 'InternalError' },
    });
  });
});

describe('when the pass is aborted', () => {
  it('between plan and apply, nothing is applied', async () => {
    const abort = new AbortController();
    const { resource, stages, value } = aNumber({
      is: 0,
      during: (stage) => {
        if (stage === 'plan') abort.abort();
      },
    });
    expect(await converge(resource, 1, 'Enforce', abort.signal)).toMatchObject({ result: 'failed' });
    expect(stages).toEqual(['observe', 'plan']);
    expect(value()).toBe(0);
  });

  it('with nothing left to do, that is still the truth', async () => {
    expect(await converge(aNumber({ is: 1 }).resource, 1, 'Enforce', AbortSignal.abort())).toMatchObject({
      result: 'converged',
    });
  });
});
