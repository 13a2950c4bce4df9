// The election's port over a Lease of coordination.k8s.io.
import { annotations } from '../../api/names.ts';
import type { LeasePort, LeaseRecord, StoredLease } from '../../controller/leader.ts';
import type { KubeObject } from '../../controller/object.ts';
import { fromMicroTime, microTime } from './micro-time.ts';
import { objectsOf } from './objects.ts';
import { kinds } from './resource.ts';
import type { KubeTransport } from './transport.ts';

interface Lease extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

/** Uses the transport's lane for the lease, so neither waits behind other requests nor asks whether we lead. */
export function leasePort(
  transport: KubeTransport,
  lease: { readonly namespace: string; readonly name: string },
): LeasePort {
  const leases = objectsOf<Lease>(transport, kinds.lease, 'lease');
  return {
    read: async (signal) => {
      const stored = await leases.get(lease, signal);
      return stored === undefined ? undefined : asRecord(stored);
    },
    create: async (record, signal) =>
      asRecord(
        await leases.create({ metadata: { ...lease, ...noteOf(record) }, spec: asSpec(record) }, { signal }),
      ),
    update: async ({ version, ...record }, signal) =>
      asRecord(
        await leases.replace(
          { metadata: { ...lease, resourceVersion: version, ...noteOf(record) }, spec: asSpec(record) },
          { signal },
        ),
      ),
  };
}

export interface Holder {
  readonly namespace: string;
  /** Empty where it was given back. */
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly acquiredAt: number;
  readonly renewedAt: number;
  readonly durationSeconds: number;
  /** Whether that installation works, or did when it was renewed last. */
  readonly works: boolean;
}

/** Who holds the Leases of that name, in whatever namespace. */
export async function leaseHolders(
  transport: KubeTransport,
  name: string,
  signal: AbortSignal,
): Promise<readonly Holder[]> {
  const leases = objectsOf<Lease>(transport, kinds.lease, 'lease');
  const { items } = await leases.list({ fieldSelector: `metadata.name=${name}`, signal });
  return items.map((item) => ({ namespace: item.metadata.namespace ?? '', ...asRecord(item) }));
}

const noteOf = ({ works }: LeaseRecord) => (works ? { annotations: { [annotations.works]: 'true' } } : {});

function asSpec(record: LeaseRecord): NonNullable<Lease['spec']> {
  return {
    holderIdentity: record.holder,
    leaseDurationSeconds: record.durationSeconds,
    acquireTime: microTime(record.acquiredAt),
    renewTime: microTime(record.renewedAt),
    leaseTransitions: record.transitions,
  };
}

function asRecord({ metadata, spec = {} }: Lease): StoredLease {
  return {
    version: metadata.resourceVersion,
    holder: spec.holderIdentity ?? '',
    durationSeconds: spec.leaseDurationSeconds ?? 0,
    acquiredAt: fromMicroTime(spec.acquireTime),
    renewedAt: fromMicroTime(spec.renewTime),
    transitions: spec.leaseTransitions ?? 0,
    works: metadata.annotations?.[annotations.works] === 'true',
  };
}
