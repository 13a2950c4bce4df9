import { describe, expect, it } from 'vitest';
import { aDatabase, aNamespace, aTarget, aUser, begun, deleted } from '../../test/builders/objects.ts';
import { annotations } from '../api/names.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { graceMs, judgeLoss, type Loss } from './loss.ts';

const now = Date.parse('2026-03-01T00:00:00Z');
const nobody = aDatabase({ spec: { allow: [] } });
const users = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    begun(aUser({ metadata: { name: `user-${i}` }, spec: { username: `payments_${i}` } })),
  );

interface Input {
  readonly all?: readonly IamDatabaseUser[];
  readonly database?: IamDatabase;
  readonly losses?: Readonly<Record<string, Loss>>;
  readonly complete?: boolean;
  readonly timeScale?: number;
  readonly mode?: 'Enforce' | 'Plan';
}

/** Of payments/user-0, in a cluster where nobody is allowed unless told. */
function judge({
  all = users(1),
  database = nobody,
  losses = {},
  complete = true,
  ...settings
}: Input): Loss {
  const [user = aUser()] = all;
  return judgeLoss(user, database, {
    operatorID: 'operator-1',
    database: () => database,
    databases: () => [database],
    stateOf: () => ({ target: aTarget(), admin: { serverVersion: '17' }, server: undefined }),
    namespace: () => aNamespace(),
    usersNamed: () => all,
    usersOf: () => all,
    serviceAccount: () => undefined,
    markOf: () => undefined,
    settings: { mode: 'Enforce', timeScale: 1, ...settings },
    losses: new Map(Object.entries(losses)),
    isComplete: () => complete,
    now: () => now,
  });
}
const of = (n: number, loss: Loss) => ({ [`uid-payments-user-${n}`]: loss });
const since = (seconds: number): Loss => ({ since: now - seconds * 1000, verdict: 'grace' });
const ended: Loss = { since: 0, verdict: 'ended' };

describe('the access of a user that is not allowed any more', () => {
  it.each<[string, Loss, Input]>([
    ['is kept when that is first seen', { since: now, verdict: 'grace' }, {}],
    [
      'is kept to the last millisecond of its grace',
      { since: now - 299_999, verdict: 'grace' },
      { losses: of(0, { since: now - 299_999, verdict: 'grace' }) },
    ],
    ['ends with its grace', { since: now - 300_000, verdict: 'ended' }, { losses: of(0, since(300)) }],
    [
      'ends sooner where all timers are scaled',
      { since: now - 3_000, verdict: 'ended' },
      { losses: of(0, since(3)), timeScale: 0.01 },
    ],
    [
      'is kept as long as not everything was seen',
      { since: now - 900_000, verdict: 'grace' },
      { losses: of(0, since(900)), complete: false },
    ],
    [
      'that was ended stays ended, whatever can be seen now',
      ended,
      { losses: of(0, ended), complete: false },
    ],
    ['is held where six would end at once', { since: now, verdict: 'held' }, { all: users(6) }],
    [
      'that was held goes into its grace once fewer would end',
      { since: now - 10_000, verdict: 'grace' },
      { losses: of(0, { since: now - 10_000, verdict: 'held' }) },
    ],
    [
      'ends with four others at once',
      { since: now - 300_000, verdict: 'ended' },
      { all: users(5), losses: of(0, since(300)) },
    ],
    [
      'ends where a person confirmed this generation',
      { since: now, verdict: 'grace' },
      { all: users(6), database: confirmed('1') },
    ],
    [
      'is held where a person confirmed another generation',
      { since: now, verdict: 'held' },
      { all: users(6), database: confirmed('2') },
    ],
    [
      'does not count with those whose access has ended',
      { since: now, verdict: 'grace' },
      { all: users(6), losses: of(5, ended) },
    ],
    [
      'counts with those that are within their grace',
      { since: now, verdict: 'held' },
      { all: users(6), losses: of(5, since(1)) },
    ],
    [
      'does not count with those that never began',
      { since: now, verdict: 'grace' },
      { all: [...users(5), aUser()] },
    ],
    [
      'does not count with those that are being deleted',
      { since: now, verdict: 'grace' },
      { all: [...users(5), deleted(begun(aUser()))] },
    ],
    [
      'is never held where the owner suspends all',
      { since: now, verdict: 'grace' },
      { all: users(6), database: aDatabase({ spec: { allow: [], suspend: true } }) },
    ],
    [
      'is never held where nothing is changed anyway',
      { since: now, verdict: 'grace' },
      { all: users(6), mode: 'Plan' },
    ],
  ])('%s', (_sentence, expected, input) => {
    expect(judge(input)).toEqual(expected);
  });

  it('does not count with those that are allowed', () => {
    const strangers = users(6).map((user, i) =>
      i === 0 ? user : { ...user, spec: { ...user.spec, username: `payments_${i}` } },
    );
    expect(judge({ all: strangers, database: aDatabase() })).toEqual({ since: now, verdict: 'grace' });
  });
});

it('the grace is the one of the database, scaled as all timers are', () => {
  const database = aDatabase({ spec: { onPermissionLost: { graceSeconds: 60 } } });
  expect(graceMs(database, { settings: { mode: 'Enforce', timeScale: 0.5 } })).toBe(30_000);
});

function confirmed(generation: string): IamDatabase {
  return aDatabase({
    metadata: { annotations: { [annotations.confirmRevocation]: generation } },
    spec: { allow: [] },
  });
}
