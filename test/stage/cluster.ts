// What an installation puts into a cluster: CRDs, namespaces, and the operator's account with exactly the rights that ship.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { operatorIDPlaceholder } from '../../src/systems/permissions.ts';
import type { Kube } from '../bed/kube.ts';
import { operatorID } from './account.ts';
import { until } from './wait.ts';

const root = resolve(import.meta.dirname, '../..');
export const operatorNamespace = 'iamdb-system';
export const operatorAccount = 'iamdb-operator';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: unknown;
  readonly subjects?: readonly object[];
  readonly roleRef?: object;
  readonly spec?: object;
  readonly data?: Readonly<Record<string, string>>;
}

const plurals: Readonly<Record<string, string>> = {
  CustomResourceDefinition: 'customresourcedefinitions',
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  Secret: 'secrets',
  ConfigMap: 'configmaps',
  Lease: 'leases',
  IamDatabase: 'iamdatabases',
  IamDatabaseUser: 'iamdatabaseusers',
};

/** Where an object of a kind that the stage knows is served. */
export function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const plural = plurals[kind];
  if (plural === undefined) throw new Error(`the stage does not know where ${kind} is served`);
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  return `${group}${namespace}/${plural}/${metadata.name}`;
}

/** As `kubectl apply --server-side` does it, as the administrator. */
export async function apply(kube: Kube, manifest: Manifest): Promise<void> {
  const answer = await kube.request<{ readonly message?: string }>({
    method: 'PATCH',
    path: `${pathOf(manifest)}?fieldManager=kubectl&force=true`,
    body: manifest,
    contentType: 'application/apply-patch+yaml',
  });
  if (answer.status > 299) {
    throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${answer.body.message ?? answer.status}`);
  }
}

export function manifestsIn(path: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(join(root, path), 'utf8')).map(
    (document) => document.toJS() as Manifest,
  );
}

export async function applyCRDs(kube: Kube): Promise<void> {
  const files = readdirSync(join(root, 'crds')).map((name) => `crds/${name}`);
  const crds = files.flatMap(manifestsIn);
  await Promise.all(crds.map((crd) => apply(kube, crd)));
  await Promise.all(
    crds.map((crd) =>
      until(`the CRD ${crd.metadata.name}`, async () => {
        const { body } = await kube.request<{
          readonly status?: {
            readonly conditions?: readonly { readonly type: string; readonly status: string }[];
          };
        }>({ path: pathOf(crd) });
        return body.status?.conditions?.some(
          ({ type, status }) => type === 'Established' && status === 'True',
        );
      }),
    ),
  );
}

/**
 * The operator's ServiceAccount with the rules of the chart, and nothing else; `tokenNamespaces` have opted in to its tokens.
 * Where only some namespaces are watched it has a Role in each instead of rights in all.
 */
export async function installOperatorAccount(
  kube: Kube,
  options: {
    readonly tokenNamespaces?: readonly string[];
    readonly watched?: readonly string[];
    /** Another one for one more installation, with roles of its own. */
    readonly namespace?: string;
  } = {},
): Promise<void> {
  const { tokenNamespaces = [], watched = [], namespace: home = operatorNamespace } = options;
  const rbac = 'rbac.authorization.k8s.io/v1';
  const name = home === operatorNamespace ? operatorAccount : `${operatorAccount}-of-${home}`;
  await applyNamespace(kube, home);
  await apply(kube, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: operatorAccount, namespace: home },
  });
  const grant = async (file: string, as: string, namespace?: string) => {
    const kind = namespace === undefined ? 'ClusterRole' : 'Role';
    const metadata = { name: as, ...(namespace === undefined ? {} : { namespace }) };
    const text = readFileSync(join(root, 'charts/iamdb-operator/files', `${file}-rules.yaml`), 'utf8');
    const rules: unknown = parse(text.replaceAll(operatorIDPlaceholder, operatorID));
    if (namespace !== undefined && namespace !== 'default') await applyNamespace(kube, namespace);
    await apply(kube, { apiVersion: rbac, kind, metadata, rules });
    await apply(kube, {
      apiVersion: rbac,
      kind: `${kind}Binding`,
      metadata,
      subjects: [{ kind: 'ServiceAccount', name: operatorAccount, namespace: home }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: as },
    });
  };
  await grant(watched.length === 0 ? 'cluster' : 'cluster-scoped', name);
  await grant('namespace', name, home);
  for (const namespace of watched) await grant('watched', `${name}-watched`, namespace);
  if (watched.length > 0) {
    await grant('copy', `${name}-copy`, home);
    await grant('event', `${name}-event`, 'default');
  }
  for (const namespace of tokenNamespaces) await grant('token', `${name}-tokens`, namespace);
}

export async function applyNamespace(
  kube: Kube,
  name: string,
  labels: Readonly<Record<string, string>> = {},
) {
  const metadata = { name, labels };
  await apply(kube, { apiVersion: 'v1', kind: 'Namespace', metadata });
}
