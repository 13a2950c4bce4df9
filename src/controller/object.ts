// The little that the core knows of a Kubernetes object: its identity and its version.

export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly managedFields?: unknown;
  };
}

/** `namespace/name`, or `name` alone for a cluster-scoped object. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The namespace part of a key, empty for a cluster-scoped object. */
export function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  return slash === -1 ? '' : key.slice(0, slash);
}

const DECIMAL = /^[1-9][0-9]*$/;

/**
 * Whether resource version `a` is older than `b`. Versions are etcd revisions in decimal; where one of them is not,
 * nothing can be said, and the answer is no.
 */
export function isOlder(a: string, b: string): boolean {
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}
