// What is looked at before anything is read: fields that the served CRDs lack.
import { expect, it } from 'vitest';
import { databaseSchema } from '../api/database-schema.ts';
import { userSchema } from '../api/user-schema.ts';
import { missingFields } from './preflight.ts';

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
