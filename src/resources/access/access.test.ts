import { describe, expect, it } from 'vitest';
import type { Reason } from '../../api/conditions.ts';
import { Failure, type FailureKind } from '../../kernel/failure.ts';
import { Secret } from '../../kernel/secret.ts';
import { type AccessPorts, type LoginRequest, verifyAccess } from './access.ts';
import type { AccessWish } from './verdict.ts';

const { signal } = new AbortController();
const endpoint = 'orders.cluster-abc.ap-northeast-2.rds.amazonaws.com';
const checkout = 'arn:aws:iam::111122223333:role/payments-checkout';
const refunds = 'arn:aws:iam::111122223333:role/payments-refunds';
const userARN = 'arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:cluster-ABC/payments_checkout';
const now = 1_800_000_000_000;

const wish: AccessWish = {
  as: 'Auto',
  operatorProofAllowed: false,
  principals: [{ roleARN: checkout, resourceARNs: [userARN] }],
  endpoint,
  port: 5432,
  region: 'ap-northeast-2',
  database: 'orders',
  username: 'payments_checkout',
  ca: 'the roots',
  changedAt: undefined,
  now,
  propagationMs: 300_000,
  loginTimeoutMs: 5_000,
};
const both = { principals: [...wish.principals, { roleARN: refunds, resourceARNs: [userARN] }] };

const byToken = {
  roleARN: refunds,
  resourceARNs: [userARN],
  serviceAccount: { namespace: 'payments', name: 'refunds' },
};
const podsOfRefunds = {
  namespace: 'payments',
  serviceAccount: 'refunds',
  roleARN: refunds,
  hasSessionTags: true,
};

interface Play {
  /** Roles that may be assumed; all by default. */
  readonly open?: readonly string[];
  readonly assumeFails?: Failure;
  /** By whose token it is: a role, or `operator`. */
  readonly refuses?: Readonly<Record<string, Error>>;
  readonly answersAs?: string;
  readonly sessionAs?: string;
  readonly callerARN?: string;
  /** What STS says to a ServiceAccount's token. */
  readonly webIdentityFails?: Failure;
  readonly tokenFails?: Failure;
  readonly trust?: string;
}

const jwt = (claims: object) =>
  ['{}', JSON.stringify(claims), 'signed'].map((part) => Buffer.from(part).toString('base64url')).join('.');
const identity = { iss: 'https://oidc.eks.test/id/ABC', sub: 'system:serviceaccount:payments:checkout' };

function world(play: Play = {}): AccessPorts & {
  assumed: Parameters<AccessPorts['assumeRole']>[0][];
  logins: LoginRequest[];
} {
  const assumed: Parameters<AccessPorts['assumeRole']>[0][] = [];
  const logins: LoginRequest[] = [];
  return {
    assumed,
    logins,
    assumeRole: (request) => {
      assumed.push(request);
      if (play.assumeFails !== undefined) return Promise.reject(play.assumeFails);
      if (play.open !== undefined && !play.open.includes(request.roleARN)) {
        return Promise.reject(new Failure('denied', 'AccessDenied', 'refused'));
      }
      return Promise.resolve(
        new Secret({ accessKeyId: request.roleARN, secretAccessKey: 's', sessionToken: 't' }),
      );
    },
    requestToken: () =>
      play.tokenFails === undefined
        ? Promise.resolve(new Secret(jwt(identity)))
        : Promise.reject(play.tokenFails),
    assumeRoleWithWebIdentity: ({ token, ...request }) => {
      assumed.push(request);
      if (play.webIdentityFails !== undefined) return Promise.reject(play.webIdentityFails);
      const accessKeyId = `${request.roleARN}+${token.reveal().length}`;
      return Promise.resolve(new Secret({ accessKeyId, secretAccessKey: 's', sessionToken: 't' }));
    },
    trustPolicy: () => Promise.resolve(play.trust),
    callerARN: () =>
      play.callerARN === undefined
        ? Promise.reject(new Failure('unavailable', 'AwsUnavailable', 'no answer'))
        : Promise.resolve(play.callerARN),
    signToken: ({ credentials, host, username }) =>
      Promise.resolve(new Secret(`${credentials.reveal().accessKeyId} ${username}@${host}`)),
    operatorToken: ({ host, username }) => Promise.resolve(new Secret(`operator ${username}@${host}`)),
    login: (request) => {
      logins.push(request);
      const by = request.password.reveal().split(' ')[0] ?? '';
      const refusal = play.refuses?.[by];
      if (refusal !== undefined) return Promise.reject(refusal);
      return Promise.resolve({
        currentUser: play.answersAs ?? request.username,
        sessionUser: play.sessionAs ?? request.username,
      });
    },
  };
}

function loginFailure(reason: Reason, sqlState?: string, kind: FailureKind = 'denied'): Failure {
  return Object.assign(new Failure(kind, reason, `about ${reason}`), { sqlState });
}
const refused = loginFailure('TokenRefused', '28000');

describe('a proof by ServiceAccount', () => {
  const serviceAccount = { namespace: 'payments', name: 'checkout' };
  const byAccount: AccessWish = {
    ...wish,
    principals: [{ roleARN: checkout, resourceARNs: [userARN], serviceAccount }],
  };
  const denied = new Failure('denied', 'AccessDenied', 'refused');

  it('is a login with what its token is worth, in a session that may do nothing else', async () => {
    const ports = world({ open: [] });
    expect(await verifyAccess(byAccount, ports, signal)).toMatchObject({
      status: 'True',
      verifiedAs: `${checkout} by ServiceAccount payments/checkout`,
    });
    expect(ports.logins[0]?.password.reveal()).toContain(`${checkout}+`);
    expect(ports.assumed[0]?.durationSeconds).toBe(900);
    expect(JSON.parse(ports.assumed[0]?.policy ?? '')).toMatchObject({
      Statement: [{ Action: 'rds-db:connect', Resource: [userARN] }],
    });
  });

  it('that STS refuses is NotTrusted, with the statement to paste; the operator does not step in', async () => {
    const ports = world({ webIdentityFails: denied, trust: '{}', callerARN: 'arn:operator' });
    const verdict = await verifyAccess({ ...byAccount, operatorProofAllowed: true }, ports, signal);
    expect(verdict).toMatchObject({ status: 'False', reason: 'NotTrusted' });
    expect(JSON.parse(/\{.*\}/.exec(verdict.message)?.[0] ?? '')).toEqual({
      Effect: 'Allow',
      Principal: { Federated: 'arn:aws:iam::111122223333:oidc-provider/oidc.eks.test/id/ABC' },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          'oidc.eks.test/id/ABC:sub': identity.sub,
          'oidc.eks.test/id/ABC:aud': 'sts.amazonaws.com',
        },
      },
    });
    expect(ports.logins).toEqual([]);
  });

  it.each([
    ['of the API server', { tokenFails: new Failure('denied', 'KubernetesUnavailable', 'forbidden') }],
    ['of STS', { webIdentityFails: new Failure('unavailable', 'AwsUnavailable', 'no answer') }],
  ])('for want of an answer %s says nothing about the user', async (_, play) => {
    const [failure] = Object.values(play);
    expect(await verifyAccess(byAccount, world(play), signal)).toMatchObject({
      status: 'Unknown',
      reason: failure?.reason,
    });
  });
});

describe('a proof as the workload', () => {
  it('is a login with the role that the operator assumed, over verify-full to the endpoint', async () => {
    const ports = world();
    expect(await verifyAccess(wish, ports, signal)).toEqual({
      status: 'True',
      reason: 'Verified',
      message: expect.stringContaining('answered with this user name') as unknown,
      verifiedAs: checkout,
    });
    expect(ports.logins).toHaveLength(1);
    const [{ password, ...login } = { password: new Secret('') }] = ports.logins;
    expect(password.reveal()).toBe(`${checkout} payments_checkout@${endpoint}`);
    expect(login).toEqual({
      host: endpoint,
      port: 5432,
      database: 'orders',
      username: 'payments_checkout',
      ca: 'the roots',
      signal,
      timeoutMs: 5_000,
    });
  });

  it('assumes the role with a session that may only log in as this user, for the shortest time', async () => {
    const ports = world();
    await verifyAccess(wish, ports, signal);
    const [request] = ports.assumed;
    expect(request).toMatchObject({
      roleARN: checkout,
      region: 'ap-northeast-2',
      sessionName: 'iamdb-payments_checkout',
      durationSeconds: 900,
    });
    expect(JSON.parse(request?.policy ?? '')).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: [userARN] }],
    });
  });

  it('names its session as STS allows, however long the user name is', async () => {
    const ports = world();
    await verifyAccess({ ...wish, username: `a.b@c-${'x'.repeat(57)}` }, ports, signal);
    expect(ports.assumed[0]?.sessionName).toMatch(/^iamdb-a\.b@c-[\w+=,.@-]+$/);
    expect(ports.assumed[0]?.sessionName).toHaveLength(64);
  });

  it('dials elsewhere where told, with the name of the endpoint', async () => {
    const ports = world();
    const dial = { host: 'tunnel.internal', port: 6432 };
    await verifyAccess({ ...wish, dial }, ports, signal);
    expect(ports.logins[0]).toMatchObject({ host: endpoint, port: 5432, dial });
  });

  it('holds for every principal', async () => {
    const ports = world();
    const verdict = await verifyAccess({ ...wish, ...both }, ports, signal);
    expect(verdict).toMatchObject({ status: 'True', verifiedAs: `${checkout} and 1 more` });
    expect(ports.logins).toHaveLength(2);
  });

  it('fails with the principal that is refused, and names it', async () => {
    const ports = world({ refuses: { [refunds]: refused } });
    expect(await verifyAccess({ ...wish, ...both }, ports, signal)).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringContaining(refunds) as unknown,
    });
  });

  it('is not hidden by another principal that cannot be assumed', async () => {
    const ports = world({ open: [refunds], refuses: { [refunds]: refused } });
    expect(await verifyAccess({ ...wish, ...both }, ports, signal)).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
    });
  });

  it('is not claimed while one of the principals cannot be assumed', async () => {
    const ports = world({ open: [refunds] });
    expect(await verifyAccess({ ...wish, ...both }, ports, signal)).toMatchObject({
      status: 'Unknown',
      reason: 'NotProven',
      message: expect.stringContaining(checkout) as unknown,
    });
  });

  it.each<[string, AccessWish['principals'], Play, boolean]>([
    ['another cannot be assumed', both.principals, { open: [checkout] }, true],
    ['none can be assumed', both.principals, { open: [] }, false],
    [
      'the token of another is not taken',
      [...wish.principals, byToken],
      { webIdentityFails: new Failure('denied', 'AccessDenied', 'refused'), trust: '{}' },
      true,
    ],
    [
      'the pods of another get no role',
      [...wish.principals, { ...byToken, pods: { ...podsOfRefunds } }],
      { trust: '{}' },
      true,
    ],
  ])('tells whether a database was woken for it, where %s', async (_, principals, play, isWoken) => {
    const ports = world(play);
    const { status, restMs } = await verifyAccess({ ...wish, principals }, ports, signal);
    expect(status).not.toBe('True');
    expect(ports.logins.length > 0).toBe(isWoken);
    expect(restMs !== undefined).toBe(isWoken);
  });

  it('is not claimed where there is no principal', async () => {
    expect(await verifyAccess({ ...wish, principals: [] }, world(), signal)).toMatchObject({
      status: 'Unknown',
      reason: 'NotProven',
    });
  });

  it.each([
    ['Throttled', new Failure('throttled', 'Throttled', 'slow down', { retryAfterMs: 7_000 }), 7_000],
    ['AwsUnavailable', new Failure('unavailable', 'AwsUnavailable', 'no answer'), 5_000],
  ] as const)('says nothing while STS is %s, and tries again', async (reason, assumeFails, retryAfterMs) => {
    const verdict = await verifyAccess(
      { ...wish, operatorProofAllowed: true },
      world({ assumeFails }),
      signal,
    );
    expect(verdict).toMatchObject({ status: 'Unknown', reason, retryAfterMs });
  });
});

describe('a role that the operator may not assume', () => {
  const closed = { open: [], callerARN: 'arn:aws:sts::111122223333:assumed-role/iamdb-operator/pod-1' };

  it.each(['Auto', 'Workload'] as const)(
    'leaves the user unproven with %s, with the statement that would help',
    async (as) => {
      const verdict = await verifyAccess({ ...wish, as }, world(closed), signal);
      expect(verdict).toMatchObject({ status: 'Unknown', reason: 'NotProven' });
      expect(verdict.message).toContain(
        '{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/iamdb-operator"},"Action":["sts:AssumeRole","sts:TagSession"]}',
      );
      expect(verdict.message).toContain(checkout);
    },
  );

  it('is told without the name of the operator where AWS does not give it, or gives something else', async () => {
    for (const callerARN of [undefined, '<script>', 'arn:aws:sts::1:federated-user/x']) {
      const ports = world({ open: [], ...(callerARN === undefined ? {} : { callerARN }) });
      const { message } = await verifyAccess(wish, ports, signal);
      expect(message).toContain("<ARN of the operator's role>");
      expect(message).not.toContain('script');
    }
  });

  it('lets the operator try itself with Auto, where that is allowed', async () => {
    const ports = world(closed);
    expect(await verifyAccess({ ...wish, operatorProofAllowed: true }, ports, signal)).toMatchObject({
      status: 'Unknown',
      reason: 'ProvenAsOperator',
      verifiedAs: closed.callerARN,
    });
    expect(ports.logins.map(({ password }) => password.reveal().split(' ')[0])).toEqual(['operator']);
  });

  it('does not let it try with Workload', async () => {
    const ports = world(closed);
    const verdict = await verifyAccess(
      { ...wish, as: 'Workload', operatorProofAllowed: true },
      ports,
      signal,
    );
    expect(verdict.reason).toBe('NotProven');
    expect(ports.logins).toEqual([]);
  });
});

describe('a proof as the operator', () => {
  const operator: AccessWish = { ...wish, as: 'Operator', operatorProofAllowed: true };

  it('is not made where it is not allowed', async () => {
    const ports = world();
    expect(await verifyAccess({ ...operator, operatorProofAllowed: false }, ports, signal)).toMatchObject({
      status: 'Unknown',
      reason: 'NotProven',
    });
    expect(ports.logins).toEqual([]);
  });

  it('assumes nobody', async () => {
    const ports = world();
    expect((await verifyAccess(operator, ports, signal)).reason).toBe('ProvenAsOperator');
    expect(ports.assumed).toEqual([]);
  });

  it('says nothing of the workload when its own token is refused', async () => {
    expect(await verifyAccess(operator, world({ refuses: { operator: refused } }), signal)).toMatchObject({
      status: 'Unknown',
      reason: 'NotProven',
      message: expect.stringContaining(userARN) as unknown,
    });
  });

  it('still shows that the server is wrong', async () => {
    const refuses = { operator: loginFailure('TokenRefused', '28P01') };
    expect(await verifyAccess(operator, world({ refuses }), signal)).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringContaining('rds_iam') as unknown,
    });
  });
});

describe('nobody', () => {
  it('proves nothing and calls nobody', async () => {
    const ports = world();
    expect(await verifyAccess({ ...wish, as: 'Nobody' }, ports, signal)).toMatchObject({
      status: 'Unknown',
      reason: 'NotProven',
      message: expect.stringContaining('Nobody') as unknown,
    });
    expect([ports.assumed, ports.logins]).toEqual([[], []]);
  });
});

const refusing = () => world({ refuses: { [checkout]: refused } });

describe('a refused token', () => {
  it.each([0, 1_000, 299_999])('may be propagation %i ms after a change', async (age) => {
    const verdict = await verifyAccess({ ...wish, changedAt: now - age }, refusing(), signal);
    expect(verdict).toMatchObject({ status: 'Unknown', reason: 'Propagating' });
    expect(verdict.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(verdict.retryAfterMs).toBeLessThanOrEqual(15_000);
  });

  it.each([300_000, 3_600_000, undefined])('is False %s ms after a change', async (age) => {
    const changedAt = age === undefined ? undefined : now - age;
    expect(await verifyAccess({ ...wish, changedAt }, refusing(), signal)).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringContaining('PolicyReady') as unknown,
    });
  });

  it('is asked about less and less often', async () => {
    const waits = [1_000, 10_000, 20_000, 200_000].map(async (age) => {
      const verdict = await verifyAccess({ ...wish, changedAt: now - age }, refusing(), signal);
      return verdict.retryAfterMs;
    });
    expect(await Promise.all(waits)).toEqual([1_000, 5_000, 10_000, 15_000]);
  });

  it('is propagation for as long as the setting says', async () => {
    const quick = { ...wish, changedAt: now - 3_000, propagationMs: 3_000 };
    expect((await verifyAccess(quick, refusing(), signal)).status).toBe('False');
    const patient = { ...quick, propagationMs: 3_001 };
    expect((await verifyAccess(patient, refusing(), signal)).status).toBe('Unknown');
  });

  it('is no propagation when the server never asked IAM', async () => {
    const refuses = { [checkout]: loginFailure('TokenRefused', '28P01') };
    expect(await verifyAccess({ ...wish, changedAt: now }, world({ refuses }), signal)).toMatchObject({
      status: 'False',
      reason: 'TokenRefused',
      message: expect.stringMatching(/TargetResolved.*RoleReady/) as unknown,
    });
  });
});

describe('another end of the login', () => {
  it.each([
    ['CertificateRejected', 'False', 'CertificateRejected'],
    ['LoginForbidden', 'False', 'LoginForbidden'],
    ['Unreachable', 'False', 'Unreachable'],
    ['DatabaseUnavailable', 'False', 'Unreachable'],
    ['Throttled', 'Unknown', 'Throttled'],
    ['InternalError', 'Unknown', 'InternalError'],
  ] as const)('%s is %s/%s', async (reason, status, told) => {
    const refuses = { [checkout]: loginFailure(reason) };
    const verdict = await verifyAccess({ ...wish, changedAt: now }, world({ refuses }), signal);
    expect(verdict).toMatchObject({ status, reason: told, message: `about ${reason}` });
    expect(verdict.retryAfterMs).toBeGreaterThan(0);
    expect(verdict.failure?.reason).toBe(reason);
  });

  it.each([{ answersAs: 'evil<script>' }, { sessionAs: 'evil<script>' }])(
    'with another name than the user is WrongIdentity, and the name is not shown: %o',
    async (play) => {
      const verdict = await verifyAccess(wish, world(play), signal);
      expect(verdict).toMatchObject({ status: 'False', reason: 'WrongIdentity' });
      expect(verdict.message).not.toContain('evil');
    },
  );

  it('that nobody foresaw shows nothing of what was thrown', async () => {
    const refuses = { [checkout]: new Error('password token-of-the-day') };
    const verdict = await verifyAccess(wish, world({ refuses }), signal);
    expect(verdict).toMatchObject({ status: 'Unknown', reason: 'InternalError' });
    expect(verdict.message).not.toContain('token-of-the-day');
  });

  it('with the end of the pass is tried again soon, and blames nobody', async () => {
    const pass = new AbortController();
    const ports: AccessPorts = {
      ...world(),
      login: () => {
        pass.abort();
        return Promise.reject(loginFailure('Unreachable'));
      },
    };
    expect(await verifyAccess(wish, ports, pass.signal)).toMatchObject({
      status: 'Unknown',
      reason: 'Progressing',
    });
  });
});

describe('the pods of a ServiceAccount that EKS gives the role', () => {
  const pods = { namespace: 'payments', serviceAccount: 'checkout', roleARN: checkout, hasSessionTags: true };
  const byPods = { ...wish, principals: [{ roleARN: checkout, resourceARNs: [userARN], pods }] };
  const trust = (action: unknown, service = 'pods.eks.amazonaws.com', effect = 'Allow') =>
    JSON.stringify({
      Statement: [
        { Effect: 'Allow', Principal: { Service: service }, Action: action },
        ...(effect === 'Deny' ? [{ Effect: 'Deny', Principal: '*', Action: action }] : []),
      ],
    });
  const both = ['sts:AssumeRole', 'sts:TagSession'];

  it.each([
    ['another service', trust(both, 'ec2.amazonaws.com'), 'does not let pods.eks.amazonaws.com assume it'],
    ['no tags', trust('sts:AssumeRole'), 'does not allow sts:TagSession'],
    ['a denial', trust(both, undefined, 'Deny'), 'denies it explicitly'],
  ])('do not get it where its trust policy has %s, and nobody logs in', async (_, document, said) => {
    const ports = world({ trust: document });
    const verdict = await verifyAccess(byPods, ports, signal);
    expect(verdict).toMatchObject({ status: 'False', reason: 'NotTrusted' });
    expect(verdict.message).toContain(said);
    expect(verdict.message).toContain('"aws:RequestTag/kubernetes-service-account":"checkout"');
    expect(ports.assumed).toEqual([]);
  });

  it.each([
    ['that fits', trust(both)],
    ['that cannot be read', undefined],
  ])('are proven by the operator in that role, with a trust policy %s', async (_, document) => {
    const ports = world(document === undefined ? {} : { trust: document });
    const verdict = await verifyAccess(byPods, ports, signal);
    expect(verdict).toMatchObject({ status: 'True', verifiedAs: checkout });
    expect(ports.assumed.map(({ roleARN }) => roleARN)).toEqual([checkout]);
  });

  it('are not proven where the operator may not assume it, which accuses nobody', async () => {
    const verdict = await verifyAccess(byPods, world({ open: [], trust: trust(both) }), signal);
    expect(verdict).toMatchObject({ status: 'Unknown', reason: 'NotProven' });
  });
});
