// Which secret is asked for, and what of its text is believed.
import { describe, expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { Secret } from '../../kernel/secret.ts';
import { judgeMasterSecret, type MasterSecretFacts, passwordIn } from './master-secret.ts';
import type { Target } from './target.ts';

const cluster: Target = { type: 'Cluster', cluster: { identifier: 'orders', region: 'eu-central-1' } };
const instance: Target = { type: 'Instance', instance: { identifier: 'orders', region: 'eu-central-1' } };
const explicit: Target = {
  type: 'Explicit',
  explicit: {
    host: 'db.example',
    port: 5432,
    region: 'eu-central-1',
    accountID: '111122223333',
    partition: 'aws',
    resourceIDs: ['cluster-ABC'],
  },
};
const arn = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!cluster-1a2b-3c4d-aBcDeF';
const judge = (target: Target, masterSecret?: MasterSecretFacts) =>
  judgeMasterSecret(target, {
    iamAuthentication: true,
    ...(masterSecret === undefined ? {} : { masterSecret }),
  });

describe('the secret that RDS keeps', () => {
  it.each([
    ['active', false],
    ['rotating', false],
    ['impaired', true],
  ])('is read while it is %s', (status, impaired) => {
    expect(judge(cluster, { arn, status })).toEqual({ arn, region: 'eu-central-1', impaired });
  });

  it.each([
    [
      'is being created',
      cluster,
      { arn, status: 'creating' },
      'unavailable',
      /is creating the master secret of cluster orders/,
    ],
    [
      'is not kept for a cluster',
      cluster,
      undefined,
      'missing',
      /modify-db-cluster --db-cluster-identifier orders --region eu-central-1 --manage-master-user-password/,
    ],
    [
      'is not kept for an instance',
      instance,
      undefined,
      'missing',
      /modify-db-instance --db-instance-identifier orders/,
    ],
    [
      'is of another service',
      cluster,
      { arn: 'arn:aws:ssm:eu-central-1:111122223333:parameter/x', status: 'active' },
      'missing',
      /does not keep/,
    ],
    [
      'is none of those that RDS keeps',
      cluster,
      { arn: arn.replace('rds!cluster', 'cluster'), status: 'active' },
      'missing',
      /does not keep/,
    ],
    ['would be a wildcard', cluster, { arn: `${arn}*`, status: 'active' }, 'missing', /does not keep/],
    [
      'is of a target that RDS is not asked about',
      explicit,
      { arn, status: 'active' },
      'missing',
      /Cluster or Instance/,
    ],
  ] as const)('is not asked for where it %s', (_what, target, facts, kind, told) => {
    const found = judge(target, facts);
    expect(found).toBeInstanceOf(Failure);
    expect(found).toMatchObject({ kind, reason: 'ManagedSecretUnavailable' });
    expect((found as Failure).message).toMatch(told);
  });
});

// The operator's own policy ends at the names that RDS gives; what is asked for has to as well.
it.each([
  `x${arn}`,
  arn.replace('111122223333', '11112222333'),
  arn.replace('111122223333', 'accountnumber'),
  arn.replace('eu-central-1', 'EU'),
  arn.replace('eu-central-1', ''),
  arn.replace('arn:aws:', 'arn:AWS:'),
  arn.replace('arn:aws:', 'arn:aws-of-somebody-else:'),
  arn.replace('rds!cluster', 'rds!proxy'),
  `${arn.slice(0, arn.indexOf('rds!'))}rds!cluster-`,
  `${arn} `,
])('a secret under an ARN of another form is none that RDS keeps: %s', (other) => {
  expect(judge(cluster, { arn: other, status: 'active' })).toMatchObject({ kind: 'missing' });
});

it.each([
  arn.replace('rds!cluster', 'rds!db'),
  arn.replace('arn:aws:', 'arn:aws-us-gov:').replace('eu-central-1', 'us-gov-west-1'),
])('a secret of an instance, and one of another partition, is asked for in its region: %s', (other) => {
  expect(judge(instance, { arn: other, status: 'active' })).toEqual({
    arn: other,
    region: other.split(':')[3],
    impaired: false,
  });
});

describe('the secret that cannot be had', () => {
  const messageOf = (target: Target, masterSecret?: MasterSecretFacts) => {
    const found = judge(target, masterSecret);
    return found instanceof Failure ? found.message : 'it can';
  };

  it('is told with what to do', () => {
    expect(messageOf(explicit)).toBe(
      'admin.authentication ManagedSecret needs a target that RDS is asked about: spec.target.type Cluster or Instance. Use IAM or Secret.',
    );
    expect(messageOf(instance, { status: 'creating' })).toBe(
      'RDS is creating the master secret of instance orders in eu-central-1; the operator looks again by itself.',
    );
    for (const [target, kind] of [
      [cluster, 'cluster'],
      [instance, 'instance'],
    ] as const) {
      expect(messageOf(target)).toBe(
        `RDS does not keep the master password of ${kind} orders in eu-central-1 in Secrets Manager. aws rds modify-db-${kind} --db-${kind}-identifier orders --region eu-central-1 --manage-master-user-password --apply-immediately; or use authentication IAM or Secret.`,
      );
    }
    expect(judgeMasterSecret(cluster, undefined)).toMatchObject({ kind: 'missing' });
  });
});

describe('its text', () => {
  const secret = { arn, region: 'eu-central-1', impaired: false };
  const read = (text: string) => passwordIn(new Secret(text), secret, 'postgres');

  it('gives the password of the master user', () => {
    expect(read('{"username":"postgres","password":"pa\\"ss"}').reveal()).toBe('pa"ss');
  });

  it.each([
    ['no JSON', 'canary-text'],
    ['a text', '"canary-text"'],
    ['nothing', 'null'],
    ['no password', '{"username":"postgres","note":"canary-text"}'],
    ['an empty password', '{"username":"postgres","password":""}'],
    ['a password that is none', '{"username":"postgres","password":{"canary-text":1}}'],
    ['another user', '{"username":"canary-text","password":"canary-text"}'],
  ])('is refused where it holds %s, and is not quoted', (_what, text) => {
    const refusal = (() => {
      try {
        return read(text);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toMatchObject({ reason: 'ManagedSecretUnavailable' });
    expect(
      `${String(refusal)} ${String((refusal as Error).cause)} ${(refusal as Error).stack}`,
    ).not.toContain('canary-text');
  });

  it('that is of no use is told by the ARN of the secret', () => {
    expect(() => read('{}')).toThrow(
      `The master secret ${arn} holds no password in the form that RDS gives it.`,
    );
    expect(() => read('{"username":"other","password":"p"}')).toThrow(
      `The master secret ${arn} is that of another user than spec.admin.username, "postgres": with ManagedSecret the admin is the master user (MasterUsername in aws rds describe-db-clusters or describe-db-instances).`,
    );
  });
});
