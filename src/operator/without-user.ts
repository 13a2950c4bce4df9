// Tells of access that is kept for nobody who is declared here: a gauge at each look, and a warning once for each.
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { parseDbUserARN } from '../resources/policy/arn.ts';

export interface WithoutUser {
  readonly policyARN: string;
  readonly roleARN: string;
  readonly arns: readonly string[];
  /** Whether anybody who is declared here names the role. */
  readonly isNamed: boolean;
}

export interface LookAtAccount {
  /** As the gauge's label names it. */
  readonly account: string;
  /** Undefined where it could not be looked at: then what was found before still holds. */
  readonly found: readonly WithoutUser[] | undefined;
}

/** `scope`: what is recorded with the policies that this operator accounts for. */
export function tellWithoutUser(options: {
  readonly log: Pick<Log, 'warn'>;
  readonly metrics: Pick<Metrics, 'replace'>;
  readonly scope: () => string;
}): (looks: readonly LookAtAccount[]) => void {
  const { log, metrics, scope } = options;
  let before = new Map<string, readonly WithoutUser[]>();
  let told = new Set<string>();

  return (looks) => {
    const now = new Map<string, readonly WithoutUser[]>();
    // Several identities may see one account.
    for (const { account, found } of looks) {
      const all = [...(now.get(account) ?? []), ...(found ?? before.get(account) ?? [])];
      now.set(account, [...new Map(all.map((policy) => [policy.policyARN, policy])).values()]);
    }
    const seenBefore = new Set([...before.values()].flat().flatMap(keysOf));
    const stillTold = new Set<string>();
    for (const policy of [...now.values()].flat()) {
      // A move that has just begun has no users yet: what nobody names is told at the second look.
      const due = keysOf(policy).filter((key) => told.has(key) || policy.isNamed || seenBefore.has(key));
      const news = due.filter((key) => !told.has(key) && !stillTold.has(key));
      for (const key of due) stillTold.add(key);
      if (news.length > 0) log.warn(fieldsOf(policy, news, scope()), message);
    }
    told = stillTold;
    before = now;
    metrics.replace(
      'iamdb_policy_arns_without_user',
      [...now].map(([account, found]) => [
        { account },
        found.reduce((sum, { arns }) => sum + arns.length, 0),
      ]),
    );
  };
}

const message = 'a policy lets in database users that no IamDatabaseUser stands for here';

const keysOf = ({ policyARN, arns }: WithoutUser) => arns.map((arn) => `${policyARN} ${arn}`);

const fieldsOf = ({ policyARN, roleARN }: WithoutUser, keys: readonly string[], scope: string) => ({
  policyARN,
  roleARN,
  usernames: keys.flatMap((key) => parseDbUserARN(key.slice(key.indexOf(' ') + 1))?.username ?? []),
  remedy: `Apply their IamDatabaseUsers, or end their access: delete them after that, or, if nobody of another cluster or namespace needs them, tag the policy with iamdb.dev/scope "${scope}" (docs/how-to/new-cluster.md).`,
});
