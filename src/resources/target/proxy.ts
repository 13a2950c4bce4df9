// Whether an RDS Proxy can be used in front of a database, and what policies, clients and its own role need to know of it.
import { Failure } from '../../kernel/failure.ts';
import { parseRdsARN } from './arn.ts';
import type { ServerName } from './blue-green.ts';

export interface ResolvedProxy {
  readonly name: string;
  /** From its own ARN, as the id is: RDS tells neither in another way. */
  readonly partition: string;
  readonly accountID: string;
  readonly region: string;
  readonly resourceID: string;
  /** TLS name and token host of those who connect through it. */
  readonly endpoint: string;
  /** What the proxy logs in to the database as. */
  readonly roleARN: string;
}

/** A proxy as Describe answers; what is absent there is absent here. */
export interface ProxyFacts {
  readonly arn?: string;
  readonly status?: string;
  readonly endpoint?: string;
  readonly roleARN?: string;
  /** It logs in to the database by IAM as well, and keeps no passwords. */
  readonly endToEndIAM: boolean;
}

export interface ProxyTargetFacts {
  readonly kind: 'Cluster' | 'Instance';
  readonly identifier?: string;
}

/** Statuses in which it lets nobody in; `modifying` comes and goes. */
const unusable = new Set([
  'creating',
  'deleting',
  'suspended',
  'suspending',
  'reactivating',
  'incompatible-network',
  'insufficient-resource-limits',
]);

/** Who it is, where that may be used, and what is wrong with it. One that is down for a while is still itself. */
export interface JudgedProxy {
  readonly proxy?: ResolvedProxy;
  readonly failure?: Failure;
  /** AWS tells too little to say who it is or where it stands: it may be what it was before. */
  readonly isUnseen?: true;
}

/** `facts` undefined: AWS knows no such proxy. One that cannot be used takes nothing from the database itself. */
export function judgeProxy(
  name: string,
  facts: ProxyFacts | undefined,
  targets: readonly ProxyTargetFacts[],
  server: ServerName,
): JudgedProxy {
  const what = `RDS Proxy ${name} in ${server.region}`;
  const command = (verb: string) => `aws rds ${verb} --db-proxy-name ${name} --region ${server.region}`;
  const refused = refusalOf(what, command, facts, targets, server);
  if (refused !== undefined) {
    // One that stands nowhere is registered anew, as a rule; what keeps passwords is refused wherever it stands.
    const isUnseen =
      facts === undefined ||
      (facts.endToEndIAM && targets.every(({ identifier }) => identifier === undefined));
    return isUnseen ? { failure: refused, isUnseen } : { failure: refused };
  }
  const arn = parseRdsARN(facts?.arn);
  const { endpoint, roleARN, status = '' } = facts ?? {};
  const notReady = new Failure(
    'unavailable',
    'ProxyNotReady',
    `${what} cannot be used now: it is being created or deleted, is suspended, or lacks network or capacity. See: ${command('describe-db-proxies')}`,
  );
  const isKnown = arn?.kind === 'db-proxy' && /^prx-[A-Za-z0-9]+$/.test(arn.name);
  if (!isKnown || endpoint === undefined || roleARN === undefined) {
    return { failure: notReady, isUnseen: true };
  }
  const { partition, accountID, region, name: resourceID } = arn;
  const proxy = { name, partition, accountID, region, resourceID, endpoint: endpoint.toLowerCase(), roleARN };
  return unusable.has(status) ? { proxy, failure: notReady } : { proxy };
}

function refusalOf(
  what: string,
  command: (verb: string) => string,
  facts: ProxyFacts | undefined,
  targets: readonly ProxyTargetFacts[],
  server: ServerName,
): Failure | undefined {
  if (facts === undefined) {
    return new Failure(
      'missing',
      'ProxyNotFound',
      `AWS knows no ${what}. Check spec.target.proxies: ${command('describe-db-proxies')}`,
    );
  }
  const isOfServer = ({ kind, identifier }: ProxyTargetFacts) =>
    kind === server.kind && identifier?.toLowerCase() === server.identifier.toLowerCase();
  if (!targets.some(isOfServer)) {
    const flag = server.kind === 'Cluster' ? '--db-cluster-identifiers' : '--db-instance-identifiers';
    return new Failure(
      'conflict',
      'ProxyTargetsElsewhere',
      `${what} does not stand in front of ${server.identifier}. Take it out of spec.target.proxies, or register the database: ${command('register-db-proxy-targets')} ${flag} ${server.identifier}`,
    );
  }
  return facts.endToEndIAM
    ? undefined
    : new Failure(
        'invalid',
        'ProxyUsesSecrets',
        `${what} logs in to the database with passwords from Secrets Manager, and rds_iam ends the password logins of a user: nobody declared here could get through it. Use end-to-end IAM: ${command('modify-db-proxy')} --default-auth-scheme IAM_AUTH`,
      );
}
