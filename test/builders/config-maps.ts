// ConfigMaps of a cluster held in memory: those of the operator, and those that it does not see until it collides.
import { asFailure, Failure } from '../../src/kernel/failure.ts';
import type { ConfigMaps, KeptConfigMap, NewConfigMap } from '../../src/kernel/config-map.ts';

export interface ConfigMapModel extends ConfigMaps {
  readonly kept: Map<string, KeptConfigMap>;
  /** Somebody else's, by namespace/name. */
  readonly foreign: Set<string>;
  /** Thrown by every write. */
  broken: { write?: Failure | Error };
}

export function configMapModel(note: (call: string) => void): ConfigMapModel {
  const kept = new Map<string, KeptConfigMap>();
  const foreign = new Set<string>();
  let version = 0;
  const model: ConfigMapModel = {
    kept,
    foreign,
    broken: {},
    get: (namespace, name) => Promise.resolve(kept.get(`${namespace}/${name}`)),
    create: (desired) => write('create', desired, { uid: `uid-${version}`, labels: {}, annotations: {} }),
    replace: (desired) => {
      const before = kept.get(`${desired.namespace}/${desired.name}`);
      return write('replace', desired, before ?? { uid: `uid-${version}`, labels: {}, annotations: {} });
    },
    remove: (namespace, name, uid) => {
      note(`remove ConfigMap ${namespace}/${name}`);
      if (model.broken.write !== undefined) return Promise.reject(asFailure(model.broken.write));
      const key = `${namespace}/${name}`;
      if (kept.get(key)?.uid === uid) kept.delete(key);
      return Promise.resolve();
    },
  };

  function write(
    how: string,
    { namespace, name, ...desired }: NewConfigMap,
    before: Pick<KeptConfigMap, 'uid' | 'labels' | 'annotations'>,
  ): Promise<KeptConfigMap> {
    note(`${how} ConfigMap ${namespace}/${name}`);
    if (model.broken.write !== undefined) return Promise.reject(asFailure(model.broken.write));
    const key = `${namespace}/${name}`;
    if (foreign.has(key)) {
      return Promise.reject(new Failure('conflict', 'ForeignConfigMap', `ConfigMap ${key} is not ours.`));
    }
    version += 1;
    const stored: KeptConfigMap = {
      ...desired,
      uid: before.uid,
      resourceVersion: String(version),
      labels: { ...before.labels, ...desired.labels },
      annotations: { ...before.annotations, ...desired.annotations },
    };
    kept.set(key, stored);
    return Promise.resolve(stored);
  }

  return model;
}
