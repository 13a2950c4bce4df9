// Whether a target is in the account of the role by which the operator sees it.
import type { AssumeRole } from '../../api/schema.ts';
import { Failure } from '../../kernel/failure.ts';
import type { ResolvedTarget } from './target.ts';

/** Principals are looked for in the account of the database: with a role of another one they would never be found. */
export function checkAccount(
  { partition, accountID }: Pick<ResolvedTarget, 'partition' | 'accountID'>,
  assumeRole: AssumeRole | undefined,
): Failure | undefined {
  if (assumeRole === undefined) return undefined;
  const [, ofRole, , , account] = assumeRole.arn.split(':');
  if (ofRole === partition && account === accountID) return undefined;
  return new Failure(
    'invalid',
    'TargetMissing',
    `The database is in account ${accountID} of partition ${partition}, and spec.assumeRole names a role in account ${account} of partition ${ofRole}: name a role in the account of the database.`,
  );
}
