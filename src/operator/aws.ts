// AWS as the operator needs it: one client for each service and region, each call counted.
import { RDSClient } from '@aws-sdk/client-rds';
import { STSClient } from '@aws-sdk/client-sts';
import { EnvHttpProxyAgent } from 'undici';
import type { Config } from '../config.ts';
import type { Log } from '../ops/log.ts';
import { awsMetrics, type Metrics } from '../ops/metrics.ts';
import type { Secret } from '../reconcile/kernel/secret.ts';
import type { AccessPorts, TokenFor } from '../resources/access/access.ts';
import { type KnownPolicy, knownPolicies } from '../resources/policy/known-roles.ts';
import type { PolicyPort } from '../resources/policy/port.ts';
import type { RdsDirectory } from '../resources/target/resource.ts';
import { acceptBundle, maxBundleBytes, rootsWithin } from '../resources/trust-bundle/roots.ts';
import { iamDefaults, iamSystem } from '../systems/iam/iam.ts';
import type { RoleReader } from '../systems/iam/role-documents.ts';
import { login } from '../systems/postgres/login.ts';
import { rdsDirectory } from '../systems/rds/directory.ts';
import { sts } from '../systems/sts/sts.ts';
import { operatorTokens, signToken } from '../systems/sts/tokens.ts';
import { type RootsCopy, trustStore } from '../systems/trust-store/trust-store.ts';

export interface AwsSystems {
  readonly iam: PolicyPort & RoleReader;
  readonly directory: RdsDirectory;
  readonly access: AccessPorts;
  readonly operatorToken: (of: TokenFor) => Promise<Secret<string>>;
  readonly roots: (region: string, partition: string, signal: AbortSignal) => Promise<string>;
  /** Reads the account's quotas, so that the metrics know of them before one is reached. */
  lookAtQuotas(signal: AbortSignal): Promise<void>;
  /** What our policies in IAM say of themselves. */
  knownPolicies(signal: AbortSignal): Promise<readonly KnownPolicy[]>;
  close(): void;
}

/** Between two fetches of a trust bundle. */
export const refreshMs = 86_400_000;

export function awsSystems(options: {
  readonly config: Config;
  readonly operatorID: string;
  readonly mayDial: (address: string) => boolean;
  readonly beforeWrite: () => void;
  readonly trustCopy: RootsCopy;
  readonly requestToken: AccessPorts['requestToken'];
  readonly metrics: Metrics;
  readonly log: Log;
}): AwsSystems {
  const { config, operatorID, mayDial, beforeWrite, requestToken, metrics, log } = options;
  const scale = config['time-scale'];
  const now = () => Date.now();
  const onCall = awsMetrics(metrics);
  const rdsClients = perRegion((region) => new RDSClient({ region }));
  const stsClients = perRegion((region) => new STSClient({ region }));

  const iam = iamSystem({
    rates: {
      reads: bucketOf(config['iam-reads-per-second']),
      writes: bucketOf(config['iam-writes-per-second']),
    },
    timing: {
      freshMs: iamDefaults.timing.freshMs * scale,
      listEveryMs: iamDefaults.timing.listEveryMs * scale,
      settleMs: iamDefaults.timing.settleMs * scale,
      lookAgainMs: iamDefaults.timing.lookAgainMs * scale,
      lookMs: iamDefaults.timing.lookMs * scale,
    },
    beforeWrite,
    onCall: (call) => onCall({ service: 'iam', ...call }),
    onQuota: ({ name: quota, used, limit }) => {
      if (used !== undefined) metrics.set('iamdb_iam_quota_used', { quota }, used);
      if (limit !== undefined) metrics.set('iamdb_iam_quota_limit', { quota }, limit);
    },
  });
  const directory = rdsDirectory({
    clientFor: rdsClients.get,
    timing: { keepMs: 5_000 * scale, timeoutMs: 20_000 },
    now,
    onCall,
  });
  const store = trustStore({
    // HTTPS_PROXY and NO_PROXY, as the platform sets them.
    dispatcher: new EnvHttpProxyAgent(),
    baseURL: config['trust-store-url'] === '' ? undefined : config['trust-store-url'],
    timing: { refreshMs: refreshMs * scale, retryMs: 5_000 * scale, timeoutMs: 10_000 },
    maxBytes: maxBundleBytes,
    now,
    accept: acceptBundle,
    copy: options.trustCopy,
    onRoots: (region, { text, fetchedAt }) => {
      const ends = rootsWithin(text, { region, now: now() }).map(({ notAfter }) => notAfter);
      metrics.set('iamdb_ca_earliest_expiry_timestamp_seconds', { region }, Math.min(...ends) / 1000);
      metrics.set('iamdb_ca_bundle_fetched_timestamp_seconds', { region }, fetchedAt / 1000);
    },
    onStale: (region, failure) =>
      log.warn({ region, err: failure }, 'the trust bundle could not be refreshed'),
  });
  // The clients' own providers, by the database's region: they refresh what ends, as the signer alone would not.
  const operatorToken = async (of: TokenFor) =>
    await operatorTokens(async () => await stsClients.get(of.region).config.credentials())(of);

  return {
    iam,
    directory,
    access: {
      ...sts({ clientFor: stsClients.get, onCall }),
      requestToken,
      trustPolicy: iam.trustPolicy,
      signToken,
      operatorToken,
      login: async (request) => await login(request, mayDial),
    },
    operatorToken,
    roots: async (region, partition, signal) => await store.roots(region, partition, signal),
    lookAtQuotas: async (signal) => {
      await iam.quotas(signal);
    },
    knownPolicies: async (signal) => await knownPolicies(iam, operatorID, signal),
    close: () => {
      iam.close();
      rdsClients.close();
      stsClients.close();
    },
  };
}

/** 0 in the settings is no limit. */
const bucketOf = (perSecond: number) =>
  perSecond === 0 ? undefined : { perSecond, burst: Math.max(1, perSecond) };

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
