// EKS's Pod Identity associations through the real EKS client.
import {
  DescribePodIdentityAssociationCommand,
  ListPodIdentityAssociationsCommand,
  paginateListPodIdentityAssociations,
} from '@aws-sdk/client-eks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Aws, startAws } from './aws.ts';
import { type Clients, clientsFor } from './clients.ts';

const accountId = '111122223333';
const clusterName = 'prod-1';
const roleArn = `arn:aws:iam::${accountId}:role/payments-shop`;
const shop = { namespace: 'payments', serviceAccount: 'shop', roleArn };
let aws: Aws;
let eks: Clients['eks'];

beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId });
  eks = clientsFor(aws, aws.administrator).eks;
  aws.eks.createCluster(clusterName);
});
afterEach(() => aws.close());

const describeOne = (associationId: string) =>
  eks.send(new DescribePodIdentityAssociationCommand({ clusterName, associationId }));
const list = (more: object = {}) =>
  eks.send(new ListPodIdentityAssociationsCommand({ clusterName, ...more }));

test('are listed without their role, and described with it', async () => {
  const associationId = aws.eks.associate(clusterName, shop);
  const associationArn = `arn:aws:eks:ap-northeast-2:${accountId}:podidentityassociation/prod-1/${associationId}`;
  const summary = {
    clusterName,
    namespace: 'payments',
    serviceAccount: 'shop',
    associationId,
    associationArn,
  };
  expect((await list()).associations).toEqual([summary]);
  expect((await describeOne(associationId)).association).toMatchObject({
    ...summary,
    roleArn,
    disableSessionTags: false,
    createdAt: expect.any(Date),
  });
});

test('are listed in pages, and by namespace and ServiceAccount', async () => {
  for (let n = 0; n < 7; n += 1) {
    aws.eks.associate(clusterName, { ...shop, serviceAccount: `shop-${n}`, namespace: n < 2 ? 'a' : 'b' });
  }
  aws.pageSize = 3;
  const sizes: number[] = [];
  for await (const page of paginateListPodIdentityAssociations({ client: eks }, { clusterName })) {
    sizes.push(page.associations?.length ?? 0);
  }
  expect(sizes).toEqual([3, 3, 1]);
  expect((await list({ namespace: 'a' })).associations).toHaveLength(2);
  expect((await list({ namespace: 'b', serviceAccount: 'shop-0' })).associations).toEqual([]);
});

test('keep their id when the role behind them is exchanged, and are gone when they are deleted', async () => {
  const id = aws.eks.associate(clusterName, shop);
  const targetRoleArn = `${roleArn}-2`;
  aws.eks.reassociate(clusterName, id, { targetRoleArn, disableSessionTags: true });
  expect((await describeOne(id)).association).toMatchObject({
    roleArn,
    targetRoleArn,
    disableSessionTags: true,
  });
  expect(() => aws.eks.associate(clusterName, shop)).toThrow('already exists');
  aws.eks.disassociate(clusterName, id);
  await expect(describeOne(id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  expect((await list()).associations).toEqual([]);
});

test('of a cluster that does not exist, or with a wrong page, are refused in words of EKS', async () => {
  await expect(list({ clusterName: 'other' })).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  await expect(list({ nextToken: 'bm90aGluZw==' })).rejects.toMatchObject({
    name: 'InvalidParameterException',
  });
  await expect(list({ maxResults: 101 })).rejects.toMatchObject({ name: 'InvalidParameterException' });
});

test('are shown to whom the policy allows that cluster, and to nobody with wrong keys', async () => {
  const id = aws.eks.associate(clusterName, shop);
  aws.eks.createCluster('other');
  const prefix = `arn:aws:eks:ap-northeast-2:${accountId}`;
  const { arn } = aws.createUser({
    name: 'reader',
    policies: {
      own: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: ['eks:ListPodIdentityAssociations', 'eks:DescribePodIdentityAssociation'],
            Resource: [`${prefix}:cluster/prod-1`, `${prefix}:podidentityassociation/prod-1/*`],
          },
        ],
      },
    },
  });
  const key = aws.createAccessKey(arn);
  eks = clientsFor(aws, key).eks;
  expect((await list()).associations).toHaveLength(1);
  expect((await describeOne(id)).association?.roleArn).toBe(roleArn);
  await expect(list({ clusterName: 'other' })).rejects.toMatchObject({ name: 'AccessDeniedException' });
  eks = clientsFor(aws, { ...key, secretAccessKey: 'wrong' }).eks;
  await expect(list()).rejects.toMatchObject({ name: 'InvalidSignatureException' });
});

test('can be made to fail as EKS does', async () => {
  aws.faults.add({ service: 'eks', action: 'ListPodIdentityAssociations', error: 'Throttling' });
  await expect(list()).rejects.toMatchObject({ name: 'ThrottlingException' });
  expect((await list()).associations).toEqual([]);
  expect(aws.calls.map(({ service, action }) => `${service}:${action}`)).toEqual([
    'eks:ListPodIdentityAssociations',
    'eks:ListPodIdentityAssociations',
  ]);
});
