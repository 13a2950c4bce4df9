// The proof of access on real parts: roles assumed from the STS stand-in, logins through the RDS gate into PostgreSQL.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AccessPorts, verifyAccess } from '../../src/resources/access/access.ts';
import type { AccessVerdict, AccessWish } from '../../src/resources/access/verdict.ts';
import { login } from '../../src/systems/postgres/login.ts';
import type { AwsCall } from '../../src/systems/sts/calls.ts';
import { sts } from '../../src/systems/sts/sts.ts';
import { operatorTokens, signToken } from '../../src/systems/sts/tokens.ts';
import { type Aws, startAws } from '../aws/aws.ts';
import { clientsFor } from '../aws/clients.ts';
import { createChildren } from '../bed/children.ts';
import { type Postgres, startPostgres } from '../bed/postgres.ts';
import { type RdsGate, startRdsGate } from '../bed/rds-gate.ts';
import { createRdsTrust, type RdsTrust } from '../bed/rds-trust.ts';

const region = 'ap-northeast-2';
const accountId = '111122223333';
const resourceId = 'cluster-ABC';
const endpoint = { host: `orders-prod.cluster-cabcdefghijk.${region}.rds.amazonaws.com`, port: 5432 };
const arnOf = (username: string, id = resourceId) =>
  `arn:aws:rds-db:${region}:${accountId}:dbuser:${id}/${username}`;
const { signal } = new AbortController();

const children = createChildren();
let aws: Aws;
let postgres: Postgres;
let trust: RdsTrust;
let gate: RdsGate;
let operator: ReturnType<Aws['createAccessKey']>;
let operatorARN: string;
let workload: string;
let closed: string;
let heard: AwsCall[];
let ports: AccessPorts;

const trusting = (principal: object) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: principal, Action: 'sts:AssumeRole' }],
});

beforeAll(async () => {
  [aws, postgres, trust] = await Promise.all([
    startAws({ region, accountId }),
    startPostgres({ major: 17, children }),
    createRdsTrust(region),
  ]);
  gate = await startRdsGate({
    upstream: postgres,
    endpoints: [endpoint],
    server: { partition: 'aws', region, accountId, resourceId },
    certificate: await trust.issue([endpoint.host]),
    aws: {
      credentials: {
        lookup: (accessKeyId) => {
          const found = aws.lookupCredential(accessKeyId);
          if (found === undefined) return undefined;
          const { secretAccessKey, principal, sessionToken, sessionPolicy, expiresAt } = found;
          return {
            secretAccessKey,
            principal,
            ...(sessionToken === undefined ? {} : { sessionToken }),
            ...(sessionPolicy === undefined ? {} : { sessionPolicy }),
            ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
          };
        },
      },
      authorize: (question) => aws.authorize(question),
    },
  });
  await postgres.sql('CREATE ROLE checkout LOGIN; GRANT rds_iam TO checkout');

  operatorARN = aws.createUser({ name: 'operator' }).arn;
  operator = aws.createAccessKey(operatorARN);
  workload = aws.createRole({ name: 'payments-checkout', trustPolicy: trusting({ AWS: operatorARN }) }).arn;
  closed = aws.createRole({
    name: 'payments-closed',
    trustPolicy: trusting({ Service: 'pods.eks.amazonaws.com' }),
  }).arn;
}, 120_000);
afterAll(async () => {
  await gate.stop();
  await children.stop();
  await aws.close();
});

beforeEach(() => {
  heard = [];
  aws.faults.clear();
  aws.clearCalls();
  gate.setModes({ iamAuthentication: 'on', delayMs: 0, dropAfterBytes: undefined, readOnly: false });
  allow(workload, arnOf('checkout'));
  aws.putInlinePolicy(operatorARN, 'connect', nothing);
  const { sts: client } = clientsFor(aws, operator);
  ports = {
    ...sts({ clientFor: () => client, onCall: (call) => heard.push(call) }),
    requestToken: () => Promise.reject(new Error('there is no cluster here')),
    trustPolicy: () => Promise.reject(new Error('nobody asks')),
    signToken,
    operatorToken: operatorTokens(() => Promise.resolve(operator)),
    login,
  };
});

const nothing = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: 's3:*', Resource: '*' }],
};

function allow(principal: string, resource: string): void {
  aws.putInlinePolicy(principal, 'connect', {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: resource }],
  });
}

function prove(changes: Partial<AccessWish> = {}): Promise<AccessVerdict> {
  const wish: AccessWish = {
    as: 'Auto',
    operatorProofAllowed: false,
    principals: [{ roleARN: workload, resourceARNs: [arnOf('checkout')] }],
    endpoint: endpoint.host,
    port: endpoint.port,
    dial: { host: '127.0.0.1', port: gate.port },
    region,
    database: 'orders',
    username: 'checkout',
    ca: trust.roots.join(''),
    now: Date.now(),
    propagationMs: 300_000,
    loginTimeoutMs: 5_000,
    ...changes,
  };
  return verifyAccess(wish, ports, signal);
}

describe('a user whose chain is whole', () => {
  it('is proven as its workload, by one AssumeRole and one login', async () => {
    expect(await prove()).toMatchObject({
      status: 'True',
      reason: 'Verified',
      verifiedAs: workload,
    });
    expect(aws.calls.map(({ action }) => action)).toEqual(['AssumeRole']);
    expect(heard).toEqual([
      expect.objectContaining({ service: 'sts', operation: 'AssumeRole', region, status: 200 }),
    ]);
    expect(gate.logins.at(-1)).toMatchObject({
      user: 'checkout',
      database: 'orders',
      tls: true,
      by: 'token',
      outcome: 'accepted',
    });
  });

  it('is proven with a session that could do nothing else, even where the role may', async () => {
    allow(workload, '*');
    await postgres.sql('CREATE ROLE other LOGIN; GRANT rds_iam TO other');
    expect((await prove()).status).toBe('True');
    expect(await prove({ username: 'other' })).toMatchObject({ status: 'False', reason: 'TokenRefused' });
    await postgres.sql('DROP ROLE other');
  });
});

describe('a broken link', () => {
  it('of the policy (another resource id) is TokenRefused, and mended it is True', async () => {
    allow(workload, arnOf('checkout', 'cluster-XYZ'));
    expect(await prove()).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringContaining('PolicyReady') as unknown,
    });
    allow(workload, arnOf('checkout'));
    expect((await prove()).status).toBe('True');
  });

  it('of the policy right after a change is Propagating', async () => {
    allow(workload, arnOf('somebody'));
    expect(await prove({ changedAt: Date.now() - 2_000 })).toMatchObject({
      status: 'Unknown',
      reason: 'Propagating',
    });
  });

  it('of the server (IAM authentication off) names that', async () => {
    gate.setModes({ iamAuthentication: 'off' });
    expect(await prove({ changedAt: Date.now() })).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringContaining('TargetResolved') as unknown,
    });
  });

  it('of the role (no rds_iam) names that', async () => {
    await postgres.sql('REVOKE rds_iam FROM checkout');
    const verdict = await prove();
    await postgres.sql('GRANT rds_iam TO checkout');
    expect(verdict).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringContaining('RoleReady') as unknown,
    });
  });

  it('of the role (NOLOGIN) is LoginForbidden', async () => {
    await postgres.sql('ALTER ROLE checkout NOLOGIN');
    const verdict = await prove();
    await postgres.sql('ALTER ROLE checkout LOGIN');
    expect(verdict).toMatchObject({ status: 'False', reason: 'LoginForbidden' });
  });

  it('of the role (another role at login) is WrongIdentity', async () => {
    await postgres.sql('CREATE ROLE shadow; GRANT shadow TO checkout; ALTER ROLE checkout SET role = shadow');
    const verdict = await prove();
    await postgres.sql('ALTER ROLE checkout RESET role; DROP ROLE shadow');
    expect(verdict).toMatchObject({ status: 'False', reason: 'WrongIdentity' });
    expect(verdict.message).not.toContain('shadow');
  });

  it('of trust (other roots) is CertificateRejected, and no token is sent', async () => {
    const before = gate.logins.length;
    const others = await createRdsTrust(region, 2);
    expect(await prove({ ca: others.roots.join('') })).toMatchObject({
      status: 'False',
      reason: 'CertificateRejected',
    });
    expect(gate.logins).toHaveLength(before);
  });

  it('of trust (another name) is CertificateRejected', async () => {
    const elsewhere = `billing.cluster-cabcdefghijk.${region}.rds.amazonaws.com`;
    expect(await prove({ endpoint: elsewhere })).toMatchObject({
      status: 'False',
      reason: 'CertificateRejected',
    });
  });

  it('of the network is Unreachable, and recovers', async () => {
    await gate.close();
    const verdict = await prove();
    await gate.open();
    expect(verdict).toMatchObject({ status: 'False', reason: 'Unreachable' });
    expect((await prove({ dial: { host: '127.0.0.1', port: gate.port } })).status).toBe('True');
  });
});

const closedOnly = () => [{ roleARN: closed, resourceARNs: [arnOf('checkout')] }];

describe('a role that the operator may not assume', () => {
  it('leaves the user unproven, with a statement that mends it when pasted', async () => {
    const verdict = await prove({ principals: closedOnly() });
    expect(verdict).toMatchObject({ status: 'Unknown', reason: 'NotProven' });
    const statement: unknown = JSON.parse(/\{.*\}/.exec(verdict.message)?.[0] ?? '');

    const mended = aws.createRole({
      name: 'payments-mended',
      trustPolicy: { Version: '2012-10-17', Statement: [statement] },
    });
    allow(mended.arn, arnOf('checkout'));
    const again = [{ roleARN: mended.arn, resourceARNs: [arnOf('checkout')] }];
    expect((await prove({ principals: again })).status).toBe('True');
  });

  it('lets the operator prove the side of the server, where that is allowed and it may', async () => {
    const wish = { principals: closedOnly(), operatorProofAllowed: true };
    expect(await prove(wish)).toMatchObject({ status: 'Unknown', reason: 'NotProven' });
    allow(operatorARN, arnOf('checkout'));
    expect(await prove(wish)).toMatchObject({
      status: 'Unknown',
      reason: 'ProvenAsOperator',
      verifiedAs: operatorARN,
    });
  });

  it.each([
    ['Throttling', 'Throttled'],
    ['ServiceUnavailable', 'AwsUnavailable'],
    ['ExpiredToken', 'AccessDenied'],
  ] as const)('is not the same as STS that answers %s', async (error, reason) => {
    aws.faults.add({ service: 'sts', action: 'AssumeRole', error });
    const before = gate.logins.length;
    expect(await prove({ operatorProofAllowed: true })).toMatchObject({ status: 'Unknown', reason });
    expect(gate.logins).toHaveLength(before);
  });
});
