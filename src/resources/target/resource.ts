// Resolves a target: asks AWS where it has to, and judges the answer.
import { Failure } from '../../reconcile/kernel/failure.ts';
import { judgeTarget, type ResolvedTarget, type ServerFacts, type Target } from './target.ts';

/** What RDS knows. Undefined for what does not exist; throws a Failure when AWS cannot be asked. */
export interface RdsDirectory {
  cluster(identifier: string, region: string, signal: AbortSignal): Promise<ServerFacts | undefined>;
  instance(identifier: string, region: string, signal: AbortSignal): Promise<ServerFacts | undefined>;
}

/** Rejects with the Failure that says why the target cannot be used. Type Explicit makes no call. */
export async function resolveTarget(
  directory: RdsDirectory,
  target: Target,
  signal: AbortSignal,
): Promise<ResolvedTarget> {
  const judged = judgeTarget(target, await look(directory, target, signal));
  if (judged instanceof Failure) throw judged;
  return judged;
}

async function look(
  directory: RdsDirectory,
  { type, cluster, instance }: Target,
  signal: AbortSignal,
): Promise<ServerFacts | undefined> {
  if (type === 'Cluster' && cluster !== undefined) {
    return await directory.cluster(cluster.identifier, cluster.region, signal);
  }
  if (type === 'Instance' && instance !== undefined) {
    return await directory.instance(instance.identifier, instance.region, signal);
  }
  return undefined;
}
