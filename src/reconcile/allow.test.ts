import { describe, expect, it } from 'vitest';
import {
  aDatabase,
  aNamespace,
  aRule,
  aTarget,
  aUser,
  accountID,
  roleARN,
} from '../../test/builders/objects.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { AllowRule } from '../api/schema.ts';
import { judgeAllowed, type NamespaceFacts } from './allow.ts';
import { Failure } from '../kernel/failure.ts';

const otherRole = `arn:aws:iam::${accountID}:role/billing-app`;

function judge(input: {
  readonly spec?: Partial<IamDatabaseUser['spec']>;
  readonly allow?: readonly AllowRule[];
  readonly namespace?: NamespaceFacts | undefined;
  readonly database?: Partial<IamDatabase['spec']>;
}) {
  const database = aDatabase({ spec: { ...(input.allow && { allow: input.allow }), ...input.database } });
  const namespace = 'namespace' in input ? input.namespace : aNamespace();
  const user = aUser({ spec: input.spec ?? {} });
  const roleARNs = user.spec.principals.flatMap((principal) => principal.roleARN ?? []);
  return judgeAllowed(user, database, namespace, aTarget(), roleARNs);
}

const verdict = (input: Parameters<typeof judge>[0]) => {
  const judged = judge(input);
  return judged instanceof Failure ? judged.reason : 'admitted';
};
const message = (input: Parameters<typeof judge>[0]) => {
  const judged = judge(input);
  return judged instanceof Failure ? judged.message : '';
};

const selector = (matchLabels: Record<string, string>) => ({ namespaces: { selector: { matchLabels } } });

describe('an IamDatabaseUser is', () => {
  it.each<[sentence: string, expected: string, input: Parameters<typeof judge>[0]]>([
    ['admitted where one rule says so', 'admitted', {}],
    ['refused where there is no rule at all', 'NamespaceNotAllowed', { allow: [] }],
    ['refused in another namespace', 'NamespaceNotAllowed', { namespace: aNamespace('billing') }],
    ['refused while its namespace is not known', 'NamespaceNotAllowed', { namespace: undefined }],
    [
      'admitted by a label of its namespace',
      'admitted',
      { allow: [aRule(selector({ team: 'pay' }))], namespace: aNamespace('x', { team: 'pay', tier: '1' }) },
    ],
    [
      'refused when only one of two labels fits',
      'NamespaceNotAllowed',
      { allow: [aRule(selector({ team: 'pay', tier: '1' }))], namespace: aNamespace('x', { team: 'pay' }) },
    ],
    [
      'refused by a selector without labels, which would fit everybody',
      'NamespaceNotAllowed',
      { allow: [aRule(selector({}))], namespace: aNamespace('x', { team: 'pay' }) },
    ],
    [
      'refused by a rule that names no namespaces',
      'NamespaceNotAllowed',
      { allow: [aRule({ namespaces: {} })] },
    ],
    [
      'refused when the name fits and the label does not',
      'NamespaceNotAllowed',
      { allow: [aRule({ namespaces: { names: ['payments'], selector: { matchLabels: { team: 'pay' } } } })] },
    ],
    [
      'admitted when name and label both fit',
      'admitted',
      {
        allow: [aRule({ namespaces: { names: ['payments'], selector: { matchLabels: { team: 'pay' } } } })],
        namespace: aNamespace('payments', { team: 'pay' }),
      },
    ],
    ['refused with a user name of another team', 'UsernameNotAllowed', { spec: { username: 'billing_app' } }],
    [
      'refused with a reserved user name, whatever the rule says',
      'UsernameNotAllowed',
      { spec: { username: 'rdsadmin' }, allow: [aRule({ usernames: ['*'] })] },
    ],
    [
      'refused with a user name that would be a wildcard in a policy',
      'UsernameNotAllowed',
      { spec: { username: 'payments_*' } },
    ],
    ['refused with a group where no rule has groups', 'GroupNotAllowed', { spec: { memberOf: ['readers'] } }],
    [
      'refused with one group more than the rule has',
      'GroupNotAllowed',
      { spec: { memberOf: ['readers', 'writers'] }, allow: [aRule({ memberOf: ['readers'] })] },
    ],
    [
      'admitted with some of the groups of the rule',
      'admitted',
      { spec: { memberOf: ['readers'] }, allow: [aRule({ memberOf: ['readers', 'writers'] })] },
    ],
    [
      'refused with a group that only looks like a pattern',
      'GroupNotAllowed',
      { spec: { memberOf: ['readers'] }, allow: [aRule({ memberOf: ['read*'] })] },
    ],
    [
      'refused with groups that two rules have, but neither both',
      'GroupNotAllowed',
      {
        spec: { memberOf: ['readers', 'writers'] },
        allow: [aRule({ memberOf: ['readers'] }), aRule({ memberOf: ['writers'] })],
      },
    ],
    [
      'admitted with a group of 63 bytes in 21 characters',
      'admitted',
      { spec: { memberOf: ['漢'.repeat(21)] }, allow: [aRule({ memberOf: ['漢'.repeat(21)] })] },
    ],
    [
      'refused with a group of 66 bytes, although 22 characters and allowed',
      'GroupNotAllowed',
      { spec: { memberOf: ['漢'.repeat(22)] }, allow: [aRule({ memberOf: ['漢'.repeat(22)] })] },
    ],
    [
      'refused with a role of another account, although allowed',
      'PrincipalNotAllowed',
      {
        spec: { principals: [{ roleARN: 'arn:aws:iam::999999999999:role/payments-x' }] },
        allow: [aRule({ principals: ['arn:aws:iam::999999999999:role/payments-*'] })],
      },
    ],
    [
      'refused with a role of another partition, although allowed',
      'PrincipalNotAllowed',
      {
        spec: { principals: [{ roleARN: roleARN.replace('arn:aws:', 'arn:aws-cn:') }] },
        allow: [aRule({ principals: [roleARN.replace('arn:aws:', 'arn:aws-cn:')] })],
      },
    ],
    [
      'refused with one role of two',
      'PrincipalNotAllowed',
      { spec: { principals: [{ roleARN }, { roleARN: otherRole }] } },
    ],
    [
      'refused with roles that two rules have, but neither both',
      'PrincipalNotAllowed',
      {
        spec: { principals: [{ roleARN }, { roleARN: otherRole }] },
        allow: [aRule(), aRule({ principals: [otherRole] })],
      },
    ],
    [
      'refused when one rule has the name and another the role',
      'PrincipalNotAllowed',
      {
        spec: { username: 'billing_app' },
        allow: [aRule(), aRule({ usernames: ['billing_*'], principals: [otherRole] })],
      },
    ],
    ['admitted by the second rule', 'admitted', { allow: [aRule({ usernames: ['other'] }), aRule()] }],
    [
      'admitted by one of several patterns for names and for roles',
      'admitted',
      { allow: [aRule({ usernames: ['billing_*', 'payments_*'], principals: [otherRole, roleARN] })] },
    ],
    [
      'refused with what is no ARN of a role',
      'PrincipalNotAllowed',
      { spec: { principals: [{ roleARN: `arn:aws:iam::${accountID}:user/x` }] } },
    ],
  ])('%s', (_sentence, expected, input) => {
    expect(verdict(input)).toBe(expected);
  });

  const wrong = {
    username: 'rdsadmin',
    memberOf: ['writers'],
    principals: [{ roleARN: 'arn:aws:iam::999999999999:role/x' }],
  };
  it.each<[string, Parameters<typeof judge>[0]]>([
    ['NamespaceNotAllowed', { namespace: aNamespace('billing'), spec: wrong }],
    ['UsernameNotAllowed', { spec: wrong }],
    ['GroupNotAllowed', { spec: { memberOf: ['writers'], principals: [{ roleARN: otherRole }] } }],
    ['PrincipalNotAllowed', { spec: { principals: [{ roleARN: otherRole }] } }],
  ])('told %s first, where more than that is wrong', (expected, input) => {
    expect(verdict(input)).toBe(expected);
  });

  it('told nothing of the database where its namespace is not admitted', () => {
    const told = message({ namespace: aNamespace('billing'), spec: wrong });
    expect(told).not.toContain(accountID);
    expect(told).not.toContain('payments_*');
  });

  it.each<[string, Parameters<typeof judge>[0]]>([
    ['payments_*', { spec: { username: 'billing_app' } }],
    [otherRole, { spec: { principals: [{ roleARN }, { roleARN: otherRole }] } }],
    ['sts:AssumeRole', { spec: { principals: [{ roleARN: 'arn:aws:iam::999999999999:role/x' }] } }],
    ['readers', { spec: { memberOf: ['writers'] }, allow: [aRule({ memberOf: ['readers'] })] }],
  ])('told %s, so that the next step is known', (expected, input) => {
    expect(message(input)).toContain(expected);
  });

  const many = Array.from({ length: 9 }, (_, i) => `team${i}_*`);
  it.each<[string, Parameters<typeof judge>[0]]>([
    ['No rule in spec.allow of IamDatabase orders admits namespace payments.', { allow: [] }],
    [
      'User name "rdsadmin" cannot be used: the name is reserved by PostgreSQL, RDS or the operator.',
      { spec: { username: 'rdsadmin' } },
    ],
    [
      'A name in memberOf is empty or longer than 63 bytes, which PostgreSQL would cut.',
      { spec: { memberOf: [''] } },
    ],
    [
      `"arn:aws:iam::${accountID}:user/x" is not the ARN of an IAM role.`,
      { spec: { principals: [{ roleARN: `arn:aws:iam::${accountID}:user/x` }] } },
    ],
    [
      `arn:aws:iam::999999999999:role/x is not in the database's account ${accountID}. rds-db:connect works only within one account: create a role there, let the workload assume it (sts:AssumeRole), and name that role.`,
      { spec: { principals: [{ roleARN: 'arn:aws:iam::999999999999:role/x' }] } },
    ],
    [
      'IamDatabase orders does not allow user name "billing_app" in namespace payments; it allows: payments_*.',
      { spec: { username: 'billing_app' }, allow: [aRule(), aRule()] },
    ],
    [
      `IamDatabase orders does not allow user name "billing_app" in namespace payments; it allows: ${many.slice(0, 8).join(', ')}.`,
      { spec: { username: 'billing_app' }, allow: [aRule({ usernames: many })] },
    ],
    [
      'IamDatabase orders does not allow these groups together: a, b; it allows: none.',
      { spec: { memberOf: ['a', 'b'] } },
    ],
    [
      `IamDatabase orders does not allow these principals: ${otherRole}.`,
      {
        spec: { principals: [{ roleARN: otherRole }] },
        allow: [aRule({ principals: [`${roleARN}-2`, roleARN] })],
      },
    ],
    [
      `IamDatabase orders does not allow these principals: ${roleARN}, ${otherRole}.`,
      {
        spec: { principals: [{ roleARN }, { roleARN: otherRole }] },
        allow: [aRule(), aRule({ principals: [otherRole] })],
      },
    ],
    [
      `IamDatabase orders does not allow these principals: ${otherRole}.`,
      {
        spec: { principals: [{ roleARN }, { roleARN: otherRole }] },
        allow: [aRule({ principals: [roleARN, `${otherRole}-2`] })],
      },
    ],
  ])('told, as what needs a person: %s', (expected, input) => {
    expect(judge(input)).toMatchObject({ kind: 'invalid', message: expected });
  });

  it('is not told of the role that is allowed when another is not', () => {
    expect(message({ spec: { principals: [{ roleARN }, { roleARN: otherRole }] } })).not.toContain(roleARN);
  });

  it('may take over a role that a rule which admits it names, literally', () => {
    expect(judge({ allow: [aRule({ adopt: ['payments_checkout'] })] })).toMatchObject({ mayAdopt: true });
    expect(judge({ allow: [aRule(), aRule({ adopt: ['payments_checkout'] })] })).toMatchObject({
      mayAdopt: true,
    });
    for (const rule of [
      aRule({ adopt: ['payments_*'] }),
      aRule({ usernames: ['x'], adopt: ['payments_checkout'] }),
    ]) {
      expect(judge({ allow: [aRule(), rule] })).toMatchObject({ mayAdopt: false });
    }
  });

  it('has the groups that its rules write out, and no others, for powerful ones', () => {
    expect(
      judge({
        allow: [
          aRule({ memberOf: ['pg_monitor'] }),
          aRule({ usernames: ['x'], memberOf: ['pg_read_all_data'] }),
        ],
      }),
    ).toMatchObject({ literallyAllowedGroups: ['pg_monitor'], mayAdopt: false });
    expect(judge({})).toMatchObject({ literallyAllowedGroups: [] });
  });
});
