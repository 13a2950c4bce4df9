// What the operator knows of the cluster: one store and one reflector for each kind it reads.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { labels, managedByValue } from '../api/names.ts';
import { systemClock } from '../controller/clock.ts';
import type { Report } from '../controller/incident.ts';
import type { KubeObject } from '../controller/object.ts';
import { createReflector, type ListWatch, type Reflector } from '../controller/reflector.ts';
import { type Change, createStore, type IndexFunctions, type Store } from '../controller/store.ts';
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
  readonly timing: ReflectorTiming;
  readonly report: Report;
}): Caches {
  const { transport, operatorID, timing, report } = options;
  const reflectors: Reflector[] = [];

  const store = <T extends KubeObject, I extends string>(indexes: IndexFunctions<T, I>) =>
    createStore<T, I>({ indexes, report });
  const reflect = <T extends KubeObject>(
    kind: ResourceDescriptor,
    into: Store<T> | Store<T, string>,
    onChange: (change: Change<T>, initial: boolean) => void,
    source: ListWatch<T>,
  ) => {
    const reflector = createReflector<T>({
      name: kind.plural,
      source,
      store: into,
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
      reflect(kinds.namespace, namespaces, handlers.namespace, whole(kinds.namespace));
      reflect(
        kinds.configMap,
        configMaps,
        handlers.configMap,
        whole(kinds.configMap, { labelSelector: ours }),
      );
      reflect(
        kinds.serviceAccount,
        serviceAccounts,
        handlers.serviceAccount,
        metadataListWatchOf(transport, kinds.serviceAccount, trimServiceAccount),
      );
      reflect(kinds.iamDatabase, databases, handlers.database, whole(kinds.iamDatabase));
      reflect(kinds.iamDatabaseUser, users, handlers.user, whole(kinds.iamDatabaseUser));
    },
    whenSynced: async (signal) => {
      await Promise.all(reflectors.map((reflector) => reflector.whenSynced(signal)));
    },
    isSynced: () => reflectors.length > 0 && reflectors.every((reflector) => reflector.isSynced()),
    stop: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}
