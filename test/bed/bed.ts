/** The whole test bed as one object: API server, PostgreSQL behind RDS gates, trust store. AWS is handed in. */
import type { AwsAuthority, DatabaseServer } from './aws-authority.ts';
import { findBinaries } from './binaries.ts';
import type { KubeBinaries, Progress } from './binaries.ts';
import { createChildren } from './children.ts';
import { startKube } from './kube.ts';
import type { Kube } from './kube.ts';
import type { StatementFaults } from './pg-relay.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';
import type { PostgresMajor } from './postgres-program.ts';
import { startRdsGate } from './rds-gate.ts';
import type { RdsGate } from './rds-gate.ts';
import type { Endpoint } from './rds-token.ts';
import { createRdsTrust } from './rds-trust.ts';
import type { RdsTrust } from './rds-trust.ts';
import { startTrustStore } from './trust-store.ts';
import type { TrustStore } from './trust-store.ts';

export interface Bed {
  readonly kube: Kube;
  readonly binaries: KubeBinaries;
  /** In the order asked for. */
  readonly databases: readonly Database[];
  readonly trustStore: TrustStore;
  /** The authorities that sign the gates' certificates, now and after a rotation. */
  readonly trust: { readonly current: RdsTrust; readonly next: RdsTrust };
  /** A folder for files of the test or the demo; removed with the bed. */
  folder(name: string): string;
  /** Ends everything and removes every trace. Safe to call twice. */
  stop(): Promise<void>;
}

/** An Aurora cluster as its clients see it. */
export interface Database {
  readonly postgres: Postgres;
  readonly gate: RdsGate;
  readonly endpoint: Endpoint;
  readonly readerEndpoint: Endpoint;
}

export interface BedOptions {
  /** Majors, one server each. */
  readonly postgres: readonly PostgresMajor[];
  readonly aws: AwsAuthority;
  readonly region?: string;
  /** The account and the resource id of each database, by its place; defaults are made up. */
  readonly servers?: readonly Partial<DatabaseServer>[];
  /** What is to fail of the statements of sessions by token. */
  readonly statements?: StatementFaults | undefined;
  readonly progress?: Progress;
}

const defaultRegion = 'ap-northeast-2';
const defaultAccount = '111122223333';

export async function startBed(options: BedOptions): Promise<Bed> {
  const progress = options.progress ?? (() => {});
  const region = options.region ?? defaultRegion;
  const children = createChildren();
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).toReversed()) await each();
    await children.stop();
  };

  try {
    const binaries = await findBinaries({ progress });
    progress('starting the API server and PostgreSQL');
    const [kube, trust, servers] = await allOrNone([
      startKube({ binaries, children }),
      createTrust(region),
      allOrNone(options.postgres.map((major) => startPostgres({ major, children }))),
    ]);
    stops.push(() => kube.stop());

    const databases = await allOrNone(
      servers.map(async (postgres, place): Promise<Database> => {
        const name = place === 0 ? 'orders-prod' : `orders-prod-${place + 1}`;
        const endpoint = auroraEndpoint(name, 'cluster', region);
        const readerEndpoint = auroraEndpoint(name, 'cluster-ro', region);
        const gate = await startRdsGate({
          upstream: postgres,
          endpoints: [endpoint, readerEndpoint],
          server: {
            partition: 'aws',
            region,
            accountId: defaultAccount,
            resourceId: `cluster-TESTBED${String(place + 1).padStart(19, '0')}`,
            ...options.servers?.[place],
          },
          certificate: await trust.current.issue([endpoint.host, readerEndpoint.host]),
          aws: options.aws,
          statements: options.statements,
        });
        stops.push(() => gate.stop());
        return { postgres, gate, endpoint, readerEndpoint };
      }),
    );

    const trustStore = await startTrustStore({
      current: [trust.current],
      next: [trust.next],
      expired: [trust.expired],
    });
    stops.push(() => trustStore.stop());

    return {
      kube,
      binaries,
      databases,
      trustStore,
      trust,
      folder: (name) => children.guard.folder(name),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Like Promise.all, but fails only after all have come to an end, so that what they started can be stopped. */
async function allOrNone<T extends readonly unknown[] | []>(
  promises: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

interface Trust {
  readonly current: RdsTrust;
  readonly next: RdsTrust;
  readonly expired: RdsTrust;
}

async function createTrust(region: string): Promise<Trust> {
  const past = { notBefore: new Date('2015-01-01T00:00:00Z'), notAfter: new Date('2020-01-01T00:00:00Z') };
  const [current, next, expired] = await Promise.all([
    createRdsTrust(region),
    createRdsTrust(region, 2),
    createRdsTrust(region, 1, past),
  ]);
  return { current, next, expired };
}

/** A true RDS name that no resolver knows: 5432 is where clients are told to go, never where the gate listens. */
function auroraEndpoint(name: string, kind: 'cluster' | 'cluster-ro', region: string): Endpoint {
  const domain = region.startsWith('cn-') ? `rds.${region}.amazonaws.com.cn` : `${region}.rds.amazonaws.com`;
  return { host: `${name}.${kind}-cabcdefghijk.${domain}`, port: 5432 };
}
