// Who may call what: signatures, credentials and the caller's policies, through the real SDK clients.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  GetPolicyCommand,
  GetRoleCommand,
  ListPoliciesCommand,
  PutRolePolicyCommand,
  TagPolicyCommand,
} from '@aws-sdk/client-iam';
import { DescribeDBClustersCommand } from '@aws-sdk/client-rds';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Aws, startAws } from './aws.ts';
import { clientsFor } from './clients.ts';

const accountId = '111122223333';
const operatorPath = `arn:aws:iam::${accountId}:policy/iamdb/op/*`;
const trustPolicy = {
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Principal: { Service: 'pods.eks.amazonaws.com' }, Action: 'sts:AssumeRole' },
};
const document = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'rds-db:connect', Resource: '*' },
});

let aws: Aws;
let clock: number;

beforeEach(async () => {
  clock = Date.now();
  aws = await startAws({ region: 'ap-northeast-2', accountId, now: () => clock });
});
afterEach(() => aws.close());

const forbidden = (name: string): object => ({ name, $metadata: { httpStatusCode: 403 } });

describe('a signature', () => {
  test('by a key that does not exist', async () => {
    const { sts } = clientsFor(aws, { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' });
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject(
      forbidden('InvalidClientTokenId'),
    );
  });

  test('with the wrong secret', async () => {
    const { iam } = clientsFor(aws, { ...aws.administrator, secretAccessKey: 'wrong' });
    await expect(iam.send(new ListPoliciesCommand({}))).rejects.toMatchObject(
      forbidden('SignatureDoesNotMatch'),
    );
  });

  test('over a body that was changed on the way', async () => {
    const { iam } = clientsFor(aws, aws.administrator);
    iam.middlewareStack.add(
      (next) => (args) => {
        const { request } = args;
        if (typeof request === 'object' && request !== null && 'body' in request) {
          request.body = String(request.body).replace('administrator', 'administratoR');
        }
        return next(args);
      },
      // After signing and after the checksum of the body was put into a header.
      { step: 'finalizeRequest', priority: 'low' },
    );
    await expect(iam.send(new GetRoleCommand({ RoleName: 'administrator' }))).rejects.toMatchObject(
      forbidden('SignatureDoesNotMatch'),
    );
  });

  test('for another service', async () => {
    const { sts } = clientsFor(aws, aws.administrator);
    sts.middlewareStack.add(
      (next) => (args) => {
        const { request } = args;
        if (typeof request === 'object' && request !== null && 'body' in request) {
          request.body = 'Action=GetAccountSummary&Version=2010-05-08';
        }
        return next(args);
      },
      { step: 'build', priority: 'high' },
    );
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toThrow(
      "Credential should be scoped to correct service: 'iam'.",
    );
  });

  test('is required', async () => {
    const response = await fetch(aws.baseUrl, {
      method: 'POST',
      body: new URLSearchParams({ Action: 'ListPolicies', Version: '2010-05-08' }),
    });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('<Code>MissingAuthenticationToken</Code>');
  });

  test('of another time is refused once, and the client corrects its clock by the answer', async () => {
    clock += 3_600_000;
    const { sts } = clientsFor(aws, aws.administrator);
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toThrow(/Signature expired/);
    await expect(sts.send(new GetCallerIdentityCommand({}))).resolves.toMatchObject({ Account: accountId });
  });

  test('with temporary credentials needs their token, until they expire', async () => {
    const { arn } = aws.createRole({ name: 'operator', trustPolicy });
    const session = aws.createAccessKey(arn, { name: 'pod', durationSeconds: 900 });
    expect(session.sessionToken?.length).toBeGreaterThan(1000);
    const { sts } = clientsFor(aws, session);
    await expect(sts.send(new GetCallerIdentityCommand({}))).resolves.toMatchObject({
      Arn: `arn:aws:sts::${accountId}:assumed-role/operator/pod`,
    });

    const { accessKeyId, secretAccessKey } = session;
    for (const credential of [
      { accessKeyId, secretAccessKey },
      { accessKeyId, secretAccessKey, sessionToken: 'other' },
      { ...aws.administrator, sessionToken: session.sessionToken ?? '' },
    ]) {
      await expect(
        clientsFor(aws, credential).sts.send(new GetCallerIdentityCommand({})),
      ).rejects.toMatchObject(forbidden('InvalidClientTokenId'));
    }
    clock += 900_000;
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject(forbidden('ExpiredToken'));
  });

  test('of a deleted user is worth nothing, even if one of the same name is made again', async () => {
    const credential = aws.createAccessKey(aws.createUser({ name: 'ci' }).arn);
    aws.deleteUser('ci');
    aws.createUser({ name: 'ci' });
    expect(aws.lookupCredential(credential.accessKeyId)).toBeUndefined();
    await expect(
      clientsFor(aws, credential).sts.send(new GetCallerIdentityCommand({})),
    ).rejects.toMatchObject(forbidden('InvalidClientTokenId'));
  });
});

test('the root may do everything', async () => {
  const { iam, sts } = clientsFor(aws, aws.createAccessKey(aws.rootArn));
  await iam.send(new ListPoliciesCommand({}));
  expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
    Arn: `arn:aws:iam::${accountId}:root`,
    UserId: accountId,
  });
});

test('an action that is not known is refused loudly', async () => {
  const lines: string[] = [];
  await aws.close();
  aws = await startAws({ region: 'ap-northeast-2', accountId, progress: (line) => lines.push(line) });
  const response = await fetch(aws.baseUrl, {
    method: 'POST',
    body: new URLSearchParams({ Action: 'CreateGroup', Version: '2010-05-08' }),
  });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('<Code>InvalidAction</Code>');
  expect(lines.at(-1)).toContain('Could not find operation CreateGroup for version 2010-05-08');
});

test('a parameter that is not known is refused rather than ignored', async () => {
  const response = await fetch(aws.baseUrl, {
    method: 'POST',
    body: new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      ProviderId: 'www.example.test',
    }),
  });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('The parameter ProviderId is not understood by this stand-in.');
});

function operator(...statements: object[]): ReturnType<typeof clientsFor> {
  const { arn } = aws.createRole({
    name: 'operator',
    trustPolicy,
    policies: { rights: { Version: '2012-10-17', Statement: statements } },
  });
  return clientsFor(aws, aws.createAccessKey(arn, { name: 'pod' }));
}

describe('an operator with the least rights', () => {
  const session = `arn:aws:sts::${accountId}:assumed-role/operator/pod`;

  test('is told in AWS’s words what it lacks', async () => {
    const { iam, rds } = operator({ Effect: 'Allow', Action: 'iam:GetRole', Resource: '*' });
    const policyArn = `arn:aws:iam::${accountId}:policy/iamdb/op/x`;
    await expect(
      iam.send(new CreatePolicyCommand({ PolicyName: 'x', Path: '/iamdb/op/', PolicyDocument: document })),
    ).rejects.toMatchObject({
      ...forbidden('AccessDenied'),
      message: `User: ${session} is not authorized to perform: iam:CreatePolicy on resource: policy x because no identity-based policy allows the iam:CreatePolicy action`,
    });
    await expect(iam.send(new GetPolicyCommand({ PolicyArn: policyArn }))).rejects.toThrow(
      `on resource: policy ${policyArn} because no identity-based policy allows`,
    );
    await expect(rds.send(new DescribeDBClustersCommand({}))).rejects.toThrow(
      `User: ${session} is not authorized to perform: rds:DescribeDBClusters on resource: arn:aws:rds:ap-northeast-2:${accountId}:cluster:* because no identity-based policy allows the rds:DescribeDBClusters action`,
    );
  });

  test('creates policies in its path only, and tags them only with the right to tag', async () => {
    const { iam } = operator({ Effect: 'Allow', Action: 'iam:CreatePolicy', Resource: operatorPath });
    const create = (Path: string, Tags?: { Key: string; Value: string }[]): Promise<unknown> =>
      iam.send(new CreatePolicyCommand({ PolicyName: 'x', Path, PolicyDocument: document, Tags }));
    await expect(create('/')).rejects.toMatchObject(forbidden('AccessDenied'));
    await expect(create('/iamdb/other/')).rejects.toMatchObject(forbidden('AccessDenied'));
    await expect(create('/iamdb/op/', [{ Key: 'a', Value: 'b' }])).rejects.toThrow(/iam:TagPolicy/);
    await create('/iamdb/op/');
  });

  test('must bring the tags that the organisation asks for', async () => {
    const { iam } = operator({
      Effect: 'Allow',
      Action: ['iam:CreatePolicy', 'iam:TagPolicy'],
      Resource: operatorPath,
      Condition: { StringEquals: { 'aws:RequestTag/owner': 'platform' } },
    });
    const create = (Value: string): Promise<unknown> =>
      iam.send(
        new CreatePolicyCommand({
          PolicyName: 'x',
          Path: '/iamdb/op/',
          PolicyDocument: document,
          Tags: [{ Key: 'owner', Value }],
        }),
      );
    await expect(create('somebody')).rejects.toMatchObject(forbidden('AccessDenied'));
    await create('platform');
  });

  test('attaches policies of its path only, and only to roles that opted in by tag', async () => {
    const { iam } = operator({
      Effect: 'Allow',
      Action: 'iam:AttachRolePolicy',
      Resource: `arn:aws:iam::${accountId}:role/*`,
      Condition: {
        ArnLike: { 'iam:PolicyARN': operatorPath },
        StringEquals: { 'iam:ResourceTag/iamdb': 'yes' },
      },
    });
    const own = aws.createPolicy({ name: 'own', path: '/iamdb/op/', document });
    const foreign = aws.createPolicy({ name: 'foreign', document });
    aws.createRole({ name: 'willing', path: '/payments/', trustPolicy, tags: { iamdb: 'yes' } });
    aws.createRole({ name: 'unwilling', trustPolicy });
    const attach = (RoleName: string, PolicyArn: string): Promise<unknown> =>
      iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));

    await attach('willing', own.arn);
    await expect(attach('willing', foreign.arn)).rejects.toMatchObject(forbidden('AccessDenied'));
    await expect(attach('unwilling', own.arn)).rejects.toMatchObject({
      message: `User: ${session} is not authorized to perform: iam:AttachRolePolicy on resource: role unwilling because no identity-based policy allows the iam:AttachRolePolicy action`,
    });
    await expect(attach('operator', own.arn)).rejects.toMatchObject(forbidden('AccessDenied'));
  });

  test('changes only policies that bear its tag', async () => {
    const { iam } = operator({
      Effect: 'Allow',
      Action: ['iam:CreatePolicyVersion', 'iam:TagPolicy'],
      Resource: '*',
      Condition: { StringEquals: { 'aws:ResourceTag/iamdb.dev/operator-id': 'op' } },
    });
    const mine = aws.createPolicy({ name: 'mine', document, tags: { 'iamdb.dev/operator-id': 'op' } });
    const other = aws.createPolicy({ name: 'other', document, tags: { 'iamdb.dev/operator-id': 'no' } });
    await iam.send(new CreatePolicyVersionCommand({ PolicyArn: mine.arn, PolicyDocument: document }));
    await expect(
      iam.send(new CreatePolicyVersionCommand({ PolicyArn: other.arn, PolicyDocument: document })),
    ).rejects.toMatchObject(forbidden('AccessDenied'));
    await expect(
      iam.send(
        new TagPolicyCommand({ PolicyArn: other.arn, Tags: [{ Key: 'iamdb.dev/operator-id', Value: 'op' }] }),
      ),
    ).rejects.toMatchObject(forbidden('AccessDenied'));
  });

  test('reads the roles of a path, found by their names alone', async () => {
    const { iam } = operator({
      Effect: 'Allow',
      Action: 'iam:GetRole',
      Resource: `arn:aws:iam::${accountId}:role/payments/*`,
    });
    aws.createRole({ name: 'checkout', path: '/payments/', trustPolicy });
    aws.createRole({ name: 'ledger', path: '/finance/', trustPolicy });
    await iam.send(new GetRoleCommand({ RoleName: 'checkout' }));
    await expect(iam.send(new GetRoleCommand({ RoleName: 'ledger' }))).rejects.toMatchObject(
      forbidden('AccessDenied'),
    );
  });

  test('lists policies only by a statement on every resource', async () => {
    const { iam } = operator({
      Effect: 'Allow',
      Action: 'iam:ListPolicies',
      Resource: `arn:aws:iam::${accountId}:*`,
    });
    await expect(iam.send(new ListPoliciesCommand({ PathPrefix: '/iamdb/' }))).rejects.toThrow(
      'iam:ListPolicies on resource: policy path /iamdb/',
    );
  });

  test('is stopped by an explicit Deny and by a boundary, in their own words', async () => {
    const everything = { Effect: 'Allow', Action: '*', Resource: '*' };
    const { iam } = operator(everything, { Effect: 'Deny', Action: 'iam:PutRolePolicy', Resource: '*' });
    await expect(
      iam.send(new PutRolePolicyCommand({ RoleName: 'operator', PolicyName: 'x', PolicyDocument: document })),
    ).rejects.toThrow('on resource: role operator with an explicit deny in an identity-based policy');

    const boundary = aws.createPolicy({ name: 'boundary', document });
    const bounded = aws.createRole({
      name: 'bounded',
      trustPolicy,
      policies: { all: { Version: '2012-10-17', Statement: everything } },
      boundary: boundary.arn,
    });
    await expect(
      clientsFor(aws, aws.createAccessKey(bounded.arn)).iam.send(new GetRoleCommand({ RoleName: 'bounded' })),
    ).rejects.toThrow('because no permissions boundary allows the iam:GetRole action');
  });

  test('refused validation comes before refused permission', async () => {
    const { iam } = operator({ Effect: 'Allow', Action: 'iam:GetRole', Resource: '*' });
    await expect(
      iam.send(new CreatePolicyCommand({ PolicyName: 'a b', PolicyDocument: document })),
    ).rejects.toMatchObject({ name: 'ValidationError' });
  });
});

describe('the database’s question', () => {
  const resource = `arn:aws:rds-db:ap-northeast-2:${accountId}:dbuser:cluster-ABC/checkout`;
  const connect = (action = 'rds-db:connect', on = resource): object => ({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: action, Resource: on },
  });

  test('is answered from the role’s attached default version and inline policies', () => {
    const { arn } = aws.createPolicy({ name: 'checkout', document: connect() });
    const role = aws.createRole({ name: 'checkout', path: '/payments/', trustPolicy, attach: [arn] });
    const { principal } = aws.createAccessKey(role.arn);
    const ask = (on: string, who = principal): boolean =>
      aws.authorize({ principal: who, action: 'rds-db:connect', resource: on });

    expect(ask(resource)).toBe(true);
    expect(ask(resource, role.arn)).toBe(true);
    expect(ask(resource.replace('ABC', 'DEF'))).toBe(false);
    expect(ask(resource.replace('/checkout', '/other'))).toBe(false);
    expect(ask(resource, `arn:aws:sts::${accountId}:assumed-role/nobody/session`)).toBe(false);
    aws.putInlinePolicy(role.arn, 'stop', {
      Version: '2012-10-17',
      Statement: { Effect: 'Deny', Action: '*', Resource: '*' },
    });
    expect(ask(resource)).toBe(false);
  });

  test('counts the session policy and needs no policy for an administrator', () => {
    const question = { principal: aws.administrator.principal, action: 'rds-db:connect', resource };
    expect(aws.authorize(question)).toBe(true);
    expect(aws.authorize({ ...question, sessionPolicy: JSON.stringify(connect()) })).toBe(true);
    expect(
      aws.authorize({
        ...question,
        sessionPolicy: JSON.stringify(connect('rds-db:connect', `${resource}2`)),
      }),
    ).toBe(false);
  });
});
