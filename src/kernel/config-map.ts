// The port over which ConfigMaps are kept: a connection for one user, a trust bundle for many.

export interface KeptConfigMap {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly data: Readonly<Record<string, string>>;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface NewConfigMap {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly data: Readonly<Record<string, string>>;
}

export interface ConfigMaps {
  /** From the cache of ConfigMaps with our labels; undefined when there is none. */
  get(namespace: string, name: string, signal: AbortSignal): Promise<KeptConfigMap | undefined>;
  /** Throws a Failure (conflict, ForeignConfigMap) when there is one of that name that is not ours. */
  create(desired: NewConfigMap, signal: AbortSignal): Promise<KeptConfigMap>;
  /** Data and owners become exactly the desired ones; labels and annotations that others set stay. */
  replace(desired: NewConfigMap, resourceVersion: string, signal: AbortSignal): Promise<KeptConfigMap>;
  /** Removes that very object; one that is gone already is no error. */
  remove(namespace: string, name: string, uid: string, signal: AbortSignal): Promise<void>;
}

export type ConfigMapChange =
  | { readonly do: 'create'; readonly configMap: NewConfigMap }
  | { readonly do: 'replace'; readonly configMap: NewConfigMap; readonly resourceVersion: string }
  | { readonly do: 'remove'; readonly uid: string };

export interface ObservedConfigMap {
  readonly configMap: KeptConfigMap | undefined;
}

/** What the last write returned is an observation made after it: no further read. */
export async function applyToConfigMap(
  configMaps: ConfigMaps,
  changes: readonly ConfigMapChange[],
  { namespace, name }: { readonly namespace: string; readonly name: string },
  observed: ObservedConfigMap,
  signal: AbortSignal,
): Promise<ObservedConfigMap> {
  let { configMap } = observed;
  for (const change of changes) {
    switch (change.do) {
      case 'create':
        configMap = await configMaps.create(change.configMap, signal);
        break;
      case 'replace':
        configMap = await configMaps.replace(change.configMap, change.resourceVersion, signal);
        break;
      case 'remove':
        await configMaps.remove(namespace, name, change.uid, signal);
        configMap = undefined;
        break;
    }
  }
  return { configMap };
}

export function sameEntries(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
