// A bare API server for manifests: they are tried by dry-run, as `kubectl apply --server-side --dry-run=server` does it.
import { findBinaries } from '../bed/binaries.ts';
import { createChildren } from '../bed/children.ts';
import { type Kube, startKube } from '../bed/kube.ts';
import { until } from '../stage/wait.ts';
import type { Manifest, PodTemplate } from './helm.ts';

export interface ApiServer {
  readonly kube: Kube;
  /** Of the administrator, for Helm. */
  readonly kubeconfig: string;
  folder(name: string): string;
  stop(): Promise<void>;
}

export async function startApiServer(): Promise<ApiServer> {
  const children = createChildren();
  try {
    const kube = await startKube({ binaries: await findBinaries({ progress: console.error }), children });
    const kubeconfig = `${children.guard.folder('helm')}/admin.kubeconfig`;
    await kube.kubeconfig(kubeconfig);
    return {
      kube,
      kubeconfig,
      folder: (name) => children.guard.folder(name),
      stop: async () => {
        await kube.stop();
        await children.stop();
      },
    };
  } catch (error) {
    await children.stop();
    throw error;
  }
}

interface Discovery {
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly scope: string;
        readonly responseKind: { readonly kind: string };
      }[];
    }[];
  }[];
}

/** Where a manifest is served; throws for a kind that the API server does not know. */
export async function pathOf(kube: Kube, { apiVersion, kind, metadata }: Manifest): Promise<string> {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const { body } = await kube.request<Discovery>({
    path: group === '' ? '/api' : '/apis',
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    expect: 200,
  });
  const found = body.items
    .filter((item) => (item.metadata.name ?? '') === group)
    .flatMap((item) => item.versions.filter((one) => one.version === version))
    .flatMap((one) => one.resources ?? [])
    .find((resource) => resource.responseKind.kind === kind);
  if (found === undefined) throw new Error(`the API server does not serve ${apiVersion} ${kind}`);
  const namespace = found.scope === 'Namespaced' ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
  return `${group === '' ? '/api' : '/apis'}/${apiVersion}${namespace}/${found.resource}/${metadata.name}`;
}

interface Answer {
  readonly message?: string;
}

/** What the API server says against a manifest; undefined for nothing. Unknown fields are refused too. */
export async function refusalOf(kube: Kube, manifest: Manifest): Promise<string | undefined> {
  return await applied(kube, manifest, '&dryRun=All');
}

/** For good. */
export async function applyManifest(kube: Kube, manifest: Manifest): Promise<void> {
  const refusal = await applied(kube, manifest, '');
  if (refusal !== undefined) throw new Error(refusal);
}

async function applied(kube: Kube, manifest: Manifest, more: string): Promise<string | undefined> {
  const { status, body } = await kube.request<Answer>({
    method: 'PATCH',
    path: `${await pathOf(kube, manifest)}?fieldManager=test&force=true&fieldValidation=Strict${more}`,
    body: manifest,
    contentType: 'application/apply-patch+yaml',
  });
  return status < 300
    ? undefined
    : `${manifest.kind} ${manifest.metadata.name}: ${body.message ?? String(status)}`;
}

/** What the API server says against the pods of a Deployment: Pod Security judges them, not the Deployment. */
export async function podRefusalOf(
  kube: Kube,
  namespace: string,
  { metadata, spec }: PodTemplate,
): Promise<string | undefined> {
  const { status, body } = await kube.request<Answer>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`,
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, generateName: 'operator-' }, spec },
  });
  return status === 201 ? undefined : (body.message ?? String(status));
}

/** A namespace that enforces the restricted Pod Security level. */
export async function createRestrictedNamespace(kube: Kube, name: string): Promise<void> {
  const metadata = { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } };
  await applyManifest(kube, { apiVersion: 'v1', kind: 'Namespace', metadata });
}

export async function untilServed(kube: Kube, manifest: Manifest): Promise<void> {
  await until(`${manifest.kind} to be served`, () =>
    pathOf(kube, manifest).then(
      () => true,
      () => false,
    ),
  );
}
