import { expect, it } from 'vitest';
import { aDatabase, aTarget, aUser } from '../../test/builders/objects.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { type Ending, endingOf } from './ending.ts';
import { Failure } from '../kernel/failure.ts';
import type { Standing } from './standing.ts';

const refused = (by: 'owner' | 'others'): Standing => ({
  state: 'refused',
  by,
  failure: new Failure('invalid', 'NamespaceNotAllowed', 'No.'),
});
const [disallowed, taken] = [refused('owner'), refused('others')];
const fine: Standing = { state: 'contested', target: aTarget() };
const over = '2026-02-28T00:00:00Z';

it.each<[string, Partial<IamDatabaseUser['spec']>, Standing, 'Enforce' | 'Plan', Ending]>([
  ['as it asks: dropped', { deletionPolicy: 'Delete' }, fine, 'Enforce', 'Delete'],
  ['as it asks: disabled', { deletionPolicy: 'Disable' }, fine, 'Enforce', 'Disable'],
  ['as it asks: left behind', { deletionPolicy: 'Retain' }, fine, 'Enforce', 'Retain'],
  ['left behind where another holds its name', { deletionPolicy: 'Retain' }, taken, 'Enforce', 'Retain'],
  [
    'disabled where it is not allowed any more',
    { deletionPolicy: 'Retain' },
    disallowed,
    'Enforce',
    'Disable',
  ],
  [
    'disabled where its time is over',
    { deletionPolicy: 'Retain', expirationTime: over },
    fine,
    'Enforce',
    'Disable',
  ],
  [
    'dropped where it is not allowed and asks for that',
    { deletionPolicy: 'Delete' },
    disallowed,
    'Enforce',
    'Delete',
  ],
  ['dropped after its time', { deletionPolicy: 'Delete', expirationTime: over }, fine, 'Enforce', 'Delete'],
  [
    'left behind while it plans itself',
    { deletionPolicy: 'Delete', mode: 'Plan' },
    fine,
    'Enforce',
    'Retain',
  ],
  ['disabled where only it plans and is not allowed', { mode: 'Plan' }, disallowed, 'Enforce', 'Disable'],
  [
    'left behind while the operator plans, allowed or not',
    { deletionPolicy: 'Delete' },
    disallowed,
    'Plan',
    'Retain',
  ],
])('the access of a deleted user ends %s', (_, spec, standing, mode, expected) => {
  const view = {
    database: () => aDatabase(),
    settings: { mode },
    now: () => Date.parse('2026-03-01T00:00:00Z'),
  };
  expect(endingOf(aUser({ spec }), standing, view)).toBe(expected);
});
