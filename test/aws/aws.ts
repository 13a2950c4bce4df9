// The strict AWS stand-in: composes IAM, STS and RDS behind one endpoint, with what tests need to set up and look at.
import type { Action, Caller, ServiceName } from './action.ts';
import { decide, findPrincipal, refusal } from './authorization.ts';
import type { Call } from './calls.ts';
import { createCredentialStore, type Credential, type IssuedCredential } from './credentials.ts';
import { createFaults, type Faults } from './faults.ts';
import { createHistory } from './history.ts';
import { accountSummaryActions } from './iam/account-summary.ts';
import { administratorAccess, initialState } from './iam/aws-managed.ts';
import { entityPolicyActions } from './iam/entity-policies.ts';
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
import { close, listen } from './server.ts';
import { type StsAccount, stsActions } from './sts.ts';
import type { OidcProvider } from './web-identity.ts';

interface AwsOptions {
  readonly region: string;
  readonly accountId: string;
  readonly partition?: string;
  /** Milliseconds since 1970; default the real clock. */
  readonly now?: () => number;
  readonly progress?: (line: string) => void;
}

interface ConnectQuestion {
  /** ARN of the root, a user, a role or an assumed-role session. */
  readonly principal: string;
  /** As `lookupCredential` gives it. */
  readonly sessionPolicy?: string | undefined;
  /** Such as `rds-db:connect`. */
  readonly action: string;
  readonly resource: string;
}

export interface Aws extends IamFixtures {
  readonly baseUrl: string;
  readonly region: string;
  readonly accountId: string;
  readonly partition: string;
  /** A user who may do everything: for set-up, and for behind-the-back changes in tests. */
  readonly administrator: IssuedCredential;
  readonly faults: Faults;
  readonly rds: RdsFixtures;
  /** All of IAM as it stands, propagated or not: for looking at. */
  iamState(): IamState;
  /** Quotas; change them in place. */
  readonly limits: Limits;
  /** How long IAM's reads and the policy evaluation keep seeing the old state. Default 0. */
  propagationDelayMs: number;
  /** The most items in one answer of IAM and RDS. Default 1,000. */
  pageSize: number;
  /** Everything that was called, oldest first. */
  readonly calls: readonly Call[];
  /** Calls of writing actions, however they ended, from an index of `calls` on. */
  countWrites(from?: number): number;
  clearCalls(): void;
  /** What the SDKs and the `aws` command read to come here. */
  environment(credential?: IssuedCredential): Readonly<Record<string, string>>;
  /** Tokens of this issuer are accepted by AssumeRoleWithWebIdentity; again: its keys are exchanged. Gives its ARN. */
  registerOidcProvider(provider: OidcProvider): string;
  lookupCredential(accessKeyId: string): Credential | undefined;
  /** Every key that exists, those that STS gave included: for looking for them where they must not be. */
  issuedCredentials(): readonly IssuedCredential[];
  authorize(question: ConnectQuestion): boolean;
  close(): Promise<void>;
}

export async function startAws(options: AwsOptions): Promise<Aws> {
  const { region, accountId, partition = 'aws' } = options;
  const now = options.now ?? Date.now;
  const settings = { propagationDelayMs: 0, pageSize: 1000 };
  const limits: Limits = { ...awsDefaultLimits };
  const calls: Call[] = [];
  const faults = createFaults();
  const providers = new Map<string, OidcProvider>();
  const history = createHistory(initialState(partition, now()), now, () => settings.propagationDelayMs);
  const credentials = createCredentialStore();
  const rdsState = createRdsState();

  const account: StsAccount = {
    partition,
    accountId,
    history,
    limits,
    credentials,
    now,
    pageSize: () => settings.pageSize,
    oidcProvider: (issuer) => providers.get(issuer),
    surroundings: (at) => surroundings(now(), at),
  };
  const lookupCredential = (accessKeyId: string): Credential | undefined => {
    const credential = credentials.lookup(accessKeyId);
    return credential !== undefined && stillExists(history.latest(), credential) ? credential : undefined;
  };
  const authorizeCall = (
    caller: Caller,
    action: Action,
    parameters: Parameters<Action['run']>[0],
    at: string,
  ): void => {
    for (const ask of action.asks?.(parameters, at) ?? []) {
      const decision = decide(history.visible(), caller, ask, account.surroundings(at));
      if (decision.effect === 'deny') throw refusal(caller, ask, decision);
    }
  };
  const actions: Record<ServiceName, Record<string, Action>> = {
    iam: {
      ...policyActions(account),
      ...policyTagActions(account),
      ...versionActions(account),
      ...roleActions(account),
      ...rolePolicyActions(account),
      ...entityPolicyActions(account),
      ...accountSummaryActions(account),
    },
    sts: stsActions(account),
    rds: rdsActions({ partition, accountId, state: rdsState, pageSize: () => settings.pageSize }),
  };
  const { server, port } = await listen({
    actions,
    faults,
    now,
    lookup: lookupCredential,
    authorize: authorizeCall,
    record: (call) => calls.push(call),
    unknown: (what) => options.progress?.(`AWS stand-in refused ${what}`),
  });
  const baseUrl = `http://127.0.0.1:${port}`;
  options.progress?.(`AWS stand-in for account ${accountId} in ${region} at ${baseUrl}`);

  const fixtures = createFixtures(account);
  const administrator = fixtures.createAccessKey(
    fixtures.createUser({
      name: 'administrator',
      attach: [administratorAccess(partition)],
    }).arn,
  );

  return {
    ...fixtures,
    baseUrl,
    region,
    accountId,
    partition,
    administrator,
    faults,
    rds: createRdsFixtures(rdsState, { region, accountId, partition }),
    iamState: () => history.latest(),
    limits,
    get propagationDelayMs() {
      return settings.propagationDelayMs;
    },
    set propagationDelayMs(value) {
      settings.propagationDelayMs = value;
    },
    get pageSize() {
      return settings.pageSize;
    },
    set pageSize(value) {
      settings.pageSize = value;
    },
    calls,
    countWrites: (from = 0) => calls.slice(from).filter(({ writes }) => writes).length,
    clearCalls: () => {
      calls.length = 0;
    },
    environment: (credential) => ({
      AWS_REGION: region,
      // The command line reads only this one.
      AWS_DEFAULT_REGION: region,
      AWS_ENDPOINT_URL_IAM: baseUrl,
      AWS_ENDPOINT_URL_STS: baseUrl,
      AWS_ENDPOINT_URL_RDS: baseUrl,
      ...(credential === undefined ? {} : keyEnvironment(credential)),
    }),
    registerOidcProvider: (provider) => {
      providers.set(provider.issuer, provider);
      return `arn:${partition}:iam::${accountId}:oidc-provider/${provider.issuer.replace('https://', '')}`;
    },
    lookupCredential,
    issuedCredentials: () => credentials.all(),
    authorize: ({ principal, sessionPolicy, action, resource }) =>
      decide(
        history.visible(),
        { principal, userId: '', sessionPolicy },
        { action, resource, described: resource },
        account.surroundings(region),
      ).effect === 'allow',
    close: () => close(server),
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

function keyEnvironment(credential: IssuedCredential): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credential.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
    ...(credential.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: credential.sessionToken }),
  };
}
