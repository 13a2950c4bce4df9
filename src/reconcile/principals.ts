// Which IAM roles a user's principals are: named in the spec, or those of the ServiceAccounts that it names.
import { irsaAnnotation } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import type { UserStatus } from '../api/schema.ts';
import { roleARNPattern } from '../api/schema-parts.ts';
import { Failure } from '../kernel/failure.ts';

/** Where an EKS Pod Identity association leads. */
export interface PodIdentity {
  /** The role that its pods are in the end. */
  readonly roleARN: string;
  /** The one that EKS assumes for them: the same, unless the association names another behind it. */
  readonly podRoleARN: string;
  readonly hasSessionTags: boolean;
}

/** The associations of the cluster. Each throws a Failure. */
export interface PodIdentityPort {
  /** All of them: their ids by ServiceAccount, `namespace/name`. */
  list(signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** Undefined for one that is gone. */
  describe(associationID: string, signal: AbortSignal): Promise<PodIdentity | undefined>;
}

/** What is known of a ServiceAccount: nothing but the roles that its annotation and its association name. */
export interface ServiceAccountFacts {
  /** As it is written there: anybody who may edit the ServiceAccount chooses it. */
  readonly roleARN: string | undefined;
  /** Absent where there is none, or where nobody looks; why it is not known, until it is. */
  readonly podIdentity?: PodIdentity | Failure;
}

/** The cluster as far as principals go. */
export interface ServiceAccountView {
  /** Undefined where there is none. */
  serviceAccount(namespace: string, name: string): ServiceAccountFacts | undefined;
}

/** The same the other way round. */
export interface AssociationView extends ServiceAccountView {
  /** ServiceAccounts, `namespace/name`, whose association leads to that role. */
  associatedWith(roleARN: string): readonly string[];
}

export interface Principal {
  readonly roleARN: string;
  readonly source: NonNullable<UserStatus['principals']>[number]['source'];
  /** Name of the ServiceAccount that stands for it, in the user's namespace. */
  readonly serviceAccount?: string;
  readonly podIdentity?: PodIdentity;
}

export interface Principals {
  /** Each IAM role once, in the order of the spec. */
  readonly resolved: readonly Principal[];
  /** Why a ServiceAccount has no role, one for each. */
  readonly unresolved: readonly Failure[];
}

/** Of the same form as the schema asks of a `roleARN`. */
const roleARN = new RegExp(roleARNPattern);

export function principalsOf({ metadata, spec }: IamDatabaseUser, view: ServiceAccountView): Principals {
  const resolved = new Map<string, Principal>();
  const unresolved: Failure[] = [];
  for (const principal of spec.principals) {
    if (principal.roleARN !== undefined) {
      const before = resolved.get(principal.roleARN);
      resolved.set(principal.roleARN, before ?? { roleARN: principal.roleARN, source: 'Spec' });
    } else if (principal.serviceAccount !== undefined) {
      const { name } = principal.serviceAccount;
      const role = roleOf(metadata.namespace, name, view.serviceAccount(metadata.namespace, name));
      if (role instanceof Failure) unresolved.push(role);
      // A role that is named twice is best proven by its ServiceAccount.
      else resolved.set(role.roleARN, { ...role, serviceAccount: name });
    }
  }
  return { resolved: [...resolved.values()], unresolved };
}

/** Names of the ServiceAccounts that a user names. */
export const serviceAccountsOf = ({ spec }: IamDatabaseUser): readonly string[] =>
  spec.principals.flatMap(({ serviceAccount }) => serviceAccount?.name ?? []);

/** What is written in the annotation reaches no message: it is nobody's of ours. */
function roleOf(
  namespace: string,
  name: string,
  facts: ServiceAccountFacts | undefined,
): Principal | Failure {
  if (facts === undefined) {
    return new Failure(
      'missing',
      'ServiceAccountNotFound',
      `There is no ServiceAccount ${name} in namespace ${namespace}. Create it with the annotation ${irsaAnnotation}: <ARN of its IAM role>; what it was allowed before stays meanwhile.`,
    );
  }
  const { podIdentity } = facts;
  // Where both are there, EKS gives pods the association's role and leaves the annotation aside.
  if (podIdentity instanceof Failure) return podIdentity;
  if (podIdentity !== undefined) return { roleARN: podIdentity.roleARN, source: 'PodIdentity', podIdentity };
  if (facts.roleARN === undefined || facts.roleARN === '') {
    return new Failure(
      'missing',
      'ServiceAccountWithoutRole',
      `ServiceAccount ${namespace}/${name} names no IAM role. Annotate it: kubectl annotate serviceaccount -n ${namespace} ${name} ${irsaAnnotation}=<ARN of its IAM role>; or associate it by EKS Pod Identity, where the operator knows the cluster (--eks-cluster-name); or name the role itself with roleARN.`,
    );
  }
  if (!roleARN.test(facts.roleARN)) {
    return new Failure(
      'missing',
      'ServiceAccountWithoutRole',
      `The annotation ${irsaAnnotation} of ServiceAccount ${namespace}/${name} is not the ARN of an IAM role. It has to look like arn:aws:iam::111122223333:role/NAME.`,
    );
  }
  return { roleARN: facts.roleARN, source: 'IRSA' };
}
