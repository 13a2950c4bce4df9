// The strict AWS stand-in: accounts behind one endpoint, told apart by who signs, with what tests need to look at.
import { type Account, type AccountServices, createAccount } from './account.ts';
import type { Backend, BackendRequest, Mirror } from './backend.ts';
import type { Call } from './calls.ts';
import { createCredentialStore, type Credential, type IssuedCredential } from './credentials.ts';
import { createFaults, type Faults } from './faults.ts';
import { close, listen } from './server.ts';

interface AwsOptions {
  readonly region: string;
  readonly accountId: string;
  readonly partition?: string;
  /** Milliseconds since 1970; default the real clock. */
  readonly now?: () => number;
  readonly progress?: (line: string) => void;
  /** Gives the answers where the stand-in is only the front of another implementation. */
  readonly backend?: Backend;
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

/** The first account, and the endpoint that all accounts share. */
export interface Aws extends Account {
  readonly baseUrl: string;
  /** One more account of the same partition: nothing of one is seen or allowed in the other. */
  addAccount(accountId: string): Account;
  readonly faults: Faults;
  /** How long IAM's reads and the policy evaluation keep seeing the old state. Default 0. */
  propagationDelayMs: number;
  /** The most items in one answer of IAM, RDS and EKS. Default 1,000. */
  pageSize: number;
  /** Everything that was called, oldest first. */
  readonly calls: readonly Call[];
  /** Calls of writing actions, however they ended, from an index of `calls` on. */
  countWrites(from?: number): number;
  clearCalls(): void;
  /** What the SDKs and the `aws` command read to come here. */
  environment(credential?: IssuedCredential): Readonly<Record<string, string>>;
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
  const calls: Call[] = [];
  const faults = createFaults();
  const credentials = createCredentialStore();
  const accounts = new Map<string, AccountServices>();

  const addAccount = (id: string): Account => {
    if (accounts.has(id)) throw new Error(`account ${id} exists already`);
    const other = (another: string) => accounts.get(another)?.sts;
    const made = createAccount({ region, accountId: id, partition, now, credentials, settings, other });
    accounts.set(id, made.services);
    return made.account;
  };
  const first = addAccount(accountId);
  const accountOf = (arn: string): AccountServices => {
    const found = accounts.get(arn.split(':')[4] ?? '');
    if (found === undefined) throw new Error(`the stand-in has no account of ${arn}`);
    return found;
  };
  const lookupCredential = (accessKeyId: string): Credential | undefined => {
    const credential = credentials.lookup(accessKeyId);
    return credential !== undefined && accountOf(credential.principal).knows(credential)
      ? credential
      : undefined;
  };
  const { history } = accountOf(first.rootArn).sts;
  const mirror: Mirror = {
    latest: () => history.latest(),
    replace: (state) => history.seed(() => state),
    learn: (accessKeyId, credential) => credentials.add(accessKeyId, credential),
  };
  const { backend } = options;
  /** Another implementation plays the first account only. */
  const answering = (services: AccountServices) =>
    backend === undefined || services !== accountOf(first.rootArn)
      ? services
      : { ...services, backend: (request: BackendRequest) => backend(request, mirror) };
  const { server, port } = await listen({
    actions: accountOf(first.rootArn).actions,
    // What is called unsigned names a role, and is of its account; a role that nobody has is refused by any.
    accountOf: ({ principal }, parameters) =>
      answering(
        principal === ''
          ? (accounts.get(parameters.optional('RoleArn')?.split(':')[4] ?? '') ?? accountOf(first.rootArn))
          : accountOf(principal),
      ),
    faults,
    now,
    lookup: lookupCredential,
    record: (call) => calls.push(call),
    unknown: (what) => options.progress?.(`AWS stand-in refused ${what}`),
  });
  const baseUrl = `http://127.0.0.1:${port}`;
  options.progress?.(`AWS stand-in for account ${accountId} in ${region} at ${baseUrl}`);

  return {
    ...first,
    baseUrl,
    addAccount,
    faults,
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
      AWS_ENDPOINT_URL_SECRETS_MANAGER: baseUrl,
      AWS_ENDPOINT_URL_EKS: baseUrl,
      ...(credential === undefined ? {} : keyEnvironment(credential)),
    }),
    lookupCredential,
    issuedCredentials: () => credentials.all(),
    // No policy of one account reaches a database of another.
    authorize: ({ principal, sessionPolicy, action, resource }) =>
      principal.split(':')[4] === resource.split(':')[4] &&
      accountOf(principal).allows({ principal, userId: '', sessionPolicy }, action, resource),
    close: () => close(server),
  };
}

function keyEnvironment(credential: IssuedCredential): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credential.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
    ...(credential.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: credential.sessionToken }),
  };
}
