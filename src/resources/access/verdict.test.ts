import { describe, expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import {
  afterLogins,
  type AccessWish,
  assumeStatement,
  judgeLogin,
  judgeRefusedLogin,
  nobody,
  notAssumable,
  notEvenTried,
  operatorNotAllowed,
  outOfTime,
  proven,
  provenAsOperator,
  sessionName,
  sessionPolicy,
} from './verdict.ts';

const roleARN = 'arn:aws:iam::111122223333:role/checkout';
const userARN = 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABC/checkout';
const wish: AccessWish = {
  as: 'Auto',
  operatorProofAllowed: false,
  principals: [{ roleARN, resourceARNs: [userARN] }],
  endpoint: 'orders.cluster-abc.eu-west-1.rds.amazonaws.com',
  port: 5432,
  region: 'eu-west-1',
  database: 'postgres',
  username: 'checkout',
  ca: 'PEM',
  now: 1_000_000,
  propagationMs: 300_000,
  loginTimeoutMs: 5_000,
};
const failed = (reason: ConstructorParameters<typeof Failure>[1], sqlState?: string) => ({
  failure: new Failure('denied', reason, `about ${reason}`),
  sqlState,
});

describe('the verdict on a user', () => {
  it.each([
    [nobody, 'NotProven', 'No login is tried, because spec.probe.as is Nobody.', undefined],
    [
      operatorNotAllowed,
      'NotProven',
      'spec.probe.as is Operator, but the operator is not set up to log in with its own identity; use Auto or Workload, or ask the platform team to allow it.',
      undefined,
    ],
    [outOfTime, 'Progressing', 'The login did not end before the pass did; it is tried again.', 1_000],
    [proven([]), 'NotProven', 'There is no principal to log in as.', undefined],
    [
      notAssumable([roleARN], undefined),
      'NotProven',
      `The operator may not assume ${roleARN}, so nobody has logged in as it. For a proof add to the role's trust policy: {"Effect":"Allow","Principal":{"AWS":"<ARN of the operator's role>"},"Action":["sts:AssumeRole","sts:TagSession"]} and let that principal's own policy allow sts:AssumeRole and sts:TagSession on it; or set spec.probe.as to Nobody to say that this is meant.`,
      undefined,
    ],
    [
      provenAsOperator({ as: 'operator' }),
      'ProvenAsOperator',
      "The operator itself could log in as this user: the server's side holds. For a proof of the policies let the trust policy of the principal name the operator's role.",
      undefined,
    ],
  ] as const)('is open where nothing was proven: %o', (verdict, reason, message, retryAfterMs) => {
    expect(verdict).toMatchObject({ status: 'Unknown', reason, message });
    expect(verdict.retryAfterMs).toBe(retryAfterMs);
  });

  it('names the first of the roles that cannot be assumed, and counts the others', () => {
    expect(notAssumable([roleARN, 'b', 'c'], undefined).message).toContain(
      `assume ${roleARN} (and 2 more), so`,
    );
  });

  it('is good with as many logins as there are principals', () => {
    expect(proven([{ as: roleARN }])).toEqual({
      status: 'True',
      reason: 'Verified',
      message: 'A login with a fresh token as the principal was answered with this user name.',
      verifiedAs: roleARN,
    });
    expect(proven([{ as: roleARN }, { as: 'b' }, { as: 'c' }])).toEqual({
      status: 'True',
      reason: 'Verified',
      message: 'Logins with fresh tokens as each of the principals were answered with this user name.',
      verifiedAs: `${roleARN} and 2 more`,
    });
  });

  it('is the failure itself where nobody could try, and comes again when AWS says so', () => {
    const failure = new Failure('throttled', 'Throttled', 'slow down');
    expect(notEvenTried(failure)).toEqual({
      status: 'Unknown',
      reason: 'Throttled',
      message: 'slow down',
      retryAfterMs: 5_000,
      failure,
    });
    const later = new Failure('throttled', 'Throttled', 'slow down', { retryAfterMs: 70_000 });
    expect(notEvenTried(later).retryAfterMs).toBe(70_000);
  });
});

/** Until a database that may sleep is woken to hear it again. */
const hour = 3_600_000;
const day = 24 * hour;

describe('a principal that nobody could log in as', () => {
  it.each([
    ['NotTrusted', 1, day],
    ['NotProven', 2, day],
    ['NotTrusted', 0, undefined],
    ['NotProven', 0, undefined],
    ['Throttled', 1, undefined],
  ] as const)('(%s) after %i logins wakes no database for %s ms', (reason, logins, restMs) => {
    const verdict = { status: 'Unknown', reason, message: 'No.' } as const;
    expect(afterLogins(verdict, logins).restMs).toBe(restMs);
  });
});

describe('a login', () => {
  it('is proof only where both names are the user', () => {
    expect(judgeLogin(wish, 'me', { currentUser: 'checkout', sessionUser: 'checkout' })).toEqual({
      as: 'me',
    });
    for (const answer of [
      { currentUser: 'other', sessionUser: 'checkout' },
      { currentUser: 'checkout', sessionUser: 'other' },
    ]) {
      expect(judgeLogin(wish, 'me', answer)).toEqual({
        status: 'False',
        reason: 'WrongIdentity',
        message:
          'The login as checkout was answered with another user name. Look for a role setting (ALTER ROLE "checkout" RESET role) and for a proxy that maps users.',
        retryAfterMs: 30_000,
        restMs: day,
      });
    }
  });

  it.each([
    [
      'the server asked for a password',
      wish,
      'me',
      failed('TokenRefused', '28P01'),
      'False',
      'TokenRefused',
      'The database asked for a password instead of judging the token: IAM authentication is off on the server (TargetResolved), or the role checkout is missing or not a member of rds_iam (RoleReady).',
      15_000,
      day,
    ],
    [
      'the token was refused long after the change',
      { ...wish, changedAt: wish.now - 300_000 },
      roleARN,
      failed('TokenRefused', '28000'),
      'False',
      'TokenRefused',
      `The database knows checkout as an IAM user and refused the token of ${roleARN}. Look at PolicyReady first (the ARN must name this server's resource id, region, account and user), then at permission boundaries, explicit denies and SCPs of the role.`,
      15_000,
      day,
    ],
    [
      'the token was refused, and nothing is known of a change',
      wish,
      roleARN,
      failed('TokenRefused', undefined),
      'False',
      'TokenRefused',
      `The database knows checkout as an IAM user and refused the token of ${roleARN}. Look at PolicyReady first (the ARN must name this server's resource id, region, account and user), then at permission boundaries, explicit denies and SCPs of the role.`,
      15_000,
      day,
    ],
    [
      'the token was refused right after the change',
      { ...wish, changedAt: wish.now - 20_000 },
      roleARN,
      failed('TokenRefused', '28000'),
      'Unknown',
      'Propagating',
      'The database does not honour the changed policy yet; that takes seconds, sometimes minutes.',
      10_000,
      undefined,
    ],
    [
      "the operator's own token was refused",
      wish,
      'operator',
      failed('TokenRefused', '28000'),
      'Unknown',
      'NotProven',
      `The database refused the operator's own token, which says nothing about the workload. The operator needs rds-db:connect on ${userARN}.`,
      60_000,
      day,
    ],
    [
      "the operator's own token was refused, and there is no principal",
      { ...wish, principals: [] },
      'operator',
      failed('TokenRefused', undefined),
      'Unknown',
      'NotProven',
      "The database refused the operator's own token, which says nothing about the workload. The operator needs rds-db:connect on the user.",
      60_000,
      day,
    ],
    [
      'the certificate was wrong',
      wish,
      'me',
      failed('CertificateRejected'),
      'False',
      'CertificateRejected',
      'about CertificateRejected',
      30_000,
      hour,
    ],
    [
      'the user was not let in',
      wish,
      'me',
      failed('LoginForbidden'),
      'False',
      'LoginForbidden',
      'about LoginForbidden',
      30_000,
      day,
    ],
    [
      'the user, or the server, has no connection to spare just now',
      wish,
      'me',
      failed('LoginForbidden', '53300'),
      'False',
      'LoginForbidden',
      'about LoginForbidden',
      30_000,
      undefined,
    ],
    [
      'nobody answered',
      wish,
      'me',
      failed('Unreachable'),
      'False',
      'Unreachable',
      'about Unreachable',
      10_000,
      undefined,
    ],
    [
      'the server was not taking logins',
      wish,
      'me',
      failed('DatabaseUnavailable'),
      'False',
      'Unreachable',
      'about DatabaseUnavailable',
      10_000,
      undefined,
    ],
  ] as const)(
    'that failed is told apart, and by whether it lasts: %s',
    (_, desired, as, login, status, reason, message, retryAfterMs, restMs) => {
      expect(judgeRefusedLogin(desired, as, login)).toEqual({
        status,
        reason,
        message,
        retryAfterMs,
        ...(restMs === undefined ? {} : { restMs }),
        failure: login.failure,
      });
    },
  );
});

describe('the session for a proof', () => {
  it('may log in as this user and do nothing else', () => {
    expect(JSON.parse(sessionPolicy([userARN]))).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: [userARN] }],
    });
  });

  it.each([
    ['checkout', 'iamdb-checkout'],
    ['a+b=c,d.e@f-g_h', 'iamdb-a+b=c,d.e@f-g_h'],
    ['a b/c', 'iamdb-a-b-c'],
    ['x'.repeat(80), `iamdb-${'x'.repeat(58)}`],
  ])('is named after the user as STS allows it: %s', (username, name) => {
    expect(sessionName(username)).toBe(name);
  });
});

describe('the statement that lets the operator assume a role', () => {
  const principal = (callerARN: string | undefined) => {
    const statement = JSON.parse(assumeStatement(callerARN)) as { readonly Principal: unknown };
    return statement.Principal;
  };
  const nobodyKnown = { AWS: "<ARN of the operator's role>" };

  it.each([
    [
      'arn:aws:sts::111122223333:assumed-role/iamdb-operator/pod-1',
      'arn:aws:iam::111122223333:role/iamdb-operator',
    ],
    ['arn:aws-cn:sts::111122223333:assumed-role/iamdb/pod-1', 'arn:aws-cn:iam::111122223333:role/iamdb'],
    ['arn:aws:iam::111122223333:user/team/iamdb', 'arn:aws:iam::111122223333:user/team/iamdb'],
    ['arn:aws-us-gov:iam::111122223333:role/iamdb', 'arn:aws-us-gov:iam::111122223333:role/iamdb'],
  ])('names the role behind %s', (callerARN, named) => {
    expect(principal(callerARN)).toEqual({ AWS: named });
  });

  it.each([
    undefined,
    'xarn:aws:sts::111122223333:assumed-role/iamdb/pod-1',
    'arn:aws:sts::111122223333:assumed-role/iamdb/pod-1 x',
    'arn:aws:sts::11112222333:assumed-role/iamdb/pod-1',
    'arn:aws:sts::111122223333:assumed-role//pod-1',
    'arn:aws:sts::111122223333:assumed-role/iamdb/',
    'arn:evil:sts::111122223333:assumed-role/iamdb/pod-1',
    'xarn:aws:iam::111122223333:user/iamdb',
    'arn:aws:iam::111122223333:user/iamdb"',
    'arn:aws:iam::111122223333:group/iamdb',
    'arn:aws:iam::11112222333:user/iamdb',
    'arn:aws:iam::111122223333:user/',
  ])('names nobody for what is no identity: %s', (callerARN) => {
    expect(principal(callerARN)).toEqual(nobodyKnown);
  });

  it('asks for the external id where there is one', () => {
    const caller = 'arn:aws:iam::111122223333:role/iamdb';
    expect(JSON.parse(assumeStatement(caller, 'id-1'))).toEqual({
      Effect: 'Allow',
      Principal: { AWS: caller },
      Action: ['sts:AssumeRole', 'sts:TagSession'],
      Condition: { StringEquals: { 'sts:ExternalId': 'id-1' } },
    });
    expect(JSON.parse(assumeStatement(caller))).not.toHaveProperty('Condition');
  });
});
