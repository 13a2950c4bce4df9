// Decides what becomes of a trust bundle's ConfigMap, which all users of one namespace and name share.
import { group, labels, managedByValue } from '../../api/names.ts';
import type { Plan } from '../../kernel/converge.ts';
import { Failure } from '../../kernel/failure.ts';
import { type KeptConfigMap, type NewConfigMap, sameEntries } from '../../kernel/config-map.ts';
import { parseRoots, publicRegion, type Root, rootsWithin, uniteRoots, writeRoots } from './roots.ts';

/** What one user asks of the bundle; `unknown` keeps what is there, `released` does so for good. */
export type TrustContribution =
  | {
      readonly state: 'present';
      readonly region: string;
      readonly partition: string;
      /** Proxies do not have certificates of RDS's own authorities. */
      readonly throughProxies: boolean;
    }
  | { readonly state: 'unknown' | 'released' };

export interface DesiredTrustBundle {
  readonly namespace: string;
  readonly name: string;
  readonly operatorID: string;
  readonly contributions: readonly TrustContribution[];
  /** Whether `contributions` are those of all users, so that what none of them asks for may go. */
  readonly complete: boolean;
  /** By region: what the trust store gave; and the public roots under `public`. */
  readonly bundles: ReadonlyMap<string, string>;
}

export interface ObservedTrustBundle {
  readonly configMap: KeptConfigMap | undefined;
}

export type TrustBundleChange =
  | { readonly do: 'create'; readonly configMap: NewConfigMap }
  | {
      readonly do: 'replace';
      readonly configMap: NewConfigMap;
      readonly resourceVersion: string;
      /** Names of authorities that leave the bundle: expired, put there by somebody else, or of a region no longer asked for. */
      readonly dropped: readonly string[];
    }
  | { readonly do: 'remove'; readonly uid: string };

export const trustBundleKind = 'trust-bundle';

/**
 * Which roots we put there, by fingerprint: only those are kept when the trust store no longer lists them, so that one
 * that somebody slipped in goes and one that AWS withdrew early stays.
 */
export const rootsAnnotation = `${group}/root-fingerprints`;

/** A user left and keeps its access: the bundle stays without anybody asking for it, until a person removes it. */
export const retainedAnnotation = `${group}/retained`;

/** `now` in milliseconds since 1970, to let expired roots go. */
export function planTrustBundle(
  desired: DesiredTrustBundle,
  { configMap }: ObservedTrustBundle,
  now: number,
): Plan<TrustBundleChange> {
  const asked = new Set(
    desired.contributions.flatMap((one) =>
      one.state === 'present' ? [one.region, ...(one.throughProxies ? [publicRegion] : [])] : [],
    ),
  );
  const isRetained = configMap?.annotations[retainedAnnotation] === 'true';
  const retain = isRetained || desired.contributions.some((one) => one.state === 'released');
  const mayLose =
    !retain && desired.complete && desired.contributions.every((one) => one.state === 'present');
  const ours = configMap !== undefined && isOurs(configMap, desired.operatorID);
  if (asked.size === 0 && ours && retain) return isRetained ? [] : [retained(desired, configMap)];
  if (asked.size === 0) return ours && mayLose ? [{ do: 'remove', uid: configMap.uid }] : [];
  if (configMap !== undefined && !ours) return { refused: foreign(desired) };

  const regions = new Set([...asked, ...(mayLose || configMap === undefined ? [] : regionsOf(configMap))]);
  const parts = new Map<string, readonly Root[]>();
  for (const region of [...regions].toSorted()) {
    const roots = rootsOf(region, desired, configMap, now);
    if (roots instanceof Failure) return { refused: roots };
    if (roots.length > 0) parts.set(region, roots);
  }
  const missing = [...asked].filter((region) => !parts.has(region)).toSorted();
  const wished = write(desired, parts, now, retain);
  // What can be served is served first; then the plan says what cannot.
  if (parts.size > 0 && configMap === undefined) return [{ do: 'create', configMap: wished }];
  if (parts.size > 0 && configMap !== undefined && !agrees(configMap, wished)) {
    const { resourceVersion } = configMap;
    return [
      { do: 'replace', configMap: wished, resourceVersion, dropped: droppedFrom(configMap, wished, now) },
    ];
  }
  return missing.length > 0 ? { refused: unavailable(missing) } : [];
}

/** Certificates say nothing to a person: their files and, where some leave, their names do. */
export function describeTrustBundle(
  change: TrustBundleChange,
  { namespace, name }: DesiredTrustBundle,
): readonly string[] {
  const line = (what: string) => `ConfigMap ${namespace}/${name}: ${what}`;
  if (change.do === 'remove') return [line('delete')];
  const files = Object.keys(change.configMap.data).join(', ');
  const dropped = change.do === 'replace' ? change.dropped : [];
  return [line(`${change.do} with ${files}`), ...dropped.map((root) => line(`drop ${root}`))];
}

function isOurs(configMap: KeptConfigMap, operatorID: string): boolean {
  return (
    configMap.labels[labels.managedBy] === managedByValue &&
    configMap.labels[labels.operatorID] === operatorID &&
    configMap.labels[labels.kind] === trustBundleKind
  );
}

const bundleKey = (region: string): string => `${region}-bundle.pem`;

function regionsOf(configMap: KeptConfigMap): readonly string[] {
  return Object.keys(configMap.data).flatMap((key) => {
    const [, region] = /^([a-z]{2}(?:-[a-z]+)+-[0-9]+|public)-bundle\.pem$/.exec(key) ?? [];
    return region === undefined ? [] : [region];
  });
}

function rootsOf(
  region: string,
  desired: DesiredTrustBundle,
  configMap: KeptConfigMap | undefined,
  now: number,
): readonly Root[] | Failure {
  const bundle = desired.bundles.get(region);
  const fresh = bundle === undefined ? [] : parseRoots(bundle, { region, now });
  if (fresh instanceof Failure) return fresh;
  const known = new Set(configMap?.annotations[rootsAnnotation]?.split(','));
  const kept = rootsWithin(configMap?.data[bundleKey(region)] ?? '', { region, now });
  return uniteRoots(
    kept.filter((root) => known.has(root.fingerprint)),
    fresh,
    now,
  );
}

function write(
  desired: DesiredTrustBundle,
  parts: ReadonlyMap<string, readonly Root[]>,
  now: number,
  retain: boolean,
): NewConfigMap {
  const all = uniteRoots([], [...parts.values()].flat(), now);
  return {
    namespace: desired.namespace,
    name: desired.name,
    labels: {
      [labels.managedBy]: managedByValue,
      [labels.operatorID]: desired.operatorID,
      [labels.kind]: trustBundleKind,
    },
    annotations: {
      [rootsAnnotation]: all.map((root) => root.fingerprint).join(','),
      ...(retain ? { [retainedAnnotation]: 'true' } : {}),
    },
    data: {
      'ca.crt': writeRoots(all),
      ...Object.fromEntries([...parts].map(([region, roots]) => [bundleKey(region), writeRoots(roots)])),
    },
  };
}

function retained({ namespace, name }: DesiredTrustBundle, configMap: KeptConfigMap): TrustBundleChange {
  const { labels: own, annotations, data, resourceVersion } = configMap;
  const marks = { ...annotations, [retainedAnnotation]: 'true' };
  const kept = { namespace, name, labels: own, annotations: marks, data };
  return { do: 'replace', configMap: kept, resourceVersion, dropped: [] };
}

function agrees(observed: KeptConfigMap, wished: NewConfigMap): boolean {
  return (
    sameEntries(observed.data, wished.data) &&
    observed.annotations[rootsAnnotation] === wished.annotations[rootsAnnotation] &&
    observed.annotations[retainedAnnotation] === wished.annotations[retainedAnnotation] &&
    // An owner would take the bundle along when it goes, from all the others.
    (observed.ownerReferences ?? []).length === 0
  );
}

function droppedFrom(observed: KeptConfigMap, wished: NewConfigMap, now: number): readonly string[] {
  const stays = new Set(wished.annotations[rootsAnnotation]?.split(','));
  const before = regionsOf(observed).flatMap((region) =>
    rootsWithin(observed.data[bundleKey(region)] ?? '', { region, now }),
  );
  return before.filter((root) => !stays.has(root.fingerprint)).map((root) => root.commonName);
}

function foreign({ namespace, name }: DesiredTrustBundle): Failure {
  return new Failure(
    'conflict',
    'ForeignConfigMap',
    `The ConfigMap ${namespace}/${name} is not a trust bundle of this operator. Set spec.trustBundle.configMapName to another name, or delete that ConfigMap if nobody needs it.`,
  );
}

function unavailable(regions: readonly string[]): Failure {
  return new Failure(
    'unavailable',
    'BundleUnavailable',
    `No certificate bundle of ${regions.join(', ')} is at hand. Allow the operator to reach the trust store, or set --trust-store-url to a mirror.`,
  );
}
