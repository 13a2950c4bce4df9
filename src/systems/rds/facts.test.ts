import { describe, expect, it } from 'vitest';
import { deploymentFacts, proxyFacts, targetFacts } from './facts.ts';

describe('a target of a proxy', () => {
  it.each([
    ['the cluster itself', { Type: 'TRACKED_CLUSTER', RdsResourceId: 'orders' }, 'Cluster'],
    [
      'the cluster itself, named twice',
      { Type: 'TRACKED_CLUSTER', RdsResourceId: 'orders', TrackedClusterId: 'orders' },
      'Cluster',
    ],
    [
      'a member of the cluster',
      { Type: 'RDS_INSTANCE', RdsResourceId: 'orders-1', TrackedClusterId: 'orders' },
      'Cluster',
    ],
    ['an instance of its own', { Type: 'RDS_INSTANCE', RdsResourceId: 'orders' }, 'Instance'],
    [
      'an instance, where AWS leaves a field empty',
      { Type: 'RDS_INSTANCE', RdsResourceId: 'orders', TrackedClusterId: '' },
      'Instance',
    ],
  ] as const)('is %s', (_what, target, kind) => {
    expect(targetFacts(target)).toEqual({ kind, identifier: 'orders' });
  });

  it('without a name is none that anybody could mean', () => {
    expect(targetFacts({ Type: 'RDS_SERVERLESS_ENDPOINT' })).toEqual({ kind: 'Instance' });
  });
});

describe('a proxy', () => {
  it('logs in by IAM only where AWS says so', () => {
    const auth = [{ AuthScheme: 'SECRETS', IAMAuth: 'REQUIRED' }] as const;
    expect(proxyFacts({ DefaultAuthScheme: 'IAM_AUTH', Auth: [] }).endToEndIAM).toBe(true);
    // Clients by IAM, the database by password.
    expect(proxyFacts({ DefaultAuthScheme: 'NONE', Auth: [...auth] }).endToEndIAM).toBe(false);
    // As proxies were before there was the other.
    expect(proxyFacts({ Auth: [...auth] }).endToEndIAM).toBe(false);
  });

  it('has nothing where AWS has nothing', () => {
    expect(proxyFacts({ DBProxyName: 'p', Endpoint: '', RoleArn: '' })).toEqual({ endToEndIAM: false });
    expect(deploymentFacts({ Source: 'arn:a', Target: '' })).toEqual({ source: 'arn:a' });
  });
});
