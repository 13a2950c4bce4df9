// Resolves a target: asks AWS where it has to, and judges the answer.
import { asFailure, Failure } from '../../kernel/failure.ts';
import { type Deployment, deploymentUnderWay, type ServerName } from './blue-green.ts';
import { judgeMasterSecret, type MasterSecret } from './master-secret.ts';
import { judgeProxy, type ProxyFacts, type ProxyTargetFacts } from './proxy.ts';
import { judgeTarget, type ResolvedTarget, type ServerFacts, type Target } from './target.ts';

/** What RDS knows. Undefined for what does not exist; throws a Failure when AWS cannot be asked. */
export interface RdsDirectory {
  cluster(identifier: string, region: string, signal: AbortSignal): Promise<ServerFacts | undefined>;
  instance(identifier: string, region: string, signal: AbortSignal): Promise<ServerFacts | undefined>;
  proxy(name: string, region: string, signal: AbortSignal): Promise<ProxyFacts | undefined>;
  proxyTargets(name: string, region: string, signal: AbortSignal): Promise<readonly ProxyTargetFacts[]>;
  /** All blue/green deployments of the region. */
  deployments(region: string, signal: AbortSignal): Promise<readonly Deployment[]>;
}

/** Rejects with the Failure that says why the target cannot be used. Type Explicit makes no call. */
export async function resolveTarget(
  directory: RdsDirectory,
  target: Target,
  signal: AbortSignal,
): Promise<ResolvedTarget> {
  const named = namedIn(target);
  const facts = named && (await lookUp(directory, named, signal));
  const judged = judgeTarget(target, facts);
  if (judged instanceof Failure) throw judged;
  if (named === undefined) return judged;
  const [proxies, blueGreen] = await Promise.all([
    resolveProxies(directory, target.proxies ?? [], named, signal),
    resolveBlueGreen(directory, facts?.arn ?? '', judged, signal),
  ]);
  const proxyIDs = proxies.resolved.map(({ resourceID }) => resourceID);
  return {
    ...judged,
    ...blueGreen,
    resourceIDs: [...(blueGreen.resourceIDs ?? judged.resourceIDs), ...proxyIDs],
    ...(proxies.resolved.length === 0 ? {} : { proxies: proxies.resolved }),
    ...(proxies.unseen.length === 0 ? {} : { unseenProxies: proxies.unseen }),
    ...(proxies.troubles.length === 0 ? {} : { troubles: proxies.troubles }),
  };
}

function namedIn({ type, cluster, instance }: Target): ServerName | undefined {
  if (type === 'Cluster' && cluster !== undefined) return { kind: type, ...cluster };
  if (type === 'Instance' && instance !== undefined) return { kind: type, ...instance };
  return undefined;
}

/** Where RDS keeps the master password of a target, or why it is not to be had. Throws a Failure where AWS cannot be asked. */
export async function findMasterSecret(
  directory: RdsDirectory,
  target: Target,
  signal: AbortSignal,
): Promise<MasterSecret | Failure> {
  const named = namedIn(target);
  return judgeMasterSecret(target, named && (await lookUp(directory, named, signal)));
}

const lookUp = async (
  directory: RdsDirectory,
  { kind, identifier, region }: ServerName,
  signal: AbortSignal,
) => await (kind === 'Cluster' ? directory.cluster : directory.instance)(identifier, region, signal);

/** A look that AWS does not answer fails as a whole: an id that is not seen must not leave the policies. */
async function resolveProxies(
  directory: RdsDirectory,
  proxies: NonNullable<Target['proxies']>,
  server: ServerName,
  signal: AbortSignal,
) {
  const judged = await Promise.all(
    proxies.map(async ({ name }) => {
      const facts = await directory.proxy(name, server.region, signal);
      const targets = facts === undefined ? [] : await directory.proxyTargets(name, server.region, signal);
      return { name, ...judgeProxy(name, facts, targets, server) };
    }),
  );
  return {
    resolved: judged.flatMap(({ proxy }) => proxy ?? []),
    unseen: judged.flatMap(({ name, isUnseen }) => (isUnseen === true ? [name] : [])),
    troubles: judged.flatMap(({ failure }) => failure ?? []),
  };
}

/** Who may not list deployments has none to be held up by; the right is optional. */
async function resolveBlueGreen(
  directory: RdsDirectory,
  arn: string,
  { region, resourceIDs }: ResolvedTarget,
  signal: AbortSignal,
): Promise<Partial<Pick<ResolvedTarget, 'resourceIDs' | 'isInBlueGreen'>>> {
  const listed = await directory.deployments(region, signal).catch(asFailure);
  if (listed instanceof Failure) {
    if (listed.kind !== 'denied') throw listed;
    return {};
  }
  const deployment = deploymentUnderWay(arn, listed);
  if (deployment === undefined) return {};
  const other = deployment.other && (await lookUp(directory, deployment.other, signal));
  const ids = [...resourceIDs, ...(other?.resourceID === undefined ? [] : [other.resourceID])];
  return { isInBlueGreen: true, resourceIDs: ids.filter(isServerID) };
}

/** It becomes a part of policies, so nothing but the known form is taken. */
const isServerID = (id: string) => /^(cluster|db)-[A-Za-z0-9]+$/.test(id);
