import { describe, expect, it } from 'vitest';
import type { Condition, Reason } from '../api/conditions.ts';
import { repairOf, transitionOf } from './events.ts';

const ready = (status: Condition['status'], reason: Reason, observedGeneration = 1): readonly Condition[] => [
  {
    type: 'Ready',
    status,
    reason,
    message: `It is ${reason}.`,
    observedGeneration,
    lastTransitionTime: '2026-03-01T00:00:00Z',
  },
];

const other: Condition = {
  type: 'RoleReady',
  status: 'True',
  reason: 'AsDeclared',
  message: 'Fine.',
  observedGeneration: 1,
  lastTransitionTime: '2026-03-01T00:00:00Z',
};

describe('an event of Ready', () => {
  it.each<[string, readonly Condition[], readonly Condition[], string | undefined]>([
    ['when it becomes Ready', ready('Unknown', 'Progressing'), ready('True', 'Ready'), 'Normal Ready'],
    ['when it is Ready at the first look', [], ready('True', 'Ready'), 'Normal Ready'],
    ['when it fails', ready('True', 'Ready'), ready('False', 'Throttled'), 'Warning Throttled'],
    [
      'when it fails for another reason',
      ready('False', 'Throttled'),
      ready('False', 'AccessDenied'),
      'Warning AccessDenied',
    ],
    ['not when it goes on failing', ready('False', 'Throttled'), ready('False', 'Throttled'), undefined],
    ['not when it stays Ready', ready('True', 'Ready'), ready('True', 'Ready'), undefined],
    ['not when it is on the way', ready('True', 'Ready'), ready('Unknown', 'Progressing'), undefined],
    ['not without a Ready', [], [], undefined],
    ['not of another condition', [], [{ ...other, status: 'False' }], undefined],
    [
      'when it fails, wherever Ready stands among the conditions',
      [other, ...ready('True', 'Ready')],
      [other, ...ready('False', 'Throttled')],
      'Warning Throttled',
    ],
    [
      'not when it goes on failing, wherever Ready stands among the conditions',
      [other, ...ready('False', 'Throttled')],
      [other, ...ready('False', 'Throttled')],
      undefined,
    ],
    ['as meant when it is only planned', ready('True', 'Ready'), ready('False', 'Planned'), 'Normal Planned'],
    ['as meant when its time is over', ready('True', 'Ready'), ready('False', 'Expired'), 'Normal Expired'],
  ])('%s', (_sentence, before, after, expected) => {
    const event = transitionOf(before, after);
    expect(event && `${event.type} ${event.reason}`).toBe(expected);
    expect(event?.message).toBe(expected && `It is ${event?.reason}.`);
  });
});

describe('an event of a repair', () => {
  const changes = [{ do: 'grant group' }, { do: 'grant group' }, { do: 'mark' }];
  it.each<[string, readonly { readonly do: string }[], readonly Condition[], boolean]>([
    ['when a Ready object was changed', changes, ready('True', 'Ready'), true],
    ['not when nothing was changed', [], ready('True', 'Ready'), false],
    ['not at the first look', changes, [], false],
    ['not when it was not Ready', changes, ready('False', 'Throttled'), false],
    ['not when somebody edited it', changes, ready('True', 'Ready', 0), false],
    [
      'when it was Ready, whatever stands before that',
      changes,
      [{ ...other, status: 'False' }, ...ready('True', 'Ready')],
      true,
    ],
    ['not when another condition alone was True', changes, [other, ...ready('False', 'Throttled')], false],
  ])('%s', (_sentence, done, before, expected) => {
    expect(repairOf('RoleReady', done, before, 1) !== undefined).toBe(expected);
  });

  it('says what was repaired, each thing once', () => {
    expect(repairOf('RoleReady', changes, ready('True', 'Ready'), 1)).toEqual({
      type: 'Warning',
      reason: 'DriftRepaired',
      message: 'RoleReady was not as declared any more; repaired: grant group, mark.',
    });
  });
});
