// The operator as one thing: caches, passes and controllers composed, woken by what changes, led by one.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeConfig } from '@kubernetes/client-node';
import { databaseFinalizer, userFinalizer } from '../api/names.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { DatabaseStatus, UserStatus } from '../api/schema.ts';
import type { Config } from '../config.ts';
import { systemClock } from '../controller/clock.ts';
import { createEventRecorder } from '../controller/events.ts';
import type { Report } from '../controller/incident.ts';
import { defaultTiming, scaleTiming } from '../controller/timing.ts';
import { type Metrics, requestMetrics, sqlMetrics } from '../ops/metrics.ts';
import type { Log } from '../ops/log.ts';
import type { AccessPorts } from '../resources/access/access.ts';
import { stsAudience } from '../resources/access/trust.ts';
import { checkAddress } from '../resources/target/address.ts';
import type { ProxyEnvironment } from '../systems/connections.ts';
import { eventSink } from '../systems/kubernetes/event-sink.ts';
import { orKubeFailure } from '../systems/kubernetes/failures.ts';
import { objectsOf } from '../systems/kubernetes/objects.ts';
import { remedyFor } from '../systems/kubernetes/remedy.ts';
import { kinds } from '../systems/kubernetes/resource.ts';
import { requestToken } from '../systems/kubernetes/token-request.ts';
import { connect } from '../systems/kubernetes/transport.ts';
import { adminPasswords, type SecretObject } from './admin-password.ts';
import { awsSystems, refreshMs } from './aws.ts';
import { tellOfAws } from './aws-gauges.ts';
import { type ConfigMapObject, createCaches, type NamespaceObject } from './caches.ts';
import { configMaps } from './config-maps.ts';
import { createControllers } from './controllers.ts';
import { eventsAbout } from './events-about.ts';
import { observe } from './observe.ts';
import { createLeading } from './leading.ts';
import { kubeSystemUID, notSynced, untilCrdsFit } from './preflight.ts';
import { objectWrites } from './object-writes.ts';
import { createPodIdentities } from './pod-identities.ts';
import { servers } from './servers.ts';
import { trustCopy } from './trust-copy.ts';
import { wakeUps } from './wake-ups.ts';
import { createWorld } from './world.ts';

export interface Operator {
  /** Why it could not work; undefined for a standby, which could. */
  notReady(): string | undefined;
  /** Whether it works, and not only holds the lease. */
  isLeader(): boolean;
  /** Lets running passes end, frees the lease, closes connections. */
  stop(): Promise<void>;
}

/**
 * Starts everything; resolves once the caches are synced. `onLost` is called when the lease is lost: the process has to
 * end then, because somebody else may be writing.
 */
export async function startOperator(options: {
  readonly config: Config;
  readonly kubeConfig: KubeConfig;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly onLost: () => void;
  /** Of the platform, for calls to AWS. */
  readonly proxyEnv: ProxyEnvironment;
  readonly signal: AbortSignal;
}): Promise<Operator> {
  const { config, kubeConfig, log, metrics, signal } = options;
  const timing = scaleTiming(defaultTiming, config['time-scale']);
  const server = kubeConfig.getCurrentCluster()?.server ?? '';
  const report: Report = (incident) => {
    const remedy = remedyFor(incident.error, server);
    log.incident(remedy === undefined ? incident : { ...incident, remedy });
  };
  const leading = createLeading({ config, timing, log, clock: systemClock, report, onLost: options.onLost });
  const { beforeWrite } = leading;

  const watched = config['watch-namespaces'].split(',').filter(Boolean);
  const transport = connect({
    // Three kinds in each namespace, in our own one, and two without one; some more while one is replaced.
    poolSizes: { requests: 8, watches: 16 + 3 * watched.length },
    kubeConfig,
    userAgent: 'iamdb-operator',
    onRequest: requestMetrics(metrics, server === '' ? '' : new URL(server).host),
    beforeWrite,
  });
  const namespaces = objectsOf<NamespaceObject>(transport, kinds.namespace);
  const operatorID =
    config['operator-id'] !== '' ? config['operator-id'] : await kubeSystemUID(namespaces, server, signal);
  const instance = `${hostname()}-${randomUUID().slice(0, 8)}`;
  log.info({ operatorID, instance }, 'starting');

  const caches = createCaches({
    transport,
    operatorID,
    watched,
    namespace: config.namespace,
    timing: timing.reflector,
    report,
  });
  const events = createEventRecorder({
    sink: eventSink(transport, { controller: 'iamdb.dev/operator', instance: instance.slice(0, 128) }),
    timing: timing.events,
    clock: systemClock,
    random: Math.random,
    report,
  });
  const allowLocal = config['allow-local-addresses'];
  const mayDial = (address: string) => checkAddress(address, { allowLocal }) === undefined;
  const tokenOf: AccessPorts['requestToken'] = async ({ namespace, name }, passSignal) => {
    // 600 s is the shortest that the API server gives; it is used once, at once.
    const wanted = { namespace, serviceAccount: name, audiences: [stsAudience], expirationSeconds: 600 };
    return (await orKubeFailure(requestToken(transport, wanted, passSignal))).token;
  };
  const kept = configMaps(
    objectsOf<ConfigMapObject>(transport, kinds.configMap),
    caches.configMaps,
    operatorID,
  );
  const aws = awsSystems({
    config,
    trustCopy: trustCopy({
      configMaps: kept,
      operatorID,
      namespace: config.namespace,
      isPlanned: config.mode === 'Plan',
      renewMs: refreshMs * config['time-scale'],
      now: () => Date.now(),
      onError: (failure) => log.warn({ err: failure }, 'the trust bundle could not be kept for a restart'),
    }),
    mayDial,
    operatorID,
    beforeWrite,
    requestToken: tokenOf,
    proxyEnv: options.proxyEnv,
    metrics,
    log,
  });
  const passwords = adminPasswords({
    as: aws.as,
    secrets: objectsOf<SecretObject>(transport, kinds.secret),
    namespace: config.namespace,
  });
  const databaseServers = servers({
    passwords,
    roots: aws.roots,
    mayDial,
    poolSize: config['pool-size'],
    timeScale: config['time-scale'],
    beforeWrite,
    onError: (error) => log.error({ err: error }, 'closing a database connection'),
    onRoundTrip: sqlMetrics(metrics),
    onConnections: (open) => metrics.set('iamdb_connections_open', { to: 'postgresql' }, open),
  });

  const podIdentities = createPodIdentities({
    port: aws.podIdentities,
    onChange: (account, was) => wake.associationChanged(account, was?.roleARN),
    note: (failure) => log.failure(failure),
  });
  const world = createWorld({
    config,
    podIdentities,
    operatorID,
    caches,
    aws,
    servers: databaseServers,
    adviceOn: passwords.adviceOn,
    configMaps: kept,
    userWrites: objectWrites<IamDatabaseUser, UserStatus>(
      objectsOf(transport, kinds.iamDatabaseUser),
      caches.users,
      userFinalizer,
    ),
    databaseWrites: objectWrites<IamDatabase, DatabaseStatus>(
      objectsOf(transport, kinds.iamDatabase),
      caches.databases,
      databaseFinalizer,
    ),
    event: eventsAbout(events, log),
    note: (failure) => {
      log.failure(failure);
      metrics.add('iamdb_failures_total', { reason: failure.reason });
    },
    onProof: (result) => metrics.add('iamdb_probes_total', { result }),
    wakeUsers: (database) => wake.usersOf(database),
    wakeDatabase: (name) => controllers.databases.queue.add(name, { priority: 'dependency' }),
    passDeadlineMs: timing.pass.deadlineMs,
  });

  const controllers = createControllers({ config, world, caches, aws, timing, log, metrics, report });
  const wake = wakeUps({ caches, controllers, world });
  const queues = {
    iamdatabase: controllers.databases.queue,
    iamdatabaseuser: controllers.users.queue,
    sweep: controllers.sweeps.queue,
  };
  observe({ metrics, caches, queues, transport, isLeader: leading.isLeader });
  tellOfAws({ metrics, databases: caches.databases.list }, aws.facts);

  const surroundings = { log, timeScale: config['time-scale'], signal };
  // Before anything is read by them, and again for an API server that could not be asked before.
  await untilCrdsFit(transport, surroundings);
  caches.start(wake.handlers);
  await caches.whenSynced(signal);
  await untilCrdsFit(transport, surroundings);
  log.info({ users: caches.users.size(), databases: caches.databases.size() }, 'caches synced');

  const stopping = new AbortController();
  leading.start({
    transport,
    operatorID,
    identity: instance,
    refresh: caches.refresh,
    begin: () => {
      controllers.sweeps.queue.add('all', { priority: 'startup' });
      for (const controller of Object.values(controllers)) controller.start();
    },
    signal: stopping.signal,
  });

  return {
    notReady: () => (caches.isSynced() ? leading.whyWaiting() : notSynced),
    isLeader: leading.isLeader,
    stop: async () => {
      stopping.abort(new Error('the operator was stopped'));
      const drainMs = 10_000 * Math.min(1, config['time-scale']);
      await Promise.all(Object.values(controllers).map((controller) => controller.stop({ drainMs })));
      await caches.stop();
      await events.stop(2_000);
      await leading.stop();
      await databaseServers.closeAll();
      aws.close();
      await transport.close();
    },
  };
}
