// What the operator knows of the cluster: one store and one reflector for each kind it reads.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { labels, managedByValue } from '../api/names.ts';
import { systemClock } from '../controller/clock.ts';
import type { Report } from '../controller/incident.ts';
import type { KubeObject } from '../controller/object.ts';
import { createReflector, type ListWatch, type Reflector } from '../controller/reflector.ts';
import {
  type Change,
  createStore,
  type IndexFunctions,
  type Store,
  type StoreWriter,
} from '../controller/store.ts';
import type { ReflectorTiming } from '../controller/timing.ts';
import { annotations } from '../api/names.ts';
import { listWatchOf, metadataListWatchOf, type Scope } from '../systems/kubernetes/list-watch.ts';
import { kinds, type ResourceDescriptor } from '../systems/kubernetes/resource.ts';
import type { KubeTransport } from '../systems/kubernetes/transport.ts';
import { type ServiceAccountObject, serviceAccountIndexes, trimServiceAccount } from './service-accounts.ts';
import { userIndexes } from './users-by-role.ts';

export interface NamespaceObject extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly labels?: Readonly<Record<string, string>> };
}

export interface ConfigMapObject extends KubeObject {
  readonly metadata: KubeObject['metadata'] & {
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly {
      readonly apiVersion: string;
      readonly kind: string;
      readonly name: string;
      readonly uid: string;
      readonly controller?: boolean;
    }[];
  };
  readonly data?: Readonly<Record<string, string>>;
}

type UserIndex = 'database' | 'username' | 'namespace' | keyof typeof userIndexes;

export interface Caches {
  readonly databases: Store<IamDatabase>;
  readonly users: Store<IamDatabaseUser, UserIndex>;
  readonly namespaces: Store<NamespaceObject>;
  /** ConfigMaps with our labels only. */
  readonly configMaps: Store<ConfigMapObject, 'owner'>;
  readonly serviceAccounts: Store<ServiceAccountObject, 'role'>;
  start(handlers: Handlers): void;
  whenSynced(signal: AbortSignal): Promise<void>;
  isSynced(): boolean;
  /** Lists everything anew, and resolves once all of it was told. */
  refresh(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Called after the store holds the change; `initial` for what the first list brought. */
export interface Handlers {
  database(change: Change<IamDatabase>, initial: boolean): void;
  user(change: Change<IamDatabaseUser>, initial: boolean): void;
  namespace(change: Change<NamespaceObject>, initial: boolean): void;
  configMap(change: Change<ConfigMapObject>, initial: boolean): void;
  serviceAccount(change: Change<ServiceAccountObject>, initial: boolean): void;
}

export function createCaches(options: {
  readonly transport: KubeTransport;
  readonly operatorID: string;
  /** Where users are looked for; empty: everywhere. */
  readonly watched: readonly string[];
  /** The operator's own, where its ConfigMaps are. */
  readonly namespace: string;
  readonly timing: ReflectorTiming;
  readonly report: Report;
}): Caches {
  const { transport, operatorID, watched, timing, report } = options;
  const reflectors: Reflector[] = [];

  const store = <T extends KubeObject, I extends string>(indexes: IndexFunctions<T, I>) =>
    createStore<T, I>({ indexes, report });
  const reflect = <T extends KubeObject>(
    kind: ResourceDescriptor,
    into: StoreWriter<T>,
    onChange: (change: Change<T>, initial: boolean) => void,
    source: ListWatch<T>,
    namespace?: string,
  ) => {
    const reflector = createReflector<T>({
      name: namespace === undefined ? kind.plural : `${kind.plural} in ${namespace}`,
      source,
      store: namespace === undefined ? into : partOf(into, namespace),
      onChange,
      timing,
      clock: systemClock,
      random: Math.random,
      report,
    });
    reflectors.push(reflector);
    reflector.start();
  };

  const whole = <T extends KubeObject>(kind: ResourceDescriptor, scope: Scope = {}) =>
    listWatchOf<T>(transport, kind, scope);

  const databases = store<IamDatabase, never>({});
  const users = store<IamDatabaseUser, UserIndex>({
    database: ({ spec }) => [spec.databaseRef.name],
    username: ({ spec }) => [spec.username],
    namespace: ({ metadata }) => [metadata.namespace],
    ...userIndexes,
  });
  const namespaces = store<NamespaceObject, never>({});
  const configMaps = store<ConfigMapObject, 'owner'>({
    owner: ({ metadata }) => {
      const uid = metadata.annotations?.[annotations.ownerUID];
      return uid === undefined ? [] : [uid];
    },
  });

  const serviceAccounts = store<ServiceAccountObject, 'role'>(serviceAccountIndexes);

  return {
    databases,
    users,
    namespaces,
    configMaps,
    serviceAccounts,
    start: (handlers) => {
      const ours = `${labels.managedBy}=${managedByValue},${labels.operatorID}=${operatorID}`;
      const everywhere = [undefined];
      const own = new Set([...watched, options.namespace]);
      reflect(kinds.namespace, namespaces, handlers.namespace, whole(kinds.namespace));
      for (const namespace of watched.length === 0 ? everywhere : own) {
        const source = whole<ConfigMapObject>(kinds.configMap, { ...inside(namespace), labelSelector: ours });
        reflect(kinds.configMap, configMaps, handlers.configMap, source, namespace);
      }
      for (const namespace of watched.length === 0 ? everywhere : watched) {
        const source = metadataListWatchOf(
          transport,
          kinds.serviceAccount,
          trimServiceAccount,
          inside(namespace),
        );
        reflect(kinds.serviceAccount, serviceAccounts, handlers.serviceAccount, source, namespace);
      }
      reflect(kinds.iamDatabase, databases, handlers.database, whole(kinds.iamDatabase));
      for (const namespace of watched.length === 0 ? everywhere : watched) {
        const source = whole<IamDatabaseUser>(kinds.iamDatabaseUser, inside(namespace));
        reflect(kinds.iamDatabaseUser, users, handlers.user, source, namespace);
      }
    },
    whenSynced: async (signal) => {
      await Promise.all(reflectors.map((reflector) => reflector.whenSynced(signal)));
    },
    isSynced: () => reflectors.length > 0 && reflectors.every((reflector) => reflector.isSynced()),
    refresh: async (signal) => {
      await Promise.all(reflectors.map((reflector) => reflector.refresh(signal)));
    },
    stop: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}

const inside = (namespace: string | undefined): Scope => (namespace === undefined ? {} : { namespace });

/** A list of one namespace tells nothing of the others. */
const partOf = <T extends KubeObject>(store: StoreWriter<T>, namespace: string): StoreWriter<T> => ({
  ...store,
  replace: (objects) => store.replace(objects, ({ metadata }) => metadata.namespace === namespace),
});
