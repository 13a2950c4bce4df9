// Takes away everything that the tests put into the cluster, now or in a run that was killed, and nothing else.
import { kubectl, list, read } from './kubectl.ts';
import { awsNamespace, operatorNamespace, teamNamespace, testLabel } from './names.ts';

const kinds = ['iamdatabaseusers', 'iamdatabases'] as const;
const ofTheCluster =
  'clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings';
const selector = Object.entries(testLabel)
  .map(([key, value]) => `${key}=${value}`)
  .join(',');

/** @throws where the cluster has an installation that is not ours, before anything is touched */
export async function clean(): Promise<void> {
  const installed = await ourKinds();
  // The operator first, so that nobody puts finalizers back.
  await deleteNamespaces(operatorNamespace);
  for (const kind of installed) {
    for (const { metadata } of await list<Found>(kind, '-A')) {
      const { name, namespace = 'default' } = metadata;
      const none = JSON.stringify({ metadata: { finalizers: null } });
      await kubectl(['patch', kind, name, '-n', namespace, '--type=merge', '-p', none]);
    }
    await kubectl(['delete', 'crd', `${kind}.iamdb.dev`, '--timeout=60s']);
  }
  await kubectl(['delete', ofTheCluster, '-l', selector]);
  await deleteNamespaces(teamNamespace, awsNamespace);
}

interface Found {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

async function ourKinds(): Promise<readonly string[]> {
  const found = [];
  for (const kind of kinds) {
    const crd = await read<Found>('crd', `${kind}.iamdb.dev`);
    if (crd === undefined) continue;
    if (Object.entries(testLabel).some(([key, value]) => crd.metadata.labels?.[key] !== value)) {
      throw new Error(
        `this cluster has ${kind}.iamdb.dev of another installation: give these tests a cluster of their own`,
      );
    }
    found.push(kind);
  }
  return found;
}

const deleteNamespaces = (...names: readonly string[]) =>
  kubectl(['delete', 'namespace', ...names, '--ignore-not-found', '--timeout=120s']);
