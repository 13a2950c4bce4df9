// What a target is once resolved, and the decision whether the facts that AWS gave allow to use it.
import type { DatabaseSpec } from '../../api/schema.ts';
import { Failure } from '../../kernel/failure.ts';
import { parseRdsARN } from './arn.ts';
import type { MasterSecretFacts } from './master-secret.ts';
import { partitionOf, unknownRegion } from './partition.ts';
import type { ResolvedProxy } from './proxy.ts';

export type Target = DatabaseSpec['target'];

export interface ResolvedTarget {
  readonly partition: string;
  readonly accountID: string;
  readonly region: string;
  /** Writer endpoint: TLS name and token host. */
  readonly endpoint: string;
  readonly port: number;
  readonly readerEndpoint?: string;
  /** What policies have to allow: the server's own first, then that of the other server of a blue/green deployment, then the proxies'. */
  readonly resourceIDs: readonly string[];
  readonly serverResourceID: string;
  /** In the order of spec.target.proxies; those that cannot be used are left out. */
  readonly proxies?: readonly ResolvedProxy[];
  /** What is wrong with proxies; the database itself can be used all the same. */
  readonly troubles?: readonly Failure[];
  /** Names of proxies of which AWS shows too little to say who they are or where they stand. */
  readonly unseenProxies?: readonly string[];
  /** A blue/green deployment is under way: what is changed in the database now is lost or breaks it. */
  readonly isInBlueGreen?: boolean;
  /** As RDS names it; absent with type Explicit, where nobody told. */
  readonly engine?: string;
  readonly engineVersion?: string;
}

/** A cluster or an instance as Describe answers; what is absent there is absent here. */
export interface ServerFacts {
  readonly arn?: string;
  readonly resourceID?: string;
  readonly engine?: string;
  readonly engineVersion?: string;
  readonly status?: string;
  readonly endpoint?: string;
  readonly port?: number;
  readonly readerEndpoint?: string;
  readonly iamAuthentication: boolean;
  /** What it will be after the next maintenance window or restart, when a change is pending. */
  readonly pendingIamAuthentication?: boolean;
  /** Of an instance: the cluster that it is a member of. */
  readonly clusterIdentifier?: string;
  /** Where RDS keeps the master password. */
  readonly masterSecret?: MasterSecretFacts;
}

/** `facts` are what AWS knows under the target's identifier; undefined for nothing, and with type Explicit. */
export function judgeTarget(target: Target, facts: ServerFacts | undefined): ResolvedTarget | Failure {
  if (target.type === 'Explicit') return judgeExplicit(target);
  const named = target.type === 'Cluster' ? target.cluster : target.instance;
  if (named === undefined) return fieldMissing(target.type);
  const kind = kinds[target.type];
  const what = `${kind.noun} ${named.identifier} in ${named.region}`;
  if (facts === undefined) {
    return new Failure(
      'missing',
      'TargetMissing',
      `AWS knows no ${what}. Check identifier, region and account: aws rds ${kind.describe} ${named.identifier} --region ${named.region}`,
    );
  }
  return (
    checkEngine(target.type, what, facts) ??
    checkStatus(what, facts) ??
    checkIamAuthentication(target.type, named, what, facts) ??
    complete(what, facts)
  );
}

const kinds = {
  Cluster: {
    noun: 'cluster',
    describe: 'describe-db-clusters --db-cluster-identifier',
    modify: 'modify-db-cluster --db-cluster-identifier',
    /** Engines and their first major version with IAM authentication. */
    engines: new Map([
      ['aurora-postgresql', 11],
      ['postgres', 10],
    ]),
  },
  Instance: {
    noun: 'instance',
    describe: 'describe-db-instances --db-instance-identifier',
    modify: 'modify-db-instance --db-instance-identifier',
    engines: new Map([['postgres', 10]]),
  },
} as const;

function fieldMissing(type: string): Failure {
  return new Failure(
    'invalid',
    'TargetMissing',
    `spec.target.type is ${type}, but the field that goes with it is not filled.`,
  );
}

function judgeExplicit({ explicit }: Target): ResolvedTarget | Failure {
  if (explicit === undefined) return fieldMissing('Explicit');
  const { host, port, region, accountID, resourceIDs } = explicit;
  const partition = explicit.partition ?? partitionOf(region);
  if (partition === undefined) return unknownRegion(region);
  const [own] = resourceIDs;
  if (own === undefined || !/^(cluster|db)-[A-Za-z0-9]+$/.test(own)) {
    return new Failure(
      'invalid',
      'TargetMissing',
      'The first of spec.target.explicit.resourceIDs has to be the server itself: cluster-… or db-…, not a proxy.',
    );
  }
  // Tokens are signed for the lower-case name, whatever was written.
  return {
    partition,
    accountID,
    region,
    endpoint: host.toLowerCase(),
    port,
    resourceIDs,
    serverResourceID: own,
  };
}

function checkEngine(type: 'Cluster' | 'Instance', what: string, facts: ServerFacts): Failure | undefined {
  if (type === 'Instance' && facts.clusterIdentifier !== undefined) {
    return unsupported(
      `The ${what} is a member of a cluster, which alone decides who may log in: use spec.target.type Cluster with the identifier of that cluster (DBClusterIdentifier in aws rds describe-db-instances).`,
    );
  }
  const oldest = kinds[type].engines.get(facts.engine ?? '');
  if (oldest === undefined) {
    return unsupported(
      `The ${what} does not run PostgreSQL: only Aurora PostgreSQL and RDS for PostgreSQL are supported.`,
    );
  }
  const major = Number.parseInt(facts.engineVersion ?? '', 10);
  if (Number.isNaN(major)) return notReady(what, 'AWS does not tell its engine version yet');
  return major >= oldest
    ? undefined
    : unsupported(
        `The ${what} runs PostgreSQL ${major}, which has no IAM authentication: upgrade it to ${oldest} or newer.`,
      );
}

function unsupported(message: string): Failure {
  return new Failure('invalid', 'EngineNotSupported', message);
}

function notReady(what: string, because: string): Failure {
  return new Failure('unavailable', 'TargetNotReady', `The ${what} cannot be used yet: ${because}.`);
}

/** Statuses with which nothing can be logged in to. All others (backing-up, modifying, upgrading …) come and go. */
const unusable: ReadonlyMap<string, string> = new Map([
  ['creating', 'it is being created'],
  ['deleting', 'it is being deleted'],
  ['starting', 'it is starting'],
  ['failed', 'its status is failed'],
  ['restore-error', 'its status is restore-error'],
  ['cloning-failed', 'its status is cloning-failed'],
  ['migration-failed', 'its status is migration-failed'],
  ['incompatible-network', 'its status is incompatible-network'],
  ['incompatible-restore', 'its status is incompatible-restore'],
  ['incompatible-create', 'its status is incompatible-create'],
  ['inaccessible-encryption-credentials', 'its encryption key cannot be reached'],
  ['inaccessible-encryption-credentials-recoverable', 'its encryption key cannot be reached'],
]);

function checkStatus(what: string, facts: ServerFacts): Failure | undefined {
  if (facts.status === 'stopped' || facts.status === 'stopping') {
    return new Failure(
      'unavailable',
      'DatabaseStopped',
      `The ${what} is ${facts.status}. Start it; the operator goes on by itself.`,
    );
  }
  const because = unusable.get(facts.status ?? '');
  return because === undefined ? undefined : notReady(what, because);
}

function checkIamAuthentication(
  type: 'Cluster' | 'Instance',
  named: { readonly identifier: string; readonly region: string },
  what: string,
  facts: ServerFacts,
): Failure | undefined {
  if (facts.iamAuthentication) return undefined;
  if (facts.pendingIamAuthentication === true) {
    return new Failure(
      'unavailable',
      'IamAuthenticationOff',
      `IAM database authentication is still off on the ${what}; the change that turns it on is pending. To have it now: ${switchOn(type, named)}`,
    );
  }
  return new Failure(
    'invalid',
    'IamAuthenticationOff',
    `IAM database authentication is off on the ${what}. Turn it on: ${switchOn(type, named)}`,
  );
}

function switchOn(
  type: 'Cluster' | 'Instance',
  named: { readonly identifier: string; readonly region: string },
): string {
  return `aws rds ${kinds[type].modify} ${named.identifier} --region ${named.region} --enable-iam-database-authentication --apply-immediately`;
}

function complete(what: string, facts: ServerFacts): ResolvedTarget | Failure {
  const arn = parseRdsARN(facts.arn);
  if (arn === undefined || arn.kind === 'db-proxy') return notReady(what, 'AWS does not tell its ARN');
  const { partition, region, accountID } = arn;
  const { resourceID, endpoint, port } = facts;
  // It becomes a part of policies, so nothing but the known form is taken.
  if (resourceID === undefined || !/^(cluster|db)-[A-Za-z0-9]+$/.test(resourceID)) {
    return notReady(what, 'AWS does not tell its resource id');
  }
  if (endpoint === undefined || port === undefined) return notReady(what, 'it has no endpoint');
  return {
    partition,
    accountID,
    region,
    endpoint: endpoint.toLowerCase(),
    port,
    ...(facts.readerEndpoint === undefined ? {} : { readerEndpoint: facts.readerEndpoint.toLowerCase() }),
    resourceIDs: [resourceID],
    serverResourceID: resourceID,
    ...(facts.engine === undefined ? {} : { engine: facts.engine }),
    ...(facts.engineVersion === undefined ? {} : { engineVersion: facts.engineVersion }),
  };
}
