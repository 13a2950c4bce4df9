// The kinds that the operator reads or writes, as data, and where the API server serves them.

export interface ResourceDescriptor {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export const kinds = {
  configMap: core('configmaps', 'ConfigMap', true),
  secret: core('secrets', 'Secret', true),
  namespace: core('namespaces', 'Namespace', false),
  serviceAccount: core('serviceaccounts', 'ServiceAccount', true),
  lease: {
    group: 'coordination.k8s.io',
    version: 'v1',
    plural: 'leases',
    kind: 'Lease',
    namespaced: true,
  },
  event: { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event', namespaced: true },
  iamDatabase: custom('iamdatabases', 'IamDatabase', false),
  iamDatabaseUser: custom('iamdatabaseusers', 'IamDatabaseUser', true),
} as const satisfies Record<string, ResourceDescriptor>;

function core(plural: string, kind: string, namespaced: boolean): ResourceDescriptor {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

function custom(plural: string, kind: string, namespaced: boolean): ResourceDescriptor {
  return { group: 'iamdb.dev', version: 'v1alpha1', plural, kind, namespaced };
}

export function apiVersionOf({ group, version }: ResourceDescriptor): string {
  return group === '' ? version : `${group}/${version}`;
}

export interface ObjectName {
  /** Must be present exactly for a namespaced kind. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/**
 * The path of a collection, an object, or a subresource. Without a namespace the collection of all namespaces.
 * Names are escaped: they come from users, and a slash in one would otherwise lead elsewhere.
 */
export function pathOf(
  resource: ResourceDescriptor,
  where: { readonly namespace?: string | undefined; readonly name?: string },
  subresource?: string,
): string {
  const { group, version, plural, namespaced } = resource;
  const { namespace, name } = where;
  if (!namespaced && namespace !== undefined) throw new TypeError(`${plural} are not namespaced`);
  if (namespaced && name !== undefined && namespace === undefined) {
    throw new TypeError(`one of ${plural} needs its namespace`);
  }
  const segments = [
    ...(group === '' ? ['api'] : ['apis', group]),
    version,
    ...(namespace === undefined ? [] : ['namespaces', segment(namespace)]),
    plural,
    ...(name === undefined ? [] : [segment(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `/${segments.join('/')}`;
}

function segment(name: string): string {
  // Escaping leaves dots alone, and a path is cut short by them.
  if (name === '' || name === '.' || name === '..') throw new TypeError('not a name of a Kubernetes object');
  return encodeURIComponent(name);
}
