// What is looked at before anything is done: fields that the served CRDs lack, and who goes before us.
import { expect, it } from 'vitest';
import { databaseSchema } from '../api/database-schema.ts';
import { userSchema } from '../api/user-schema.ts';
import { missingFields, rivalOf } from './preflight.ts';

const document = (user: object, database: object = databaseSchema) => ({
  components: {
    schemas: {
      'dev.iamdb.v1alpha1.IamDatabase': {
        ...database,
        'x-kubernetes-group-version-kind': [{ kind: 'IamDatabase' }],
      },
      'dev.iamdb.v1alpha1.IamDatabaseUser': {
        ...user,
        'x-kubernetes-group-version-kind': [{ kind: 'IamDatabaseUser' }],
      },
    },
  },
});
const without = (schema: object, path: readonly string[]): object => {
  const copy = structuredClone(schema) as Record<string, unknown>;
  const last = path.at(-1) ?? '';
  const parent = path
    .slice(0, -1)
    .reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
  delete parent[last];
  return copy;
};

it.each([
  [
    'a field of spec',
    ['properties', 'spec', 'properties', 'expirationTime'],
    ['IamDatabaseUser.spec.expirationTime'],
  ],
  [
    'a field within a list',
    ['properties', 'spec', 'properties', 'principals', 'items', 'properties', 'serviceAccount'],
    ['IamDatabaseUser.spec.principals[].serviceAccount'],
  ],
  ['a part of status', ['properties', 'status', 'properties', 'plan'], ['IamDatabaseUser.status.plan']],
])('%s that is not served is named', (_, path, expected) => {
  expect(missingFields(document(without(userSchema, path)))).toEqual(expected);
});

it.each([[undefined], [{}], [document(userSchema)]])(
  'nothing is missing where nothing is known against it: %#',
  (served) => {
    expect(missingFields(served)).toEqual([]);
  },
);

const now = 1_000_000;
const held = (namespace: string, acquiredAt: number, more: object = {}) => ({
  namespace,
  holder: 'pod',
  acquiredAt,
  renewedAt: now - 1_000,
  durationSeconds: 15,
  ...more,
});

it.each([
  ['nobody else', [held('b', 5)], undefined],
  ['one that was there before', [held('b', 5), held('a', 4)], 'a'],
  ['one that came later', [held('b', 5), held('a', 6)], undefined],
  ['one that came at the same moment, by name', [held('b', 5), held('a', 5)], 'a'],
  ['one that came at the same moment, by name', [held('b', 5), held('c', 5)], undefined],
  ['one that gave its Lease back', [held('b', 5), held('a', 4, { holder: '' })], undefined],
  ['one that died', [held('b', 5), held('a', 4, { renewedAt: now - 60_000 })], undefined],
])('before us goes %s', (_, holders, expected) => {
  expect(rivalOf({ namespace: 'b' }, holders, now)?.namespace).toBe(expected);
});
