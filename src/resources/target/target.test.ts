import { describe, expect, it } from 'vitest';
import type { Reason } from '../../api/conditions.ts';
import { Failure } from '../../kernel/failure.ts';
import { judgeTarget, type ServerFacts, type Target } from './target.ts';

const cluster: Target = {
  type: 'Cluster',
  cluster: { identifier: 'orders-prod', region: 'ap-northeast-2' },
};
const instance: Target = {
  type: 'Instance',
  instance: { identifier: 'orders-prod', region: 'ap-northeast-2' },
};
const explicit = {
  host: 'Orders-Prod.cluster-abc.ap-northeast-2.rds.amazonaws.com',
  port: 5433,
  region: 'ap-northeast-2',
  accountID: '111122223333',
  partition: 'aws',
  resourceIDs: ['cluster-ABC', 'prx-DEF'],
} as const;

const aurora: ServerFacts = {
  arn: 'arn:aws:rds:ap-northeast-2:111122223333:cluster:orders-prod',
  resourceID: 'cluster-ABC',
  engine: 'aurora-postgresql',
  engineVersion: '17.5',
  status: 'available',
  endpoint: 'orders-prod.cluster-abc.ap-northeast-2.rds.amazonaws.com',
  readerEndpoint: 'orders-prod.cluster-ro-abc.ap-northeast-2.rds.amazonaws.com',
  port: 5432,
  iamAuthentication: true,
};
const postgres: ServerFacts = {
  arn: 'arn:aws:rds:ap-northeast-2:111122223333:db:orders-prod',
  resourceID: 'db-ABC',
  engine: 'postgres',
  engineVersion: '16.4',
  status: 'available',
  endpoint: 'orders-prod.abc.ap-northeast-2.rds.amazonaws.com',
  port: 5432,
  iamAuthentication: true,
};

describe('a target that fits', () => {
  it('is resolved from an Aurora cluster, with the reader endpoint', () => {
    expect(judgeTarget(cluster, aurora)).toEqual({
      partition: 'aws',
      accountID: '111122223333',
      region: 'ap-northeast-2',
      endpoint: 'orders-prod.cluster-abc.ap-northeast-2.rds.amazonaws.com',
      readerEndpoint: 'orders-prod.cluster-ro-abc.ap-northeast-2.rds.amazonaws.com',
      port: 5432,
      resourceIDs: ['cluster-ABC'],
      serverResourceID: 'cluster-ABC',
      engine: 'aurora-postgresql',
      engineVersion: '17.5',
    });
  });

  it('is resolved from an instance', () => {
    expect(judgeTarget(instance, postgres)).toMatchObject({
      endpoint: 'orders-prod.abc.ap-northeast-2.rds.amazonaws.com',
      resourceIDs: ['db-ABC'],
      serverResourceID: 'db-ABC',
    });
  });

  it('takes partition, region and account from the ARN that AWS returns', () => {
    const china = { ...aurora, arn: 'arn:aws-cn:rds:cn-north-1:444455556666:cluster:orders-prod' };
    expect(judgeTarget(cluster, china)).toMatchObject({
      partition: 'aws-cn',
      region: 'cn-north-1',
      accountID: '444455556666',
    });
  });

  it('names endpoints in lower case, as tokens are signed for', () => {
    expect(judgeTarget(cluster, { ...aurora, endpoint: 'Orders.Example.COM' })).toMatchObject({
      endpoint: 'orders.example.com',
    });
  });

  it.each(['backing-up', 'modifying', 'upgrading', 'maintenance', 'failing-over', 'storage-optimization'])(
    'stays in use while its status is %s',
    (status) => {
      expect(judgeTarget(cluster, { ...aurora, status })).toMatchObject({ serverResourceID: 'cluster-ABC' });
    },
  );

  it.each([
    ['Aurora PostgreSQL 11', cluster, { ...aurora, engineVersion: '11.9' }],
    ['a Multi-AZ cluster', cluster, { ...aurora, engine: 'postgres', engineVersion: '15.4' }],
    ['RDS for PostgreSQL 10', instance, { ...postgres, engineVersion: '10.23' }],
    ['Aurora Limitless', cluster, { ...aurora, engineVersion: '16.4-limitless' }],
  ] as const)('may be %s', (_, target, facts) => {
    expect(judgeTarget(target, facts)).not.toBeInstanceOf(Failure);
  });

  it('is taken as written with type Explicit; the first resource id is the server', () => {
    expect(judgeTarget({ type: 'Explicit', explicit }, undefined)).toEqual({
      partition: 'aws',
      accountID: '111122223333',
      region: 'ap-northeast-2',
      endpoint: 'orders-prod.cluster-abc.ap-northeast-2.rds.amazonaws.com',
      port: 5433,
      resourceIDs: ['cluster-ABC', 'prx-DEF'],
      serverResourceID: 'cluster-ABC',
    });
  });
});

/** The fact taken away: what AWS does not tell is absent, not undefined. */
function without(facts: ServerFacts, ...names: (keyof ServerFacts)[]): ServerFacts {
  const kept = { ...facts };
  for (const name of names) delete kept[name];
  return kept;
}

describe('a target that does not fit', () => {
  const off = { ...aurora, iamAuthentication: false };
  const cases: readonly (readonly [string, Target, ServerFacts | undefined, Reason, RegExp])[] = [
    [
      'is unknown to AWS',
      cluster,
      undefined,
      'TargetMissing',
      /describe-db-clusters .*orders-prod --region ap-northeast-2/,
    ],
    ['is an unknown instance', instance, undefined, 'TargetMissing', /describe-db-instances/],
    ['has its field left out', { type: 'Cluster' }, aurora, 'TargetMissing', /not filled/],
    ['is Explicit without its field', { type: 'Explicit' }, undefined, 'TargetMissing', /not filled/],
    [
      'has a proxy for a server',
      { type: 'Explicit', explicit: { ...explicit, resourceIDs: ['prx-DEF'] } },
      undefined,
      'TargetMissing',
      /not a proxy/,
    ],
    [
      'is being created',
      cluster,
      without({ ...aurora, status: 'creating' }, 'endpoint'),
      'TargetNotReady',
      /being created/,
    ],
    ['is being deleted', cluster, { ...aurora, status: 'deleting' }, 'TargetNotReady', /being deleted/],
    ['has failed', cluster, { ...aurora, status: 'failed' }, 'TargetNotReady', /failed/],
    ['starts', cluster, { ...aurora, status: 'starting' }, 'TargetNotReady', /starting/],
    ['has no endpoint', instance, without(postgres, 'endpoint', 'port'), 'TargetNotReady', /no endpoint/],
    ['has no port', cluster, without(aurora, 'port'), 'TargetNotReady', /no endpoint/],
    ['has no ARN', cluster, without(aurora, 'arn'), 'TargetNotReady', /ARN/],
    ['has an ARN of another service', cluster, { ...aurora, arn: 'arn:aws:s3:::x' }, 'TargetNotReady', /ARN/],
    ['has no resource id', cluster, without(aurora, 'resourceID'), 'TargetNotReady', /resource id/],
    [
      'has a resource id with a wildcard',
      cluster,
      { ...aurora, resourceID: 'cluster-*' },
      'TargetNotReady',
      /resource id/,
    ],
    ['is stopped', cluster, { ...aurora, status: 'stopped' }, 'DatabaseStopped', /is stopped/],
    [
      'is about to be stopped',
      instance,
      { ...postgres, status: 'stopping' },
      'DatabaseStopped',
      /is stopping/,
    ],
    [
      'is a cluster with IAM off',
      cluster,
      off,
      'IamAuthenticationOff',
      /aws rds modify-db-cluster --db-cluster-identifier orders-prod --region ap-northeast-2 --enable-iam-database-authentication --apply-immediately/,
    ],
    [
      'is an instance with IAM off',
      instance,
      { ...postgres, iamAuthentication: false },
      'IamAuthenticationOff',
      /aws rds modify-db-instance --db-instance-identifier orders-prod/,
    ],
    [
      'has IAM on but pending',
      cluster,
      { ...off, pendingIamAuthentication: true },
      'IamAuthenticationOff',
      /pending.*modify-db-cluster/,
    ],
    [
      'is Aurora MySQL',
      cluster,
      { ...aurora, engine: 'aurora-mysql', engineVersion: '8.0' },
      'EngineNotSupported',
      /PostgreSQL/,
    ],
    ['is MariaDB', instance, { ...postgres, engine: 'mariadb' }, 'EngineNotSupported', /PostgreSQL/],
    ['tells no engine', instance, without(postgres, 'engine'), 'EngineNotSupported', /PostgreSQL/],
    [
      'is Aurora PostgreSQL 10',
      cluster,
      { ...aurora, engineVersion: '10.14' },
      'EngineNotSupported',
      /upgrade it to 11/,
    ],
    [
      'is PostgreSQL 9.6',
      instance,
      { ...postgres, engineVersion: '9.6.24' },
      'EngineNotSupported',
      /upgrade it to 10/,
    ],
    ['tells no version', instance, without(postgres, 'engineVersion'), 'TargetNotReady', /version/],
    [
      'is a member of a cluster',
      instance,
      { ...postgres, engine: 'aurora-postgresql', clusterIdentifier: 'orders' },
      'EngineNotSupported',
      /type Cluster/,
    ],
  ];

  it.each(cases)('%s', (_, target, facts, reason, message) => {
    const judged = judgeTarget(target, facts);
    expect(judged).toBeInstanceOf(Failure);
    expect(judged).toMatchObject({ reason, message: expect.stringMatching(message) as unknown });
  });

  it('needs a person only where waiting cannot help', () => {
    expect(judgeTarget(cluster, off)).toMatchObject({ kind: 'invalid' });
    expect(judgeTarget(cluster, { ...off, pendingIamAuthentication: true })).toMatchObject({
      kind: 'unavailable',
    });
    expect(judgeTarget(cluster, { ...aurora, status: 'stopped' })).toMatchObject({ kind: 'unavailable' });
    expect(judgeTarget(cluster, undefined)).toMatchObject({ kind: 'missing' });
  });

  it('waits for a person where something was declared that cannot be', () => {
    const proxyFirst: Target = { type: 'Explicit', explicit: { ...explicit, resourceIDs: ['prx-DEF'] } };
    for (const target of [proxyFirst, { type: 'Explicit' }, { type: 'Cluster' }] as const) {
      expect(judgeTarget(target, undefined)).toMatchObject({ kind: 'invalid', reason: 'TargetMissing' });
    }
    expect(judgeTarget(cluster, { ...aurora, engine: 'aurora-mysql' })).toMatchObject({ kind: 'invalid' });
    expect(judgeTarget(cluster, { ...aurora, status: 'creating' })).toMatchObject({ kind: 'unavailable' });
  });

  it('is told of its engine before anything else, since no waiting changes that', () => {
    const old = { ...off, engineVersion: '10.1', status: 'stopped' };
    expect(judgeTarget(cluster, old)).toMatchObject({ reason: 'EngineNotSupported' });
  });

  const messageOf = (target: Target, facts: ServerFacts | undefined) => {
    const judged = judgeTarget(target, facts);
    return judged instanceof Failure ? judged.message : 'it fits';
  };
  const orders = 'cluster orders-prod in ap-northeast-2';

  it.each([
    ['creating', 'it is being created'],
    ['deleting', 'it is being deleted'],
    ['starting', 'it is starting'],
    ['failed', 'its status is failed'],
    ['restore-error', 'its status is restore-error'],
    ['cloning-failed', 'its status is cloning-failed'],
    ['migration-failed', 'its status is migration-failed'],
    ['incompatible-network', 'its status is incompatible-network'],
    ['incompatible-restore', 'its status is incompatible-restore'],
    ['incompatible-create', 'its status is incompatible-create'],
    ['inaccessible-encryption-credentials', 'its encryption key cannot be reached'],
    ['inaccessible-encryption-credentials-recoverable', 'its encryption key cannot be reached'],
  ])('cannot be used while its status is %s', (status, because) => {
    expect(messageOf(cluster, { ...aurora, status })).toBe(`The ${orders} cannot be used yet: ${because}.`);
  });

  it('is told in full, with what to do', () => {
    const command = (verb: string, kind: string) =>
      `aws rds ${verb} --db-${kind}-identifier orders-prod --region ap-northeast-2`;
    const on = '--enable-iam-database-authentication --apply-immediately';
    expect(messageOf(cluster, undefined)).toBe(
      `AWS knows no ${orders}. Check identifier, region and account: ${command('describe-db-clusters', 'cluster')}`,
    );
    expect(messageOf(instance, undefined)).toBe(
      `AWS knows no instance orders-prod in ap-northeast-2. Check identifier, region and account: ${command('describe-db-instances', 'instance')}`,
    );
    expect(messageOf({ type: 'Instance' }, undefined)).toBe(
      'spec.target.type is Instance, but the field that goes with it is not filled.',
    );
    expect(messageOf({ type: 'Explicit' }, undefined)).toBe(
      'spec.target.type is Explicit, but the field that goes with it is not filled.',
    );
    expect(messageOf(cluster, off)).toBe(
      `IAM database authentication is off on the ${orders}. Turn it on: ${command('modify-db-cluster', 'cluster')} ${on}`,
    );
    expect(messageOf(cluster, { ...off, pendingIamAuthentication: true })).toBe(
      `IAM database authentication is still off on the ${orders}; the change that turns it on is pending. To have it now: ${command('modify-db-cluster', 'cluster')} ${on}`,
    );
    expect(messageOf(cluster, { ...off, pendingIamAuthentication: false })).toContain('is off on the');
    expect(messageOf(cluster, { ...aurora, status: 'stopped' })).toBe(
      `The ${orders} is stopped. Start it; the operator goes on by itself.`,
    );
    expect(messageOf(cluster, { ...aurora, engine: 'aurora-mysql' })).toBe(
      `The ${orders} does not run PostgreSQL: only Aurora PostgreSQL and RDS for PostgreSQL are supported.`,
    );
    expect(messageOf(cluster, { ...aurora, engineVersion: '10.14' })).toBe(
      `The ${orders} runs PostgreSQL 10, which has no IAM authentication: upgrade it to 11 or newer.`,
    );
    expect(messageOf(cluster, without(aurora, 'engineVersion'))).toBe(
      `The ${orders} cannot be used yet: AWS does not tell its engine version yet.`,
    );
    expect(messageOf(instance, { ...postgres, clusterIdentifier: 'orders' })).toBe(
      'The instance orders-prod in ap-northeast-2 is a member of a cluster, which alone decides who may log in: use spec.target.type Cluster with the identifier of that cluster (DBClusterIdentifier in aws rds describe-db-instances).',
    );
  });

  it.each(['prx-DEF', 'xdb-ABC', 'db-', 'db-AB*', 'db-AB/C'])(
    'has something else than a server first among its ids: %s',
    (id) => {
      const target: Target = { type: 'Explicit', explicit: { ...explicit, resourceIDs: [id] } };
      expect(messageOf(target, undefined)).toBe(
        'The first of spec.target.explicit.resourceIDs has to be the server itself: cluster-… or db-…, not a proxy.',
      );
    },
  );

  it.each(['xcluster-ABC', 'cluster-', 'cluster-A*', 'prx-ABC'])(
    'has an id that is none, which would become a part of policies: %s',
    (resourceID) => {
      expect(messageOf(cluster, { ...aurora, resourceID })).toBe(
        `The ${orders} cannot be used yet: AWS does not tell its resource id.`,
      );
    },
  );

  it.each([
    'xarn:aws:rds:eu-west-1:111122223333:cluster:x',
    'arn:aws:rds:eu-west-1:111122223333:snapshot:x',
    'arn:aws:rds:eu-west-1:111122223333:db-proxy:prx-A',
    'arn:AWS:rds:eu-west-1:111122223333:cluster:x',
    'arn:aws:rds:EU:111122223333:cluster:x',
    'arn:aws:rds:eu-west-1:11112222333:cluster:x',
    'arn:aws:rds::111122223333:cluster:x',
  ])('has an ARN of another form: %s', (arn) => {
    expect(messageOf(cluster, { ...aurora, arn })).toBe(
      `The ${orders} cannot be used yet: AWS does not tell its ARN.`,
    );
  });
});
