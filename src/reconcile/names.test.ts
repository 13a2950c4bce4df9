import { expect, it } from 'vitest';
import { aDatabase, aUser } from '../../test/builders/objects.ts';
import { connectionName, keyOf, trustBundleName } from './names.ts';

it('an object is known by namespace and name, or by its name where there is no namespace', () => {
  expect(keyOf(aUser())).toBe('payments/checkout');
  expect(keyOf(aDatabase())).toBe('orders');
});

it('the connection has the name that was asked for, else one from the object', () => {
  expect(connectionName(aUser())).toBe('checkout-connection');
  expect(connectionName(aUser({ spec: { connection: { type: 'ConfigMap', configMapName: 'db' } } }))).toBe(
    'db',
  );
});

it.each([
  ['a cluster', { type: 'Cluster', cluster: { identifier: 'a', region: 'eu-west-1' } }],
  ['an instance', { type: 'Instance', instance: { identifier: 'a', region: 'eu-west-1' } }],
  [
    'an explicit target',
    {
      type: 'Explicit',
      explicit: {
        host: 'h',
        port: 1,
        region: 'eu-west-1',
        accountID: '1',
        partition: 'aws',
        resourceIDs: ['db-A'],
      },
    },
  ],
] as const)('the trust bundle is named after the region of %s', (_kind, target) => {
  expect(trustBundleName(aUser(), aDatabase({ spec: { target } }))).toBe('rds-ca-eu-west-1');
});

it('the trust bundle has the name that was asked for', () => {
  expect(trustBundleName(aUser({ spec: { trustBundle: { configMapName: 'cas' } } }), aDatabase())).toBe(
    'cas',
  );
});
