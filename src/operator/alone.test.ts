// Of several installations of one operator id one works: the one that did, whoever takes or gives back a Lease meanwhile.
import { describe, expect, it } from 'vitest';
import type { Holder } from '../systems/kubernetes/lease.ts';
import { nextStep, type Step } from './alone.ts';

const now = 1_000_000;
const handOverMs = 120_000;
const held = (namespace: string, acquiredAt: number, more: Partial<Holder> = {}): Holder => ({
  namespace,
  holder: 'pod',
  acquiredAt,
  renewedAt: now - 1_000,
  durationSeconds: 15,
  works: false,
  ...more,
});
const working = { works: true };
const silentFor = (seconds: number) => ({ renewedAt: now - seconds * 1_000 });
const given = { holder: '', durationSeconds: 1 };

const said = (step: Step) =>
  step.do === 'wait' ? `${step.withdraw ? 'withdraw' : 'wait'} for ${step.for.namespace}` : step.do;
const stepOf = (...holders: readonly Holder[]) =>
  said(nextStep({ namespace: 'b', handOverMs }, holders, now));

describe('one that does not work yet', () => {
  it.each<[string, readonly Holder[], string]>([
    ['nobody else', [], 'declare'],
    ['one that was there before', [held('a', 4)], 'wait for a'],
    ['one that came later', [held('a', 6)], 'declare'],
    ['one that came at the same moment, by name', [held('a', 5)], 'wait for a'],
    ['one that came at the same moment, by name', [held('c', 5)], 'declare'],
    ['one that waited and gave its Lease back', [held('a', 4, given)], 'declare'],
    ['one that waited and died', [held('a', 4, silentFor(60))], 'declare'],
    ['one that works, though it came later', [held('a', 6, working)], 'wait for a'],
    ['one that works, and another that came before', [held('a', 4), held('c', 6, working)], 'wait for c'],
    ['one that worked and gave its Lease back', [held('a', 4, { ...working, ...given })], 'wait for a'],
    ['one that worked and died', [held('a', 4, { ...working, ...silentFor(119) })], 'wait for a'],
    [
      'one that worked and of which nobody came again',
      [held('a', 4, { ...working, ...given, ...silentFor(121) })],
      'declare',
    ],
  ])('beside %s: %#', (_, others, expected) => {
    expect(stepOf(...others, held('b', 5))).toBe(expected);
  });
});

describe('one whose Lease says that it works', () => {
  it.each<[string, readonly Holder[], string]>([
    ['nobody else', [], 'begin'],
    ['one that waits, though it was there before', [held('a', 4)], 'begin'],
    ['one that works as well', [held('a', 6, working)], 'withdraw for a'],
    ['one that worked and gave its Lease back', [held('a', 4, { ...working, ...given })], 'withdraw for a'],
    [
      'one that worked, of which nobody came again',
      [held('a', 4, { ...working, ...silentFor(121) })],
      'begin',
    ],
  ])('beside %s: %#', (_, others, expected) => {
    expect(stepOf(...others, held('b', 5, working))).toBe(expected);
  });
});

/** One that takes its Lease, looks, does what it is to do and looks again, in steps between which the others may do theirs. */
function installation(leases: Map<string, Holder>, lease: Holder) {
  const { namespace } = lease;
  let hasBegun = false;
  let next = () => {
    leases.set(namespace, lease);
    next = look;
  };
  const write = (works: boolean) => () => {
    leases.set(namespace, { ...lease, works });
    next = look;
  };
  const look = () => {
    const step = nextStep({ namespace, handOverMs }, [...leases.values()], now);
    if (step.do === 'begin') {
      hasBegun = true;
      next = () => {};
    } else if (step.do === 'declare') next = write(true);
    else if (step.do === 'wait' && step.withdraw) next = write(false);
  };
  return { step: () => next(), hasBegun: () => hasBegun };
}

const steps = 14;
/** Each order in which two may take so many steps, as the bits of a number. */
const orders = Array.from({ length: 2 ** steps }, (_, order) => order);

function run(order: number, first: Holder, second: Holder, before: readonly Holder[] = []) {
  const leases = new Map(before.map((lease) => [lease.namespace, lease]));
  const both = [installation(leases, first), installation(leases, second)] as const;
  for (let at = 0; at < steps; at += 1) both[(order >> at) & 1 ? 1 : 0].step();
  const soFar = both.map((one) => one.hasBegun());
  for (let at = 0; at < 2 * steps; at += 1) both[at % 2 === 0 ? 0 : 1].step();
  return { soFar, inTheEnd: both.map((one) => one.hasBegun()) };
}

describe('in whatever order two of them look and write', () => {
  // The dates are written by clocks that differ, and so they say nothing of what came first.
  it.each([
    ['the same moment', 5],
    ['an earlier moment', 4],
    ['a later moment', 6],
  ])('of two that start, with Leases of %s, just one begins', (_, acquiredAt) => {
    const ends = orders.map((order) => run(order, held('a', acquiredAt), held('b', 5)).inTheEnd.toString());
    expect(new Set(ends)).toEqual(new Set(['true,false', 'false,true']));
  });

  it('a new leader of the one that worked goes on, and the one that waits never begins', () => {
    const left = held('a', 3, { ...working, ...given });
    const ends = orders.map((order) => {
      const { soFar, inTheEnd } = run(order, held('a', 6, working), held('b', 4), [left]);
      return `${soFar[1]} ${inTheEnd.toString()}`;
    });
    expect(new Set(ends)).toEqual(new Set(['false true,false']));
  });
});
