// What metrics tell of AWS: of the accounts and regions that an IamDatabase names at the moment of a scrape, and of no others.
import type { IamDatabase } from '../api/objects.ts';
import type { Metrics } from '../ops/metrics.ts';
import { declaredRegion } from '../reconcile/names.ts';
import { accountLabel, type Identity, identitiesOf } from './identities.ts';

export interface Quota {
  readonly used?: number | undefined;
  readonly limit?: number | undefined;
}

/** Of a region's trust bundle; milliseconds since 1970. */
export interface BundleTimes {
  readonly endsAt: number;
  readonly fetchedAt: number;
}

export interface AwsFacts {
  /** By name; undefined while nothing was asked by that identity. */
  quotas(identity: Identity): ReadonlyMap<string, Quota> | undefined;
  bundle(region: string): BundleTimes | undefined;
}

export function tellOfAws(
  { metrics, databases }: { readonly metrics: Metrics; readonly databases: () => readonly IamDatabase[] },
  facts: AwsFacts,
): void {
  metrics.onScrape(() => {
    const each = identitiesOf(databases()).flatMap((identity) => {
      const account = accountLabel(identity);
      return [...(facts.quotas(identity) ?? [])].map(([quota, found]) => ({ account, quota, ...found }));
    });
    // Several roles may be assumed in one account, and each has seen some of it.
    const quotas = [...Map.groupBy(each, ({ account, quota }) => `${account} ${quota}`).values()].map(
      (same) =>
        same.reduce((one, other) => ({
          account: one.account,
          quota: one.quota,
          used: larger(one.used, other.used),
          limit: larger(one.limit, other.limit),
        })),
    );
    const regions = [...new Set(databases().map(declaredRegion))];
    const bundles = regions.map((region) => ({ region, ...facts.bundle(region) }));

    metrics.replace(
      'iamdb_iam_quota_used',
      quotas.flatMap(({ account, quota, used }) => (used === undefined ? [] : [[{ account, quota }, used]])),
    );
    metrics.replace(
      'iamdb_iam_quota_limit',
      quotas.flatMap(({ account, quota, limit }) =>
        limit === undefined ? [] : [[{ account, quota }, limit]],
      ),
    );
    metrics.replace(
      'iamdb_ca_earliest_expiry_timestamp_seconds',
      bundles.flatMap(({ region, endsAt }) => (endsAt === undefined ? [] : [[{ region }, endsAt / 1000]])),
    );
    metrics.replace(
      'iamdb_ca_bundle_fetched_timestamp_seconds',
      bundles.flatMap(({ region, fetchedAt }) =>
        fetchedAt === undefined ? [] : [[{ region }, fetchedAt / 1000]],
      ),
    );
  });
}

const larger = (one: number | undefined, other: number | undefined) =>
  one === undefined || (other !== undefined && other > one) ? other : one;
