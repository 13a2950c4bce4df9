import { describe, expect, it } from 'vitest';
import { type Deployment, deploymentUnderWay } from './blue-green.ts';

const blue = 'arn:aws:rds:eu-west-1:111122223333:cluster:orders-prod';
const green = 'arn:aws:rds:eu-west-1:111122223333:cluster:orders-prod-green-abc';
const deployment: Deployment = { source: blue, target: green, status: 'AVAILABLE' };
const other = (identifier: string) => ({ kind: 'Cluster', region: 'eu-west-1', identifier });

describe('a blue/green deployment', () => {
  it.each([
    'PROVISIONING',
    'AVAILABLE',
    'SWITCHOVER_IN_PROGRESS',
    'SWITCHOVER_FAILED',
    'INVALID_CONFIGURATION',
    'SOMETHING_NEW',
  ])('that is %s is under way for both of its servers', (status) => {
    const all = [{ ...deployment, status }];
    expect(deploymentUnderWay(blue, all)).toEqual({ other: other('orders-prod-green-abc') });
    expect(deploymentUnderWay(green, all)).toEqual({ other: other('orders-prod') });
  });

  it.each(['SWITCHOVER_COMPLETED', 'DELETING'])('that is %s is over', (status) => {
    expect(deploymentUnderWay(blue, [{ ...deployment, status }])).toBeUndefined();
  });

  it('of others is no matter of this server, whatever it is called', () => {
    expect(deploymentUnderWay(`${blue}-2`, [deployment])).toBeUndefined();
    expect(deploymentUnderWay(blue.replace('cluster', 'db'), [deployment])).toBeUndefined();
  });

  it('after one that is over is found', () => {
    const again = { source: blue, target: `${green}2`, status: 'PROVISIONING' };
    const all = [{ ...deployment, status: 'SWITCHOVER_COMPLETED' }, again];
    expect(deploymentUnderWay(blue, all)).toEqual({ other: other('orders-prod-green-abc2') });
  });

  it('of instances names an instance; one whose green server is not there yet names none', () => {
    const instance = 'arn:aws:rds:eu-west-1:111122223333:db:reports';
    expect(deploymentUnderWay(instance, [{ source: instance, target: `${instance}-green` }])).toEqual({
      other: { kind: 'Instance', region: 'eu-west-1', identifier: 'reports-green' },
    });
    expect(deploymentUnderWay(instance, [{ source: instance, status: 'PROVISIONING' }])).toEqual({
      other: undefined,
    });
  });

  it.each([
    `x${green}`,
    `${green}:x`,
    green.replace('aws', 'AWS'),
    green.replace('cluster', 'snapshot'),
    green.replace('cluster', 'db-proxy'),
  ])('whose other server has an ARN of another form names none: %s', (target) => {
    expect(deploymentUnderWay(blue, [{ ...deployment, target }])).toEqual({ other: undefined });
  });

  it('in another partition names its server', () => {
    const target = green.replace('arn:aws:', 'arn:aws-us-gov:');
    expect(deploymentUnderWay(blue, [{ ...deployment, target }])).toEqual({
      other: other('orders-prod-green-abc'),
    });
  });
});
