// The store and its indexes, also against a plain model under random changes.
import {
  array,
  assert,
  constantFrom,
  integer,
  oneof,
  property,
  record,
  subarray,
  uniqueArray,
} from 'fast-check';
import { expect, test } from 'vitest';
import { keyOf } from './object.ts';
import { createStore } from './store.ts';

interface User {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly groups: readonly string[];
}

const user = (
  name: string,
  version: number,
  groups: readonly string[] = [],
  uid = `uid of ${name}`,
): User => ({
  metadata: { namespace: 'team', name, uid, resourceVersion: String(version) },
  groups,
});

const create = () =>
  createStore<User, 'group'>({ indexes: { group: ({ groups }) => groups }, report: () => {} });

const kindsOf = (changes: readonly { readonly kind: string; readonly object: User }[]) =>
  changes.map(({ kind, object }) => `${kind} ${object.metadata.uid}`);

test('objects are found by key and by each value of an index', () => {
  const store = create();
  store.upsert(user('a', 1, ['readers', 'writers', 'readers']));
  store.upsert(user('b', 2, ['readers']));
  expect(store.get('team/a')?.metadata.name).toBe('a');
  expect(store.byIndex('group', 'readers').map(keyOf)).toEqual(['team/a', 'team/b']);
  store.upsert(user('a', 3, ['writers']));
  expect(store.byIndex('group', 'readers').map(keyOf)).toEqual(['team/b']);
  expect(store.byIndex('group', 'nobody')).toEqual([]);
});

test('a repeated or an older version is no change', () => {
  const store = create();
  store.upsert(user('a', 10));
  expect(store.upsert(user('a', 10))).toEqual([]);
  expect(store.upsert(user('a', 9))).toEqual([]);
  expect(store.get('team/a')?.metadata.resourceVersion).toBe('10');
});

test('another uid under the same name is a deletion and an addition, whatever its version', () => {
  const store = create();
  store.upsert(user('a', 10, ['old'], 'first'));
  expect(kindsOf(store.upsert(user('a', 5, ['new'], 'second')))).toEqual(['deleted first', 'added second']);
  expect(store.byIndex('group', 'old')).toEqual([]);
});

test('the late end of a predecessor does not remove its successor', () => {
  const store = create();
  store.upsert(user('a', 10, [], 'second'));
  expect(store.remove(user('a', 12, [], 'first'))).toEqual([]);
  expect(store.size()).toBe(1);
});

test('replacing tells exactly what became different, even back to older versions', () => {
  const store = create();
  for (const object of [user('a', 1), user('b', 20), user('c', 3), user('d', 4, [], 'first')])
    store.upsert(object);
  const changes = store.replace([user('a', 1), user('b', 15), user('d', 6, [], 'second'), user('e', 7)]);
  expect(kindsOf(changes)).toEqual([
    'deleted uid of c',
    'updated uid of b',
    'deleted first',
    'added second',
    'added uid of e',
  ]);
});

test('the answer to our own write is known at once, and its watch event is no news', () => {
  const store = create();
  store.upsert(user('a', 1));
  store.noteWritten(user('a', 5, ['readers']));
  expect(store.byIndex('group', 'readers')).toHaveLength(1);
  expect(store.upsert(user('a', 5, ['readers']))).toEqual([]);
  store.noteWritten(user('gone', 6));
  store.noteWritten(user('a', 7, [], 'another'));
  expect(store.keys()).toEqual(['team/a']);
  expect(store.get('team/a')?.metadata.resourceVersion).toBe('5');
});

test('an object that an index function cannot read is stored all the same', () => {
  const told: string[] = [];
  const store = createStore<User, 'broken'>({
    indexes: {
      broken: ({ metadata }) => {
        if (metadata.name === 'odd') throw new Error('odd');
        return ['all'];
      },
    },
    report: ({ what, subject }) => told.push(`${what} ${subject}`),
  });
  store.replace([user('odd', 1), user('even', 2)]);
  expect(store.list()).toHaveLength(2);
  expect(store.byIndex('broken', 'all').map(keyOf)).toEqual(['team/even']);
  expect(told).toEqual(['index-threw broken of team/odd']);
});

test('after any changes the indexes say what the objects say', () => {
  const objects = record({
    name: constantFrom('a', 'b', 'c', 'd'),
    version: integer({ min: 1, max: 50 }),
    groups: subarray(['x', 'y', 'z']),
    uid: constantFrom('1', '2'),
  }).map(({ name, version, groups, uid }) => user(name, version, groups, uid));
  const step = oneof(
    objects.map((object) => ({ do: 'upsert' as const, object })),
    objects.map((object) => ({ do: 'remove' as const, object })),
    uniqueArray(objects, { selector: keyOf }).map((all) => ({ do: 'replace' as const, all })),
  );
  assert(
    property(array(step, { maxLength: 30 }), (steps) => {
      const store = create();
      const told = new Map<string, User>();
      for (const each of steps) {
        const changes = each.do === 'replace' ? store.replace(each.all) : store[each.do](each.object);
        for (const { kind, key, object } of changes) {
          if (kind === 'deleted') told.delete(key);
          else told.set(key, object);
        }
      }
      // Who only listens to the changes knows the same as who looks into the store.
      expect(new Map(store.list().map((object) => [keyOf(object), object]))).toEqual(told);
      for (const group of ['x', 'y', 'z']) {
        const expected = [...told].filter(([, object]) => object.groups.includes(group)).map(([key]) => key);
        expect(store.byIndex('group', group).map(keyOf).toSorted()).toEqual(expected.toSorted());
      }
    }),
  );
});
