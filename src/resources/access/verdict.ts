// The verdicts of the access proof: what each outcome of a login means, and which link of the chain to look at next.
import type { ConditionStatus, Reason } from '../../api/conditions.ts';
import type { UserSpec } from '../../api/schema.ts';
import type { Failure } from '../../kernel/failure.ts';
import type { Pods } from './pod-trust.ts';

export interface AccessWish {
  readonly as: UserSpec['probe']['as'];
  /** Whether the operator may log in with its own identity: a setting, off by default. */
  readonly operatorProofAllowed: boolean;
  readonly principals: readonly AccessPrincipal[];
  /** The real endpoint: TLS name and token host. */
  readonly endpoint: string;
  readonly port: number;
  /** Where to dial instead. */
  readonly dial?: { readonly host: string; readonly port: number };
  readonly region: string;
  readonly database: string;
  readonly username: string;
  /** PEM of the region's roots. */
  readonly ca: string;
  /** When the policy last changed, milliseconds since 1970. */
  readonly changedAt?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How long after a change a refused token may still be propagation; 300,000 on AWS. */
  readonly propagationMs: number;
  readonly loginTimeoutMs: number;
}

export interface AccessPrincipal {
  readonly roleARN: string;
  readonly resourceARNs: readonly string[];
  /** By whose token the role may be assumed for the proof. */
  readonly serviceAccount?: ServiceAccountName;
  /** Whose pods EKS gives the role. Only they get it that way, so the operator has to assume it for the proof. */
  readonly pods?: Pods;
}

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

export interface AccessVerdict {
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
  readonly verifiedAs?: string;
  /** When to try again, where the usual interval is too long; in the time of AWS, which tests may scale. */
  readonly retryAfterMs?: number;
  /**
   * How long at most a database that may sleep is not woken to hear the same again while nothing is changed. Absent where no login
   * was answered, and where the answer passes soon by itself.
   */
  readonly restMs?: number;
  /** For the log. */
  readonly failure?: Failure;
}

export interface ProvenPrincipal {
  readonly as: string;
}

/**
 * Mended by a person, who can ask for another look; within a day all the same, as IAM, or whoever keeps the role or the
 * policy, may be late.
 */
const mendedByPeopleMs = 86_400_000;
/** AWS renews certificates by itself, and a TLS handshake may fail once for another reason. */
export const certificateRestMs = 3_600_000;

export const nobody: AccessVerdict = {
  status: 'Unknown',
  reason: 'NotProven',
  message: 'No login is tried, because spec.probe.as is Nobody.',
};

export const operatorNotAllowed: AccessVerdict = {
  status: 'Unknown',
  reason: 'NotProven',
  message:
    'spec.probe.as is Operator, but the operator is not set up to log in with its own identity; use Auto or Workload, or ask the platform team to allow it.',
};

export const outOfTime: AccessVerdict = {
  status: 'Unknown',
  reason: 'Progressing',
  message: 'The login did not end before the pass did; it is tried again.',
  retryAfterMs: 1_000,
};

/** [\w+=,.@-], 64 characters at most (STS); all characters of a user name are among them. */
export function sessionName(username: string): string {
  return `iamdb-${username.replaceAll(/[^\w+=,.@-]/g, '-')}`.slice(0, 64);
}

/** Whatever else the role may do, these credentials may only log in as this user. */
export function sessionPolicy(resourceARNs: readonly string[]): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: resourceARNs }],
  });
}

export function proven(principals: readonly ProvenPrincipal[]): AccessVerdict {
  const [first] = principals;
  if (first === undefined) {
    return { status: 'Unknown', reason: 'NotProven', message: 'There is no principal to log in as.' };
  }
  const others = principals.length - 1;
  return {
    status: 'True',
    reason: 'Verified',
    message:
      others === 0
        ? 'A login with a fresh token as the principal was answered with this user name.'
        : 'Logins with fresh tokens as each of the principals were answered with this user name.',
    verifiedAs: others === 0 ? first.as : `${first.as} and ${others} more`,
  };
}

export function provenAsOperator({ as }: ProvenPrincipal): AccessVerdict {
  return {
    status: 'Unknown',
    reason: 'ProvenAsOperator',
    message:
      "The operator itself could log in as this user: the server's side holds. For a proof of the policies let the trust policy of the principal name the operator's role.",
    verifiedAs: as,
  };
}

export function notAssumable(roleARNs: readonly string[], callerARN: string | undefined): AccessVerdict {
  const [first = '', ...others] = roleARNs;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return {
    status: 'Unknown',
    reason: 'NotProven',
    message: `The operator may not assume ${first}${more}, so nobody has logged in as it. For a proof add to the role's trust policy: ${assumeStatement(callerARN)} and let that principal's own policy allow sts:AssumeRole and sts:TagSession on it; or set spec.probe.as to Nobody to say that this is meant.`,
  };
}

/** One that speaks of a principal that nobody could log in as, after others have: they would log in again each time. */
export const afterLogins = (verdict: AccessVerdict, logins: number): AccessVerdict =>
  logins > 0 && (verdict.reason === 'NotProven' || verdict.reason === 'NotTrusted')
    ? { ...verdict, restMs: mendedByPeopleMs }
    : verdict;

/** What a trust policy has to hold, so that the caller may assume the role; with EKS Pod Identity its session has tags. */
export const assumeStatement = (callerARN: string | undefined, externalID?: string): string =>
  JSON.stringify({
    Effect: 'Allow',
    Principal: { AWS: roleOf(callerARN) ?? "<ARN of the operator's role>" },
    Action: ['sts:AssumeRole', 'sts:TagSession'],
    ...(externalID === undefined ? {} : { Condition: { StringEquals: { 'sts:ExternalId': externalID } } }),
  });

/** The role behind a session (its path is not in the session's ARN), or the user itself. */
function roleOf(callerARN: string | undefined): string | undefined {
  const [, partition, account, role] =
    /^arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role\/([\w+=,.@-]+)\/[\w+=,.@-]+$/.exec(callerARN ?? '') ??
    [];
  if (partition !== undefined) return `arn:${partition}:iam::${account}:role/${role}`;
  return /^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)\/[\w+=,.@/-]+$/.exec(callerARN ?? '')?.[0];
}

/** No login took place, so nothing is known about the chain. */
export function notEvenTried(failure: Failure): AccessVerdict {
  return {
    status: 'Unknown',
    reason: failure.reason,
    message: failure.message,
    retryAfterMs: failure.retryAfterMs ?? 5_000,
    failure,
  };
}

/** What is known of a login that failed. */
export interface FailedLogin {
  readonly failure: Failure;
  readonly sqlState: string | undefined;
}

export function loginFacts(failure: Failure & { readonly sqlState?: unknown }): FailedLogin {
  return { failure, sqlState: typeof failure.sqlState === 'string' ? failure.sqlState : undefined };
}

/** The login went through: as whom? Neither name is shown, because the server chose them. */
export function judgeLogin(
  wish: AccessWish,
  as: string,
  answer: { readonly currentUser: string; readonly sessionUser: string },
): ProvenPrincipal | AccessVerdict {
  if (answer.currentUser !== wish.username || answer.sessionUser !== wish.username) {
    return {
      status: 'False',
      reason: 'WrongIdentity',
      message: `The login as ${wish.username} was answered with another user name. Look for a role setting (ALTER ROLE "${wish.username}" RESET role) and for a proxy that maps users.`,
      retryAfterMs: 30_000,
      restMs: mendedByPeopleMs,
    };
  }
  return { as };
}

export function judgeRefusedLogin(
  wish: AccessWish,
  as: string,
  { failure, sqlState }: FailedLogin,
): AccessVerdict {
  const { reason, message } = failure;
  if (reason === 'TokenRefused') {
    return sqlState === '28P01' ? notJudged(wish, failure) : tokenRefused(wish, as, failure);
  }
  if (reason === 'CertificateRejected') {
    return { status: 'False', reason, message, retryAfterMs: 30_000, restMs: certificateRestMs, failure };
  }
  if (reason === 'LoginForbidden') {
    // Class 53: too many connections just now, which is no sleep either.
    const rest = sqlState?.startsWith('53') === true ? {} : { restMs: mendedByPeopleMs };
    return { status: 'False', reason, message, retryAfterMs: 30_000, ...rest, failure };
  }
  if (reason === 'Unreachable' || reason === 'DatabaseUnavailable') {
    return { status: 'False', reason: 'Unreachable', message, retryAfterMs: 10_000, failure };
  }
  return notEvenTried(failure);
}

/** 28P01: the line of pg_hba that hands tokens to IAM did not match, so no policy has been looked at. */
function notJudged(wish: AccessWish, failure: Failure): AccessVerdict {
  return {
    status: 'False',
    reason: 'TokenRefused',
    message: `The database asked for a password instead of judging the token: IAM authentication is off on the server (TargetResolved), or the role ${wish.username} is missing or not a member of rds_iam (RoleReady).`,
    retryAfterMs: 15_000,
    restMs: mendedByPeopleMs,
    failure,
  };
}

function tokenRefused(wish: AccessWish, as: string, failure: Failure): AccessVerdict {
  const age = wish.changedAt === undefined ? undefined : wish.now - wish.changedAt;
  if (age !== undefined && age < wish.propagationMs) {
    return {
      status: 'Unknown',
      reason: 'Propagating',
      message: 'The database does not honour the changed policy yet; that takes seconds, sometimes minutes.',
      // Often at first, as most changes are there within 15 s; with a fresh token each time.
      retryAfterMs: Math.min(Math.max((age / wish.propagationMs) * 150_000, 1_000), 15_000),
      failure,
    };
  }
  if (as === 'operator') {
    return {
      status: 'Unknown',
      reason: 'NotProven',
      message: `The database refused the operator's own token, which says nothing about the workload. The operator needs rds-db:connect on ${wish.principals[0]?.resourceARNs[0] ?? 'the user'}.`,
      retryAfterMs: 60_000,
      restMs: mendedByPeopleMs,
      failure,
    };
  }
  return {
    status: 'False',
    reason: 'TokenRefused',
    message: `The database knows ${wish.username} as an IAM user and refused the token of ${as}. Look at PolicyReady first (the ARN must name this server's resource id, region, account and user), then at permission boundaries, explicit denies and SCPs of the role.`,
    retryAfterMs: 15_000,
    restMs: mendedByPeopleMs,
    failure,
  };
}
