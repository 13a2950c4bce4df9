import { describe, expect, it } from 'vitest';
import { aDatabase, aTarget } from '../../test/builders/objects.ts';
import type { IamDatabase } from '../api/objects.ts';
import type { DatabaseState } from '../reconcile/database-state.ts';
import { Failure } from '../kernel/failure.ts';
import { identitiesOf, identityFor } from './identities.ts';

const [home, away, third] = ['111122223333', '444455556666', '777788889999'];
const principal = (account: string) => `arn:aws:iam::${account}:role/payments-checkout`;
const reach = (account: string, name = 'iamdb') => ({ arn: `arn:aws:iam::${account}:role/${name}` });

const down = new Failure('denied', 'AssumeRoleRefused', 'no');
/** A database of that account, or one that is not resolved; without a role it is the operator's own identity's. */
const one = (name: string, account: string | undefined, role?: { readonly arn: string }) => ({
  database: aDatabase({ metadata: { name }, spec: role === undefined ? {} : { assumeRole: role } }),
  target: account === undefined ? down : aTarget({ accountID: account }),
});

const viewOf = (...all: readonly { database: IamDatabase; target: DatabaseState['target'] }[]) => ({
  databases: () => all.map(({ database }) => database),
  stateOf: (name: string): DatabaseState | undefined => {
    const found = all.find(({ database }) => database.metadata.name === name);
    return found && { target: found.target, admin: down, server: undefined };
  },
});

describe('the identity for the policies of an IAM role', () => {
  it.each<[string, string, ReturnType<typeof one>[], string[], { arn: string } | undefined]>([
    ["is the operator's own where nothing is known", home, [], [], undefined],
    ["is the operator's own for a database without a role", home, [one('a', home)], ['a'], undefined],
    [
      'is the role of the database there',
      away,
      [one('a', home), one('b', away, reach(away))],
      ['b'],
      reach(away),
    ],
    [
      'is the role of the database there, though nobody names it',
      away,
      [one('b', away, reach(away))],
      [],
      reach(away),
    ],
    [
      'is that role even while it cannot be assumed',
      away,
      [one('b', undefined, reach(away))],
      ['b'],
      reach(away),
    ],
    [
      'is never that of a database in another account, whoever names the role',
      third,
      [one('a', home), one('b', away, reach(away))],
      ['a', 'b'],
      undefined,
    ],
    [
      'is not for a tenant to choose: users of a database here who name a role there',
      away,
      [one('a', home), one('b', away, reach(away))],
      ['a'],
      reach(away),
    ],
    [
      'is that of the database whose users name the role, of two there',
      away,
      [one('b', away, reach(away, 'first')), one('c', away, reach(away, 'second'))],
      ['c'],
      reach(away, 'second'),
    ],
    [
      'is that of one that is resolved, of two whose users name it',
      away,
      [one('b', undefined, reach(away, 'first')), one('c', away, reach(away, 'second'))],
      ['b', 'c'],
      reach(away, 'second'),
    ],
    [
      'is that of the first by name, of two alike',
      away,
      [one('c', away, reach(away, 'second')), one('b', away, reach(away, 'first'))],
      ['b', 'c'],
      reach(away, 'first'),
    ],
    [
      "is the operator's own where a database beside it has a role in the same account",
      home,
      [one('a', home), one('b', home, reach(home))],
      ['a'],
      undefined,
    ],
  ])('%s', (_, account, all, naming, expected) => {
    expect(identityFor(principal(account), new Set(naming), viewOf(...all))).toEqual(expected);
  });
});

it('counts each identity once, and another external id as another one', () => {
  const databases = [
    one('a', home),
    one('b', away, reach(away)),
    one('c', away, reach(away)),
    one('d', away, { ...reach(away), externalID: 'x' } as { arn: string }),
  ].map(({ database }) => database);
  expect(identitiesOf(databases)).toEqual([undefined, reach(away), { ...reach(away), externalID: 'x' }]);
});
