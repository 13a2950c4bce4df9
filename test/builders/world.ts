// A world in memory: the real decisions over models of a cluster, an AWS account and a PostgreSQL server, every effect noted.
import { annotations, databaseFinalizer, labels, userFinalizer } from '../../src/api/names.ts';
import type { IamDatabase, IamDatabaseUser } from '../../src/api/objects.ts';
import { createStore } from '../../src/controller/store.ts';
import {
  type ServiceAccountObject,
  serviceAccountIndexes,
  serviceAccountView,
} from '../../src/operator/service-accounts.ts';
import { sharedPasses } from '../../src/operator/shared-passes.ts';
import { userIndexes } from '../../src/operator/users-by-role.ts';
import type { NamespaceFacts } from '../../src/reconcile/allow.ts';
import type { DatabaseState } from '../../src/reconcile/database-state.ts';
import type { Resource } from '../../src/kernel/converge.ts';
import { asFailure, Failure } from '../../src/kernel/failure.ts';
import { keyOf } from '../../src/reconcile/names.ts';
import type { Loss } from '../../src/reconcile/loss.ts';
import { userARNs } from '../../src/reconcile/user-arns.ts';
import type { PodIdentity } from '../../src/reconcile/principals.ts';
import type { Event, Proof, Stranger, World } from '../../src/reconcile/world.ts';
import type { RoleDocuments } from '../../src/resources/access/role-rights.ts';
import type { AccessVerdict, AccessWish } from '../../src/resources/access/verdict.ts';
import { connectionResource } from '../../src/resources/connection/resource.ts';
import { policyThatAllows } from '../../src/resources/policy/policy.ts';
import type { Mark } from '../../src/resources/role/mark.ts';
import { whyKept, whyLeftAlone } from '../../src/resources/role/resource.ts';
import type { RoleServer } from '../../src/resources/role/server.ts';
import {
  type DesiredTrustBundle,
  describeTrustBundle,
  type ObservedTrustBundle,
  type TrustBundleChange,
} from '../../src/resources/trust-bundle/plan.ts';
import type { ResolvedTarget } from '../../src/resources/target/target.ts';
import { configMapModel, type ConfigMapModel } from './config-maps.ts';
import { aDatabase, aNamespace, aTarget } from './objects.ts';
import { policyModel, type PolicyModel } from './policy-model.ts';
import { roleModel, type RoleModel } from './role-model.ts';

export interface TestWorld extends World {
  /** Everything that was asked of the world, in order; `effects` without what only looks. */
  readonly calls: string[];
  effects(): readonly string[];
  readonly events: { readonly about: string; readonly event: Event }[];
  readonly roles: RoleModel;
  readonly policies: PolicyModel;
  readonly configMaps: ConfigMapModel;
  readonly wishes: AccessWish[];
  readonly known: Map<string, DatabaseState>;
  readonly namespaces: Map<string, NamespaceFacts>;
  /** What the next logins are judged; the last one stays. */
  verdicts: readonly (AccessVerdict | Failure)[];
  time: number;
  synced: boolean;
  /** Thrown by that call. */
  broken: {
    [call in
      | 'hold'
      | 'release'
      | 'report'
      | 'readMark'
      | 'rolesHolding'
      | 'roots'
      | 'resolve'
      | 'rehearse']?: Error;
  };
  /** What the policies of proxies' roles say, by ARN. */
  readonly roleRights: Map<string, RoleDocuments | Failure>;
  /** What should be known of a database's admin, though it may work. */
  advice: string | undefined;
  /** What AWS answers about a target. */
  resolved: ResolvedTarget;

  /** Stores objects as a watch would bring them. */
  put(...objects: readonly (IamDatabase | IamDatabaseUser)[]): void;
  remove(object: IamDatabase | IamDatabaseUser): void;
  /** A ServiceAccount with that annotation, or (null) without any; undefined: there is none. */
  annotate(name: string, roleARN: string | null | undefined, namespace?: string): void;
  /** Its EKS Pod Identity association, or why that is not known. */
  associate(name: string, podIdentity: PodIdentity | Failure | undefined): void;
  /** What is stored of the user now. */
  stored(key?: string): IamDatabaseUser;
  storedDatabase(name?: string): IamDatabase;
  /** Everything that lives in memory only is gone, as after a restart; objects and outside state stay. */
  restart(): void;
}

export const verified: AccessVerdict = {
  status: 'True',
  reason: 'Verified',
  message: 'A login with a fresh token was answered with this user name.',
  verifiedAs: 'arn:aws:iam::111122223333:role/payments-checkout',
};

const ignore = () => {};

/** Namespace payments exists; the database orders is resolved and its admin works, unless told otherwise. */
export function aWorld(
  settings: Partial<World['settings']> = {},
  options: {
    readonly log?: (call: string) => void;
    readonly inline?: boolean;
    /** Another process over the same PostgreSQL, AWS and ConfigMaps, and in the same list of calls. */
    readonly outside?: TestWorld;
    /** Whose objects it sees. */
    readonly scope?: string;
  } = {},
): TestWorld {
  const { outside } = options;
  const calls = outside?.calls ?? [];
  const note = (call: string) => {
    calls.push(call);
    options.log?.(call);
  };
  const users = createStore<
    IamDatabaseUser,
    'database' | 'username' | 'namespace' | keyof typeof userIndexes
  >({
    indexes: {
      database: ({ spec }) => [spec.databaseRef.name],
      username: ({ spec }) => [spec.username],
      namespace: ({ metadata }) => [metadata.namespace],
      ...userIndexes,
    },
    report: ignore,
  });
  const serviceAccounts = createStore<ServiceAccountObject, 'role'>({
    indexes: serviceAccountIndexes,
    report: ignore,
  });
  const databases = createStore<IamDatabase>({ indexes: {}, report: ignore });
  const namespaces = new Map([['payments', aNamespace()]]);
  const associations = new Map<string, PodIdentity | Failure>();
  const known = new Map<string, DatabaseState>();
  const marks = new Map<string, { readonly mark: Mark | undefined }>();
  const vetted = new Set<string>();
  const disowned = new Map<string, Stranger>();
  const proofs = new Map<string, Proof>();
  const declared = new Map<string, string>();
  const lastSeen = new Map<string, string>();
  const losses = new Map<string, Loss>();
  const waitsSince = new Map<string, number>();
  const failures = new Map<string, number>();
  const ended = new Set<string>();
  const roles = outside?.roles ?? roleModel(note);
  const policies = outside?.policies ?? policyModel(note);
  const configMaps = outside?.configMaps ?? configMapModel(note);
  const server = { authentication: 'IAM' } as RoleServer;
  known.set('orders', { target: aTarget(), admin: { serverVersion: '17.4' }, server });
  let count = 1;

  const breakIf = (call: keyof TestWorld['broken']) => {
    const error = world.broken[call];
    if (error !== undefined) throw error;
  };
  const store = <T extends IamDatabase | IamDatabaseUser>(object: T): T => {
    count += 1;
    // As it comes back over the wire: nothing undefined, nothing shared.
    const stored = JSON.parse(JSON.stringify(object)) as T;
    const versioned = { ...stored, metadata: { ...stored.metadata, resourceVersion: String(count) } };
    if (versioned.kind === 'IamDatabase') databases.upsert(versioned);
    else users.upsert(versioned);
    return versioned;
  };
  const writesOf = <T extends IamDatabase | IamDatabaseUser>(finalizer: string) => ({
    hold: async (object: T) => {
      note(`hold ${keyOf(object)}`);
      await Promise.resolve();
      breakIf('hold');
      const finalizers = [...(object.metadata.finalizers ?? []), finalizer];
      return store({ ...object, metadata: { ...object.metadata, finalizers } });
    },
    release: async (object: T) => {
      note(`release ${keyOf(object)}`);
      await Promise.resolve();
      breakIf('release');
      const left = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
      if (left.length === 0) world.remove(object);
      else store({ ...object, metadata: { ...object.metadata, finalizers: left } });
    },
    report: async (object: T, status: object) => {
      note(`report ${keyOf(object)}`);
      await Promise.resolve();
      breakIf('report');
      store({ ...object, status });
    },
  });

  const seen = {
    operatorID: 'op-1',
    scope: () => options.scope ?? 'cluster-1',
    resourceIDs: () =>
      new Set(
        [...known.values()].flatMap(({ target }) => (target instanceof Failure ? [] : target.resourceIDs)),
      ),
    disowned,
    vetted,
    losses,
    now: () => world.time,
    database: (name: string) => databases.get(name),
    databases: () => databases.list(),
    stateOf: (name: string) => known.get(name),
    namespace: (name: string) => namespaces.get(name),
    usersNamed: (username: string) => users.byIndex('username', username),
    usersOf: (database: string) => users.byIndex('database', database),
    ...serviceAccountView(serviceAccounts, {
      of: (account) => associations.get(account),
      associatedWith: (roleARN) =>
        [...associations].flatMap(([account, one]) =>
          !(one instanceof Failure) && one.roleARN === roleARN ? [account] : [],
        ),
    }),
    markOf: (resourceID: string, username: string) => marks.get(`${resourceID} ${username}`),
    settings: {
      proveAsOperator: false,
      proveWithServiceAccountsIn: [],
      bundleMountPath: '/etc/rds-ca',
      allowLocalAddresses: false,
      timeScale: 1,
      mode: 'Enforce',
      ...settings,
    } satisfies World['settings'],
    arnsOf: (({ spec }, target) => userARNs(spec.username, target)) satisfies World['arnsOf'],
    publicRoots: () => 'public roots',
    roots: async (region: string) => {
      note(`fetch roots of ${region}`);
      await Promise.resolve();
      breakIf('roots');
      return `roots of ${region}`;
    },
  };

  const ownedBy = ({ metadata: { uid } }: IamDatabaseUser, kind: string) =>
    [...configMaps.kept].flatMap(([key, { annotations: notes, labels: marks }]) =>
      notes[annotations.ownerUID] === uid && marks[labels.kind] === kind
        ? [key.slice(key.indexOf('/') + 1)]
        : [],
    );

  const world: TestWorld = {
    ...seen,
    ...sharedPasses({
      caches: { users, serviceAccounts, isSynced: () => world.synced },
      world: seen,
      policy: policies.resource,
      inline: options.inline === true ? policies.inline : undefined,
      trustBundle: bundleResource(configMaps),
      deadlineMs: 5_000,
    }),
    calls,
    effects: () => calls.filter((call) => !/^(observe|fetch|read|prove|event|ended)/.test(call)),
    events: [],
    roles,
    policies,
    configMaps,
    wishes: [],
    known,
    namespaces,
    verdicts: [verified],
    time: Date.parse('2026-03-01T00:00:00Z'),
    synced: true,
    broken: {},
    roleRights: new Map(),
    advice: undefined,
    resolved: aTarget(),
    isComplete: () => world.synced,
    wakeDatabase: (name) => note(`event wake ${name}`),
    user: (key) => {
      const found = users.get(key);
      return found === undefined || ended.has(found.metadata.uid) ? undefined : found;
    },
    lookAtPodIdentities: () => Promise.resolve(),
    userWrites: writesOf<IamDatabaseUser>(userFinalizer),
    databaseWrites: writesOf<IamDatabase>(databaseFinalizer),
    event: (about, event) => {
      note(`event ${event.reason}`);
      world.events.push({ about: keyOf(about), event });
    },
    learn: (name, state) => {
      note(`learn ${name}`);
      if (state === undefined) known.delete(name);
      else known.set(name, state);
    },
    open: () => server,
    close: (name) => note(`close ${name}`),
    resolve: async () => {
      note('look at the target');
      await Promise.resolve();
      breakIf('resolve');
      return world.resolved;
    },
    adviceOn: async () => await Promise.resolve(world.advice),
    rehearse: async () => {
      note('rehearse');
      await Promise.resolve();
      breakIf('rehearse');
      return { serverVersion: '17.4' };
    },
    readMark: async (_database, resourceID, username) => {
      note(`read mark of ${username}`);
      await Promise.resolve();
      if (world.broken.readMark !== undefined) return asFailure(world.broken.readMark);
      marks.set(`${resourceID} ${username}`, { mark: roles.markOf(username) });
      return undefined;
    },
    role: () => roles.resource,
    whyKept,
    whyLeftAlone,
    policyHolding: (observed, arns) => {
      const [first, ...rest] = arns.map((arn) => policyThatAllows(observed, arn));
      return rest.every((policyARN) => policyARN !== undefined) ? first : undefined;
    },
    rolesHolding: async (user) => {
      await Promise.resolve();
      breakIf('rolesHolding');
      return policies.rolesHolding(user.spec.username);
    },
    note: () => {},
    ended: (user) => {
      note(`ended ${keyOf(user)}`);
      ended.add(user.metadata.uid);
    },
    forget: ({ metadata }) => {
      ended.delete(metadata.uid);
      vetted.delete(metadata.uid);
      disowned.delete(metadata.uid);
      proofs.delete(metadata.uid);
      declared.delete(metadata.uid);
      lastSeen.delete(metadata.uid);
      losses.delete(metadata.uid);
      waitsSince.delete(metadata.uid);
      failures.delete(`user ${metadata.namespace}/${metadata.name}`);
    },
    roleDocuments: async (roleARN) => {
      note(`read policies of ${roleARN}`);
      await Promise.resolve();
      const found = world.roleRights.get(roleARN);
      if (found instanceof Failure) throw found;
      return found;
    },
    connection: connectionResource(configMaps),
    connectionsOf: (user) => ownedBy(user, 'connection'),
    documentsOf: ownedBy,
    verify: (wish) => {
      note(`prove ${wish.username}`);
      world.wishes.push(wish);
      const [verdict = verified, ...rest] = world.verdicts;
      if (rest.length > 0) world.verdicts = rest;
      return verdict instanceof Failure ? Promise.reject(verdict) : Promise.resolve(verdict);
    },
    proofs,
    declared,
    seen: lastSeen,
    waitsSince,
    failures,

    put: (...objects) => {
      for (const object of objects) store(object);
    },
    remove: (object) => {
      if (object.kind === 'IamDatabase') databases.remove(object);
      else {
        users.remove(object);
        // As the watch event of its end does.
        world.forget(object);
      }
    },
    annotate: (name, roleARN, namespace = 'payments') => {
      count += 1;
      const metadata = { name, namespace, uid: `uid-${name}`, resourceVersion: String(count) };
      const object = { metadata, roleARN: roleARN ?? undefined };
      if (roleARN === undefined) serviceAccounts.remove(object);
      else serviceAccounts.upsert(object);
    },
    associate: (name, podIdentity) => {
      if (podIdentity === undefined) associations.delete(`payments/${name}`);
      else associations.set(`payments/${name}`, podIdentity);
    },
    lookAfresh: (roleARN) => note(`read afresh ${roleARN}`),
    stored: (key = 'payments/checkout') => {
      const found = users.get(key);
      if (found === undefined) throw new Error(`there is no ${key}`);
      return found;
    },
    storedDatabase: (name = 'orders') => {
      const found = databases.get(name);
      if (found === undefined) throw new Error(`there is no ${name}`);
      return found;
    },
    restart: () => {
      for (const memory of [
        marks,
        vetted,
        disowned,
        proofs,
        declared,
        lastSeen,
        losses,
        waitsSince,
        failures,
      ])
        memory.clear();
    },
  };
  return world;
}

/** Bundles without certificates: which regions one holds is all that passes see of them. */
function bundleResource(
  configMaps: ConfigMapModel,
): Resource<DesiredTrustBundle, ObservedTrustBundle, TrustBundleChange> {
  return {
    observe: async ({ namespace, name }, signal) => ({
      configMap: await configMaps.get(namespace, name, signal),
    }),
    plan: ({ namespace, name, contributions, bundles, complete }, { configMap }) => {
      const data = Object.fromEntries(bundles);
      if (bundles.size === 0) {
        const gone = complete && contributions.length === 0;
        return configMap !== undefined && gone ? [{ do: 'remove', uid: configMap.uid }] : [];
      }
      if (JSON.stringify(configMap?.data) === JSON.stringify(data)) return [];
      return [
        { do: 'create', configMap: { namespace, name, data, labels: { bundle: 'yes' }, annotations: {} } },
      ];
    },
    describe: describeTrustBundle,
    apply: async (changes, { namespace, name }, _observed, signal) => {
      for (const change of changes) {
        if (change.do === 'remove') await configMaps.remove(namespace, name, change.uid, signal);
        else await configMaps.create(change.configMap, signal);
      }
      return undefined;
    },
  };
}

/** The IamDatabase of that name leads to a server of its own, with roles of its own. */
export function addServer(world: TestWorld, database: string, serverResourceID: string): void {
  const state = world.stateOf('orders');
  if (state === undefined) throw new Error('orders is not known');
  const server: RoleServer = { ...world.open(aDatabase(), aTarget()) };
  const target = aTarget({ serverResourceID, resourceIDs: [serverResourceID] });
  world.known.set(database, { ...state, target, server });
  const roles = roleModel(() => {});
  world.role = (of) => (of === server ? roles : world.roles).resource;
}
