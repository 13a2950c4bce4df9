import { describe, expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
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

  it('goes on without the right to see blue/green deployments, and without no other', async () => {
    const target = {
      type: 'Cluster',
      cluster: { identifier: 'orders', region: 'eu-west-1' },
      proxies: [{ name: 'orders-proxy' }],
    } as const;
    const refusing = (kind: 'denied' | 'throttled') => () =>
      Promise.reject(new Failure(kind, kind === 'denied' ? 'AccessDenied' : 'Throttled', 'AWS refused.'));
    const rds = directory({ cluster: facts });
    const unseen = await resolveTarget({ ...rds, deployments: refusing('denied') }, target, signal);
    expect(unseen).not.toHaveProperty('isInBlueGreen');
    for (const broken of [
      { deployments: refusing('throttled') },
      { proxy: refusing('denied') },
      { proxy: refusing('throttled') },
    ]) {
      await expect(resolveTarget({ ...rds, ...broken }, target, signal)).rejects.toBeInstanceOf(Failure);
    }
  });

  it('takes no id of the other server that could be more than one in a policy', async () => {
    const arn = 'arn:aws:rds:eu-west-1:111122223333:cluster:orders';
    const rds = directory({ cluster: facts });
    const cluster = (identifier: string) =>
      Promise.resolve(identifier === 'orders' ? facts : { ...facts, resourceID: 'cluster-*' });
    const deployments = () => Promise.resolve([{ source: arn, target: `${arn}-green`, status: 'AVAILABLE' }]);
    const target = { type: 'Cluster', cluster: { identifier: 'orders', region: 'eu-west-1' } } as const;
    const resolved = await resolveTarget({ ...rds, cluster, deployments }, target, signal);
    expect(resolved).toMatchObject({ isInBlueGreen: true, resourceIDs: ['cluster-ABC'] });
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
