// AWS as one identity sees it: its clients for each region, its view of IAM, and nothing shared with other identities.
import { RDSClient } from '@aws-sdk/client-rds';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import type { Config } from '../config.ts';
import { awsMetrics, type Metrics } from '../ops/metrics.ts';
import type { Secret } from '../kernel/secret.ts';
import type { AccessPorts, TokenFor } from '../resources/access/access.ts';
import { type KnownPolicy, knownPolicies } from '../resources/policy/known-roles.ts';
import type { PolicyPort } from '../resources/policy/port.ts';
import type { RdsDirectory } from '../resources/target/resource.ts';
import { iamDefaults, type IamPace, iamSystem } from '../systems/iam/iam.ts';
import type { RoleReader } from '../systems/iam/role-documents.ts';
import { connections, type ProxyEnvironment } from '../systems/connections.ts';
import { login } from '../systems/postgres/login.ts';
import { rdsDirectory } from '../systems/rds/directory.ts';
import { type SecretTexts, secretTexts } from '../systems/secrets-manager/secrets-manager.ts';
import { assumedRole, type CredentialProvider } from '../systems/sts/assumed-role.ts';
import { sts } from '../systems/sts/sts.ts';
import { operatorTokens, signToken } from '../systems/sts/tokens.ts';
import type { Quota } from './aws-gauges.ts';
import type { Identity } from './identities.ts';

export interface AwsAccount {
  readonly iam: PolicyPort & RoleReader;
  readonly directory: RdsDirectory;
  readonly access: AccessPorts;
  readonly secretTexts: SecretTexts;
  /** A token of this identity. */
  readonly operatorToken: (of: TokenFor) => Promise<Secret<string>>;
  /** Reads the account's quotas, so that the metrics know of them before one is reached. */
  lookAtQuotas(signal: AbortSignal): Promise<void>;
  /** As far as they were looked at; by name. */
  readonly quotas: ReadonlyMap<string, Quota>;
  /** What our policies in IAM say of themselves. */
  knownPolicies(signal: AbortSignal): Promise<readonly KnownPolicy[]>;
  /** Credentials of this identity, from the STS of a region. */
  credentials(region: string): CredentialProvider;
  callerARN(region: string): Promise<string>;
  close(): void;
}

export interface AccountOptions {
  readonly config: Config;
  readonly operatorID: string;
  readonly mayDial: (address: string) => boolean;
  readonly beforeWrite: () => void;
  readonly requestToken: AccessPorts['requestToken'];
  readonly metrics: Metrics;
  readonly proxyEnv: ProxyEnvironment;
}

export function awsAccount(
  options: AccountOptions & {
    readonly identity: Identity;
    /** Of the account. */
    readonly pace: IamPace;
    /** The operator itself; undefined where this is it. */
    readonly own: Pick<AwsAccount, 'credentials' | 'callerARN'> | undefined;
  },
): AwsAccount {
  const { config, operatorID, identity, own, metrics, pace } = options;
  const scale = config['time-scale'];
  const onCall = awsMetrics(metrics);
  const by = identity?.arn;
  const quotas = new Map<string, Quota>();

  /** One client for each region holds the credentials and renews them; all others ask it. */
  const stsClients = perRegion((region) => {
    const requestHandler = connections(options.proxyEnv);
    if (identity === undefined || own === undefined) return new STSClient({ region, requestHandler });
    const credentials = assumedRole({
      role: identity,
      region,
      operatorID,
      master: own.credentials(region),
      callerARN: async () => await own.callerARN(region),
      proxyEnv: options.proxyEnv,
      onCall,
    });
    return new STSClient({ region, credentials, requestHandler });
  });
  const credentials = (region: string): CredentialProvider => {
    const client = stsClients.get(region);
    return async () => await client.config.credentials();
  };
  const regional = (region: string) => ({
    region,
    credentials: credentials(region),
    requestHandler: connections(options.proxyEnv),
  });
  const rdsClients = perRegion((region) => new RDSClient(regional(region)));
  const secretsClients = perRegion((region) => new SecretsManagerClient(regional(region)));

  // IAM has no regions: its client is in the one that the platform sets, and so are the credentials for it.
  const home = new STSClient({});
  const iam = iamSystem({
    client: {
      credentials: async () => await credentials(await home.config.region())(),
      requestHandler: {
        connectionTimeout: iamDefaults.timing.connectTimeoutMs,
        ...connections(options.proxyEnv),
      },
    },
    by,
    pace,
    timing: {
      freshMs: iamDefaults.timing.freshMs * scale,
      listEveryMs: iamDefaults.timing.listEveryMs * scale,
      settleMs: iamDefaults.timing.settleMs * scale,
      lookAgainMs: iamDefaults.timing.lookAgainMs * scale,
      lookMs: iamDefaults.timing.lookMs * scale,
    },
    beforeWrite: options.beforeWrite,
    onCall: (call) => onCall({ service: 'iam', ...call }),
    onQuota: ({ name, used, limit }) => {
      const before = quotas.get(name);
      quotas.set(name, { used: used ?? before?.used, limit: limit ?? before?.limit });
    },
  });
  const ports = sts({ clientFor: stsClients.get, onCall });
  const operatorToken = async (of: TokenFor) => await operatorTokens(credentials(of.region))(of);

  return {
    iam,
    directory: rdsDirectory({
      clientFor: rdsClients.get,
      by,
      timing: { keepMs: 5_000 * scale, timeoutMs: 20_000 },
      now: () => Date.now(),
      onCall,
    }),
    access: {
      ...ports,
      requestToken: options.requestToken,
      trustPolicy: iam.trustPolicy,
      signToken,
      operatorToken,
      login: async (request) => await login(request, options.mayDial),
    },
    secretTexts: secretTexts({ clientFor: secretsClients.get, by, onCall }),
    operatorToken,
    lookAtQuotas: async (signal) => {
      await iam.quotas(signal);
    },
    quotas,
    knownPolicies: async (signal) => await knownPolicies(iam, operatorID, signal),
    credentials,
    callerARN: async (region) => await ports.callerARN(region, AbortSignal.timeout(10_000)),
    close: () => {
      iam.close();
      secretsClients.close();
      rdsClients.close();
      stsClients.close();
      home.destroy();
    },
  };
}

function perRegion<C extends { destroy(): void }>(create: (region: string) => C) {
  const clients = new Map<string, C>();
  return {
    get: (region: string): C => {
      const client = clients.get(region) ?? create(region);
      clients.set(region, client);
      return client;
    },
    close: () => {
      for (const client of clients.values()) client.destroy();
    },
  };
}
