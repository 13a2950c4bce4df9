// Whether a blue/green deployment is under way for a database, and which server is the other one of the two.

import { parseRdsARN } from './arn.ts';

/** A server by its name in RDS. */
export interface ServerName {
  readonly kind: 'Cluster' | 'Instance';
  readonly region: string;
  readonly identifier: string;
}

/** A deployment as Describe answers; what is absent there is absent here. */
export interface Deployment {
  /** ARNs of a cluster or an instance. */
  readonly source?: string;
  readonly target?: string;
  readonly status?: string;
}

/** After these the two servers have nothing to do with each other any more. */
const over = new Set(['SWITCHOVER_COMPLETED', 'DELETING']);

/** The deployment that `arn` takes part in and that is not over: while it is AVAILABLE the switch may come at any time. */
export function deploymentUnderWay(
  arn: string,
  deployments: readonly Deployment[],
): { readonly other: ServerName | undefined } | undefined {
  const found = deployments.find(
    ({ source, target, status }) => (source === arn || target === arn) && !over.has(status ?? ''),
  );
  if (found === undefined) return undefined;
  return { other: serverNamed(found.source === arn ? found.target : found.source) };
}

function serverNamed(arn: string | undefined): ServerName | undefined {
  const server = parseRdsARN(arn);
  if (server === undefined || server.kind === 'db-proxy') return undefined;
  const { kind, region, name: identifier } = server;
  if (!/^[A-Za-z0-9-]+$/.test(identifier)) return undefined;
  return { kind: kind === 'cluster' ? 'Cluster' : 'Instance', region, identifier };
}
