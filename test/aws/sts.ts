// STS: who the caller is, and temporary credentials of roles against their trust policies.
import type { Action, ActionRequest, Ask, Caller } from './action.ts';
import { findPrincipal, principalContext, refusal } from './authorization.ts';
import type { CredentialStore, IssuedCredential } from './credentials.ts';
import { accessDenied, AwsError, constraintError, validationError } from './errors.ts';
import type { IamAccount } from './iam/account.ts';
import { findRole, type Role } from './iam/state.ts';
import { parsePolicy } from './policy-document.ts';
import type { Decision } from './policy-evaluation.ts';
import type { RequestContext } from './policy-patterns.ts';
import type { Parameters } from './query.ts';
import { judgeTrust } from './trust.ts';
import { type OidcProvider, verifyWebIdentity } from './web-identity.ts';
import type { XmlValue } from './xml.ts';

export interface StsAccount extends IamAccount {
  readonly credentials: CredentialStore;
  oidcProvider(issuer: string): OidcProvider | undefined;
  /** Another account, or this one. */
  other(accountId: string): StsAccount | undefined;
  /** Condition keys that hold for any request at this moment. */
  surroundings(region: string): RequestContext;
  /** Whether the caller's own policies allow it; what was asked is kept. */
  judge(caller: Caller, ask: Ask, region: string): Decision;
}

/** Credentials of a session of a role, as STS issues them. */
export function issueSession(
  account: StsAccount,
  role: Role,
  session: {
    name: string;
    durationSeconds: number;
    policy?: string | undefined;
    hasTransitiveTags: boolean;
  },
): IssuedCredential {
  return account.credentials.issue({
    principal: `arn:${account.partition}:sts::${account.accountId}:assumed-role/${role.name}/${session.name}`,
    userId: `${role.id}:${session.name}`,
    expiresAt: new Date(account.now() + session.durationSeconds * 1000),
    ...(session.policy === undefined ? {} : { sessionPolicy: session.policy }),
    hasTransitiveTags: session.hasTransitiveTags,
  });
}

export function stsActions(account: StsAccount): Record<string, Action> {
  return {
    GetCallerIdentity: {
      writes: false,
      parameters: [],
      // AWS asks no permission for it; even an explicit Deny has no effect.
      run: (_, { caller }) => ({
        UserId: caller.userId,
        Account: account.accountId,
        Arn: caller.principal,
      }),
    },

    AssumeRole: {
      writes: false,
      parameters: ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'ExternalId', 'Policy'],
      run: (parameters, request) => {
        const wish = sessionWish(parameters);
        const externalId = parameters.optional('ExternalId');
        const { hasTransitiveTags = false } = request.caller;
        const role = mayAssume(account, 'sts:AssumeRole', wish, externalId, request);
        if (hasTransitiveTags) mayAssume(account, 'sts:TagSession', wish, externalId, request);
        return assumed(issueWished(homeOf(account, wish.roleArn), role, { ...wish, hasTransitiveTags }));
      },
    },

    AssumeRoleWithWebIdentity: {
      writes: false,
      parameters: ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'Policy', 'WebIdentityToken'],
      run: (parameters) => {
        const wish = sessionWish(parameters);
        const identity = verifyWebIdentity(
          parameters.required('WebIdentityToken'),
          (issuer) => account.oidcProvider(issuer),
          account.now(),
        );
        const issuer = identity.issuer.replace('https://', '');
        const provider = `arn:${account.partition}:iam::${account.accountId}:oidc-provider/${issuer}`;
        const role = roleByArn(account, wish.roleArn);
        const trust =
          role &&
          judgeTrust(role.trustPolicy, {
            action: 'sts:AssumeRoleWithWebIdentity',
            kind: 'Federated',
            names: [provider],
            accountId: account.accountId,
            context: new Map([
              ...account.surroundings(''),
              [`${issuer.toLowerCase()}:sub`, [identity.subject]],
              [`${issuer.toLowerCase()}:aud`, [identity.audience]],
              ['sts:rolesessionname', [wish.name]],
            ]),
          });
        if (role === undefined || trust !== 'caller') {
          throw accessDenied('Not authorized to perform sts:AssumeRoleWithWebIdentity');
        }
        return {
          ...assumed(issueWished(account, role, { ...wish, hasTransitiveTags: false })),
          SubjectFromWebIdentityToken: identity.subject,
          Audience: identity.audience,
          Provider: provider,
        };
      },
    },
  };
}

interface SessionWish {
  readonly roleArn: string;
  readonly name: string;
  readonly durationSeconds: number;
  readonly policy: string | undefined;
}

function sessionWish(parameters: Parameters): SessionWish {
  const roleArn = parameters.required('RoleArn');
  const name = parameters.required('RoleSessionName');
  if (!/^[\w+=,.@-]{2,64}$/.test(name)) {
    throw constraintError(
      name,
      'roleSessionName',
      String.raw`Member must satisfy regular expression pattern: [\w+=,.@-]*`,
    );
  }
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\x21-\x7f]+$/.test(roleArn)) {
    throw validationError(`${roleArn} is invalid`);
  }
  const policy = parameters.optional('Policy');
  if (policy !== undefined) {
    if (policy.length > 2048) {
      throw new AwsError(
        'PackedPolicyTooLarge',
        400,
        `Packed size of session policy consumes ${Math.ceil((policy.length / 2048) * 100)}% of allotted space.`,
      );
    }
    parsePolicy(policy);
  }
  const durationSeconds = parameters.integer('DurationSeconds', { min: 900, max: 43_200 }) ?? 3600;
  return { roleArn, name, durationSeconds, policy };
}

/** The role, if the caller may assume it; a role that does not exist is refused in the same words. */
function mayAssume(
  account: StsAccount,
  action: 'sts:AssumeRole' | 'sts:TagSession',
  wish: SessionWish,
  externalId: string | undefined,
  { caller, region }: ActionRequest,
): Role {
  const ask: Ask = {
    action,
    resource: wish.roleArn,
    described: wish.roleArn,
    context: new Map([
      ['sts:rolesessionname', [wish.name]],
      ...(externalId === undefined ? [] : [['sts:externalid', [externalId]] as const]),
    ]),
  };
  const state = account.history.visible();
  const principal = findPrincipal(state, caller.principal);
  if (principal?.kind === 'root') throw accessDenied('Roles may not be assumed by root accounts.');
  const home = homeOf(account, wish.roleArn);
  const role = roleByArn(home, wish.roleArn);
  const surroundings = account.surroundings(region);
  const trust =
    role === undefined || principal === undefined
      ? 'nobody'
      : judgeTrust(role.trustPolicy, {
          action,
          kind: 'AWS',
          names: [caller.principal, principal.identity.arn],
          accountId: account.accountId,
          context: new Map([
            ...surroundings,
            ...principalContext(principal, caller),
            ...(ask.context ?? new Map<string, readonly string[]>()),
          ]),
        });
  const own = account.judge(caller, ask, region);
  // Within one account a trust policy that names the caller needs no identity policy, but never outweighs a
  // Deny, a boundary or a session policy.
  const permitted =
    own.effect === 'allow' ||
    // Between two accounts both have to allow it, always.
    (home === account && trust === 'caller' && !own.explicit && own.by === 'identity-based policy');
  if (role === undefined || trust === 'nobody' || trust === 'denied' || !permitted) {
    throw trust === 'caller' && own.effect === 'deny'
      ? refusal(caller, ask, own)
      : accessDenied(
          `User: ${caller.principal} is not authorized to perform: ${action} on resource: ${wish.roleArn}`,
        );
  }
  if (wish.durationSeconds > 3600 && caller.principal.includes(':assumed-role/')) {
    throw validationError(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  return role;
}

function issueWished(
  account: StsAccount,
  role: Role,
  wish: SessionWish & { readonly hasTransitiveTags: boolean },
): IssuedCredential {
  if (wish.durationSeconds > role.maxSessionDuration) {
    throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
  return issueSession(account, role, wish);
}

/** The account that a role is of; a role of nobody's account is looked for in this one, and not found. */
function homeOf(account: StsAccount, roleArn: string): StsAccount {
  return account.other(roleArn.split(':')[4] ?? '') ?? account;
}

function roleByArn(account: StsAccount, arn: string): Role | undefined {
  const role = findRole(account.history.visible(), arn.slice(arn.lastIndexOf('/') + 1));
  return role?.arn === arn ? role : undefined;
}

function assumed(credential: IssuedCredential): Record<string, XmlValue> {
  return {
    Credentials: {
      AccessKeyId: credential.accessKeyId,
      SecretAccessKey: credential.secretAccessKey,
      SessionToken: credential.sessionToken,
      Expiration: credential.expiresAt,
    },
    AssumedRoleUser: { AssumedRoleId: credential.userId, Arn: credential.principal },
    PackedPolicySize: credential.sessionPolicy && Math.ceil((credential.sessionPolicy.length / 2048) * 100),
  };
}
