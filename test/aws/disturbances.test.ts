// What tests can do to the stand-in: faults on demand, slow propagation, and reading the log of calls.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  DetachRolePolicyCommand,
  GetPolicyCommand,
  IAMClient,
  ListPoliciesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { DescribeDBClustersCommand } from '@aws-sdk/client-rds';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Aws, startAws } from './aws.ts';
import { type Clients, clientsFor } from './clients.ts';
import type { FaultKind } from './faults.ts';

const accountId = '111122223333';
const resource = `arn:aws:rds-db:ap-northeast-2:${accountId}:dbuser:cluster-ABC/checkout`;
const document = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'rds-db:connect', Resource: resource },
});
const policyArn = `arn:aws:iam::${accountId}:policy/checkout`;
const create = new CreatePolicyCommand({ PolicyName: 'checkout', PolicyDocument: document });
const get = new GetPolicyCommand({ PolicyArn: policyArn });

let aws: Aws;
let clients: Clients;
let clock: number;

beforeEach(async () => {
  clock = Date.now();
  aws = await startAws({ region: 'ap-northeast-2', accountId, now: () => clock });
  clients = clientsFor(aws, aws.administrator);
});
afterEach(() => aws.close());

describe('a fault', () => {
  test.each<[FaultKind, string, number]>([
    ['Throttling', 'Throttling', 400],
    ['AccessDenied', 'AccessDenied', 403],
    ['ExpiredToken', 'ExpiredToken', 403],
    ['ServiceUnavailable', 'ServiceUnavailable', 503],
    ['InternalFailure', 'InternalFailure', 500],
    ['LimitExceeded', 'LimitExceededException', 409],
    ['ConcurrentModification', 'ConcurrentModificationException', 409],
    ['EntityAlreadyExists', 'EntityAlreadyExistsException', 409],
    ['NoSuchEntity', 'NoSuchEntityException', 404],
  ])('%s is answered as AWS does, as often as asked, and nothing happens', async (error, name, status) => {
    aws.faults.add({ service: 'iam', action: 'CreatePolicy', times: 2, error });
    const refusal = { name, $metadata: { httpStatusCode: status } };
    await expect(clients.iam.send(create)).rejects.toMatchObject(refusal);
    await expect(clients.iam.send(get)).rejects.toMatchObject({ name: 'NoSuchEntityException' });
    await expect(clients.iam.send(create)).rejects.toMatchObject(refusal);
    await expect(clients.iam.send(create)).resolves.toMatchObject({ Policy: { Arn: policyArn } });
    expect(aws.faults.pending()).toEqual([]);
  });

  test('can wait for the third call, meet one parameter only, and be taken away', async () => {
    aws.faults.add({ action: 'ListPolicies', after: 2, error: 'Throttling' });
    const list = new ListPoliciesCommand({});
    await clients.iam.send(list);
    await clients.iam.send(list);
    await expect(clients.iam.send(list)).rejects.toMatchObject({ name: 'Throttling' });

    const lift = aws.faults.add({
      service: 'iam',
      parameters: { PolicyArn: policyArn },
      times: Number.POSITIVE_INFINITY,
      error: 'AccessDenied',
    });
    await clients.iam.send(list);
    await expect(clients.iam.send(get)).rejects.toMatchObject({ name: 'AccessDenied' });
    lift();
    await expect(clients.iam.send(get)).rejects.toMatchObject({ name: 'NoSuchEntityException' });
  });

  test('can break the connection before or after the call took effect', async () => {
    aws.faults.add({ action: 'CreatePolicy', error: 'reset' });
    await expect(clients.iam.send(create)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(clients.iam.send(get)).rejects.toMatchObject({ name: 'NoSuchEntityException' });
    aws.faults.add({ action: 'CreatePolicy', error: 'resetAfterEffect' });
    await expect(clients.iam.send(create)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(clients.iam.send(get)).resolves.toMatchObject({ Policy: { Arn: policyArn } });
  });

  test('can leave the client waiting although the call took effect', async () => {
    aws.faults.add({ action: 'CreatePolicy', error: 'timeoutAfterEffect' });
    const waiting = new AbortController();
    const answer = clients.iam.send(create, { abortSignal: waiting.signal });
    await expect.poll(() => aws.calls.at(-1)?.errorCode).toBe('timeoutAfterEffect');
    await expect(clients.iam.send(get)).resolves.toMatchObject({ Policy: { Arn: policyArn } });
    waiting.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('can leave the client waiting with nothing done', async () => {
    aws.faults.add({ action: 'CreatePolicy', error: 'timeout' });
    const waiting = new AbortController();
    const answer = clients.iam.send(create, { abortSignal: waiting.signal });
    await expect.poll(() => aws.calls.at(-1)?.errorCode).toBe('timeout');
    await expect(clients.iam.send(get)).rejects.toMatchObject({ name: 'NoSuchEntityException' });
    waiting.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('of throttling is retried by the SDK, LimitExceeded too', async () => {
    const { accessKeyId, secretAccessKey } = aws.administrator;
    const retrying = new IAMClient({
      region: 'ap-northeast-2',
      endpoint: aws.baseUrl,
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 2,
    });
    aws.faults.add({ action: 'CreatePolicy', error: 'LimitExceeded' });
    await expect(retrying.send(create)).resolves.toMatchObject({ Policy: { Arn: policyArn } });
    expect(aws.calls.map(({ action, status }) => [action, status])).toEqual([
      ['CreatePolicy', 409],
      ['CreatePolicy', 200],
    ]);
  });
});

describe('propagation', () => {
  beforeEach(() => {
    aws.propagationDelayMs = 5000;
  });

  test('hides what was just created from reads but not from its name’s uniqueness', async () => {
    await clients.iam.send(create);
    await expect(clients.iam.send(get)).rejects.toMatchObject({ name: 'NoSuchEntityException' });
    await expect(clients.iam.send(create)).rejects.toMatchObject({ name: 'EntityAlreadyExistsException' });
    clock += 5000;
    await expect(clients.iam.send(get)).resolves.toMatchObject({ Policy: { Arn: policyArn } });
  });

  test('keeps the database’s answer as it was, for granting and for revoking', async () => {
    const { arn } = aws.createRole({
      name: 'checkout',
      trustPolicy: {
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Principal: { AWS: accountId }, Action: 'sts:AssumeRole' },
      },
    });
    const may = (): boolean => aws.authorize({ principal: arn, action: 'rds-db:connect', resource });
    await clients.iam.send(create);
    await clients.iam.send(new AttachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: policyArn }));
    expect(may()).toBe(false);
    clock += 4999;
    expect(may()).toBe(false);
    clock += 1;
    expect(may()).toBe(true);
    await clients.iam.send(new DetachRolePolicyCommand({ RoleName: 'checkout', PolicyArn: policyArn }));
    expect(may()).toBe(true);
    clock += 5000;
    expect(may()).toBe(false);
  });

  test('holds up the rights of callers too', async () => {
    const role = aws.createRole({
      name: 'operator',
      trustPolicy: {
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Principal: { AWS: accountId }, Action: 'sts:AssumeRole' },
      },
    });
    const operator = clientsFor(aws, aws.createAccessKey(role.arn)).iam;
    await clients.iam.send(
      new PutRolePolicyCommand({
        RoleName: 'operator',
        PolicyName: 'rights',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: { Effect: 'Allow', Action: 'iam:ListPolicies', Resource: '*' },
        }),
      }),
    );
    await expect(operator.send(new ListPoliciesCommand({}))).rejects.toMatchObject({ name: 'AccessDenied' });
    clock += 5000;
    await operator.send(new ListPoliciesCommand({}));
  });

  test('does not hold up what a test sets up itself', async () => {
    await clients.iam.send(create);
    aws.createPolicy({ name: 'ready', document });
    const { Policies } = await clients.iam.send(new ListPoliciesCommand({ Scope: 'Local' }));
    expect(Policies?.map(({ PolicyName }) => PolicyName)).toEqual(['ready']);
    // What builds on a thing that is still on its way arrives with it.
    const { arn } = aws.createUser({ name: 'ci', attach: [policyArn] });
    const may = (): boolean => aws.authorize({ principal: arn, action: 'rds-db:connect', resource });
    expect(may()).toBe(false);
    clock += 5000;
    expect(may()).toBe(true);
  });
});

test('the log names who called what and how it ended, and counts writes', async () => {
  await clients.iam.send(create);
  await clients.rds.send(new DescribeDBClustersCommand({}));
  await expect(clients.iam.send(create)).rejects.toMatchObject({ name: 'EntityAlreadyExistsException' });
  expect(aws.calls).toMatchObject([
    {
      service: 'iam',
      action: 'CreatePolicy',
      principal: `arn:aws:iam::${accountId}:user/administrator`,
      parameters: { PolicyName: 'checkout', PolicyDocument: document },
      status: 200,
      errorCode: undefined,
      writes: true,
    },
    { service: 'rds', action: 'DescribeDBClusters', status: 200, writes: false },
    { service: 'iam', action: 'CreatePolicy', status: 409, errorCode: 'EntityAlreadyExists', writes: true },
  ]);
  expect(aws.countWrites()).toBe(2);
  expect(aws.countWrites(1)).toBe(1);
  aws.clearCalls();
  expect(aws.countWrites()).toBe(0);
});

test('the environment leads an SDK that knows nothing else to the stand-in', () => {
  expect(aws.environment(aws.administrator)).toMatchObject({
    AWS_REGION: 'ap-northeast-2',
    AWS_ENDPOINT_URL_IAM: aws.baseUrl,
    AWS_ENDPOINT_URL_STS: aws.baseUrl,
    AWS_ENDPOINT_URL_RDS: aws.baseUrl,
    AWS_ACCESS_KEY_ID: aws.administrator.accessKeyId,
  });
});
