import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  formatMark,
  looksMarked,
  type Mark,
  markOf,
  mayEnd,
  mayKeep,
  parseMark,
  releasedComment,
} from './mark.ts';
import type { RoleOwner } from './owner.ts';

const name = fc.string({ unit: 'binary', minLength: 1 });
const names = fc.uniqueArray(name).map((all) => all.toSorted());
const marks: fc.Arbitrary<Mark> = fc.record({
  operatorID: name,
  namespaceUID: name,
  // As Kubernetes has them.
  namespace: fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
  name: fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/),
  uid: name,
  serverResourceID: name,
  groups: names,
  databases: names,
  settings: names,
});
const example: Mark = {
  operatorID: 'operator-1',
  namespaceUID: 'namespace-1',
  namespace: 'payments',
  name: 'checkout',
  uid: 'object-1',
  serverResourceID: 'cluster-ABC',
  groups: ['readers'],
  databases: [],
  settings: [],
};
const owner: RoleOwner = { ...example, trustedOperatorIDs: ['operator-0'] };

it('is read back as it was written', () => {
  fc.assert(
    fc.property(marks, (mark) => {
      expect(parseMark(formatMark(mark))).toEqual(mark);
    }),
  );
});

it('starts with words for whoever meets it', () => {
  expect(formatMark(example)).toMatch(/^Kept by iamdb-operator for IamDatabaseUser payments\/checkout/);
});

it.each([
  undefined,
  '',
  'the payroll batch user',
  formatMark(example).slice(0, -1),
  `${formatMark(example)} and more`,
  formatMark(example).replace('Kept', 'kept'),
  formatMark(example).replace('"v":1', '"v":2'),
  formatMark(example).replace('"readers"', '7'),
  formatMark(example).replace('"object-1"', '""'),
  ...['operator', 'namespaceUID', 'namespace', 'name', 'uid', 'server'].flatMap((field) => [
    formatMark(example).replace(new RegExp(`"${field}":"[^"]*"`), `"${field}":""`),
    formatMark(example).replace(new RegExp(`"${field}":"[^"]*"`), `"${field}":7`),
  ]),
  ...['groups', 'databases'].flatMap((field) => [
    formatMark(example).replace(new RegExp(`"${field}":\\[[^\\]]*\\]`), `"${field}":"readers"`),
    formatMark(example).replace(new RegExp(`"${field}":\\[[^\\]]*\\]`), `"${field}":[""]`),
  ]),
  formatMark({ ...example, settings: ['work_mem'] }).replace('"work_mem"', '7'),
  formatMark(example).replace(/\{.*/, 'null}'),
  formatMark(example).replace(/\{.*/, '{"v":1,}'),
  `And ${formatMark(example)}`,
  formatMark(example).replace(/\{.*/, '[]'),
  formatMark(example).replace(/\{.*/, '{"v":1}'),
])('is not seen in %j', (comment) => {
  expect(parseMark(comment)).toBeUndefined();
});

it('is never seen in what nobody marked, whatever that is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(parseMark(text)).toBeUndefined();
    }),
  );
});

it.each<[string, Partial<Mark>, { keep: boolean; end: boolean }]>([
  ['the object itself', {}, { keep: true, end: true }],
  ['an earlier object of the same name', { uid: 'object-0' }, { keep: true, end: true }],
  [
    'the server that this one was restored from',
    { serverResourceID: 'cluster-OLD' },
    { keep: true, end: true },
  ],
  ['an earlier namespace of the same name', { namespaceUID: 'namespace-0' }, { keep: false, end: false }],
  ['another object', { name: 'other' }, { keep: false, end: false }],
  ['the same name in another namespace', { namespace: 'other' }, { keep: false, end: false }],
  ['an unknown operator', { operatorID: 'operator-9' }, { keep: false, end: false }],
  [
    'a trusted operator in another cluster',
    { operatorID: 'operator-0', namespaceUID: 'namespace-0' },
    { keep: true, end: false },
  ],
  [
    'another object of a trusted operator',
    { operatorID: 'operator-0', name: 'other' },
    { keep: false, end: false },
  ],
])('with the mark of %s', (_, changes, { keep, end }) => {
  const mark = { ...example, ...changes };
  expect(mayKeep(owner, mark)).toBe(keep);
  expect(mayEnd(owner, mark)).toBe(end);
});

it('is nobodys without a mark', () => {
  expect(mayKeep(owner, undefined)).toBe(false);
  expect(mayEnd(owner, undefined)).toBe(false);
});

it('says who wrote it only where that was a script', () => {
  const byScript: Mark = { ...example, by: 'script' };
  expect(parseMark(formatMark(byScript))).toEqual(byScript);
  expect(parseMark(formatMark(example))).not.toHaveProperty('by');
  expect(parseMark(formatMark(byScript).replace('"by":"script"', '"by":"hand"'))).toEqual(example);
});

it('is one text for one mark: each name once, in one order, and no settings where there are none', () => {
  const text = formatMark({
    ...example,
    groups: ['b', 'a', 'b'],
    databases: ['d', 'c'],
    settings: ['y', 'x', 'y'],
  });
  expect(text).toBe(
    'Kept by iamdb-operator for IamDatabaseUser payments/checkout; this comment is how it knows its own: {"v":1,"operator":"operator-1","namespaceUID":"namespace-1","namespace":"payments","name":"checkout","uid":"object-1","server":"cluster-ABC","groups":["a","b"],"databases":["c","d"],"settings":["x","y"]}',
  );
  expect(formatMark(example)).not.toContain('settings');
  expect(markOf(owner, ['b', 'a', 'a'], ['d', 'c'], ['y', 'x'])).toEqual({
    ...example,
    groups: ['a', 'b'],
    databases: ['c', 'd'],
    settings: ['x', 'y'],
  });
  expect(markOf(owner, [], []).settings).toEqual([]);
});

it("is somebody's even where it cannot be read", () => {
  expect(looksMarked(formatMark(example).slice(0, 40))).toBe(true);
  for (const comment of [undefined, '', 'kept by hand', `x${formatMark(example)}`, releasedComment(owner)]) {
    expect(looksMarked(comment)).toBe(false);
  }
});

it('gives way to words for whoever meets a role that was let go', () => {
  expect(releasedComment(owner)).toBe(
    'released by iamdb-operator operator-1: was kept for IamDatabaseUser payments/checkout; nothing keeps this role any more',
  );
});
