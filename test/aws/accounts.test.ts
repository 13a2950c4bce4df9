// Two accounts behind the endpoint: what one holds is neither seen nor allowed in the other, and only both together open a role.
import { ListPoliciesCommand, GetRoleCommand } from '@aws-sdk/client-iam';
import { DescribeDBClustersCommand } from '@aws-sdk/client-rds';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { Account } from './account.ts';
import { type Aws, startAws } from './aws.ts';
import { clientsFor } from './clients.ts';

const [own, other] = ['111122223333', '444455556666'];
let aws: Aws;
let there: Account;
beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId: own });
  there = aws.addAccount(other);
});
afterEach(() => aws.close());

const statement = (parts: object) => ({ Version: '2012-10-17', Statement: { Effect: 'Allow', ...parts } });
const reach = `arn:aws:iam::${other}:role/reach`;
const operator = `arn:aws:iam::${own}:role/operator`;
const mayReach = statement({ Action: 'sts:AssumeRole', Resource: reach });
const trusts = (principal: string, externalId?: string) =>
  statement({
    Action: 'sts:AssumeRole',
    Principal: { AWS: principal },
    ...(externalId === undefined ? {} : { Condition: { StringEquals: { 'sts:ExternalId': externalId } } }),
  });
const service = statement({ Action: 'sts:AssumeRole', Principal: { Service: 'pods.eks.amazonaws.com' } });

function asOperator(policy: object | undefined) {
  const policies = policy === undefined ? {} : { reach: policy };
  const { arn } = aws.createRole({ name: 'operator', trustPolicy: service, policies });
  return clientsFor(aws, aws.createAccessKey(arn));
}

describe('a role of another account', () => {
  test.each<[string, object, object | undefined, string | undefined, boolean]>([
    ['trusts the role, and its own policy allows it', trusts(operator), mayReach, undefined, true],
    [
      'trusts the account, and its own policy allows it',
      trusts(`arn:aws:iam::${own}:root`),
      mayReach,
      undefined,
      true,
    ],
    ['trusts the role, and no policy of its own', trusts(operator), undefined, undefined, false],
    ['trusts its own account', trusts(`arn:aws:iam::${other}:root`), mayReach, undefined, false],
    ['asks for the external id that is given', trusts(operator, 'one'), mayReach, 'one', true],
    ['asks for another external id', trusts(operator, 'one'), mayReach, 'two', false],
    ['asks for an external id, and none is given', trusts(operator, 'one'), mayReach, undefined, false],
  ])('%s', async (_, trustPolicy, policy, ExternalId, opens) => {
    there.createRole({ name: 'reach', trustPolicy });
    const { sts } = asOperator(policy);
    const answer = sts.send(
      new AssumeRoleCommand({ RoleArn: reach, RoleSessionName: 'session', ExternalId }),
    );
    const error = await answer.then(
      () => '',
      ({ name }: Error) => name,
    );
    expect(error).toBe(opens ? '' : 'AccessDenied');
  });

  it('gives credentials that see its own account, and nothing of the one they were asked from', async () => {
    const { arn } = there.createRole({
      name: 'reach',
      trustPolicy: trusts(operator),
      policies: { all: statement({ Action: '*', Resource: '*' }) },
    });
    aws.rds.createCluster({ identifier: 'here' });
    there.rds.createCluster({ identifier: 'there' });
    aws.createPolicy({ name: 'here', document: mayReach });
    const { sts } = asOperator(mayReach);
    const { Credentials } = await sts.send(
      new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'session' }),
    );
    const reached = clientsFor(aws, {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    });
    const caller = await reached.sts.send(new GetCallerIdentityCommand({}));
    expect(caller).toMatchObject({
      Account: other,
      Arn: `arn:aws:sts::${other}:assumed-role/reach/session`,
    });
    const { DBClusters } = await reached.rds.send(new DescribeDBClustersCommand({}));
    expect(DBClusters?.map(({ DBClusterArn }) => DBClusterArn)).toEqual([
      `arn:aws:rds:ap-northeast-2:${other}:cluster:there`,
    ]);
    expect((await reached.iam.send(new ListPoliciesCommand({ Scope: 'Local' }))).Policies).toEqual([]);
    await expect(reached.iam.send(new GetRoleCommand({ RoleName: 'operator' }))).rejects.toThrow(
      /cannot be found/,
    );
  });
});

it('lets nobody connect to a database of another account, whatever a policy says', () => {
  const connect = statement({ Action: 'rds-db:connect', Resource: '*' });
  const policies = { connect };
  const here = aws.createRole({ name: 'app', trustPolicy: service, policies }).arn;
  const away = there.createRole({ name: 'app', trustPolicy: service, policies }).arn;
  const resource = `arn:aws:rds-db:ap-northeast-2:${other}:dbuser:cluster-ONE/app`;
  const may = (principal: string) => aws.authorize({ principal, action: 'rds-db:connect', resource });
  expect([may(here), may(away)]).toEqual([false, true]);
});
