// A copy of the certificate authorities in hand, in the operator's own namespace: read where the trust store does not answer after a start.
import { labels, managedByValue } from '../api/names.ts';
import { asFailure, type Failure } from '../kernel/failure.ts';
import type { ConfigMaps } from '../kernel/config-map.ts';
import { rootsWithin, uniteRoots, writeRoots } from '../resources/trust-bundle/roots.ts';
import type { KeptRoots, RootsCopy } from '../systems/trust-store/trust-store.ts';

const kind = 'trust-store';
const writeMs = 5_000;

export function trustCopy(options: {
  readonly configMaps: ConfigMaps;
  readonly operatorID: string;
  /** The operator's own: whoever may write there may take its place anyway. */
  readonly namespace: string;
  /** In plan mode nothing is kept. */
  readonly isPlanned: boolean;
  /** As old a copy may be before only its age is a reason to write it anew. */
  readonly renewMs: number;
  readonly now: () => number;
  readonly onError: (failure: Failure) => void;
}): RootsCopy {
  const { configMaps, operatorID, namespace, isPlanned, renewMs, now } = options;
  const name = `iamdb-operator-${operatorID}-${kind}`;
  let writing: Promise<void> = Promise.resolve();

  const find: RootsCopy['find'] = async (region, signal) => {
    const kept = await configMaps.get(namespace, name, signal);
    const fetchedAt = Date.parse(kept?.annotations[fetchedAtOf(region)] ?? '');
    const of = { region, now: now() };
    // What stands there may have been edited, or have ended meanwhile.
    const roots = uniteRoots([], rootsWithin(kept?.data[fileOf(region)] ?? '', of), of.now);
    const isOurs = kept?.labels[labels.kind] === kind && roots.length > 0 && !Number.isNaN(fetchedAt);
    return isOurs ? { text: writeRoots(roots), fetchedAt } : undefined;
  };

  const write = async (region: string, roots: KeptRoots, signal: AbortSignal) => {
    const before = await find(region, signal);
    if (before?.text === roots.text && roots.fetchedAt - before.fetchedAt < renewMs) return;
    const kept = await configMaps.get(namespace, name, signal);
    const desired = {
      namespace,
      name,
      labels: {
        [labels.managedBy]: managedByValue,
        [labels.operatorID]: operatorID,
        [labels.kind]: kind,
      },
      annotations: { [fetchedAtOf(region)]: new Date(roots.fetchedAt).toISOString() },
      data: { ...kept?.data, [fileOf(region)]: roots.text },
    };
    if (kept === undefined) await configMaps.create(desired, signal);
    else await configMaps.replace(desired, kept.resourceVersion, signal);
  };

  return {
    find,
    keep: async (region, roots) => {
      if (isPlanned) return;
      // One after the other: all regions are in one ConfigMap. What cannot be kept now is kept after the next fetch.
      writing = writing
        .then(() => write(region, roots, AbortSignal.timeout(writeMs)))
        .catch((thrown: unknown) => options.onError(asFailure(thrown)));
      await writing;
    },
  };
}

const fileOf = (region: string) => `${region}-bundle.pem`;
const fetchedAtOf = (region: string) => `iamdb.dev/fetched-at-${region}`;
