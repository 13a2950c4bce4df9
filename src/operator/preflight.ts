// What has to be true of the cluster before anything is done: CRDs that know every field, and no other installation of the same name.
import { group, version } from '../api/names.ts';
import { databaseSchema } from '../api/database-schema.ts';
import { userSchema } from '../api/user-schema.ts';
import { pause, systemClock } from '../controller/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Holder } from '../systems/kubernetes/lease.ts';
import { remedyFor } from '../systems/kubernetes/remedy.ts';
import type { KubeTransport } from '../systems/kubernetes/transport.ts';
import type { NamespaceObject } from './caches.ts';

interface Schema {
  readonly type?: unknown;
  readonly description?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}
interface Served extends Schema {
  readonly 'x-kubernetes-group-version-kind'?: readonly { readonly kind: string }[];
}

const lookMs = 5_000;
/** As clocks of nodes may differ. */
const lateMs = 10_000;

/** Fields that the operator knows and the served schema lacks; none where it is not told. */
export function missingFields(document: unknown): readonly string[] {
  const { components } = (document ?? {}) as {
    readonly components?: { readonly schemas?: Readonly<Record<string, Served>> };
  };
  const ours: Readonly<Record<string, Schema>> = { IamDatabase: databaseSchema, IamDatabaseUser: userSchema };
  return Object.entries(ours).flatMap(([kind, schema]) => {
    const served = Object.values(components?.schemas ?? {}).find((one) =>
      one['x-kubernetes-group-version-kind']?.some((of) => of.kind === kind),
    );
    return served === undefined ? [] : lacking(schema, served, kind);
  });
}

function lacking(ours: Schema, served: Schema, path: string): readonly string[] {
  const own = Object.entries(ours.properties ?? {}).flatMap(([name, schema]) => {
    const there = served.properties?.[name];
    return there === undefined ? [`${path}.${name}`] : lacking(schema, there, `${path}.${name}`);
  });
  const items = ours.items === undefined ? [] : lacking(ours.items, served.items ?? {}, `${path}[]`);
  return [...own, ...items];
}

/** What /readyz says. */
export const notSynced = 'caches are not synced';
/** Of one that holds the lease and does not work yet; undefined for all others. */
export const whyWaiting = (holdsLease: boolean, hasBegun: boolean): string | undefined =>
  holdsLease && !hasBegun
    ? 'it is not known to be the only installation of its operator id; the log says more'
    : undefined;

interface Surroundings {
  readonly log: Pick<Log, 'error'>;
  readonly timeScale: number;
  readonly signal: AbortSignal;
}

/** Waits for CRDs as new as the operator: what the API server does not know it drops without a word. */
export async function untilCrdsFit(
  transport: Pick<KubeTransport, 'request'>,
  { log, timeScale, signal }: Surroundings,
): Promise<void> {
  for (;;) {
    const path = `/openapi/v3/apis/${group}/${version}`;
    // Everybody may read it, unless the platform took that right away; then nothing is known against the CRDs.
    const answer = await transport
      .request({ method: 'GET', path, resource: 'openapi', signal })
      .catch(() => undefined);
    const missing = missingFields(answer?.body);
    if (missing.length === 0) return;
    const remedy =
      'Upgrade the CRDs: kubectl apply --server-side -f crds/ (the Helm chart does it, unless crds.install is false).';
    const shown = missing.slice(0, 10);
    log.error(
      { missing: shown, remedy },
      'the CRDs are older than the operator; nothing is done until they fit',
    );
    await pause(systemClock, lookMs * timeScale, signal);
    signal.throwIfAborted();
  }
}

/** The one that goes before us among those who hold the Lease of this name in other namespaces, if they are alive. */
export function rivalOf(
  own: { readonly namespace: string },
  holders: readonly Holder[],
  now: number,
): Holder | undefined {
  const mine = holders.find(({ namespace }) => namespace === own.namespace);
  return holders.find((other) => {
    if (other.namespace === own.namespace || other.holder === '') return false;
    if (now - other.renewedAt > other.durationSeconds * 1000 + lateMs) return false;
    // Each has written its Lease before it looks, so of two that start at once just one goes before the other.
    const order = other.acquiredAt - (mine?.acquiredAt ?? Number.POSITIVE_INFINITY);
    return order < 0 || (order === 0 && other.namespace < own.namespace);
  });
}

/** Waits while another installation of the same operator id is alive: two would undo each other's work. */
export async function untilAlone(
  options: Surroundings & {
    readonly holders: (signal: AbortSignal) => Promise<readonly Holder[]>;
    readonly namespace: string;
    readonly operatorID: string;
  },
): Promise<void> {
  const { log, timeScale, signal, namespace, operatorID, holders } = options;
  for (;;) {
    const found = await holders(signal).catch((error: unknown) => {
      log.error({ err: error }, 'whether another installation has this operator id could not be read');
      return undefined;
    });
    const rival = found && rivalOf({ namespace }, found, systemClock.wall());
    if (found !== undefined && rival === undefined) return;
    if (rival !== undefined) {
      const remedy = `Give one of the two another --operator-id, or uninstall the one in namespace ${rival.namespace}.`;
      const fields = { operatorID, otherNamespace: rival.namespace, remedy };
      log.error(fields, 'another installation has the same operator id; nothing is done beside it');
    }
    await pause(systemClock, lookMs * timeScale, signal);
    signal.throwIfAborted();
  }
}

/** The default of --operator-id. */
export async function kubeSystemUID(
  namespaces: {
    get(name: { readonly name: string }, signal: AbortSignal): Promise<NamespaceObject | undefined>;
  },
  server: string,
  signal: AbortSignal,
): Promise<string> {
  const found = await namespaces.get({ name: 'kube-system' }, signal).catch((cause: unknown) => {
    const [why, remedy] = [cause instanceof Error ? cause.message : '', remedyFor(cause, server) ?? ''];
    throw new Error(
      `namespace kube-system, whose uid is the default of --operator-id, could not be read: ${why}. ${remedy}`,
      { cause },
    );
  });
  if (found === undefined) throw new Error('there is no namespace kube-system; set --operator-id');
  return found.metadata.uid;
}
