// AWS as the operator needs it: an account for each identity by which it is seen, and the trust store, which is anybody's.
import { EKSClient } from '@aws-sdk/client-eks';
import { awsMetrics } from '../ops/metrics.ts';
import type { PodIdentityPort } from '../reconcile/principals.ts';
import { EnvHttpProxyAgent } from 'undici';
import type { Log } from '../ops/log.ts';
import { accountOf } from '../resources/policy/arn.ts';
import { acceptBundle, maxBundleBytes, rootsWithin } from '../resources/trust-bundle/roots.ts';
import { connections, type ProxyEnvironment } from '../systems/connections.ts';
import { podIdentitiesOf } from '../systems/eks/eks.ts';
import { type IamPace, iamPace } from '../systems/iam/iam.ts';
import { type RootsCopy, trustStore } from '../systems/trust-store/trust-store.ts';
import { type AccountOptions, type AwsAccount, awsAccount } from './account.ts';
import type { AwsFacts, BundleTimes } from './aws-gauges.ts';
import { type Identity, keyOf } from './identities.ts';
import { sweepMs } from './sweeper.ts';
import { whileUsed } from './while-used.ts';

export interface AwsSystems {
  as(identity: Identity): AwsAccount;
  /** Undefined without --eks-cluster-name. */
  readonly podIdentities: PodIdentityPort | undefined;
  readonly roots: (region: string, partition: string, signal: AbortSignal) => Promise<string>;
  /** For the metrics. */
  readonly facts: AwsFacts;
  close(): void;
}

/** Between two fetches of a trust bundle. */
export const refreshMs = 86_400_000;

export function awsSystems(
  options: AccountOptions & { readonly trustCopy: RootsCopy; readonly log: Log },
): AwsSystems {
  const { config, log, metrics } = options;
  const scale = config['time-scale'];
  const now = () => Date.now();
  const paces = new Map<string, IamPace>();
  // Each look at everything asks for all that are named; what two of them did not ask for is named no more, and no pass is so long.
  const accounts = whileUsed<AwsAccount>({ idleMs: 2.5 * sweepMs * scale, now: () => performance.now() });
  const bundles = new Map<string, BundleTimes>();

  /** AWS's limits are an account's, whoever calls. */
  const paceOf = (account: string): IamPace => {
    const pace =
      paces.get(account) ??
      iamPace({
        reads: bucketOf(config['iam-reads-per-second']),
        writes: bucketOf(config['iam-writes-per-second']),
      });
    paces.set(account, pace);
    return pace;
  };
  const own = awsAccount({ ...options, identity: undefined, own: undefined, pace: paceOf('') });

  const as = (identity: Identity): AwsAccount => {
    accounts.closeIdle();
    if (identity === undefined) return own;
    const pace = paceOf(accountOf(identity.arn));
    return accounts.get(keyOf(identity), () => awsAccount({ ...options, identity, own, pace }));
  };

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
      bundles.set(region, { endsAt: Math.min(...ends), fetchedAt });
    },
    onStale: (region, failure) =>
      log.warn({ region, err: failure }, 'the trust bundle could not be refreshed'),
  });

  const clusterName = config['eks-cluster-name'];
  // By the operator's own identity and in its own region, as its cluster is.
  const eks = clusterName === '' ? undefined : eksClient(own, options.proxyEnv);
  const podIdentities =
    eks &&
    podIdentitiesOf({
      client: eks,
      clusterName,
      timing: { keepMs: 10_000 * config['time-scale'], timeoutMs: 20_000 },
      now: () => Date.now(),
      onCall: awsMetrics(metrics),
    });

  return {
    as,
    podIdentities,
    facts: {
      quotas: (identity) => (identity === undefined ? own : accounts.peek(keyOf(identity)))?.quotas,
      bundle: (region) => bundles.get(region),
    },
    roots: async (region, partition, signal) => await store.roots(region, partition, signal),
    close: () => {
      accounts.closeAll();
      own.close();
      eks?.destroy();
    },
  };
}

function eksClient(own: AwsAccount, proxyEnv: ProxyEnvironment): EKSClient {
  const client: EKSClient = new EKSClient({
    credentials: async () => await own.credentials(await client.config.region())(),
    requestHandler: connections(proxyEnv),
  });
  return client;
}

/** 0 in the settings is no limit. */
const bucketOf = (perSecond: number) =>
  perSecond === 0 ? undefined : { perSecond, burst: Math.max(1, perSecond) };
