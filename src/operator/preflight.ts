// What has to be true of the cluster before anything is read: CRDs that know every field, and an operator id.
import { group, version } from '../api/names.ts';
import { databaseSchema } from '../api/database-schema.ts';
import { userSchema } from '../api/user-schema.ts';
import { pause, systemClock } from '../controller/clock.ts';
import type { Log } from '../ops/log.ts';
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

/** From one look to the next, of whoever waits for the cluster to be as it should. */
export const lookMs = 5_000;

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

export interface Surroundings {
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
