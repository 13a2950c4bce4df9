/** Deletes a namespace as the namespace controller would, because none runs in the bed. */
import { setTimeout as wait } from 'node:timers/promises';
import type { KubeHttp } from './kube-http.ts';

interface Discovery {
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly scope: string;
        readonly verbs: readonly string[];
      }[];
    }[];
  }[];
}

interface List {
  readonly items: readonly unknown[];
}

const emptyWithinMs = 30_000;

export async function deleteNamespace(http: KubeHttp, name: string): Promise<void> {
  await http({ method: 'DELETE', path: `/api/v1/namespaces/${name}` });
  const collections = await namespacedCollections(http);
  const deadline = Date.now() + emptyWithinMs;
  for (;;) {
    const left: string[] = [];
    for (const collection of collections) {
      const path = collection(name);
      const { body } = await http<List>({ path: `${path}?limit=1` });
      if ((body.items ?? []).length === 0) continue;
      left.push(path);
      await http({ method: 'DELETE', path });
    }
    if (left.length === 0) break;
    if (Date.now() > deadline) throw new Error(`finalizers hold ${left.join(', ')}`);
    await wait(50);
  }
  await http({
    method: 'PUT',
    path: `/api/v1/namespaces/${name}/finalize`,
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: { finalizers: [] } },
  });
}

async function namespacedCollections(http: KubeHttp): Promise<readonly ((namespace: string) => string)[]> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const collections: ((namespace: string) => string)[] = [];
  for (const root of ['/api', '/apis'] as const) {
    const { body } = await http<Discovery>({ path: root, accept, expect: 200 });
    for (const group of body.items) {
      const [preferred] = group.versions;
      for (const resource of preferred?.resources ?? []) {
        if (resource.scope !== 'Namespaced') continue;
        if (!resource.verbs.includes('deletecollection') || !resource.verbs.includes('list')) continue;
        const base = [root, group.metadata.name, preferred?.version].filter((part) => part).join('/');
        collections.push((namespace) => `${base}/namespaces/${namespace}/${resource.resource}`);
      }
    }
  }
  return collections;
}
