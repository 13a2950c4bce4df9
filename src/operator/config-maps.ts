// ConfigMaps as the resources need them: read from the cache of our own, written one request each.
import { labels, managedByValue } from '../api/names.ts';
import type { Store } from '../controller/store.ts';
import { Failure } from '../kernel/failure.ts';
import type { ConfigMaps, KeptConfigMap, NewConfigMap } from '../kernel/config-map.ts';
import { orKubeFailure } from '../systems/kubernetes/failures.ts';
import { isConflict } from '../systems/kubernetes/kube-error.ts';
import type { KubeObjects } from '../systems/kubernetes/objects.ts';
import type { ConfigMapObject } from './caches.ts';

export function configMaps(
  objects: KubeObjects<ConfigMapObject>,
  cache: Pick<Store<ConfigMapObject>, 'get' | 'upsert' | 'remove'>,
  operatorID: string,
): ConfigMaps {
  const isOurs = (object: ConfigMapObject) =>
    object.metadata.labels?.[labels.managedBy] === managedByValue &&
    object.metadata.labels[labels.operatorID] === operatorID;
  const note = (object: ConfigMapObject): KeptConfigMap => {
    cache.upsert(object);
    return kept(object);
  };

  return {
    get: (namespace, name) => {
      const found = cache.get(`${namespace}/${name}`);
      return Promise.resolve(found === undefined ? undefined : kept(found));
    },
    create: async (desired, signal) => {
      try {
        return note(await objects.create(manifest(desired, undefined), { signal }));
      } catch (error) {
        if (!isConflict(error)) return await orKubeFailure(Promise.reject(error));
        const there = await orKubeFailure(objects.get(desired, signal));
        if (there !== undefined && !isOurs(there)) throw foreign(desired);
        // Ours and not in the cache yet (a lost answer, a restart), or gone again: the next look sees it.
        if (there !== undefined) cache.upsert(there);
        throw notSeenYet;
      }
    },
    replace: async (desired, resourceVersion, signal) => {
      const before = cache.get(`${desired.namespace}/${desired.name}`);
      return note(
        await orKubeFailure(objects.replace(manifest(desired, before, resourceVersion), { signal })),
      );
    },
    remove: async (namespace, name, uid, signal) => {
      const found = cache.get(`${namespace}/${name}`);
      await orKubeFailure(objects.delete({ namespace, name }, { uid, signal }));
      if (found?.metadata.uid === uid) cache.remove(found);
    },
  };
}

/** Labels and annotations that others set stay. */
function manifest(desired: NewConfigMap, before: ConfigMapObject | undefined, resourceVersion?: string) {
  const { namespace, name, ownerReferences } = desired;
  return {
    metadata: {
      namespace,
      name,
      labels: { ...before?.metadata.labels, ...desired.labels },
      annotations: { ...before?.metadata.annotations, ...desired.annotations },
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    data: desired.data,
  };
}

const kept = ({ metadata, data }: ConfigMapObject): KeptConfigMap => ({
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {},
  ...(metadata.ownerReferences === undefined ? {} : { ownerReferences: metadata.ownerReferences }),
  data: data ?? {},
});

const foreign = ({ namespace, name }: NewConfigMap) =>
  new Failure(
    'conflict',
    'ForeignConfigMap',
    `ConfigMap ${namespace}/${name} exists and is not this operator's. Name another one, or delete it if nobody needs it.`,
  );

const notSeenYet = new Failure('unavailable', 'NotVisibleYet', 'The ConfigMap is not in the cache yet.');
