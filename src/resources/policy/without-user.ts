// What a policy of ours allows for nobody who is declared here, and that stays: it may be somebody's whom we do not see.
import { parseDbUserARN } from './arn.ts';
import { claimsOf, isClaimed, isCurrent } from './placement.ts';
import type { DesiredPolicy, ObservedShard } from './policy.ts';

/** A user that is not resolved yet may be the one whose name stands in an ARN. Under today's scope nothing of nobody's stays. */
export function arnsWithoutUser(
  desired: DesiredPolicy,
  policy: Pick<ObservedShard, 'arns' | 'tags'>,
): readonly string[] {
  if (isCurrent(desired, policy)) return [];
  const claims = claimsOf(desired);
  const unresolved = new Set(
    desired.contributions.flatMap(({ username, arns }) => ((arns ?? []).length === 0 ? [username] : [])),
  );
  return policy.arns.filter(
    (arn) =>
      !isClaimed(claims, arn) &&
      !claims.absent.has(arn) &&
      !claims.released.has(arn) &&
      !unresolved.has(parseDbUserARN(arn)?.username ?? ''),
  );
}
