// The operator as people install it: the packaged chart, by Helm, with values as for IRSA.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chartFolder, helm } from '../chart/helm.ts';
import { until } from '../stage/wait.ts';
import { list, read } from './kubectl.ts';
import {
  operatorID,
  operatorNamespace,
  release,
  roleARN,
  serviceHost,
  teamNamespace,
  testLabel,
  trustStorePort,
} from './names.ts';
import { webIdentity } from './workload.ts';

const kubeconfig = process.env['KUBECONFIG'] ?? '';

export interface Chart {
  /** The package. */
  readonly file: string;
  remove(): void;
}

export async function packageChart(): Promise<Chart> {
  const folder = mkdtempSync(join(tmpdir(), 'iamdb-chart-'));
  const said = await helm.run(['package', chartFolder, '--destination', folder]);
  const file = /(\/\S+\.tgz)/.exec(said)?.[1];
  if (file === undefined) throw new Error(`helm package made nothing: ${said}`);
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export const lintChart = () => helm.run(['lint', '--strict', chartFolder]);

/** `image`: repository and tag. */
function valuesFor(image: string) {
  const at = image.lastIndexOf(':');
  const { env, volumes, volumeMounts } = webIdentity(roleARN('iamdb-operator'));
  return {
    operatorID,
    commonLabels: testLabel,
    image: { repository: image.slice(0, at), tag: image.slice(at + 1) },
    serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': roleARN('iamdb-operator') } },
    trustStore: { url: `http://${serviceHost('trust-store')}:${trustStorePort}` },
    proveWithServiceAccountsIn: teamNamespace,
    // So slow that a leader can be killed in the middle of its work.
    aws: { iamWritesPerSecond: 2 },
    extraEnv: env,
    extraVolumes: volumes,
    extraVolumeMounts: volumeMounts,
  };
}

const waiting = ['--wait', '--timeout', '100s'];
const helmHere = (args: readonly string[], values?: object) =>
  helm.run([...args, '--namespace', operatorNamespace], {
    kubeconfig,
    ...(values === undefined ? {} : { values: values as Readonly<Record<string, unknown>> }),
  });

export const install = (chart: Chart, image: string) =>
  helmHere(['install', release, chart.file, ...waiting], valuesFor(image));
export const upgrade = (chart: Chart, image: string, changes: object) =>
  helmHere(['upgrade', release, chart.file, ...waiting], { ...valuesFor(image), ...changes });
export const rollback = (revision: number) => helmHere(['rollback', release, String(revision), ...waiting]);
export const uninstall = () => helmHere(['uninstall', release, ...waiting]);

export interface OperatorPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
  readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}

const everyPod = () =>
  list<OperatorPod>('pods', '-n', operatorNamespace, '-l', `app.kubernetes.io/instance=${release}`);

/** Those that are to stay. */
export const operatorPods = async (): Promise<readonly OperatorPod[]> =>
  (await everyPod()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);

export async function untilNoPod(): Promise<void> {
  await until('the last pod of the operator to go', async () => (await everyPod()).length === 0, {
    withinMs: 60_000,
    everyMs: 300,
    seen: everyPod,
  });
}

interface Lease {
  readonly spec: { readonly holderIdentity?: string; readonly leaseTransitions?: number };
}

/** Name of the pod that leads, where one does: the Lease names a process of it. */
export async function leader(): Promise<string | undefined> {
  const lease = await read<Lease>('lease', `${release}-${operatorID}`, operatorNamespace);
  return lease?.spec.holderIdentity?.replace(/-[^-]+$/, '') || undefined;
}

export async function untilLeader(other?: string): Promise<string> {
  return await until(
    'a leader',
    async () => {
      const name = await leader();
      const pods = (await operatorPods()).map(({ metadata }) => metadata.name);
      return name !== other && name !== undefined && pods.includes(name) ? name : undefined;
    },
    { withinMs: 60_000, everyMs: 200, seen: leader },
  );
}
