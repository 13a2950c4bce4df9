import { describe, expect, it } from 'vitest';
import { aTarget } from '../../test/builders/objects.ts';
import { userARNs } from './user-arns.ts';

describe('the ARNs of a user', () => {
  it('are one on the server, and one on each proxy where that one is', () => {
    const proxy = {
      name: 'orders-proxy',
      partition: 'aws',
      region: 'eu-west-1',
      accountID: '444455556666',
      resourceID: 'prx-ABC',
      endpoint: 'orders-proxy.proxy-abc.eu-west-1.rds.amazonaws.com',
      roleARN: 'arn:aws:iam::444455556666:role/orders-proxy',
    };
    const target = aTarget({ resourceIDs: ['cluster-ABC', 'prx-ABC'], proxies: [proxy] });
    expect(userARNs('payments_checkout', target)).toEqual([
      'arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:cluster-ABC/payments_checkout',
      'arn:aws:rds-db:eu-west-1:444455556666:dbuser:prx-ABC/payments_checkout',
    ]);
  });

  it('are on the ids that an Explicit target lists, as they are', () => {
    const target = aTarget({ resourceIDs: ['cluster-ABC', 'prx-DEF'] });
    expect(userARNs('payments_checkout', target)).toHaveLength(2);
  });
});
