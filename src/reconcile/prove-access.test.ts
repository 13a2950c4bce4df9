import { describe, expect, it } from 'vitest';
import { aDatabase, aUser, accountID, dbARN, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld, verified } from '../../test/builders/world.ts';
import { annotations } from '../api/names.ts';
import type { DatabaseSpec } from '../api/schema.ts';
import type { AccessVerdict } from '../resources/access/verdict.ts';
import { Failure } from '../kernel/failure.ts';
import { spreadOf } from './next-look.ts';
import { reconcileUser } from './user.ts';

const signal = new AbortController().signal;
const pass = (world: TestWorld) => reconcileUser('payments/checkout', world, signal);
const hour = 3_600_000;

const access = (world: TestWorld) => {
  const found = world.stored().status?.conditions?.find(({ type }) => type === 'AccessVerified');
  return `${found?.status} ${found?.reason}`;
};
const ready = (world: TestWorld) =>
  world.stored().status?.conditions?.find(({ type }) => type === 'Ready')?.status;

const verdicts = {
  refused: { status: 'False', reason: 'TokenRefused', message: 'Refused.', retryAfterMs: 15_000 },
  unreachable: { status: 'False', reason: 'Unreachable', message: 'No route.', retryAfterMs: 10_000 },
  propagating: { status: 'Unknown', reason: 'Propagating', message: 'Not yet.', retryAfterMs: 1_500 },
  notProven: { status: 'Unknown', reason: 'NotProven', message: 'Not assumable.' },
  asOperator: { status: 'Unknown', reason: 'ProvenAsOperator', message: 'As operator.', verifiedAs: 'op' },
} satisfies Record<string, AccessVerdict>;

/** A user whose proof has been made once. */
async function proven(
  options: {
    readonly probe?: Partial<DatabaseSpec['probe']>;
    readonly verdict?: AccessVerdict;
    readonly timeScale?: number;
    readonly user?: Parameters<typeof aUser>[0];
  } = {},
): Promise<TestWorld> {
  const world = aWorld({ timeScale: options.timeScale ?? 1 });
  const probe = { policy: 'Periodic', intervalSeconds: 3_600, ...options.probe } as const;
  world.put(
    aDatabase({ spec: { probe, resync: { policy: 'Periodic', intervalSeconds: 86_400 } } }),
    aUser(options.user),
  );
  world.verdicts = [options.verdict ?? verified];
  await pass(world);
  return world;
}

describe('what is asked of a login by ServiceAccount', () => {
  const asked = async (namespaces: readonly string[]) => {
    const world = aWorld({ proveWithServiceAccountsIn: namespaces });
    world.annotate('checkout', roleARN);
    world.put(aDatabase(), aUser({ spec: { principals: [{ serviceAccount: { name: 'checkout' } }] } }));
    await pass(world);
    return world.wishes[0]?.principals;
  };
  const resourceARNs = [dbARN('payments_checkout')];

  it('is its own token where the namespace opted in', async () => {
    const serviceAccount = { namespace: 'payments', name: 'checkout' };
    expect(await asked(['billing', 'payments'])).toEqual([{ roleARN, resourceARNs, serviceAccount }]);
  });

  it('is its role elsewhere', async () => {
    expect(await asked(['pay', 'payments-2'])).toEqual([{ roleARN, resourceARNs }]);
  });
});

describe('what is asked of a login', () => {
  it('is each principal with exactly its ARNs, at the real endpoint', async () => {
    const second = `arn:aws:iam::${accountID}:role/payments-2`;
    const world = await proven({ user: { spec: { principals: [{ roleARN }, { roleARN: second }] } } });
    const resourceARNs = [dbARN('payments_checkout')];
    expect(world.wishes).toEqual([
      expect.objectContaining({
        as: 'Auto',
        operatorProofAllowed: false,
        principals: [
          { roleARN, resourceARNs },
          { roleARN: second, resourceARNs },
        ],
        endpoint: 'orders-prod.cluster-xyz.ap-northeast-2.rds.amazonaws.com',
        database: 'orders',
        username: 'payments_checkout',
        ca: 'roots of ap-northeast-2',
        propagationMs: 300_000,
      }),
    ]);
    expect(world.wishes[0]).not.toHaveProperty('dial');
  });

  it('goes by the address to dial, where one is given', async () => {
    const world = aWorld();
    world.put(aDatabase({ spec: { connectTo: { host: 'db.internal', port: 6432 } } }), aUser());
    await pass(world);
    expect(world.wishes[0]?.dial).toEqual({ host: 'db.internal', port: 6432 });
  });

  it.each([
    ['by the database', { probe: { policy: 'Never' } }],
    ['by the user', { user: { spec: { probe: { as: 'Nobody' } } } }],
  ] as const)(
    'is nothing where no proof is wanted %s, and that holds nothing back',
    async (_sentence, options) => {
      const world = await proven(options);
      expect(world.wishes).toEqual([]);
      expect(access(world)).toBe('Unknown NotProven');
      expect(ready(world)).toBe('True');
    },
  );
});

describe('a login is proven again', () => {
  it.each<[string, Parameters<typeof proven>[0], number, logins: number]>([
    ['not before the interval is over', {}, hour - 1_000, 1],
    ['after the interval', {}, hour + 1_000, 2],
    ['after a shorter interval', { probe: { intervalSeconds: 60 } }, 61_000, 2],
    ['never by itself on change only', { probe: { policy: 'OnChange' } }, 30 * 24 * hour, 1],
    [
      'not before the interval, when the operator itself logged in',
      { verdict: verdicts.asOperator },
      hour - 1_000,
      1,
    ],
    [
      'after the interval, when the operator itself logged in',
      { verdict: verdicts.asOperator },
      hour + 1_000,
      2,
    ],
    ['at the next pass, when it was refused', { verdict: verdicts.refused }, 1_000, 2],
    [
      'at the next pass, when it was refused, on change only too',
      { probe: { policy: 'OnChange' }, verdict: verdicts.refused },
      1_000,
      2,
    ],
    ['at the next pass, when nobody could try', { verdict: verdicts.notProven }, 1_000, 2],
  ])('%s', async (_sentence, options, afterMs, logins) => {
    const world = await proven(options);
    world.time += afterMs;
    await pass(world);
    expect(world.wishes).toHaveLength(logins);
  });

  it.each<[string, (world: TestWorld) => void]>([
    [
      'when it was edited',
      (world) => world.put({ ...world.stored(), metadata: { ...world.stored().metadata, generation: 2 } }),
    ],
    ['when the role was changed', (world) => world.roles.spoil('payments_checkout')],
    ['when a policy was changed', (world) => world.policies.detachAll(roleARN)],
    [
      'when its ARNs are others',
      (world) => {
        const state = world.known.get('orders');
        if (state === undefined || state.target instanceof Failure) throw new Error('not resolved');
        world.known.set('orders', {
          ...state,
          target: { ...state.target, resourceIDs: ['cluster-ABC', 'cluster-NEW'] },
        });
      },
    ],
  ])('%s', async (_sentence, change) => {
    const world = await proven();
    change(world);
    await pass(world);
    expect(world.wishes).toHaveLength(2);
  });
});

describe('the next look for the sake of the proof', () => {
  it.each<[string, Parameters<typeof proven>[0], number]>([
    ['comes with the interval', {}, hour],
    ['is scaled with every timer', { timeScale: 0.1 }, hour / 10],
    [
      'comes as soon as the verdict says while IAM spreads a change',
      { verdict: verdicts.propagating },
      1_500,
    ],
    [
      'is not scaled twice while IAM spreads a change',
      { verdict: verdicts.propagating, timeScale: 0.1 },
      1_500,
    ],
    ['comes with the interval when nobody could try', { verdict: verdicts.notProven }, hour],
  ])('%s', async (_sentence, options, expected) => {
    const world = await proven(options);
    world.calls.length = 0;
    expect((await pass(world)).afterMs).toBe(expected);
  });

  it('comes ever later while it is refused, never sooner than the verdict says', async () => {
    const world = await proven({ verdict: verdicts.refused });
    const waits = [];
    for (let i = 0; i < 5; i += 1) waits.push((await pass(world)).afterMs);
    expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 300_000]);
  });

  it('comes soon again while the endpoint cannot be reached', async () => {
    const world = await proven({ verdict: verdicts.unreachable });
    const waits = [];
    for (let i = 0; i < 4; i += 1) waits.push((await pass(world)).afterMs);
    expect(waits).toEqual([10_000, 10_000, 10_000, 16_000]);
  });

  it('is what is left of the interval', async () => {
    const world = await proven();
    world.time += 1_000_000;
    expect((await pass(world)).afterMs).toBe(hour - 1_000_000);
  });
});

describe('what is remembered of the policies of its roles', () => {
  const afresh = ({ calls }: TestWorld) => calls.filter((call) => call === `read afresh ${roleARN}`).length;

  it('is read again once for a refusal, and again for the next one after a login', async () => {
    const world = await proven({ verdict: verdicts.refused });
    expect(afresh(world)).toBe(1);
    await pass(world);
    expect(afresh(world)).toBe(1);
    world.verdicts = [verified, verdicts.refused];
    await pass(world);
    expect(access(world)).toBe('True Verified');
    world.time += hour + 1_000;
    await pass(world);
    expect(access(world)).toBe('False TokenRefused');
    expect(afresh(world)).toBe(2);
  });

  it.each(['propagating', 'unreachable', 'notProven'] as const)('stays where it is %s', async (name) => {
    expect(afresh(await proven({ verdict: verdicts[name] }))).toBe(0);
  });

  it('is read again where a person asks for a look', async () => {
    const world = await proven();
    expect(afresh(world)).toBe(0);
    const { metadata } = world.stored();
    const asked = { ...metadata.annotations, [annotations.reconcileRequestedAt]: 'now' };
    world.put({ ...world.stored(), metadata: { ...metadata, annotations: asked } });
    await pass(world);
    await pass(world);
    expect(afresh(world)).toBe(1);
  });
});

describe('a verdict', () => {
  it.each<[keyof typeof verdicts, string, 'True' | 'False']>([
    ['refused', 'False TokenRefused', 'False'],
    ['unreachable', 'False Unreachable', 'False'],
    ['propagating', 'Unknown Propagating', 'True'],
    ['notProven', 'Unknown NotProven', 'True'],
    ['asOperator', 'Unknown ProvenAsOperator', 'True'],
  ])('%s is told, and holds Ready back only when it is a refusal', async (name, expected, isReady) => {
    const world = await proven({ verdict: verdicts[name] });
    expect(access(world)).toBe(expected);
    expect(ready(world)).toBe(isReady);
  });

  it('that could not be had says why, and holds nothing back', async () => {
    const world = aWorld();
    world.put(aDatabase(), aUser());
    world.verdicts = [new Failure('unavailable', 'AwsUnavailable', 'STS does not answer.')];
    expect((await pass(world)).afterMs).toBe(10_000);
    expect(access(world)).toBe('Unknown AwsUnavailable');
  });

  it('that nobody foresaw shows nothing of itself', async () => {
    const world = aWorld();
    world.put(aDatabase(), aUser());
    world.verify = () => Promise.reject(new Error('token=abc'));
    await pass(world);
    expect(access(world)).toBe('Unknown InternalError');
    expect(JSON.stringify(world.stored())).not.toContain('abc');
  });

  it('of an hour ago is one of then: the time of the login is what status says', async () => {
    const world = await proven();
    world.time += hour - 1_000;
    await pass(world);
    expect(world.stored().status?.lastVerificationTime).toBe('2026-03-01T00:00:00Z');
  });

  it('anew is not worth a write for its time alone, until a day has gone', async () => {
    const world = await proven();
    world.calls.length = 0;
    for (let i = 1; i <= 22; i += 1) {
      world.time += hour + 1_000;
      await pass(world);
    }
    expect(world.wishes).toHaveLength(23);
    expect(world.effects()).toEqual([]);
    world.time += 2 * hour;
    await pass(world);
    expect(world.effects()).toEqual(['report payments/checkout']);
    expect(world.stored().status?.lastVerificationTime).toBe('2026-03-02T00:00:22Z');
  });

  it('that changes takes the time of the login along', async () => {
    const world = await proven({ verdict: verdicts.refused });
    expect(world.stored().status?.lastVerificationTime).toBeUndefined();
    world.verdicts = [verified];
    world.time += 15_000;
    await pass(world);
    expect(world.stored().status?.lastVerificationTime).toBe('2026-03-01T00:00:15Z');
  });
});

const logins = async (world: TestWorld) => {
  const before = world.wishes.length;
  await pass(world);
  return world.wishes.length - before;
};

describe('after a restart', () => {
  it('a proof of the same generation and ARNs is carried over', async () => {
    const world = await proven();
    world.restart();
    world.time += 60_000;
    expect(await logins(world)).toBe(0);
    expect(access(world)).toBe('True Verified');
  });

  it('the next one becomes due at its own place in the interval, however many passes there are until then', async () => {
    const world = await proven();
    world.restart();
    // So long after the login that its time alone would make everybody due at once.
    world.time += 20 * hour;
    const spread = spreadOf(world.stored().metadata.uid);
    expect((await pass(world)).afterMs).toBe(Math.ceil(hour * (1 - spread)));
    for (let i = 0; i < 10; i += 1) {
      world.time += Math.floor((hour * (1 - spread)) / 11);
      expect(await logins(world)).toBe(0);
    }
    world.time += hour;
    expect(await logins(world)).toBe(1);
  });

  it('no login is claimed that was never made', async () => {
    const world = await proven();
    world.restart();
    world.time += 40 * hour;
    const user = world.stored();
    // Something else makes the status be written.
    world.put({ ...user, status: { ...user.status, principals: [{ roleARN, source: 'Spec' }] } });
    expect(await logins(world)).toBe(0);
    expect(world.stored().status?.principals?.[0]?.policyARN).toBeDefined();
    expect(world.stored().status?.lastVerificationTime).toBe('2026-03-01T00:00:00Z');
  });

  it('a person who asks for a pass has the login proven anew', async () => {
    const world = await proven();
    const user = world.stored();
    const asked = { ...user.metadata, annotations: { 'iamdb.dev/reconcile-requested-at': 'x' } };
    world.put({ ...user, metadata: asked });
    expect(await logins(world)).toBe(1);
    expect(world.stored().status?.lastHandledReconcileAt).toBe('x');
  });

  it.each<[string, (world: TestWorld) => void]>([
    [
      'of another generation',
      (world) => world.put({ ...world.stored(), metadata: { ...world.stored().metadata, generation: 2 } }),
    ],
    [
      'of other ARNs',
      (world) => world.put({ ...world.stored(), status: { ...world.stored().status, resourceARNs: ['x'] } }),
    ],
    [
      'of another principal',
      (world) => {
        const principals = [{ roleARN: `${roleARN}-2`, source: 'Spec' }] as const;
        world.put({ ...world.stored(), status: { ...world.stored().status, principals } });
      },
    ],
    [
      'without its time',
      (world) => {
        const { lastVerificationTime: _, ...status } = world.stored().status ?? {};
        world.put({ ...world.stored(), status });
      },
    ],
    ['that changed its role meanwhile', (world) => world.roles.spoil('payments_checkout')],
  ])('a proof %s is not', async (_sentence, change) => {
    const world = await proven();
    world.restart();
    change(world);
    expect(await logins(world)).toBe(1);
  });

  it('a refusal that stood is one still, not a change that spreads', async () => {
    const world = await proven({ verdict: verdicts.refused });
    world.restart();
    world.time += hour;
    await pass(world);
    expect(world.wishes.at(-1)?.changedAt).toBeUndefined();
  });

  it('a change that was spreading began when it began', async () => {
    const world = await proven({ verdict: verdicts.propagating });
    world.restart();
    world.time += 120_000;
    await pass(world);
    expect(world.wishes.at(-1)?.changedAt).toBe(world.time - 120_000);
  });
});

it('a login through other roles than the last is one after a change, whoever made it', async () => {
  const world = await proven();
  world.time += hour / 2;
  const other = roleARN.replace('checkout', 'other');
  const user = world.stored();
  world.put({ ...user, spec: { ...user.spec, principals: [{ roleARN: other }] } });
  // A pass for another user of that role wrote this one's ARN as well.
  await world.convergePolicy(other, signal);
  world.time += 1_000;
  await pass(world);
  expect(world.wishes.at(-1)?.changedAt).toBe(world.time);
});

it('a login after a change is told when that was, and the next one too', async () => {
  const world = await proven({ verdict: verdicts.propagating });
  const began = world.time;
  world.time += 30_000;
  await pass(world);
  expect(world.wishes.map(({ changedAt }) => changedAt)).toEqual([began, began]);
  world.roles.spoil('payments_checkout');
  await pass(world);
  expect(world.wishes.at(-1)?.changedAt).toBe(world.time);
});
