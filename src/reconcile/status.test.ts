import { describe, expect, it } from 'vitest';
import { aUser } from '../../test/builders/objects.ts';
import { annotations } from '../api/names.ts';
import type { Condition, ConditionType } from '../api/conditions.ts';
import { Failure, type FailureKind } from '../kernel/failure.ts';
import {
  conditionsOf,
  failed,
  good,
  handledBy,
  handledOf,
  type Link,
  rfc3339,
  sameStatus,
  suspendedConditions,
  waiting,
} from './status.ts';

const begin = Date.parse('2026-03-01T00:00:00Z');
const at = (minutes: number) => ({ now: begin + minutes * 60_000, timeScale: 1 });
const of = (conditions: readonly Condition[], type: ConditionType) =>
  conditions.find((condition) => condition.type === type);
const short = (conditions: readonly Condition[], type: ConditionType) => {
  const found = of(conditions, type);
  return found === undefined ? '-' : `${found.status} ${found.reason}`;
};
/** Ready, Reconciling and Stalled, in that order. */
const kstatus = (conditions: readonly Condition[]) =>
  (['Ready', 'Reconciling', 'Stalled'] as const).map((type) => short(conditions, type)).join(' | ');

const resolved = good('DatabaseResolved', 'Resolved', 'It is resolved.');
const fine = good('RoleReady', 'AsDeclared', 'Fine.');
const trouble = (kind: FailureKind, type: ConditionType = 'RoleReady'): Link =>
  failed(type, new Failure(kind, 'DatabaseUnavailable', 'No answer.'));
const access = (status: 'True' | 'False' | 'Unknown'): Link => ({
  type: 'AccessVerified',
  status,
  reason: status === 'True' ? 'Verified' : status === 'False' ? 'TokenRefused' : 'NotProven',
  message: 'A login.',
  optional: true,
  ...(status === 'False' ? { failure: new Failure('denied', 'TokenRefused', 'A login.') } : {}),
});

describe('an admin that is changing', () => {
  const changing = failed('RoleReady', new Failure('unavailable', 'AdminChanging', 'Refused.'));
  const ready = conditionsOf([resolved, fine], 3, [], at(0));

  it('leaves standing what was said of an object that is Ready as it is declared now', () => {
    expect(conditionsOf([resolved, changing], 3, ready, at(5))).toEqual(ready);
  });

  it('is on the way for one that is not: declared anew, not Ready before, or new', () => {
    const before = conditionsOf([resolved, trouble('unavailable')], 3, [], at(0));
    const told = 'Unknown AdminChanging | True AdminChanging | -';
    expect(kstatus(conditionsOf([resolved, changing], 4, ready, at(5)))).toBe(told);
    expect(kstatus(conditionsOf([resolved, changing], 3, before, at(5)))).toBe(told);
    expect(kstatus(conditionsOf([resolved, changing], 3, [], at(5)))).toBe(told);
  });

  it('hides no other failure', () => {
    const links = [resolved, changing, trouble('denied', 'PolicyReady')];
    expect(short(conditionsOf(links, 3, ready, at(5)), 'Ready')).toBe('False DatabaseUnavailable');
  });

  it('hides no end: neither of one whose time is over, nor what ended already, nor what is refused', () => {
    const expired: Link = { type: 'Ready', status: 'False', reason: 'Expired', message: 'Over.' };
    const ended: Link = {
      type: 'PolicyReady',
      status: 'Unknown',
      reason: 'Expired',
      message: 'Access has ended.',
    };
    expect(kstatus(conditionsOf([expired, resolved, ended, changing], 3, ready, at(5)))).toContain(
      'False Expired',
    );
    expect(short(conditionsOf([resolved, ended, changing], 3, ready, at(5)), 'PolicyReady')).toBe(
      'Unknown Expired',
    );
    const refused: Link = { type: 'Allowed', status: 'False', reason: 'NamespaceNotAllowed', message: 'No.' };
    expect(short(conditionsOf([resolved, refused, changing], 3, ready, at(5)), 'Ready')).toBe(
      'False NamespaceNotAllowed',
    );
  });

  it('hides nothing else that was found: another Ready, a login that failed, or one that is on the way', () => {
    const found: readonly Link[] = [
      { type: 'Ready', status: 'True', reason: 'Planned', message: 'Only told.' },
      { type: 'AccessVerified', status: 'False', reason: 'TokenRefused', message: 'No.', optional: true },
      { ...failed('AccessVerified', new Failure('unavailable', 'Progressing', 'Starting.')), optional: true },
    ];
    for (const link of found) {
      const { type, status, reason } = link;
      expect(short(conditionsOf([resolved, changing, link], 3, ready, at(5)), type)).toBe(
        `${status} ${reason}`,
      );
    }
  });

  it('leaves standing what was said where a login was only not proven', () => {
    expect(conditionsOf([resolved, changing, access('Unknown')], 3, ready, at(5))).toEqual(ready);
  });

  it('is on the way for one that is not Ready, in whatever order its conditions stand', () => {
    const before = conditionsOf([resolved, trouble('unavailable')], 3, [], at(0)).toReversed();
    expect(kstatus(conditionsOf([resolved, changing], 3, before, at(5)))).toContain('Unknown AdminChanging');
    expect(conditionsOf([resolved, changing], 3, ready.toReversed(), at(5))).toEqual(ready.toReversed());
  });

  it('answers no request: it is looked again when the password is known', () => {
    const asked = { ...aUser().metadata, annotations: { [annotations.reconcileRequestedAt]: 'now' } };
    const status = { conditions: ready, lastHandledReconcileAt: 'before' };
    const user = { metadata: { ...asked, generation: 3 }, status };
    expect(handledBy([resolved, changing], user)).toEqual({ lastHandledReconcileAt: 'before' });
    expect(handledBy([resolved, changing], { ...user, status: { conditions: ready } })).toEqual({});
    expect(handledBy([resolved, fine], user)).toEqual({ lastHandledReconcileAt: 'now' });
    const waits = waiting('AccessVerified', 'RoleReady');
    expect(conditionsOf([resolved, changing, waits], 3, ready, at(5))).toEqual(ready);
  });
});

describe('kstatus reads', () => {
  it.each<[string, readonly Link[], string]>([
    ['good as current', [resolved, fine], 'True Ready | - | -'],
    [
      'working as in progress, not as failed',
      [resolved, waiting('RoleReady', 'Allowed')],
      'Unknown Waiting | True Waiting | -',
    ],
    [
      'a step on the way as in progress',
      [failed('RoleReady', new Failure('unavailable', 'NotVisibleYet', 'Wait.'))],
      'Unknown NotVisibleYet | True NotVisibleYet | -',
    ],
    [
      'what will be tried again as in progress, with its reason',
      [resolved, trouble('unavailable')],
      'False DatabaseUnavailable | True DatabaseUnavailable | -',
    ],
    [
      'what is denied as in progress: rights come back',
      [trouble('denied')],
      'False DatabaseUnavailable | True DatabaseUnavailable | -',
    ],
    [
      'a role of another account that does not let the operator in as stalled: a person has to give its trust',
      [failed('DatabaseResolved', new Failure('denied', 'AssumeRoleRefused', 'No.'))],
      'False AssumeRoleRefused | - | True AssumeRoleRefused',
    ],
    [
      'what is missing as in progress',
      [trouble('missing')],
      'False DatabaseUnavailable | True DatabaseUnavailable | -',
    ],
    [
      'throttling as in progress',
      [trouble('throttled')],
      'False DatabaseUnavailable | True DatabaseUnavailable | -',
    ],
    [
      'what nobody foresaw as in progress',
      [trouble('unexpected')],
      'False DatabaseUnavailable | True DatabaseUnavailable | -',
    ],
    [
      'what a person has to mend as failed',
      [resolved, trouble('invalid')],
      'False DatabaseUnavailable | - | True DatabaseUnavailable',
    ],
    [
      "what is somebody else's as failed",
      [trouble('conflict')],
      'False DatabaseUnavailable | - | True DatabaseUnavailable',
    ],
    [
      'a False before an Unknown that comes first',
      [waiting('Allowed', 'DatabaseResolved'), trouble('invalid')],
      'False DatabaseUnavailable | - | True DatabaseUnavailable',
    ],
    ['a login that was not proven as current', [fine, access('Unknown')], 'True Ready | - | -'],
    [
      'a login that was refused as in progress',
      [fine, access('False')],
      'False TokenRefused | True TokenRefused | -',
    ],
    [
      'an access that waits for a link as in progress',
      [fine, waiting('AccessVerified', 'PolicyReady')],
      'Unknown Waiting | True Waiting | -',
    ],
    [
      'a Ready that was found as it was found',
      [trouble('conflict', 'Ready')],
      'False DatabaseUnavailable | - | True DatabaseUnavailable',
    ],
  ])('%s', (_sentence, links, expected) => {
    expect(kstatus(conditionsOf(links, 1, [], at(0)))).toBe(expected);
  });

  it('the first link that fails gives reason and message', () => {
    const links = [
      failed('PolicyReady', new Failure('throttled', 'Throttled', 'Slow down.')),
      trouble('invalid'),
    ];
    expect(of(conditionsOf(links, 1, [], at(0)), 'Ready')).toMatchObject({
      reason: 'Throttled',
      message: 'Slow down.',
    });
  });
});

describe('an object that keeps failing', () => {
  const links = [trouble('unavailable')];
  const first = conditionsOf(links, 1, [], at(0));

  it.each([
    ['is in progress after 9 minutes', 9, 'True DatabaseUnavailable'],
    ['is in progress after 10 minutes', 10, 'True DatabaseUnavailable'],
    ['is not any more after 11, so that it shows as failed', 11, '-'],
  ])('%s', (_sentence, minutes, expected) => {
    expect(short(conditionsOf(links, 1, first, at(minutes)), 'Reconciling')).toBe(expected);
  });

  it('stays failed however many passes there are in between', () => {
    let conditions = first;
    for (let minute = 1; minute <= 30; minute += 1)
      conditions = conditionsOf(links, 1, conditions, at(minute));
    expect(kstatus(conditions)).toBe('False DatabaseUnavailable | - | -');
    expect(of(conditions, 'Ready')?.lastTransitionTime).toBe('2026-03-01T00:00:00Z');
  });

  it('is in progress again once it was on the way in between', () => {
    const passing = conditionsOf([waiting('RoleReady', 'Allowed')], 1, first, at(20));
    expect(short(conditionsOf(links, 1, passing, at(21)), 'Reconciling')).not.toBe('-');
  });

  it('has its ten minutes from Ready, wherever that stands among its conditions', () => {
    const fresh = {
      ...first[0],
      type: 'RoleReady',
      lastTransitionTime: rfc3339(begin + 20 * 60_000),
    } as Condition;
    expect(short(conditionsOf(links, 1, [fresh, ...first], at(11)), 'Reconciling')).toBe('-');
    expect(short(conditionsOf(links, 1, [fresh], at(11)), 'Reconciling')).not.toBe('-');
  });

  it.each([
    ['planned', 'Planned'],
    ['expired', 'Expired'],
    ['suspended', 'Suspended'],
  ] as const)('has its ten minutes from its first failure, however long it was %s before', (_, reason) => {
    const before = first
      .filter(({ type }) => type !== 'Reconciling')
      .map((one) => (one.type === 'Ready' ? { ...one, reason } : one));
    let conditions = conditionsOf(links, 1, before, at(5_000));
    expect(short(conditions, 'Reconciling')).toBe('True DatabaseUnavailable');
    // Ready was False all the time.
    expect(of(conditions, 'Ready')?.lastTransitionTime).toBe('2026-03-01T00:00:00Z');
    conditions = conditionsOf(links, 1, conditions, at(5_010));
    expect(short(conditions, 'Reconciling')).toBe('True DatabaseUnavailable');
    conditions = conditionsOf(links, 1, conditions, at(5_011));
    expect(short(conditions, 'Reconciling')).toBe('-');
    conditions = conditionsOf(links, 1, conditions, at(5_012));
    expect(short(conditions, 'Reconciling')).toBe('-');
  });

  it.each([
    ['still in progress', 9],
    ['shown as failed', 20],
  ])('has ten more as it is declared anew: %s before', (_, minutes) => {
    const before = conditionsOf(links, 1, first, at(minutes));
    let conditions = conditionsOf(links, 2, before, at(60));
    expect(short(conditions, 'Reconciling')).toBe('True DatabaseUnavailable');
    conditions = conditionsOf(links, 2, conditions, at(70));
    expect(short(conditions, 'Reconciling')).toBe('True DatabaseUnavailable');
    conditions = conditionsOf(links, 2, conditions, at(71));
    expect(short(conditions, 'Reconciling')).toBe('-');
    expect(short(conditionsOf(links, 2, conditions, at(72)), 'Reconciling')).toBe('-');
  });

  it('has none of them where it is not failing but on the way, however long', () => {
    const onTheWay = [waiting('RoleReady', 'Allowed')];
    const since = conditionsOf(onTheWay, 1, [], at(0));
    expect(short(conditionsOf(onTheWay, 1, since, at(60)), 'Reconciling')).toBe('True Waiting');
    expect(of(since, 'RoleReady')?.message).toBe('Waits for Allowed.');
  });

  it('has its ten minutes scaled with all other timers', () => {
    const scaled = { now: begin + 7_000, timeScale: 0.01 };
    expect(short(conditionsOf(links, 1, first, scaled), 'Reconciling')).toBe('-');
  });
});

describe('lastTransitionTime', () => {
  const first = conditionsOf([trouble('unavailable')], 1, [], at(0));

  it('stays while the status does, though reason, message and generation change', () => {
    const other = failed('RoleReady', new Failure('missing', 'GroupNotFound', 'No group.'));
    const role = of(conditionsOf([other], 2, first, at(5)), 'RoleReady');
    expect(role).toEqual({
      type: 'RoleReady',
      status: 'False',
      reason: 'GroupNotFound',
      message: 'No group.',
      observedGeneration: 2,
      lastTransitionTime: '2026-03-01T00:00:00Z',
    });
  });

  it('moves with the status', () => {
    expect(of(conditionsOf([fine], 1, first, at(5)), 'RoleReady')?.lastTransitionTime).toBe(
      '2026-03-01T00:05:00Z',
    );
  });

  it('has whole seconds, as metav1.Time does', () => {
    expect(rfc3339(begin + 1_999)).toBe('2026-03-01T00:00:01Z');
  });
});

describe('a status', () => {
  const links = [resolved, trouble('unavailable'), access('Unknown')];

  it('is the same for the same findings a minute later, so that nothing is written', () => {
    const first = conditionsOf(links, 1, [], at(0));
    expect(conditionsOf(links, 1, first, at(1))).toEqual(first);
  });

  it('speaks of the generation in each condition', () => {
    const generations = conditionsOf(links, 7, [], at(0)).map((condition) => condition.observedGeneration);
    expect(new Set(generations)).toEqual(new Set([7]));
  });

  it('has each condition once', () => {
    const types = conditionsOf(links, 1, [], at(0)).map(({ type }) => type);
    expect(types).toEqual([...new Set(types)]);
  });

  it('leaves a message of just the length that fits as it is', () => {
    const fits = 'x'.repeat(1_024);
    expect(
      of(conditionsOf([good('RoleReady', 'AsDeclared', fits)], 1, [], at(0)), 'RoleReady')?.message,
    ).toBe(fits);
  });

  it('clips a message without leaving half a character', () => {
    const long = `${'x'.repeat(1_020)}${'😀'.repeat(50)}`;
    const clipped = of(conditionsOf([good('RoleReady', 'AsDeclared', long)], 1, [], at(0)), 'RoleReady');
    expect(clipped?.message.length).toBeLessThanOrEqual(1_024);
    expect(clipped?.message.isWellFormed()).toBe(true);
    expect(clipped?.message).toMatch(/^x{1020}.*\.\.\.$/u);
  });

  it.each([
    ['key order does not matter', { a: 1, b: { c: 1, d: 2 } }, { b: { d: 2, c: 1 }, a: 1 }, true],
    ['undefined is absent', { a: 1, b: undefined }, { a: 1 }, true],
    ['the order of a list matters', { a: [1, 2] }, { a: [2, 1] }, false],
    ['another value is another', { a: 1 }, { a: 2 }, false],
    ['none is not an empty one', undefined, {}, false],
    ['nothing is a value', { a: null }, { a: {} }, false],
    [
      'key order matters nowhere, in lists either',
      { x: [{ a: 1, b: 2, c: 3 }] },
      { x: [{ c: 3, a: 1, b: 2 }] },
      true,
    ],
  ])('compares by what it says: %s', (_sentence, a, b, expected) => {
    expect(sameStatus(a, b)).toBe(expected);
  });
});

const asked = (value: string) =>
  handledOf({ ...aUser().metadata, annotations: { [annotations.reconcileRequestedAt]: value } });

describe('the answer to a request by annotation', () => {
  it('echoes any value', () => {
    expect(asked('now')).toEqual({ lastHandledReconcileAt: 'now' });
    expect(handledOf(aUser().metadata)).toEqual({});
  });

  it('fits into the status whatever it is, or nothing could be reported any more', () => {
    const { lastHandledReconcileAt = '' } = asked(`${'x'.repeat(127)}😀${'x'.repeat(1_000)}`);
    expect(lastHandledReconcileAt.length).toBeLessThanOrEqual(128);
    expect(lastHandledReconcileAt.isWellFormed()).toBe(true);
  });
});

const suspended = (status?: NonNullable<ReturnType<typeof aUser>['status']>) =>
  suspendedConditions(
    aUser({ metadata: { generation: 2 }, ...(status && { status }) }),
    'spec.suspend',
    begin,
  );

describe('a suspended object', () => {
  const before = conditionsOf([resolved, trouble('invalid')], 1, [], at(0));
  it('keeps what is known, says so in Ready, and is neither Reconciling nor Stalled', () => {
    const { conditions, observedGeneration, verifiedAs } = suspended({
      conditions: before,
      verifiedAs: 'me',
    });
    expect(kstatus(conditions)).toBe('False Suspended | - | -');
    expect(short(conditions, 'RoleReady')).toBe('False DatabaseUnavailable');
    expect(observedGeneration).toBe(2);
    expect(verifiedAs).toBe('me');
  });

  it('that was Ready is Ready still', () => {
    const ready = conditionsOf([fine], 1, [], at(0));
    expect(kstatus(suspended({ conditions: ready }).conditions)).toBe('True Suspended | - | -');
  });

  it('that was in progress or failed for good is neither any more, and has each condition once', () => {
    for (const kind of ['unavailable', 'invalid'] as const) {
      const found = [{ ...fine, type: 'AdminReady' as const }, trouble(kind)];
      const { conditions } = suspended({ conditions: [...conditionsOf(found, 1, [], at(0))].toReversed() });
      expect(conditions.map(({ type }) => type).toSorted()).toEqual(['AdminReady', 'Ready', 'RoleReady']);
      expect(kstatus(conditions)).toBe('False Suspended | - | -');
    }
  });

  it('says by which setting, and of the deletion only when there is one', () => {
    expect(of(suspended().conditions, 'Ready')?.message).toBe(
      'spec.suspend is true; nothing is looked at or changed.',
    );
    expect(suspended().conditions).toHaveLength(1);
  });

  it('that was never looked at is Unknown', () => {
    expect(kstatus(suspended().conditions)).toBe('Unknown Suspended | - | -');
  });

  it('says the same each time', () => {
    const once = suspended({ conditions: before });
    expect(sameStatus(once, suspended(once))).toBe(true);
  });

  it('that is being deleted says that the deletion waits', () => {
    const leaving = aUser({ metadata: { deletionTimestamp: '2026-03-01T00:00:00Z' } });
    const { conditions } = suspendedConditions(leaving, 'spec.suspend', begin);
    expect(of(conditions, 'Ready')?.message).toContain('the deletion waits');
  });
});
