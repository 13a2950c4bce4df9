// The world of a pass, made of caches, memory and systems.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { annotations, labels } from '../api/names.ts';
import type { Config } from '../config.ts';
import { chosen } from '../kernel/converge.ts';
import { type DatabaseState, targetOrLast } from '../reconcile/database-state.ts';
import { asFailure, Failure } from '../kernel/failure.ts';
import type { NamespaceFacts } from '../reconcile/allow.ts';
import { userARNs } from '../reconcile/user-arns.ts';
import { serviceAccountsOf } from '../reconcile/principals.ts';
import type { World } from '../reconcile/world.ts';
import { verifyAccess } from '../resources/access/access.ts';
import type { ConfigMaps } from '../kernel/config-map.ts';
import { connectionKind } from '../resources/connection/plan.ts';
import { connectionResource } from '../resources/connection/resource.ts';
import type { KnownPolicy } from '../resources/policy/known-roles.ts';
import type { DesiredInline } from '../resources/policy/inline/inline.ts';
import { inlineResource } from '../resources/policy/inline/resource.ts';
import { namePrefix } from '../resources/policy/names.ts';
import { policyResource } from '../resources/policy/resource.ts';
import { type DesiredPolicy, policyThatAllows } from '../resources/policy/policy.ts';
import { readMark, rehearse, roleResource, whyKept, whyLeftAlone } from '../resources/role/resource.ts';
import { resolveTarget } from '../resources/target/resource.ts';
import { trustBundleResource } from '../resources/trust-bundle/resource.ts';
import { systemClock } from '../controller/clock.ts';
import { publicRoots } from '../systems/trust-store/public-roots.ts';
import type { AccessVerdict } from '../resources/access/verdict.ts';
import type { AwsSystems } from './aws.ts';
import type { Caches, NamespaceObject } from './caches.ts';
import { identitiesOf, identityFor } from './identities.ts';
import { createLoginPace } from './login-pace.ts';
import { emptyKnowledge, isNews } from './knowledge.ts';
import type { Servers } from './servers.ts';
import type { PodIdentities } from './pod-identities.ts';
import { serviceAccountView } from './service-accounts.ts';
import { sharedPasses } from './shared-passes.ts';
import { usersByRole } from './users-by-role.ts';

export function createWorld(options: {
  readonly config: Config;
  readonly operatorID: string;
  readonly caches: Caches;
  readonly aws: AwsSystems;
  readonly servers: Servers;
  readonly adviceOn: World['adviceOn'];
  readonly configMaps: ConfigMaps;
  readonly podIdentities: PodIdentities;
  readonly userWrites: World['userWrites'];
  readonly databaseWrites: World['databaseWrites'];
  readonly event: World['event'];
  readonly note: World['note'];
  /** Told the reason of each verdict. */
  readonly onProof: (reason: string) => void;
  readonly wakeUsers: (database: string) => void;
  readonly wakeDatabase: (name: string) => void;
  readonly passDeadlineMs: number;
}): World {
  const { config, operatorID, caches, aws, servers, configMaps, podIdentities } = options;
  const known = emptyKnowledge();
  const watched = config['watch-namespaces']
    .split(',')
    .toSorted()
    .join(' ')
    .replace(/^(?=.)/, ' ');
  const now = () => Date.now();
  const pace = createLoginPace(config['proofs-per-second'], systemClock, options.passDeadlineMs);
  const view = {
    databases: () => caches.databases.list(),
    stateOf: (database: string) => known.states.get(database),
  };
  const accountView = serviceAccountView(caches.serviceAccounts, podIdentities);
  const usersOf = usersByRole(caches.users, caches.serviceAccounts, accountView);
  /** IAM as the database of an IAM role's users sees it. */
  const iamOf = (roleARN: string) => {
    const naming = new Set(usersOf(roleARN).naming.map(({ spec }) => spec.databaseRef.name));
    return aws.as(identityFor(roleARN, naming, view)).iam;
  };
  const policy = chosen(({ roleARN }: DesiredPolicy) => policyResource(iamOf(roleARN)));
  const inline = config['inline-policies']
    ? chosen(({ roleARN }: DesiredInline) => inlineResource(iamOf(roleARN)))
    : undefined;
  const trustBundle = trustBundleResource({ configMaps, now });

  const seen = {
    operatorID,
    // One account may serve several clusters, and a rebuilt one does not know its objects yet.
    // Nor does one that is told to look at other namespaces than before.
    scope: () => `cluster ${caches.namespaces.get('kube-system')?.metadata.uid ?? 'unknown'}${watched}`,
    resourceIDs: (account: string) =>
      new Set(
        [...known.states.values()].flatMap(({ target }) =>
          target instanceof Failure || target.accountID !== account ? [] : target.resourceIDs,
        ),
      ),
    disowned: known.disowned,
    vetted: known.vetted,
    losses: known.losses,
    now,
    database: (name: string) => caches.databases.get(name),
    ...view,
    namespace: (name: string) => factsOf(caches.namespaces.get(name)),
    usersNamed: (username: string) => caches.users.byIndex('username', username),
    usersOf: (database: string) => caches.users.byIndex('database', database),
    markOf: (server: string, username: string) => known.marks.get(`${server} ${username}`),
    ...accountView,
    roots: aws.roots,
    publicRoots,
    settings: {
      proveAsOperator: config['prove-as-operator'],
      proveWithServiceAccountsIn: config['prove-with-service-accounts-in'].split(',').filter(Boolean),
      bundleMountPath: config['bundle-mount-path'],
      allowLocalAddresses: config['allow-local-addresses'],
      timeScale: config['time-scale'],
      mode: config.mode === 'Plan' ? 'Plan' : 'Enforce',
    } satisfies World['settings'],
    arnsOf: (({ spec }, target) => userARNs(spec.username, target)) satisfies World['arnsOf'],
  };

  const ownedBy = ({ metadata: { uid } }: IamDatabaseUser, kind: string) =>
    caches.configMaps
      .byIndex('owner', uid)
      .filter(({ metadata }) => metadata.annotations?.[annotations.ownerUID] === uid)
      .filter(({ metadata }) => metadata.labels?.[labels.kind] === kind)
      .map(({ metadata }) => metadata.name);

  return {
    ...seen,
    ...sharedPasses({ caches, world: seen, policy, inline, trustBundle, deadlineMs: options.passDeadlineMs }),
    isComplete: () => caches.isSynced(),
    wakeDatabase: options.wakeDatabase,
    user: (key) => {
      const user = caches.users.get(key);
      return user !== undefined && known.ended.has(user.metadata.uid) ? undefined : user;
    },
    lookAtPodIdentities: async (user, signal) => {
      const { namespace } = user.metadata;
      await podIdentities.look(
        serviceAccountsOf(user).map((name) => `${namespace}/${name}`),
        signal,
      );
    },
    userWrites: options.userWrites,
    databaseWrites: options.databaseWrites,
    event: options.event,
    note: options.note,

    learn: (database, state) => {
      const before = known.states.get(database);
      if (state === undefined) {
        known.states.delete(database);
        servers.close(database);
      } else {
        known.states.set(database, state);
      }
      if (isNews(before, state)) options.wakeUsers(database);
    },
    open: (database: IamDatabase, target) => servers.open(database, target),
    close: (database) => servers.close(database),
    resolve: async ({ target, assumeRole }, signal) =>
      await resolveTarget(aws.as(assumeRole).directory, target, signal),
    adviceOn: options.adviceOn,
    rehearse: async (server, signal) => await rehearse(server, operatorID, signal),
    readMark: async (database, serverResourceID, username, signal) => {
      const own = known.states.get(database);
      const server = own?.server ?? anyServerOf(serverResourceID, known.states.values());
      if (server === undefined && own?.admin !== 'NotUsed')
        return new Failure('unavailable', 'DatabaseUnavailable', 'The server is not open.');
      try {
        // Where nobody may look there is no mark to go by.
        const mark = server && (await readMark(server, username, signal));
        known.marks.set(`${serverResourceID} ${username}`, { mark });
        return undefined;
      } catch (thrown) {
        return asFailure(thrown);
      }
    },

    role: (server) => roleResource(server),
    whyKept,
    whyLeftAlone,
    policyHolding: (observed, arns) => {
      const [first, ...rest] = arns.map((arn) => policyThatAllows(observed, arn));
      return rest.every((policyARN) => policyARN !== undefined) ? first : undefined;
    },
    rolesHolding: async (user, signal) => {
      const target = targetOrLast(known.states.get(user.spec.databaseRef.name));
      const own = target === undefined ? undefined : seen.arnsOf(user, target);
      const { username } = user.spec;
      const holds = ({ arns, usernames }: KnownPolicy) =>
        own === undefined ? usernames.includes(username) : own.some((arn) => arns.includes(arn));
      const database = caches.databases.get(user.spec.databaseRef.name);
      // One that is gone no longer tells where it was.
      const identities = database === undefined ? identitiesOf(view.databases()) : [database.spec.assumeRole];
      const all = await Promise.all(identities.map((identity) => aws.as(identity).knownPolicies(signal)));
      return all
        .flat()
        .filter(holds)
        .map(({ roleARN }) => roleARN);
    },
    ended: ({ metadata }) => {
      // Unless the cache heard of its end before we did.
      const cached = caches.users.get(`${metadata.namespace}/${metadata.name}`);
      if (cached?.metadata.uid === metadata.uid) known.ended.add(metadata.uid);
    },
    forget: ({ metadata, spec }) => {
      known.ended.delete(metadata.uid);
      known.vetted.delete(metadata.uid);
      known.disowned.delete(metadata.uid);
      // Read anew when the name is contested again.
      for (const key of known.marks.keys()) if (key.endsWith(` ${spec.username}`)) known.marks.delete(key);
      known.proofs.delete(metadata.uid);
      known.declared.delete(metadata.uid);
      known.seen.delete(metadata.uid);
      known.losses.delete(metadata.uid);
      known.waitsSince.delete(metadata.uid);
      known.failures.delete(`user ${metadata.namespace}/${metadata.name}`);
    },
    lookAfresh: (roleARN) => iamOf(roleARN).forget(namePrefix({ operatorID, roleARN })),
    roleDocuments: async (roleARN, signal) => await iamOf(roleARN).roleDocuments(roleARN, signal),
    connection: connectionResource(configMaps),
    connectionsOf: (user) => ownedBy(user, connectionKind),
    documentsOf: ownedBy,
    verify: async (wish, { spec }, signal) => {
      const verify = async () => await verifyAccess(wish, aws.as(spec.assumeRole).access, signal);
      const verdict = await pace(`${wish.endpoint}:${wish.port}`, verify, signal);
      if ('comeAgainMs' in verdict) return waitsForTurn(verdict.comeAgainMs);
      options.onProof(verdict.reason);
      return verdict;
    },
    proofs: known.proofs,
    declared: known.declared,
    seen: known.seen,
    waitsSince: known.waitsSince,
    failures: known.failures,
  };
}

const factsOf = (namespace: NamespaceObject | undefined): NamespaceFacts | undefined =>
  namespace && {
    name: namespace.metadata.name,
    uid: namespace.metadata.uid,
    labels: namespace.metadata.labels ?? {},
  };

/** Another IamDatabase of the same server may have an admin. */
const anyServerOf = (serverResourceID: string, states: Iterable<DatabaseState>) =>
  [...states].find(
    ({ target, server }) =>
      server !== undefined && !(target instanceof Failure) && target.serverResourceID === serverResourceID,
  )?.server;

const waitsForTurn = (retryAfterMs: number): AccessVerdict => ({
  status: 'Unknown',
  reason: 'Progressing',
  message: 'Many logins are to be proven at this server; this one waits for its turn.',
  retryAfterMs,
});
