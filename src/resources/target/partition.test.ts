import { describe, expect, it } from 'vitest';
import { aTarget } from '../../../test/builders/objects.ts';
import { checkPartition, partitionOf } from './partition.ts';
import { judgeTarget } from './target.ts';

it.each([
  ['us-east-1', 'aws'],
  ['ap-northeast-2', 'aws'],
  ['il-central-1', 'aws'],
  ['cn-north-1', 'aws-cn'],
  ['cn-northwest-1', 'aws-cn'],
  ['us-gov-west-1', 'aws-us-gov'],
  ['us-gov-east-1', 'aws-us-gov'],
  ['us-iso-east-1', undefined],
  ['us-isob-east-1', undefined],
  ['eu-isoe-west-1', undefined],
])('region %s is in partition %s', (region, partition) => {
  expect(partitionOf(region)).toBe(partition);
  const explicit = { host: 'a', port: 5432, region, accountID: '111122223333', resourceIDs: ['db-A'] };
  const judged = judgeTarget({ type: 'Explicit', explicit }, undefined);
  expect('partition' in judged ? judged.partition : judged.reason).toBe(partition ?? 'PartitionNotSupported');
});

describe('a target', () => {
  const cn = '.rds.cn-north-1.amazonaws.com.cn';
  it.each<[string, Parameters<typeof aTarget>[0], 'Cluster' | 'Explicit', boolean]>([
    ['of aws', {}, 'Cluster', true],
    ['of aws-us-gov', { partition: 'aws-us-gov', region: 'us-gov-west-1' }, 'Cluster', true],
    ['of aws-cn', { partition: 'aws-cn', region: 'cn-north-1', endpoint: `a${cn}` }, 'Cluster', true],
    ['of aws-cn under a name of aws', { partition: 'aws-cn', region: 'cn-north-1' }, 'Cluster', false],
    ['of aws under a name of aws-cn', { endpoint: `a${cn}` }, 'Cluster', false],
    ['under a name that only looks like it', { endpoint: 'a.notamazonaws.com' }, 'Cluster', false],
    ['with a reader elsewhere', { readerEndpoint: 'a.example.com' }, 'Cluster', false],
    ['whose region is of another partition', { region: 'cn-north-1' }, 'Cluster', false],
    ['of an isolated partition', { partition: 'aws-iso', region: 'us-iso-east-1' }, 'Cluster', false],
    ['that was declared, under any name', { endpoint: 'db.example.com' }, 'Explicit', true],
    ['that was declared in the wrong partition', { partition: 'aws-cn' }, 'Explicit', false],
  ])('%s', (_, overrides, type, isRight) => {
    expect(checkPartition(aTarget(overrides), type)?.reason).toBe(
      isRight ? undefined : 'PartitionNotSupported',
    );
  });

  it('says what is wrong with its region or its name', () => {
    expect(checkPartition(aTarget({ region: 'cn-north-1' }), 'Cluster')).toMatchObject({
      kind: 'invalid',
      message:
        'Region cn-north-1 is in no partition that the operator knows (aws, aws-cn, aws-us-gov), or not in the one that was told. With type Explicit leave spec.target.explicit.partition out: it follows from the region.',
    });
    expect(checkPartition(aTarget({ readerEndpoint: 'a.example.com' }), 'Cluster')).toMatchObject({
      kind: 'invalid',
      message:
        'AWS names an endpoint of the database that does not end in .amazonaws.com, as those of partition aws do.',
    });
    const cnTarget = aTarget({ partition: 'aws-cn', region: 'cn-north-1' });
    expect(checkPartition(cnTarget, 'Cluster')?.message).toContain('in .amazonaws.com.cn,');
  });
});
