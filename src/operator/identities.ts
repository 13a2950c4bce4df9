// By which identity AWS is asked about something: the operator's own, or a role that it assumes for databases elsewhere.
import type { IamDatabase } from '../api/objects.ts';
import type { AssumeRole } from '../api/schema.ts';
import type { DatabaseState } from '../reconcile/database-state.ts';
import { Failure } from '../kernel/failure.ts';
import { accountOf } from '../resources/policy/arn.ts';

/** Undefined: the operator's own. */
export type Identity = AssumeRole | undefined;

interface View {
  databases(): readonly IamDatabase[];
  stateOf(database: string): DatabaseState | undefined;
}

/**
 * The identity for the policies of an IAM role, which is in the account of the role: that of a database there, of one
 * whose users name the role if there is such a one, of one that is resolved if there is such a one, by name. Who declares
 * users has no say in it: a role of an account without a database is nobody's, and the operator's own identity, which
 * finds nothing of it, is asked.
 */
export function identityFor(
  roleARN: string,
  /** Names of the databases whose users name the role. */
  naming: ReadonlySet<string>,
  view: View,
): Identity {
  const there = view
    .databases()
    .filter((database) => accountFor(database, view) === accountOf(roleARN))
    .map((database) => ({ database, rank: rankOf(database, naming, view) }))
    .toSorted((a, b) => a.rank - b.rank || compare(a.database.metadata.name, b.database.metadata.name));
  return there[0]?.database.spec.assumeRole;
}

/** The account that a database is in, as far as it is known. */
function accountFor({ metadata, spec }: IamDatabase, view: View): string | undefined {
  if (spec.assumeRole !== undefined) return accountOf(spec.assumeRole.arn);
  const target = view.stateOf(metadata.name)?.target;
  return target === undefined || target instanceof Failure ? undefined : target.accountID;
}

const rankOf = ({ metadata: { name } }: IamDatabase, naming: ReadonlySet<string>, view: View): number => {
  const target = view.stateOf(name)?.target;
  const isResolved = target !== undefined && !(target instanceof Failure);
  return (naming.has(name) ? 0 : 2) + (isResolved ? 0 : 1);
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Every identity that there is, each once, the operator's own first. */
export function identitiesOf(databases: readonly IamDatabase[]): readonly Identity[] {
  const roles = databases.flatMap(({ spec }) => spec.assumeRole ?? []);
  return [undefined, ...new Map(roles.map((role) => [keyOf(role), role])).values()];
}

/** As metrics name the account. */
export const accountLabel = (identity: Identity): string =>
  identity === undefined ? 'own' : accountOf(identity.arn);

/** The same text for the same identity only. */
export const keyOf = (identity: Identity): string =>
  identity === undefined ? '' : `${identity.arn} ${identity.externalID ?? ''}`;
