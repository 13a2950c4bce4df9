// Each AWS call that the operator makes, asked of the strict stand-in and of moto alike; where they differ is listed, and why.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRolePolicyCommand,
  DetachGroupPolicyCommand,
  DetachRolePolicyCommand,
  DetachUserPolicyCommand,
  GetAccountSummaryCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListPoliciesCommand,
  ListPolicyVersionsCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  TagPolicyCommand,
} from '@aws-sdk/client-iam';
import {
  DescribeBlueGreenDeploymentsCommand,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  DescribeDBProxiesCommand,
  DescribeDBProxyTargetsCommand,
} from '@aws-sdk/client-rds';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import { type Aws, startAws } from '../aws/aws.ts';
import { type Clients, clientsFor } from '../aws/clients.ts';
import { type Children, createChildren } from '../bed/children.ts';
import { accountID, region } from '../stage/account.ts';
import { startMotoServer } from './server.ts';

const Path = '/iamdb/contract/';
const PolicyArn = `arn:aws:iam::${accountID}:policy${Path}shard`;
const RoleName = 'payments-contract';
const RoleArn = `arn:aws:iam::${accountID}:role/${RoleName}`;
const documentOf = (length = 1) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: Array.from(
          { length },
          (_, i) => `arn:aws:rds-db:${region}:${accountID}:dbuser:cluster-ABC/user_${i}`,
        ),
      },
    ],
  });
const trusting = (service: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
  });
const create = (PolicyName: string, PolicyDocument = documentOf()) =>
  new CreatePolicyCommand({ PolicyName, Path, PolicyDocument, Tags: [{ Key: 'team', Value: 'a' }] });
const version = () =>
  new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: documentOf(2), SetAsDefault: true });
const kindOf = (text = '') => (text.startsWith('%7B') ? 'URL-encoded' : 'plain');

type Step = readonly [what: string, ask: (clients: Clients) => Promise<unknown>];

/** In this order on both; what is asked for is the answer as far as the operator reads it. */
const steps: readonly Step[] = [
  [
    'rds:DescribeDBProxyTargets of one that is missing',
    ({ rds }) => rds.send(new DescribeDBProxyTargetsCommand({ DBProxyName: 'none' })),
  ],
  [
    'rds:DescribeDBProxies of all',
    async ({ rds }) => (await rds.send(new DescribeDBProxiesCommand({}))).DBProxies,
  ],
  [
    'rds:DescribeDBProxies of one that is missing',
    ({ rds }) => rds.send(new DescribeDBProxiesCommand({ DBProxyName: 'none' })),
  ],
  [
    'rds:DescribeBlueGreenDeployments of all',
    async ({ rds }) => (await rds.send(new DescribeBlueGreenDeploymentsCommand({}))).BlueGreenDeployments,
  ],
  [
    'rds:DescribeBlueGreenDeployments in pages',
    async ({ rds }) =>
      (await rds.send(new DescribeBlueGreenDeploymentsCommand({ MaxRecords: 100 }))).BlueGreenDeployments,
  ],
  [
    'iam:ListRolePolicies',
    async ({ iam }) => (await iam.send(new ListRolePoliciesCommand({ RoleName }))).PolicyNames,
  ],
  [
    'rds:DescribeDBClusters of one that is missing',
    ({ rds }) => rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: 'none' })),
  ],
  [
    'rds:DescribeDBClusters of all',
    async ({ rds }) => (await rds.send(new DescribeDBClustersCommand({}))).DBClusters,
  ],
  [
    'rds:DescribeDBInstances of one that is missing',
    ({ rds }) => rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'none' })),
  ],
  ['iam:GetRole of one that is missing', ({ iam }) => iam.send(new GetRoleCommand({ RoleName: 'none' }))],
  ['iam:GetRole', async ({ iam }) => (await iam.send(new GetRoleCommand({ RoleName }))).Role?.Arn],
  [
    'iam:GetRole, its trust policy',
    async ({ iam }) =>
      kindOf((await iam.send(new GetRoleCommand({ RoleName }))).Role?.AssumeRolePolicyDocument),
  ],
  ['iam:CreatePolicy', async ({ iam }) => (await iam.send(create('shard'))).Policy?.Arn],
  ['iam:CreatePolicy of a name that is taken', ({ iam }) => iam.send(create('shard'))],
  [
    'iam:CreatePolicy of a name that is taken in other letters',
    async ({ iam }) => (await iam.send(create('SHARD'))).Policy?.Arn,
  ],
  [
    'iam:CreatePolicy with more than 6,144 characters',
    async ({ iam }) => (await iam.send(create('big', documentOf(100)))).Policy?.Arn,
  ],
  [
    'iam:TagPolicy',
    async ({ iam }) => {
      await iam.send(new TagPolicyCommand({ PolicyArn, Tags: [{ Key: 'team', Value: 'b' }] }));
      return (await iam.send(new GetPolicyCommand({ PolicyArn }))).Policy?.Tags;
    },
  ],
  [
    'iam:GetPolicy of one that is missing',
    ({ iam }) => iam.send(new GetPolicyCommand({ PolicyArn: `${PolicyArn}-none` })),
  ],
  [
    'iam:GetPolicyVersion',
    async ({ iam }) =>
      kindOf(
        (await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: 'v1' }))).PolicyVersion?.Document,
      ),
  ],
  [
    'iam:AttachRolePolicy',
    async ({ iam }) => {
      await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
      return (await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }))).AttachedPolicies?.map(
        (one) => one.PolicyArn,
      );
    },
  ],
  [
    'iam:ListAttachedRolePolicies of a role that is missing',
    ({ iam }) => iam.send(new ListAttachedRolePoliciesCommand({ RoleName: 'none' })),
  ],
  [
    'iam:AttachRolePolicy again: how often it counts',
    async ({ iam }) => {
      await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
      const { Policies = [] } = await iam.send(new ListPoliciesCommand({ Scope: 'Local', PathPrefix: Path }));
      return Policies.find(({ Arn }) => Arn === PolicyArn)?.AttachmentCount;
    },
  ],
  [
    'iam:ListPolicies below a path where nothing is',
    async ({ iam }) =>
      (await iam.send(new ListPoliciesCommand({ Scope: 'Local', PathPrefix: '/none/' }))).Policies,
  ],
  [
    'iam:ListEntitiesForPolicy',
    async ({ iam }) =>
      (await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn }))).PolicyRoles?.map(
        (one) => one.RoleName,
      ),
  ],
  [
    'iam:CreatePolicyVersion, the fifth',
    async ({ iam }) => {
      for (let i = 2; i < 5; i += 1) await iam.send(version());
      return (await iam.send(version())).PolicyVersion?.VersionId;
    },
  ],
  ['iam:CreatePolicyVersion, the sixth', ({ iam }) => iam.send(version())],
  [
    'iam:ListPolicyVersions',
    async ({ iam }) =>
      (await iam.send(new ListPolicyVersionsCommand({ PolicyArn }))).Versions?.map(
        (one) => one.VersionId,
      ).toSorted(),
  ],
  [
    'iam:DeletePolicyVersion of the default',
    ({ iam }) => iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v5' })),
  ],
  [
    'iam:DeletePolicyVersion',
    async ({ iam }) => {
      await iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v1' }));
    },
  ],
  [
    'iam:DeletePolicy while it is attached',
    async ({ iam }) => {
      const held = (await iam.send(create('held'))).Policy?.Arn ?? '';
      await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: held }));
      return await iam.send(new DeletePolicyCommand({ PolicyArn: held })).then(() => 'deleted');
    },
  ],
  [
    'iam:DetachRolePolicy',
    async ({ iam }) => {
      await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn }));
    },
  ],
  ['iam:DetachRolePolicy again', ({ iam }) => iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn }))],
  [
    'iam:DetachUserPolicy of a user that is missing',
    ({ iam }) => iam.send(new DetachUserPolicyCommand({ UserName: 'none', PolicyArn })),
  ],
  [
    'iam:DetachGroupPolicy of a group that is missing',
    ({ iam }) => iam.send(new DetachGroupPolicyCommand({ GroupName: 'none', PolicyArn })),
  ],
  [
    'iam:PutRolePolicy',
    async ({ iam }) => {
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'own', PolicyDocument: documentOf() }));
      return kindOf(
        (await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: 'own' }))).PolicyDocument,
      );
    },
  ],
  [
    'iam:GetRolePolicy of one that is missing',
    ({ iam }) => iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: 'none' })),
  ],
  [
    'iam:DeleteRolePolicy',
    async ({ iam }) => {
      await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: 'own' }));
    },
  ],
  [
    'iam:GetAccountSummary',
    async ({ iam }) => {
      const SummaryMap: Readonly<Record<string, number>> =
        (await iam.send(new GetAccountSummaryCommand({}))).SummaryMap ?? {};
      return ['AttachedPoliciesPerRoleQuota', 'PolicySizeQuota', 'VersionsPerPolicyQuota'].map(
        (name) => typeof SummaryMap[name],
      );
    },
  ],
  [
    'sts:AssumeRole of a role that does not trust the caller',
    async ({ sts }) =>
      (await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'session' }))).AssumedRoleUser?.Arn,
  ],
];

/** And why: the strict stand-in does what AWS does. */
const knownDifferences: Readonly<Record<string, string>> = {
  'rds:DescribeDBProxyTargets of one that is missing': 'it is not in moto',
  'rds:DescribeBlueGreenDeployments in pages': 'it fails when it is asked for pages',
  'iam:CreatePolicy of a name that is taken in other letters': 'AWS tells names apart without regard to case',
  'iam:CreatePolicy with more than 6,144 characters': 'AWS limits the size of a policy',
  'iam:GetPolicyVersion':
    'AWS encodes documents; the operator decodes what is encoded and takes what is not as it is',
  'iam:AttachRolePolicy again: how often it counts': 'to AWS the second time changes nothing',
  'iam:DeletePolicy while it is attached': 'AWS wants it detached first',
  'sts:AssumeRole of a role that does not trust the caller': 'AWS asks the trust policy',
};

const roleToSetUp = new CreateRoleCommand({
  RoleName,
  AssumeRolePolicyDocument: trusting('pods.eks.amazonaws.com'),
});
let children: Children;
let strict: Aws;
const answers = new Map<string, { strict: string; moto: string }>();

beforeAll(async () => {
  children = createChildren();
  strict = await startAws({ region, accountId: accountID });
  const moto = { baseUrl: await startMotoServer(children, accountID), region };
  const both = {
    strict: clientsFor(strict, strict.administrator),
    moto: clientsFor(moto, { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'unused' }),
  };
  for (const { iam } of Object.values(both)) await iam.send(roleToSetUp);
  for (const [what, ask] of steps) {
    answers.set(what, { strict: await told(ask(both.strict)), moto: await told(ask(both.moto)) });
  }
});
afterAll(async () => {
  await strict.close();
  await children.stop();
});

const told = async (answer: Promise<unknown>) =>
  await answer.then(
    (value) => JSON.stringify(value) ?? 'done',
    (error: unknown) => (error instanceof Error ? error.name : 'no error'),
  );

it('all actions of the published policy are asked for', () => {
  const input = {
    partition: 'aws',
    accountID,
    operatorID: 'contract',
    principals: [],
    admins: [],
    inline: true,
  };
  const published = operatorPolicy(input).Statement.flatMap(({ Action }) => Action);
  const asked = new Set(steps.map(([what]) => what.split(/[ ,]/)[0] ?? ''));
  // Tags come with a call of another name.
  expect(published.filter((action) => !asked.has(action))).toEqual(['sts:TagSession']);
});

it('both give the same answers, but for the differences that are known', () => {
  const different = [...answers].filter(([, each]) => each.strict !== each.moto);
  for (const [what, each] of different) {
    console.log(
      `moto, ${what}: ${each.moto} instead of ${each.strict} (${knownDifferences[what] ?? 'not known'})`,
    );
  }
  expect(different.map(([what]) => what)).toEqual(Object.keys(knownDifferences));
});
