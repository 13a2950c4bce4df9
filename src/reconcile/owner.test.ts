import { expect, it } from 'vitest';
import { aDatabase, aUser } from '../../test/builders/objects.ts';
import { ownerOf } from './owner.ts';

const user = aUser({ metadata: { name: 'checkout', namespace: 'payments', uid: 'uid-1' } });
const owner = {
  operatorID: 'operator-1',
  namespaceUID: 'uid-of-namespace',
  namespace: 'payments',
  name: 'checkout',
  uid: 'uid-1',
  serverResourceID: 'cluster-ABC',
};

it('a role belongs to the object, its namespace and the operator, and to operators that its database trusts', () => {
  const database = aDatabase({ spec: { trustedOperatorIDs: ['operator-0'] } });
  expect(ownerOf(user, 'uid-of-namespace', database, 'cluster-ABC', 'operator-1')).toEqual({
    ...owner,
    trustedOperatorIDs: ['operator-0'],
  });
});

it('no other operator is trusted where the database is gone', () => {
  expect(ownerOf(user, 'uid-of-namespace', undefined, 'cluster-ABC', 'operator-1')).toEqual({
    ...owner,
    trustedOperatorIDs: [],
  });
});
