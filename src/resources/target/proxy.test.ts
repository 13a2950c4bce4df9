import { describe, expect, it } from 'vitest';
import type { ServerName } from './blue-green.ts';
import { judgeProxy, type ProxyFacts, type ProxyTargetFacts } from './proxy.ts';

const server = { kind: 'Cluster', identifier: 'orders-prod', region: 'eu-west-1' } as const;
const inFront: readonly ProxyTargetFacts[] = [{ kind: 'Cluster', identifier: 'orders-prod' }];
const good: ProxyFacts = {
  arn: 'arn:aws:rds:eu-west-1:111122223333:db-proxy:prx-0123456789abcdef0',
  status: 'available',
  endpoint: 'Orders-Proxy.proxy-abc.eu-west-1.rds.amazonaws.com',
  roleARN: 'arn:aws:iam::111122223333:role/orders-proxy',
  endToEndIAM: true,
};
const judged = (facts: ProxyFacts | undefined, targets = inFront, of = server as typeof server | object) =>
  judgeProxy('orders-proxy', facts, targets, { ...server, ...of });

describe('an RDS Proxy', () => {
  it('is known by its own ARN: id, account, region and partition', () => {
    const arn = 'arn:aws-cn:rds:cn-north-1:444455556666:db-proxy:prx-ABC';
    expect(judged({ ...good, arn })).toEqual({
      proxy: {
        name: 'orders-proxy',
        partition: 'aws-cn',
        region: 'cn-north-1',
        accountID: '444455556666',
        resourceID: 'prx-ABC',
        endpoint: 'orders-proxy.proxy-abc.eu-west-1.rds.amazonaws.com',
        roleARN: 'arn:aws:iam::111122223333:role/orders-proxy',
      },
    });
  });

  it.each([
    ['nobody knows', undefined, inFront, 'ProxyNotFound'],
    ['stands in front of nothing', good, [], 'ProxyTargetsElsewhere'],
    [
      'stands in front of another',
      good,
      [{ kind: 'Cluster', identifier: 'reports' }],
      'ProxyTargetsElsewhere',
    ],
    [
      'stands in front of an instance of that name',
      good,
      [{ kind: 'Instance', identifier: 'orders-prod' }],
      'ProxyTargetsElsewhere',
    ],
    ['keeps passwords', { ...good, endToEndIAM: false }, inFront, 'ProxyUsesSecrets'],
    ['has no endpoint yet', { ...good, endpoint: undefined, status: 'creating' }, inFront, 'ProxyNotReady'],
    [
      'has an ARN of another form',
      { ...good, arn: 'arn:aws:rds:eu-west-1:111122223333:db-proxy:prx-*' },
      inFront,
      'ProxyNotReady',
    ],
  ] as const)('that %s cannot be used', (_what, facts, targets, reason) => {
    const { endpoint, ...rest } = facts ?? good;
    const given = facts && (endpoint === undefined ? rest : { ...rest, endpoint });
    const { proxy, failure } = judgeProxy('orders-proxy', given, targets, server);
    expect(proxy).toBeUndefined();
    expect(failure).toMatchObject({ reason });
    expect(failure?.message).toContain('--db-proxy-name orders-proxy --region eu-west-1');
  });

  it.each([
    'creating',
    'deleting',
    'suspended',
    'suspending',
    'reactivating',
    'incompatible-network',
    'insufficient-resource-limits',
  ])('that is %s is told, and is still itself', (status) => {
    const { proxy, failure } = judged({ ...good, status });
    expect(proxy?.resourceID).toBe('prx-0123456789abcdef0');
    expect(failure?.reason).toBe('ProxyNotReady');
  });

  it.each([
    ['nobody knows', undefined, [], true],
    ['stands nowhere now', good, [], true],
    ['has targets without a name', good, [{ kind: 'Instance' }], true],
    ['is told in part', { endToEndIAM: true }, inFront, true],
    ['stands in front of another', good, [{ kind: 'Cluster', identifier: 'reports' }], undefined],
    ['keeps passwords', { ...good, endToEndIAM: false }, inFront, undefined],
    ['keeps passwords and stands nowhere', { ...good, endToEndIAM: false }, [], undefined],
    ['is suspended', { ...good, status: 'suspended' }, inFront, undefined],
  ] as const)('that %s may be what it was before, or not', (_what, facts, targets, expected) => {
    expect(judgeProxy('orders-proxy', facts, targets, server).isUnseen).toBe(expected);
  });

  it('that is being modified works on', () => {
    expect(judged({ ...good, status: 'modifying' }).failure).toBeUndefined();
  });

  it('stands in front of the database whatever the case, and among others', () => {
    const targets = [
      { kind: 'Cluster', identifier: 'reports' },
      { kind: 'Instance', identifier: 'Orders-Prod' },
    ] as const;
    expect(
      judgeProxy('orders-proxy', good, targets, { ...server, kind: 'Instance' }).failure,
    ).toBeUndefined();
  });

  const told = (
    facts: ProxyFacts | undefined,
    targets: readonly ProxyTargetFacts[],
    of: ServerName = server,
  ) => {
    const { failure } = judgeProxy('orders-proxy', facts, targets, of);
    return [failure?.kind, failure?.message];
  };
  const command = (verb: string) => `aws rds ${verb} --db-proxy-name orders-proxy --region eu-west-1`;

  it('that cannot be used is told with the command that shows or mends it', () => {
    expect(told(undefined, inFront)).toEqual([
      'missing',
      `AWS knows no RDS Proxy orders-proxy in eu-west-1. Check spec.target.proxies: ${command('describe-db-proxies')}`,
    ]);
    expect(told({ ...good, status: 'suspended' }, inFront)).toEqual([
      'unavailable',
      `RDS Proxy orders-proxy in eu-west-1 cannot be used now: it is being created or deleted, is suspended, or lacks network or capacity. See: ${command('describe-db-proxies')}`,
    ]);
    expect(told({ ...good, endToEndIAM: false }, inFront)).toEqual([
      'invalid',
      `RDS Proxy orders-proxy in eu-west-1 logs in to the database with passwords from Secrets Manager, and rds_iam ends the password logins of a user: nobody declared here could get through it. Use end-to-end IAM: ${command('modify-db-proxy')} --default-auth-scheme IAM_AUTH`,
    ]);
  });

  it.each([
    ['Cluster', '--db-cluster-identifiers'],
    ['Instance', '--db-instance-identifiers'],
  ] as const)('that stands elsewhere is told with how to register a %s', (kind, flag) => {
    expect(told(good, [{ kind }], { ...server, kind })).toEqual([
      'conflict',
      `RDS Proxy orders-proxy in eu-west-1 does not stand in front of ${server.identifier}. Take it out of spec.target.proxies, or register the database: ${command('register-db-proxy-targets')} ${flag} ${server.identifier}`,
    ]);
  });

  it.each([
    ['no ARN', 'arn'],
    ['no role', 'roleARN'],
    ['no endpoint', 'endpoint'],
  ] as const)('of which AWS tells %s is not used', (_, name) => {
    const { [name]: _left, ...facts } = good;
    expect(judged(facts)).toMatchObject({ failure: { reason: 'ProxyNotReady' } });
    expect(judged(facts).proxy).toBeUndefined();
  });

  // Its id becomes a part of policies, its account and region a part of what is signed.
  it.each([
    'xarn:aws:rds:eu-west-1:111122223333:db-proxy:prx-A',
    'arn:aws:rds:eu-west-1:111122223333:db-proxy:prx-A/b',
    'arn:aws:rds:eu-west-1:111122223333:db-proxy:prx-',
    'arn:aws:rds:eu-west-1:111122223333:db-proxy:cluster-A',
    'arn:aws:rds:eu-west-1:11112222333:db-proxy:prx-A',
    'arn:aws:rds:eu-west-1:accountnumber:db-proxy:prx-A',
    'arn:aws:rds:EU*:111122223333:db-proxy:prx-A',
    'arn:AWS:rds:eu-west-1:111122223333:db-proxy:prx-A',
    'arn:awsX:rds:eu-west-1:111122223333:db-proxy:prx-A',
  ])('is not known by an ARN of another form: %s', (arn) => {
    expect(judged({ ...good, arn })).toMatchObject({ failure: { reason: 'ProxyNotReady' }, isUnseen: true });
    expect(judged({ ...good, arn }).proxy).toBeUndefined();
  });

  it('of which AWS tells no status may be used', () => {
    const { status: _status, ...facts } = good;
    expect(judged(facts).failure).toBeUndefined();
  });
});
