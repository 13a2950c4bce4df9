// What the policies of a proxy's role say, read over the real SDK from the AWS stand-in under the published rights.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lackingConnect } from '../../src/resources/access/role-rights.ts';
import { iamPace, type IamSystem, iamSystem } from '../../src/systems/iam/iam.ts';
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import { type Aws, startAws } from '../aws/aws.ts';

const accountId = '111122223333';
const arn = `arn:aws:rds-db:ap-northeast-2:${accountId}:dbuser:cluster-ABC/payments_checkout`;
const { signal } = new AbortController();
const trustPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'rds.amazonaws.com' }, Action: 'sts:AssumeRole' }],
};
const allowing = (action: string, resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
});

let aws: Aws;
let system: IamSystem;
beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId });
  const published = operatorPolicy({
    partition: 'aws',
    accountID: accountId,
    operatorID: 'op',
    principals: [`arn:aws:iam::${accountId}:role/team/*`],
    proxyRoles: [`arn:aws:iam::${accountId}:role/*-proxy`],
    admins: [],
  });
  const user = aws.createUser({ name: 'operator', policies: { operator: published } });
  const { accessKeyId, secretAccessKey } = aws.createAccessKey(user.arn);
  system = iamSystem({
    client: { region: aws.region, endpoint: aws.baseUrl, credentials: { accessKeyId, secretAccessKey } },
    pace: iamPace({ reads: undefined, writes: undefined }),
    timing: { lookMs: 0, retryMs: 1, requestTimeoutMs: 2_000 },
  });
});
afterEach(async () => {
  system.close();
  await aws.close();
});

const mayConnect = async (roleARN: string) => {
  const documents = await system.roleDocuments(roleARN, signal);
  return documents && lackingConnect(documents, [arn]).length === 0;
};

describe('the role of a proxy', () => {
  it('may what its inline and attached policies say, however many there are, within its boundary', async () => {
    aws.pageSize = 1;
    const [connect, other, bounds] = ['connect', 'other', 'bounds'].map((name) =>
      aws.createPolicy({ name, document: allowing(name === 'other' ? 's3:*' : 'rds-db:connect', arn) }),
    );
    const attach = [other?.arn ?? '', 'arn:aws:iam::aws:policy/AdministratorAccess'];
    const policies = { a: allowing('s3:*', '*'), b: allowing('sqs:*', '*') };
    const boundary = bounds?.arn ?? '';
    const inline = { ...policies, c: allowing('rds-db:*', '*') };
    const made = [
      { name: 'bare-proxy' },
      { name: 'inline-proxy', policies: inline },
      { name: 'other-proxy', policies, attach: attach.slice(0, 1) },
      { name: 'attached-proxy', policies, attach: [other?.arn ?? '', connect?.arn ?? ''] },
      { name: 'administrator-proxy', attach },
      { name: 'within-proxy', attach, boundary },
      { name: 'beyond-proxy', attach, boundary: other?.arn ?? '' },
    ].map((role) => aws.createRole({ ...role, trustPolicy }));
    const answers = await Promise.all(made.map((role) => mayConnect(role.arn)));
    expect(Object.fromEntries(made.map((role, place) => [role.name, answers[place]]))).toEqual({
      'bare-proxy': false,
      'inline-proxy': true,
      'other-proxy': false,
      'attached-proxy': true,
      'administrator-proxy': true,
      'within-proxy': true,
      'beyond-proxy': false,
    });
  });

  it('is undefined where there is none, or one of that name at another path', async () => {
    aws.createRole({ name: 'orders-proxy', trustPolicy });
    for (const name of ['no-proxy', 'team/orders-proxy']) {
      expect(await system.roleDocuments(`arn:aws:iam::${accountId}:role/${name}`, signal)).toBeUndefined();
    }
  });

  it('is read once for all who ask at a time, and a version of a policy never again', async () => {
    const { arn: policyARN } = aws.createPolicy({ name: 'connect', document: allowing('rds-db:*', '*') });
    const role = aws.createRole({ name: 'orders-proxy', trustPolicy, attach: [policyARN] });
    await mayConnect(role.arn);
    const first = aws.calls.map(({ action }) => action);
    expect(first.toSorted()).toEqual([
      'GetPolicy',
      'GetPolicyVersion',
      'GetRole',
      'ListAttachedRolePolicies',
      'ListRolePolicies',
    ]);
    aws.clearCalls();
    await mayConnect(role.arn);
    expect(aws.calls.map(({ action }) => action)).not.toContain('GetPolicyVersion');
  });

  it('that the rights of the operator do not reach is denied, by the name of the action', async () => {
    const role = aws.createRole({ name: 'somebody', trustPolicy });
    await expect(system.roleDocuments(role.arn, signal)).rejects.toMatchObject({
      reason: 'AccessDenied',
      message: expect.stringContaining('iam:GetRole') as unknown,
    });
  });
});
