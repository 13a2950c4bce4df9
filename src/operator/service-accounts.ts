// ServiceAccounts as the operator keeps them in memory: their names and the role that their annotation names, nothing else.
import { irsaAnnotation } from '../api/names.ts';
import type { KubeObject } from '../controller/object.ts';
import type { StoreReader } from '../controller/store.ts';
import type { AssociationView } from '../reconcile/principals.ts';
import type { PodIdentities } from './pod-identities.ts';

export interface ServiceAccountObject extends KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly roleARN: string | undefined;
}

interface WithAnnotations extends KubeObject {
  readonly metadata: KubeObject['metadata'] & {
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** A cluster has one or more in each namespace, with labels and annotations of every tool: a few hundred bytes of each stay. */
export function trimServiceAccount({ metadata }: WithAnnotations): ServiceAccountObject {
  const { name, namespace = '', uid, resourceVersion, annotations } = metadata;
  return { metadata: { name, namespace, uid, resourceVersion }, roleARN: annotations?.[irsaAnnotation] };
}

export const serviceAccountIndexes = {
  role: ({ roleARN }: ServiceAccountObject) => (roleARN === undefined ? [] : [roleARN]),
} as const;

export const serviceAccountView = (
  serviceAccounts: Pick<StoreReader<ServiceAccountObject>, 'get'>,
  podIdentities: Pick<PodIdentities, 'of' | 'associatedWith'>,
): AssociationView => ({
  serviceAccount: (namespace, name) => {
    const key = `${namespace}/${name}`;
    const found = serviceAccounts.get(key);
    const podIdentity = podIdentities.of(key);
    return found === undefined || podIdentity === undefined ? found : { roleARN: found.roleARN, podIdentity };
  },
  associatedWith: podIdentities.associatedWith,
});
