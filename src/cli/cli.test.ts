// The commands as a person types them, without a server: what they print, and what they refuse.
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { operatorPolicy } from '../systems/operator-policy.ts';
import { adminSqlCommand } from './admin-sql.ts';
import { operatorPolicyCommand } from './operator-policy.ts';

/** What is printed; throws what the person is told instead. */
function typed(make: (print: (text: string) => void) => Command, ...args: readonly string[]): string {
  let printed = '';
  let told = '';
  const command = make((text) => {
    printed += text;
  })
    .exitOverride()
    .configureOutput({
      writeErr: (text) => {
        told += text;
      },
    });
  try {
    command.parse([...args], { from: 'user' });
  } catch {
    throw new Error(told);
  }
  return printed;
}
const adminSQL = (...args: readonly string[]) => typed(adminSqlCommand, ...args);
const policy = (...args: readonly string[]) => typed(operatorPolicyCommand, ...args);

describe('admin-sql', () => {
  it('is one transaction whose last step is the guard, whatever the set-up', () => {
    const setUps = [
      ['--postgres=14'],
      ['--postgres=17'],
      ['--postgres=14', '--authentication=Secret'],
      ['--postgres=17', '--authentication=Secret'],
      ['--postgres=17', '--authentication=Secret', '--no-helpers'],
      ['--postgres=17', '--rotate-from=old_admin'],
    ];
    for (const args of setUps) {
      const statements = adminSQL(...args).replaceAll(/^--.*\n/gm, '');
      expect(statements, args.join(' ')).toMatch(/^BEGIN;\n/);
      expect(statements.match(/^(BEGIN|COMMIT|ROLLBACK);$/gm)).toEqual(['BEGIN;', 'COMMIT;']);
      const last = statements.slice(statements.lastIndexOf('DO $iamdb$'));
      expect(last).toMatch(
        /RAISE EXCEPTION 'this would end the password login of %[^]*END \$iamdb\$;\n\nCOMMIT;\n$/,
      );
    }
  });

  it.each([
    [
      'by token, before 16',
      ['--postgres=15', '--group=app'],
      ['LOGIN CREATEROLE', 'GRANT rds_iam TO'],
      ['iamdb_definer', 'GRANT "app"'],
    ],
    [
      'by token, from 16 on',
      ['--postgres=16', '--group', 'app', 'other'],
      ['GRANT "app" TO "iamdb_admin" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;', 'GRANT "other"'],
      ['iamdb_definer'],
    ],
    [
      'by password, before 16',
      ['--postgres=15', '--authentication=Secret'],
      ['LOGIN CREATEROLE', '\\password "iamdb_admin"'],
      ['GRANT rds_iam', 'iamdb_definer'],
    ],
    [
      'by password, from 16 on',
      ['--postgres=18', '--authentication=Secret'],
      ['CREATE ROLE "iamdb_admin" LOGIN;', 'GRANT rds_iam TO "iamdb_definer" WITH ADMIN OPTION;'],
      ['GRANT rds_iam TO "iamdb_admin"', 'CREATE ROLE "iamdb_admin" LOGIN CREATEROLE'],
    ],
    [
      'by password, from 16 on, without the functions',
      ['--postgres=18', '--authentication=Secret', '--no-helpers'],
      ['CREATE ROLE "iamdb_admin" LOGIN CREATEROLE;', 'AdminWouldLoseLogin'],
      ['GRANT rds_iam', 'iamdb_definer'],
    ],
    [
      'of another name',
      ['--postgres=16', '--username=new_admin', '--rotate-from=old_admin'],
      ['ALTER ROLE "old_admin" RENAME TO "new_admin";'],
      [],
    ],
  ] as const)('gives an admin %s what it needs and nothing else', (_what, args, needed, absent) => {
    const text = adminSQL(...args);
    for (const part of needed) expect(text).toContain(part);
    for (const part of absent) expect(text).not.toContain(part);
  });

  it('quotes whatever a group may be called', () => {
    const text = adminSQL('--postgres=16', `--group=a"b'c; DROP ROLE x --`);
    expect(text).toContain(`GRANT "a""b'c; DROP ROLE x --" TO "iamdb_admin"`);
    expect(text).toContain(`g.rolname = 'a"b''c; DROP ROLE x --'`);
  });

  it.each([
    ['no version', [], "required option '--postgres <major>'"],
    ['a version that never was', ['--postgres=9.6'], 'It is 10 or higher'],
    ['a name that is reserved', ['--postgres=16', '--username=rdsadmin'], 'reserved'],
    ['a name that ends quotes', ['--postgres=16', '--username=a"b'], 'use a letter'],
    ['a group that would end the body', ['--postgres=16', '--group=$iamdb$'], 'cannot be a part of it'],
    ['a group over several lines', ['--postgres=16', '--group=a\nb'], '1 to 63 bytes'],
    ['the same admin twice', ['--postgres=16', '--rotate-from=iamdb_admin'], 'not --username itself'],
    ['another way to log in', ['--postgres=16', '--authentication=LDAP'], 'IAM, Secret'],
  ] as const)('refuses %s', (_what, args, told) => {
    expect(() => adminSQL(...args)).toThrow(told);
  });
});

describe('operator-policy', () => {
  const account = ['--account=111122223333', '--operator-id=prod', '--region', 'eu-central-1', 'us-east-1'];
  const roles = ['--role-arn', 'arn:aws:iam::111122223333:role/payments-*'];

  it('prints the policy that the operator is tested with, for the given account, regions, roles and admins', () => {
    expect(JSON.parse(policy(...account, ...roles, '--admin=cluster-ABC/iamdb_admin'))).toEqual(
      operatorPolicy({
        partition: 'aws',
        accountID: '111122223333',
        operatorID: 'prod',
        principals: ['arn:aws:iam::111122223333:role/payments-*'],
        admins: [
          'arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-ABC/iamdb_admin',
          'arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABC/iamdb_admin',
        ],
        regions: ['eu-central-1', 'us-east-1'],
      }),
    );
  });

  it('lets the roles of proxies be looked at where they are named, and nothing beyond', () => {
    const pattern = 'arn:aws:iam::111122223333:role/*-proxy';
    const { Statement } = JSON.parse(policy(...account, ...roles, '--proxy-role-arn', pattern)) as {
      readonly Statement: readonly { readonly Sid: string; readonly Resource: unknown }[];
    };
    expect(Statement.find(({ Sid }) => Sid === 'SeeProxyRoles')?.Resource).toEqual([pattern]);
    expect(policy(...account, ...roles)).not.toContain('ProxyRoles');
  });

  it('allows to read the secrets that RDS keeps, and the keys that encrypt them, only where asked', () => {
    const key = 'arn:aws:kms:eu-central-1:111122223333:key/1234-abcd';
    const asked = policy(...account, ...roles, '--managed-secrets', '--kms-key', key);
    const { Statement: statements } = JSON.parse(asked) as {
      readonly Statement: readonly { readonly Sid: string; readonly Resource: unknown }[];
    };
    expect(statements.find(({ Sid }) => Sid === 'ReadMasterSecrets')?.Resource).toEqual([
      'arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!*',
      'arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!*',
    ]);
    expect(statements.find(({ Sid }) => Sid === 'DecryptMasterSecrets')?.Resource).toEqual([key]);
    expect(policy(...account, ...roles)).not.toMatch(/secretsmanager|kms/);
  });

  it('lets roles in other accounts be assumed where they are named one by one, and nothing beyond', () => {
    const arn = 'arn:aws:iam::444455556666:role/iamdb/reach';
    const { Statement } = JSON.parse(policy(...account, ...roles, '--assume-role', arn)) as {
      readonly Statement: readonly { readonly Sid: string; readonly Resource: unknown }[];
    };
    expect(Statement.find(({ Sid }) => Sid === 'ReachOtherAccounts')?.Resource).toEqual([arn]);
    expect(policy(...account, ...roles)).not.toContain('ReachOtherAccounts');
  });

  it('lets the operator read the Pod Identity associations of one EKS cluster, where that is asked for', () => {
    const printed = policy(...account, ...roles, '--eks-cluster=eu-central-1/prod_1');
    expect(JSON.parse(printed)).toMatchObject({
      Statement: expect.arrayContaining([
        {
          Sid: 'ReadPodIdentities',
          Effect: 'Allow',
          Action: ['eks:ListPodIdentityAssociations', 'eks:DescribePodIdentityAssociation'],
          Resource: [
            'arn:aws:eks:eu-central-1:111122223333:cluster/prod_1',
            'arn:aws:eks:eu-central-1:111122223333:podidentityassociation/prod_1/*',
          ],
        },
      ]),
    });
    expect(policy(...account, ...roles)).not.toContain('eks:');
  });

  it.each([
    [
      'a pattern of roles to assume',
      [...account, ...roles, '--assume-role=arn:aws:iam::444455556666:role/*'],
      'exact ARN',
    ],
    [
      'a cluster that would be a wildcard',
      [...account, ...roles, '--eks-cluster=eu-central-1/*'],
      'name of an EKS cluster',
    ],
    ['no account', [...roles], "required option '--account <id>'"],
    ['a user as a role', [...account, '--role-arn=arn:aws:iam::111122223333:user/x'], 'ARN of an IAM role'],
    ['every role of every account', [...account, '--role-arn=*'], 'ARN of an IAM role'],
    [
      'an admin that would be a wildcard',
      [...account, ...roles, '--admin=cluster-ABC/*'],
      'resource id and a user name',
    ],
    [
      'a resource id that would be a wildcard',
      [...account, ...roles, '--admin=*/iamdb_admin'],
      'resource id and a user name',
    ],
  ] as const)('refuses %s', (_what, args, told) => {
    expect(() => policy(...args)).toThrow(told);
  });
});
