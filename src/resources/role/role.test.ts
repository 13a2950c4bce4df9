import { expect, it } from 'vitest';
import { owner } from '../../../test/builders/role-fixtures.ts';
import { markOf } from './mark.ts';
import { gives, type RoleChange } from './role.ts';

it.each<[boolean, RoleChange]>([
  [true, { do: 'create', connectionLimit: 5 }],
  [true, { do: 'grant rds_iam' }],
  [true, { do: 'grant group', group: 'writers' }],
  [true, { do: 'grant connect', database: 'orders' }],
  [false, { do: 'adopt', sessions: 1 }],
  [false, { do: 'mark', mark: markOf(owner, [], []) }],
  [false, { do: 'release', comment: 'released' }],
  [false, { do: 'allow login' }],
  [false, { do: 'limit connections', limit: 5 }],
  [false, { do: 'set', setting: 'work_mem', value: '8MB' }],
  [false, { do: 'reset', setting: 'work_mem' }],
  [false, { do: 'revoke group', group: 'writers', ifPossible: true }],
  [false, { do: 'revoke connect', database: 'orders' }],
  [false, { do: 'end access' }],
  [false, { do: 'end sessions' }],
  [false, { do: 'interrupt sessions' }],
  [false, { do: 'reassign', to: 'heirs', databases: ['orders'] }],
  [false, { do: 'drop' }],
])(
  'that something is given away is %s of %o: such a transaction ends with the lock-out guard',
  (given, change) => {
    expect(gives(change)).toBe(given);
  },
);
