// Managed policies, versions, roles and their policies, through the real IAM client.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  GetAccountSummaryCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListPoliciesCommand,
  ListPolicyTagsCommand,
  ListPolicyVersionsCommand,
  ListRolePoliciesCommand,
  paginateListEntitiesForPolicy,
  paginateListPolicies,
  PutRolePolicyCommand,
  SetDefaultPolicyVersionCommand,
  TagPolicyCommand,
  TagRoleCommand,
  UntagPolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Aws, startAws } from './aws.ts';
import { type Clients, clientsFor } from './clients.ts';

const accountId = '111122223333';
const trustPolicy = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { Service: 'pods.eks.amazonaws.com' }, Action: 'sts:AssumeRole' },
  ],
};

function connectDocument(...users: string[]): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Connect',
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: users.map(
          (user) => `arn:aws:rds-db:ap-northeast-2:${accountId}:dbuser:cluster-ABC/${user}`,
        ),
      },
    ],
  });
}

let aws: Aws;
let iam: Clients['iam'];

beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId });
  iam = clientsFor(aws, aws.administrator).iam;
});
afterEach(() => aws.close());

async function createPolicy(
  name: string,
  path = '/iamdb/op/',
  document = connectDocument('a'),
): Promise<string> {
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: name, Path: path, PolicyDocument: document }),
  );
  return Policy?.Arn ?? '';
}

describe('a managed policy', () => {
  test('is created at its path and read back with tags and description', async () => {
    const { Policy: created } = await iam.send(
      new CreatePolicyCommand({
        PolicyName: 'checkout',
        Path: '/iamdb/op/',
        PolicyDocument: connectDocument('a'),
        Description: 'for <checkout> & friends',
        Tags: [{ Key: 'iamdb.dev/operator-id', Value: 'op' }],
      }),
    );
    expect(created?.Arn).toBe(`arn:aws:iam::${accountId}:policy/iamdb/op/checkout`);
    expect(created?.PolicyId).toMatch(/^ANPA[A-Z2-7]{17}$/);

    const { Policy: read } = await iam.send(new GetPolicyCommand({ PolicyArn: created?.Arn }));
    expect(read).toMatchObject({
      PolicyName: 'checkout',
      Path: '/iamdb/op/',
      DefaultVersionId: 'v1',
      AttachmentCount: 0,
      IsAttachable: true,
      Description: 'for <checkout> & friends',
      Tags: [{ Key: 'iamdb.dev/operator-id', Value: 'op' }],
    });
    expect(read?.CreateDate).toBeInstanceOf(Date);
  });

  test('has a name that is unique in the account whatever its case and path', async () => {
    await createPolicy('checkout');
    await expect(createPolicy('CheckOut', '/other/')).rejects.toMatchObject({
      name: 'EntityAlreadyExistsException',
      message: 'A policy called CheckOut already exists. Duplicate names are not allowed.',
      $metadata: { httpStatusCode: 409 },
    });
  });

  test.each([
    ['no JSON', '{"Version":'],
    ['an unknown element', '{"Version":"2012-10-17","Statement":[],"Extra":1}'],
    ['no statement', '{"Version":"2012-10-17"}'],
    ['the old version', connectDocument('a').replace('2012', '2008')],
    ['no version', connectDocument('a').replace('"Version":"2012-10-17",', '')],
    ['characters beyond Latin-1', connectDocument('사용자')],
  ])('is refused with %s', async (_, document) => {
    await expect(createPolicy('bad', '/', document)).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
      $metadata: { httpStatusCode: 400 },
    });
  });

  test('holds 6,144 characters, white space not counted', async () => {
    const base = connectDocument('').length;
    const full = connectDocument('x'.repeat(6144 - base));
    await createPolicy('full', '/', JSON.stringify(JSON.parse(full), null, 8));
    await expect(createPolicy('fuller', '/', connectDocument('x'.repeat(6145 - base)))).rejects.toMatchObject(
      {
        name: 'LimitExceededException',
        message: 'Cannot exceed quota for PolicySize: 6144',
      },
    );
  });

  test.each([
    ['a space in the name', 'check out', '/'],
    ['a name of 129 characters', 'x'.repeat(129), '/'],
    ['a path without a closing slash', 'checkout', '/iamdb'],
  ])('is refused with %s', async (_, name, path) => {
    await expect(createPolicy(name, path)).rejects.toMatchObject({
      name: 'ValidationError',
      $metadata: { httpStatusCode: 400 },
    });
  });

  test('that is missing is NoSuchEntity', async () => {
    const arn = `arn:aws:iam::${accountId}:policy/missing`;
    await expect(iam.send(new GetPolicyCommand({ PolicyArn: arn }))).rejects.toMatchObject({
      name: 'NoSuchEntityException',
      message: `Policy ${arn} was not found.`,
      $metadata: { httpStatusCode: 404 },
    });
  });

  test('counts against the quota of the account', async () => {
    aws.limits.policies = 1;
    await createPolicy('one');
    await expect(createPolicy('two')).rejects.toMatchObject({ name: 'LimitExceededException' });
  });

  test('keeps its tags apart from lists; a tag key in another case replaces', async () => {
    const arn = await createPolicy('checkout');
    await iam.send(
      new TagPolicyCommand({
        PolicyArn: arn,
        Tags: [
          { Key: 'team', Value: 'pay' },
          { Key: 'scope', Value: 'a' },
        ],
      }),
    );
    await iam.send(new TagPolicyCommand({ PolicyArn: arn, Tags: [{ Key: 'Team', Value: 'ops' }] }));
    await iam.send(new UntagPolicyCommand({ PolicyArn: arn, TagKeys: ['scope'] }));
    const { Tags } = await iam.send(new ListPolicyTagsCommand({ PolicyArn: arn }));
    expect(Tags).toEqual([{ Key: 'Team', Value: 'ops' }]);

    const { Policies } = await iam.send(new ListPoliciesCommand({ Scope: 'Local' }));
    expect(Policies?.[0]).toMatchObject({ PolicyName: 'checkout', DefaultVersionId: 'v1' });
    expect(Policies?.[0]).not.toHaveProperty('Tags');
  });
});

describe('the list of policies', () => {
  test('comes in pages, by path, with AWS’s own unless asked for local ones', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await createPolicy(name);
    await createPolicy('foreign', '/other/');
    aws.pageSize = 2;

    const pages: string[][] = [];
    for await (const page of paginateListPolicies({ client: iam }, { PathPrefix: '/iamdb/' })) {
      pages.push((page.Policies ?? []).map(({ PolicyName }) => PolicyName ?? ''));
    }
    expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['e']]);

    aws.pageSize = 1000;
    const { Policies: all, IsTruncated } = await iam.send(new ListPoliciesCommand({}));
    expect(all).toHaveLength(7);
    expect(IsTruncated).toBe(false);
    const { Policies: local } = await iam.send(new ListPoliciesCommand({ Scope: 'Local', MaxItems: 3 }));
    expect(local).toHaveLength(3);
  });

  test('refuses a marker that it did not give', async () => {
    await expect(iam.send(new ListPoliciesCommand({ Marker: 'nonsense' }))).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'Invalid Marker.',
    });
  });
});

describe('versions of a policy', () => {
  test('are five at most, numbered on, and come back URL-encoded', async () => {
    const arn = await createPolicy('checkout');
    for (const user of ['b', 'c', 'd', 'e']) {
      await iam.send(
        new CreatePolicyVersionCommand({
          PolicyArn: arn,
          PolicyDocument: connectDocument(user),
          SetAsDefault: true,
        }),
      );
    }
    const sixth = new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: connectDocument('f') });
    await expect(iam.send(sixth)).rejects.toMatchObject({ name: 'LimitExceededException' });

    await iam.send(new DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: 'v1' }));
    const { PolicyVersion: created } = await iam.send(sixth);
    expect(created).toMatchObject({ VersionId: 'v6', IsDefaultVersion: false });

    const { Versions } = await iam.send(new ListPolicyVersionsCommand({ PolicyArn: arn }));
    expect(Versions?.map(({ VersionId, IsDefaultVersion }) => [VersionId, IsDefaultVersion])).toEqual([
      ['v6', false],
      ['v5', true],
      ['v4', false],
      ['v3', false],
      ['v2', false],
    ]);

    const { PolicyVersion } = await iam.send(
      new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: 'v5' }),
    );
    expect(PolicyVersion?.Document).toMatch(/^%7B%22Version%22/);
    expect(decodeURIComponent(PolicyVersion?.Document ?? '')).toBe(connectDocument('e'));
  });

  test('keep the default one, which can be chosen', async () => {
    const arn = await createPolicy('checkout');
    await iam.send(new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: connectDocument('b') }));
    const deleteFirst = new DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: 'v1' });
    await expect(iam.send(deleteFirst)).rejects.toMatchObject({
      name: 'DeleteConflictException',
      message: 'Cannot delete the default version of a policy.',
    });
    await iam.send(new SetDefaultPolicyVersionCommand({ PolicyArn: arn, VersionId: 'v2' }));
    await iam.send(deleteFirst);
    await expect(
      iam.send(new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: 'v1' })),
    ).rejects.toMatchObject({ name: 'NoSuchEntityException' });
  });
});

describe('attachment', () => {
  beforeEach(() => {
    aws.createRole({ name: 'checkout', path: '/payments/', trustPolicy });
  });

  test('is idempotent, counted, listed from both ends, and taken away once', async () => {
    const arn = await createPolicy('checkout');
    const attach = new AttachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: arn });
    await iam.send(attach);
    await iam.send(attach);

    const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn: arn }));
    expect(Policy?.AttachmentCount).toBe(1);
    const { AttachedPolicies } = await iam.send(
      new ListAttachedRolePoliciesCommand({ RoleName: 'checkout' }),
    );
    expect(AttachedPolicies).toEqual([{ PolicyName: 'checkout', PolicyArn: arn }]);
    const entities = await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn: arn }));
    expect(entities.PolicyRoles?.map(({ RoleName }) => RoleName)).toEqual(['checkout']);
    expect(entities.PolicyUsers).toEqual([]);

    const detach = new DetachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: arn });
    await iam.send(detach);
    await expect(iam.send(detach)).rejects.toMatchObject({
      name: 'NoSuchEntityException',
      message: `Policy ${arn} was not found.`,
    });
  });

  test('is listed in pages over roles and users, and boundaries on request', async () => {
    const arn = await createPolicy('shared');
    for (const name of ['a', 'b']) aws.createRole({ name, trustPolicy, attach: [arn] });
    aws.createRole({ name: 'bounded', trustPolicy, boundary: arn });
    aws.createUser({ name: 'ci', attach: [arn] });
    aws.pageSize = 2;
    const list = async (filter: object): Promise<string[][]> => {
      const pages: string[][] = [];
      for await (const page of paginateListEntitiesForPolicy(
        { client: iam },
        { PolicyArn: arn, ...filter },
      )) {
        const roles = page.PolicyRoles?.map(({ RoleName }) => `role ${RoleName}`) ?? [];
        pages.push([...roles, ...(page.PolicyUsers?.map(({ UserName }) => `user ${UserName}`) ?? [])]);
      }
      return pages;
    };
    expect(await list({ PolicyUsageFilter: 'PermissionsPolicy' })).toEqual([
      ['role a', 'role b'],
      ['user ci'],
    ]);
    expect(await list({ PolicyUsageFilter: 'PermissionsBoundary' })).toEqual([['role bounded']]);
    expect(await list({ EntityFilter: 'User' })).toEqual([['user ci']]);
  });

  test('as a boundary keeps a policy from being deleted', async () => {
    const arn = await createPolicy('boundary');
    aws.createRole({ name: 'bounded', trustPolicy, boundary: arn });
    await expect(iam.send(new DeletePolicyCommand({ PolicyArn: arn }))).rejects.toMatchObject({
      name: 'DeleteConflictException',
    });
  });

  test('needs the role and the policy', async () => {
    const arn = await createPolicy('checkout');
    await expect(
      iam.send(new AttachRolePolicyCommand({ RoleName: 'nobody', PolicyArn: arn })),
    ).rejects.toMatchObject({
      name: 'NoSuchEntityException',
      message: 'The role with name nobody cannot be found.',
    });
    const missing = `arn:aws:iam::${accountId}:policy/missing`;
    await expect(
      iam.send(new AttachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: missing })),
    ).rejects.toMatchObject({ message: `Policy ${missing} does not exist or is not attachable.` });
  });

  test('ends at the quota of the role', async () => {
    for (let i = 0; i < 10; i++) {
      const arn = await createPolicy(`p${i}`);
      await iam.send(new AttachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: arn }));
    }
    const arn = await createPolicy('p10');
    const attach = new AttachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: arn });
    await expect(iam.send(attach)).rejects.toMatchObject({
      name: 'LimitExceededException',
      message: 'Cannot exceed quota for PoliciesPerRole: 10',
    });
    aws.limits.attachedPoliciesPerRole = 11;
    await iam.send(attach);
  });

  test('and versions must go before the policy does, and attachments before the role', async () => {
    const arn = await createPolicy('checkout');
    await iam.send(new AttachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: arn }));
    await iam.send(new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: connectDocument('b') }));

    const remove = new DeletePolicyCommand({ PolicyArn: arn });
    const conflict = { name: 'DeleteConflictException', $metadata: { httpStatusCode: 409 } };
    await expect(iam.send(remove)).rejects.toMatchObject(conflict);
    await expect(iam.send(new DeleteRoleCommand({ RoleName: 'checkout' }))).rejects.toMatchObject(conflict);
    await iam.send(new DetachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: arn }));
    await expect(iam.send(remove)).rejects.toMatchObject(conflict);
    await iam.send(new DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: 'v2' }));
    await iam.send(remove);
    await iam.send(new DeleteRoleCommand({ RoleName: 'checkout' }));
    await expect(iam.send(remove)).rejects.toMatchObject({ name: 'NoSuchEntityException' });
  });

  test('to a service-linked role is refused', async () => {
    aws.createRole({ name: 'linked', path: '/aws-service-role/rds.amazonaws.com/', trustPolicy });
    const arn = await createPolicy('checkout');
    await expect(
      iam.send(new AttachRolePolicyCommand({ RoleName: 'linked', PolicyArn: arn })),
    ).rejects.toMatchObject({ name: 'UnmodifiableEntityException' });
  });
});

function trust(AWS: string): Promise<unknown> {
  return iam.send(
    new UpdateAssumeRolePolicyCommand({
      RoleName: 'checkout',
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' },
      }),
    }),
  );
}

describe('a role', () => {
  test('is created, read, tagged, and trusts somebody else', async () => {
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: 'checkout',
        Path: '/payments/',
        AssumeRolePolicyDocument: JSON.stringify(trustPolicy),
        MaxSessionDuration: 7200,
      }),
    );
    expect(Role?.Arn).toBe(`arn:aws:iam::${accountId}:role/payments/checkout`);
    await iam.send(new TagRoleCommand({ RoleName: 'checkout', Tags: [{ Key: 'iamdb', Value: 'yes' }] }));
    const changed = JSON.stringify({
      ...trustPolicy,
      Statement: { Effect: 'Allow', Principal: { AWS: accountId }, Action: 'sts:AssumeRole' },
    });
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: 'checkout', PolicyDocument: changed }));

    const { Role: read } = await iam.send(new GetRoleCommand({ RoleName: 'checkout' }));
    expect(read).toMatchObject({ MaxSessionDuration: 7200, Tags: [{ Key: 'iamdb', Value: 'yes' }] });
    expect(decodeURIComponent(read?.AssumeRolePolicyDocument ?? '')).toBe(changed);

    await expect(
      iam.send(
        new CreateRoleCommand({
          RoleName: 'CHECKOUT',
          AssumeRolePolicyDocument: JSON.stringify(trustPolicy),
        }),
      ),
    ).rejects.toMatchObject({ name: 'EntityAlreadyExistsException' });
  });

  test('can trust only principals that exist', async () => {
    aws.createRole({ name: 'checkout', trustPolicy });
    await trust(`arn:aws:iam::${accountId}:user/administrator`);
    await trust('arn:aws:iam::444455556666:role/elsewhere');
    const missing = `arn:aws:iam::${accountId}:role/missing`;
    await expect(trust(missing)).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
      message: `Invalid principal in policy: "AWS":"${missing}"`,
    });
  });

  test('keeps inline policies, 10,240 characters together without white space', async () => {
    aws.createRole({ name: 'checkout', trustPolicy });
    const put = (name: string, document: string): Promise<unknown> =>
      iam.send(
        new PutRolePolicyCommand({ RoleName: 'checkout', PolicyName: name, PolicyDocument: document }),
      );
    const base = connectDocument('').length;
    await put('one', connectDocument('x'.repeat(5120 - base)));
    await put('two', JSON.stringify(JSON.parse(connectDocument('x'.repeat(5120 - base))), null, 4));
    await expect(put('three', connectDocument(''))).rejects.toMatchObject({
      name: 'LimitExceededException',
      message: 'Maximum policy size of 10240 bytes exceeded for role checkout',
    });
    await put('one', connectDocument('a(b)*'));

    const { PolicyNames } = await iam.send(new ListRolePoliciesCommand({ RoleName: 'checkout' }));
    expect(PolicyNames).toEqual(['one', 'two']);
    const get = new GetRolePolicyCommand({ RoleName: 'checkout', PolicyName: 'one' });
    const { PolicyDocument } = await iam.send(get);
    expect(PolicyDocument).toContain('a%28b%29%2A');
    expect(decodeURIComponent(PolicyDocument ?? '')).toBe(connectDocument('a(b)*'));

    await iam.send(new DeleteRolePolicyCommand({ RoleName: 'checkout', PolicyName: 'one' }));
    await expect(iam.send(get)).rejects.toMatchObject({
      name: 'NoSuchEntityException',
      message: 'The role policy with name one cannot be found.',
    });
  });
});

test('the account summary gives quotas and what is used of them', async () => {
  aws.limits.attachedPoliciesPerRole = 20;
  await createPolicy('checkout');
  const { SummaryMap } = await iam.send(new GetAccountSummaryCommand({}));
  expect(SummaryMap).toMatchObject({
    AttachedPoliciesPerRoleQuota: 20,
    Policies: 1,
    PoliciesQuota: 1500,
    PolicySizeQuota: 6144,
    RolePolicySizeQuota: 10_240,
    VersionsPerPolicyQuota: 5,
  });
});
