import { describe, expect, it } from 'vitest';
import { aDatabase, aNamespace, aTarget, aUser, begun, deleted } from '../../test/builders/objects.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { stanceOf } from './contributions.ts';
import { Failure } from '../kernel/failure.ts';
import type { Standing } from './standing.ts';
import type { Loss } from './loss.ts';
import { isSuspended } from './suspension.ts';

const standings = {
  eligible: {
    state: 'eligible',
    database: aDatabase(),
    target: aTarget(),
    namespace: aNamespace(),
    permission: { rules: [], literallyAllowedGroups: [], mayAdopt: false },
    principals: { resolved: [], unresolved: [] },
    reservedUsernames: [],
  },
  refused: { state: 'refused', by: 'owner', failure: new Failure('invalid', 'NamespaceNotAllowed', 'No.') },
  /** By another object that holds the name: nothing that the owner decided. */
  taken: { state: 'refused', by: 'others', failure: new Failure('conflict', 'Conflict', 'Taken.') },
  unresolved: { state: 'unresolved', failure: new Failure('throttled', 'Throttled', 'Slow.') },
  contested: { state: 'contested', target: aTarget() },
} satisfies Record<string, Standing>;

const ending = (expirationTime: string) => begun(aUser({ spec: { expirationTime } }));

const moded = (operator: 'Enforce' | 'Plan', database: 'Enforce' | 'Plan' = 'Enforce') => ({
  losses: new Map<string, Loss>(),
  now: () => Date.parse('2026-03-01T00:00:00Z'),
  settings: { mode: operator },
  database: () => aDatabase({ spec: { mode: database } }),
});

const lost = (verdict: Loss['verdict']) => ({
  ...moded('Enforce'),
  losses: new Map<string, Loss>([[aUser().metadata.uid, { since: 0, verdict }]]),
});

describe('what a user contributes to what it shares', () => {
  const fresh = aUser();
  const old = begun(aUser());
  const planned = aUser({ spec: { mode: 'Plan' } });
  const retaining = begun(aUser({ spec: { deletionPolicy: 'Retain' } }));

  it.each<[string, IamDatabaseUser, keyof typeof standings, suspended: boolean, expected: string]>([
    ['present once it is eligible and has begun', old, 'eligible', false, 'present'],
    ['unknown before it has begun', fresh, 'eligible', false, 'unknown'],
    ['unknown while suspended', old, 'eligible', true, 'unknown'],
    ['unknown while suspended, even when deleted', deleted(old), 'eligible', true, 'unknown'],
    ['unknown while its database cannot be resolved', old, 'unresolved', false, 'unknown'],
    ['unknown while contested', old, 'contested', false, 'unknown'],
    ['unknown once it is not allowed any more', old, 'refused', false, 'unknown'],
    ['absent when it leaves', deleted(old), 'eligible', false, 'absent'],
    ['absent when it leaves and is not allowed any more', deleted(old), 'refused', false, 'absent'],
    ['released when it leaves and is to keep its access', deleted(retaining), 'eligible', false, 'released'],
    ['released though its database cannot be resolved', deleted(retaining), 'unresolved', false, 'released'],
    ['absent when it is not allowed to keep its access', deleted(retaining), 'refused', false, 'absent'],
    ['released though another object holds its name now', deleted(retaining), 'taken', false, 'released'],
    ['unknown while another object holds its name', old, 'taken', false, 'unknown'],
    ['unknown while suspended, though another object holds its name', deleted(old), 'taken', true, 'unknown'],
    ['present while it is only to keep its access later', retaining, 'eligible', false, 'present'],
    ['absent when it leaves and its database is gone', deleted(old), 'unresolved', false, 'absent'],
    ['absent at the second of its expiry', ending('2026-03-01T00:00:00Z'), 'eligible', false, 'absent'],
    ['present the second before', ending('2026-03-01T00:00:01Z'), 'eligible', false, 'present'],
    [
      'unknown when its time is over and nothing can be seen',
      ending('2026-01-01T00:00:00Z'),
      'unresolved',
      false,
      'unknown',
    ],
    [
      'unknown when its time is over while it is suspended',
      ending('2026-01-01T00:00:00Z'),
      'eligible',
      true,
      'unknown',
    ],
    [
      'absent when it leaves after its time, whatever is to be kept',
      deleted(begun(aUser({ spec: { deletionPolicy: 'Retain', expirationTime: '2026-01-01T00:00:00Z' } }))),
      'eligible',
      false,
      'absent',
    ],
    ['absent when it never began and is not allowed', fresh, 'refused', false, 'absent'],
    ['absent when it never began and is not allowed, though suspended', fresh, 'refused', true, 'absent'],
    ['absent when it never began and its database cannot be resolved', fresh, 'unresolved', false, 'absent'],
  ])('%s', (_sentence, user, standing, suspended, expected) => {
    const spec = { ...user.spec, suspend: suspended };
    expect(stanceOf({ ...user, spec }, standings[standing], moded('Enforce'))).toBe(expected);
  });

  it.each<[string, IamDatabaseUser, keyof typeof standings, Parameters<typeof moded>, expected: string]>([
    ['unknown in plan mode of its own', begun(planned), 'eligible', ['Enforce'], 'unknown'],
    ['unknown in plan mode of its database', old, 'eligible', ['Enforce', 'Plan'], 'unknown'],
    ['unknown in plan mode of the operator', old, 'eligible', ['Plan'], 'unknown'],
    ['released when it leaves in plan mode', deleted(begun(planned)), 'eligible', ['Enforce'], 'released'],
    ['released when it leaves and the operator plans', deleted(old), 'refused', ['Plan'], 'released'],
    [
      'unknown in plan mode of its own, though another holds its name',
      begun(planned),
      'taken',
      ['Enforce'],
      'unknown',
    ],
    [
      'absent when it leaves, only it says Plan, and the owner does not allow it any more',
      deleted(begun(planned)),
      'refused',
      ['Enforce'],
      'absent',
    ],
  ])('%s', (_sentence, user, standing, modes, expected) => {
    expect(stanceOf(user, standings[standing], moded(...modes))).toBe(expected);
  });
});

describe('a user that is not allowed any more contributes', () => {
  it.each([
    ['unknown within its grace', 'grace', 'refused', 'unknown'],
    ['unknown while too many would lose with it', 'held', 'refused', 'unknown'],
    ['absent once its access is to be ended', 'ended', 'refused', 'absent'],
    ['present once it is allowed again', 'ended', 'eligible', 'present'],
    ['unknown where nothing can be seen any more', 'ended', 'unresolved', 'unknown'],
  ] as const)('%s', (_sentence, verdict, standing, expected) => {
    expect(stanceOf(begun(aUser()), standings[standing], lost(verdict))).toBe(expected);
  });
});

const view = (suspend: boolean | undefined) => ({
  database: () => (suspend === undefined ? undefined : aDatabase({ spec: { suspend } })),
});

describe('suspension', () => {
  it.each([
    ['by itself', true, false, true],
    ['by its database', false, true, true],
    ['by neither', false, false, false],
    ['not by a database that is not there', false, undefined, false],
  ])('%s', (_sentence, own, database, expected) => {
    expect(isSuspended(aUser({ spec: { suspend: own } }), view(database))).toBe(expected);
  });
});
