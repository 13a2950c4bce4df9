import { describe, expect, it } from 'vitest';
import { Failure } from '../../reconcile/kernel/failure.ts';
import { type RdsDirectory, resolveTarget } from './resource.ts';
import type { ServerFacts } from './target.ts';

const { signal } = new AbortController();
const facts: ServerFacts = {
  arn: 'arn:aws:rds:eu-west-1:111122223333:cluster:orders',
  resourceID: 'cluster-ABC',
  engine: 'aurora-postgresql',
  engineVersion: '16.4',
  status: 'available',
  endpoint: 'orders.cluster-abc.eu-west-1.rds.amazonaws.com',
  port: 5432,
  iamAuthentication: true,
};

const nothingElse = {
  proxy: () => Promise.resolve(undefined),
  proxyTargets: () => Promise.resolve([]),
  deployments: () => Promise.resolve([]),
};

function directory(answers: {
  cluster?: ServerFacts;
  instance?: ServerFacts;
}): RdsDirectory & { asked: string[] } {
  const asked: string[] = [];
  const note = (kind: 'cluster' | 'instance') => (identifier: string, region: string) => {
    asked.push(`${kind} ${identifier} ${region}`);
    return Promise.resolve(answers[kind]);
  };
  return {
    ...nothingElse,
    asked,
    cluster: note('cluster'),
    instance: note('instance'),
  };
}

describe('resolving a target', () => {
  it('asks for the cluster by its identifier, in its region', async () => {
    const rds = directory({ cluster: facts });
    const target = { type: 'Cluster', cluster: { identifier: 'orders', region: 'eu-west-1' } } as const;
    expect(await resolveTarget(rds, target, signal)).toMatchObject({ serverResourceID: 'cluster-ABC' });
    expect(rds.asked).toEqual(['cluster orders eu-west-1']);
  });

  it('asks for the instance', async () => {
    const rds = directory({});
    const target = { type: 'Instance', instance: { identifier: 'orders', region: 'eu-west-1' } } as const;
    await expect(resolveTarget(rds, target, signal)).rejects.toMatchObject({ reason: 'TargetMissing' });
    expect(rds.asked).toEqual(['instance orders eu-west-1']);
  });

  it('asks nobody with type Explicit', async () => {
    const rds = directory({});
    const explicit = {
      host: 'orders.example.com',
      port: 5432,
      region: 'eu-west-1',
      accountID: '111122223333',
      partition: 'aws',
      resourceIDs: ['cluster-ABC'],
    } as const;
    expect(await resolveTarget(rds, { type: 'Explicit', explicit }, signal)).toMatchObject({
      endpoint: 'orders.example.com',
    });
    expect(rds.asked).toEqual([]);
  });

  it('passes on that AWS could not be asked, which is not the same as missing', async () => {
    const throttled = new Failure('throttled', 'Throttled', 'AWS asks to slow down.');
    const rds: RdsDirectory = {
      ...nothingElse,
      cluster: () => Promise.reject(throttled),
      instance: () => Promise.reject(throttled),
    };
    const target = { type: 'Cluster', cluster: { identifier: 'orders', region: 'eu-west-1' } } as const;
    await expect(resolveTarget(rds, target, signal)).rejects.toBe(throttled);
  });
});
