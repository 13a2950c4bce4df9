import { expect, it } from 'vitest';
import { arnOf } from '../../../test/builders/policy-fixtures.ts';
import { describePolicy } from './describe.ts';
import type { PolicyChange } from './policy.ts';

const policyARN = 'arn:aws:iam::111122223333:policy/iamdb/op/iamdb-checkout-0';
const [a, b] = [arnOf('a'), arnOf('b')];
const write = { do: 'write', policyARN, arns: [a], released: [], added: [], removed: [] } as const;

it.each<[PolicyChange, readonly string[]]>([
  [
    { do: 'create', number: 0, policyARN, arns: [a, b], tags: {} },
    ['create', `allow rds-db:connect on ${a}`, `allow rds-db:connect on ${b}`],
  ],
  [{ do: 'attach', policyARN, roleName: 'checkout' }, ['attach to role checkout']],
  [
    { ...write, added: [a], removed: [b] },
    [`allow rds-db:connect on ${a}`, `no longer allow rds-db:connect on ${b}`],
  ],
  [{ ...write, added: [a] }, [`allow rds-db:connect on ${a}`]],
  [{ ...write, removed: [b] }, [`no longer allow rds-db:connect on ${b}`]],
  [write, ['write the document anew']],
  [{ do: 'tag', policyARN, tags: { team: 'pay', stage: 'prod' } }, ['tag team, stage']],
  [{ do: 'delete-version', policyARN, versionID: 'v3' }, ['delete version v3']],
  [{ do: 'detach', policyARN, entity: { kind: 'Group', name: 'admins' } }, ['detach from group admins']],
  [{ do: 'delete', policyARN }, ['delete']],
])('a person who reviews a plan reads a line for each thing that is done: %o', (change, lines) => {
  expect(describePolicy(change)).toEqual(lines.map((line) => `IAM: ${policyARN}: ${line}`));
});
