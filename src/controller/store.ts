// Objects in memory by key and by named indexes, as the reflector keeps them.
import type { Report } from './incident.ts';
import { isOlder, keyOf, type KubeObject } from './object.ts';

export type Change<T> =
  | { readonly kind: 'added'; readonly key: string; readonly object: T }
  | { readonly kind: 'updated'; readonly key: string; readonly object: T; readonly previous: T }
  | { readonly kind: 'deleted'; readonly key: string; readonly object: T };

/** Which values an object is found under; must be pure. */
export type IndexFunctions<T, Index extends string> = Readonly<
  Record<Index, (object: T) => readonly string[]>
>;

/** What a reconcile may do with a store. Objects in it belong to everybody: never change one. */
export interface StoreReader<T, Index extends string = never> {
  get(key: string): T | undefined;
  list(): readonly T[];
  keys(): readonly string[];
  byIndex(index: Index, value: string): readonly T[];
  size(): number;
  /**
   * Takes in the server's answer to a write of our own, so that the next pass does not act on the older version and
   * the watch event that follows is no news. Ignored unless the same object is stored in an older version.
   */
  noteWritten(object: T): void;
}

/** What the reflector does with a store; each answers what has changed. */
export interface StoreWriter<T> {
  /** A new uid under the same key is a deletion and an addition; an older or the same version is no change. */
  upsert(object: T): readonly Change<T>[];
  /** Does nothing if another object (by uid) has taken the key. */
  remove(object: T): readonly Change<T>[];
  /** Makes the store hold exactly these, or of its part exactly these. */
  replace(objects: readonly T[], isOfPart?: (object: T) => boolean): readonly Change<T>[];
}

export interface Store<T, Index extends string = never> extends StoreReader<T, Index>, StoreWriter<T> {}

export interface StoreOptions<T, Index extends string> {
  readonly indexes: IndexFunctions<T, Index>;
  readonly report: Report;
}

interface Entry<T> {
  readonly object: T;
  /** The values per index as they were computed when the object came in, so that removal finds the same ones. */
  readonly values: readonly (readonly string[])[];
}

export function createStore<T extends KubeObject, Index extends string = never>(
  options: StoreOptions<T, Index>,
): Store<T, Index> {
  const { indexes, report } = options;
  const names = Object.keys(indexes).filter((name): name is Index => Object.hasOwn(indexes, name));
  const entries = new Map<string, Entry<T>>();
  const buckets = new Map<Index, Map<string, Set<string>>>(names.map((name) => [name, new Map()]));

  // One odd object must not keep all the others from being seen.
  const valuesOf = (key: string, object: T) =>
    names.map((name) => {
      try {
        return [...new Set(indexes[name](object))];
      } catch (error) {
        report({ what: 'index-threw', subject: `${name} of ${key}`, error });
        return [];
      }
    });

  const unindex = (key: string, entry: Entry<T>) => {
    for (const [position, name] of names.entries()) {
      const bucket = buckets.get(name);
      for (const value of entry.values[position] ?? []) {
        const keys = bucket?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) bucket?.delete(value);
      }
    }
  };

  const put = (key: string, object: T) => {
    const entry = { object, values: valuesOf(key, object) };
    const before = entries.get(key);
    if (before !== undefined) unindex(key, before);
    entries.set(key, entry);
    for (const [position, name] of names.entries()) {
      const bucket = buckets.get(name);
      for (const value of entry.values[position] ?? []) {
        const keys = bucket?.get(value);
        if (keys === undefined) bucket?.set(value, new Set([key]));
        else keys.add(key);
      }
    }
  };

  const drop = (key: string) => {
    const entry = entries.get(key);
    if (entry !== undefined) unindex(key, entry);
    entries.delete(key);
  };

  const take = (object: T, isStale: (stored: T) => boolean): readonly Change<T>[] => {
    const key = keyOf(object);
    const previous = entries.get(key)?.object;
    if (previous === undefined) {
      put(key, object);
      return [{ kind: 'added', key, object }];
    }
    if (previous.metadata.uid !== object.metadata.uid) {
      put(key, object);
      return [
        { kind: 'deleted', key, object: previous },
        { kind: 'added', key, object },
      ];
    }
    if (previous.metadata.resourceVersion === object.metadata.resourceVersion || isStale(previous)) return [];
    put(key, object);
    return [{ kind: 'updated', key, object, previous }];
  };

  const olderThan = (object: T) => (stored: T) =>
    isOlder(object.metadata.resourceVersion, stored.metadata.resourceVersion);

  return {
    get: (key) => entries.get(key)?.object,
    list: () => Array.from(entries.values(), (entry) => entry.object),
    keys: () => [...entries.keys()],
    byIndex: (index, value) => {
      const found: T[] = [];
      for (const key of buckets.get(index)?.get(value) ?? []) {
        const entry = entries.get(key);
        if (entry !== undefined) found.push(entry.object);
      }
      return found;
    },
    size: () => entries.size,
    noteWritten: (object) => {
      const stored = entries.get(keyOf(object))?.object;
      if (stored?.metadata.uid === object.metadata.uid) take(object, olderThan(object));
    },
    upsert: (object) => take(object, olderThan(object)),
    remove: (object) => {
      const key = keyOf(object);
      const stored = entries.get(key)?.object;
      if (stored === undefined || stored.metadata.uid !== object.metadata.uid) return [];
      drop(key);
      return [{ kind: 'deleted', key, object }];
    },
    replace: (objects, isOfPart = () => true) => {
      const kept = new Set(objects.map(keyOf));
      const changes: Change<T>[] = [];
      for (const [key, entry] of entries) {
        if (kept.has(key) || !isOfPart(entry.object)) continue;
        drop(key);
        changes.push({ kind: 'deleted', key, object: entry.object });
      }
      // The list is the truth even where its versions are older: that is how a restored etcd looks.
      for (const object of objects) changes.push(...take(object, () => false));
      return changes;
    },
  };
}
