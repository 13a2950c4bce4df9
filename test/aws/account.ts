// One account of the stand-in: its IAM, STS, RDS and Secrets Manager, with what tests set up and look at in it.
import type { Action, Caller, ServiceName } from './action.ts';
import { decide, findPrincipal, type Judged, refusal } from './authorization.ts';
import type { Credential, CredentialStore, IssuedCredential } from './credentials.ts';
import { createEksFixtures, eksActions, type EksFixtures, type EksState } from './eks/eks.ts';
import { createHistory } from './history.ts';
import { accountSummaryActions } from './iam/account-summary.ts';
import { entityPolicyActions } from './iam/entity-policies.ts';
import { administratorAccess, initialState } from './iam/aws-managed.ts';
import { createFixtures, type IamFixtures } from './iam/fixtures.ts';
import { policyActions } from './iam/policies.ts';
import { policyTagActions } from './iam/policy-tags.ts';
import { rolePolicyActions } from './iam/role-policies.ts';
import { roleActions } from './iam/roles.ts';
import type { IamState } from './iam/state.ts';
import { awsDefaultLimits, type Limits } from './iam/validation.ts';
import { versionActions } from './iam/versions.ts';
import type { RequestContext } from './policy-patterns.ts';
import { rdsActions } from './rds/describe.ts';
import { createRdsFixtures, createRdsState, type RdsFixtures } from './rds/state.ts';
import {
  createSecretsFixtures,
  secretsActions,
  type SecretsFixtures,
  type SecretsState,
} from './secrets-manager/secrets.ts';
import { type StsAccount, stsActions } from './sts.ts';
import type { OidcProvider } from './web-identity.ts';

/** What tests do in an account. */
export interface Account extends IamFixtures {
  readonly region: string;
  readonly accountId: string;
  readonly partition: string;
  /** A user who may do everything: for set-up, and for behind-the-back changes in tests. */
  readonly administrator: IssuedCredential;
  readonly rds: RdsFixtures;
  readonly secrets: SecretsFixtures;
  readonly eks: EksFixtures;
  /** All of IAM as it stands, propagated or not: for looking at. */
  iamState(): IamState;
  /** What the policies of its principals were asked, oldest first. */
  readonly judged: readonly Judged[];
  /** Quotas; change them in place. */
  readonly limits: Limits;
  /** Tokens of this issuer are accepted by AssumeRoleWithWebIdentity; again: its keys are exchanged. Gives its ARN. */
  registerOidcProvider(provider: OidcProvider): string;
}

/** What the endpoint asks of an account. */
export interface AccountServices {
  readonly sts: StsAccount;
  readonly actions: Readonly<Record<ServiceName, Readonly<Record<string, Action>>>>;
  /** Throws AWS's refusal unless everything that the action asks for is allowed. */
  authorize(caller: Caller, action: Action, parameters: ActionParameters, region: string): void;
  /** Whether a principal of this account may do that with a resource of this account. */
  allows(caller: Caller, action: string, resource: string): boolean;
  /** Whether the principal of a credential is still the one that it was given to. */
  knows(credential: Credential): boolean;
}

type ActionParameters = Parameters<Action['run']>[0];

export function createAccount(options: {
  readonly region: string;
  readonly accountId: string;
  readonly partition: string;
  readonly now: () => number;
  /** Those of all accounts. */
  readonly credentials: CredentialStore;
  readonly settings: { readonly propagationDelayMs: number; readonly pageSize: number };
  /** Another account of the same partition. */
  readonly other: (accountId: string) => StsAccount | undefined;
}): { readonly account: Account; readonly services: AccountServices } {
  const { region, accountId, partition, now, credentials, settings, other } = options;
  const limits: Limits = { ...awsDefaultLimits };
  const providers = new Map<string, OidcProvider>();
  const history = createHistory(initialState(partition, now()), now, () => settings.propagationDelayMs);
  const rdsState = createRdsState();
  const secretsState: SecretsState = new Map();
  const judged: Judged[] = [];
  const eksState: EksState = new Map();

  const sts: StsAccount = {
    partition,
    accountId,
    history,
    limits,
    credentials,
    now,
    pageSize: () => settings.pageSize,
    oidcProvider: (issuer) => providers.get(issuer),
    surroundings: (at) => surroundings(now(), at),
    judge: (caller, ask, at) => {
      const one = decide(history.visible(), caller, ask, surroundings(now(), at));
      judged.push(one);
      return one.decision;
    },
    other,
  };
  const fixtures = createFixtures(sts);
  const administrator = fixtures.createAccessKey(
    fixtures.createUser({
      name: 'administrator',
      attach: [administratorAccess(partition)],
    }).arn,
  );

  return {
    account: {
      ...fixtures,
      region,
      accountId,
      partition,
      administrator,
      eks: createEksFixtures({ state: eksState, now }),
      secrets: createSecretsFixtures(secretsState, { region, accountId, partition }),
      rds: createRdsFixtures(rdsState, { region, accountId, partition }),
      iamState: () => history.latest(),
      judged,
      limits,
      registerOidcProvider: (provider) => {
        providers.set(provider.issuer, provider);
        return `arn:${partition}:iam::${accountId}:oidc-provider/${provider.issuer.replace('https://', '')}`;
      },
    },
    services: {
      sts,
      actions: {
        iam: {
          ...policyActions(sts),
          ...policyTagActions(sts),
          ...versionActions(sts),
          ...roleActions(sts),
          ...rolePolicyActions(sts),
          ...entityPolicyActions(sts),
          ...accountSummaryActions(sts),
        },
        sts: stsActions(sts),
        secretsmanager: secretsActions(secretsState, { partition, accountId }),
        eks: eksActions({ partition, accountId, state: eksState, pageSize: () => settings.pageSize }),
        rds: rdsActions({ partition, accountId, state: rdsState, pageSize: () => settings.pageSize }),
      },
      authorize: (caller, action, parameters, at) => {
        for (const ask of action.asks?.(parameters, at) ?? []) {
          const decision = sts.judge(caller, ask, at);
          if (decision.effect === 'deny') throw refusal(caller, ask, decision);
        }
      },
      allows: (caller, action, resource) =>
        sts.judge(caller, { action, resource, described: resource }, region).effect === 'allow',
      knows: (credential) => stillExists(history.latest(), credential),
    },
  };
}

/** The keys of a deleted user or role are worth nothing, even if one of the same name has been made since. */
function stillExists(state: IamState, { principal, userId }: Credential): boolean {
  const found = findPrincipal(state, principal);
  if (found === undefined) return false;
  return found.kind === 'root' || found.identity.id === userId.split(':')[0];
}

/** Keys that hold for every request. Nothing about the network, which `rds-db:connect` does not see either. */
function surroundings(now: number, region: string): RequestContext {
  return new Map([
    ['aws:currenttime', [new Date(now).toISOString()]],
    ['aws:epochtime', [String(Math.floor(now / 1000))]],
    // The stand-in plays the part of AWS's endpoints, which are reached by TLS.
    ['aws:securetransport', ['true']],
    ...(region === '' ? [] : [['aws:requestedregion', [region]] as const]),
  ]);
}
