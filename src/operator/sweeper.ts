// Looks at what is shared even where no user asks any more: policies and trust bundles that were left behind, and what stays of them.
import { labels } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { asFailure, type Failure } from '../kernel/failure.ts';
import { trustBundleName } from '../reconcile/names.ts';
import type { NextLook } from '../reconcile/next-look.ts';
import { whenSomethingHappens } from '../reconcile/next-look.ts';
import type { World } from '../reconcile/world.ts';
import type { KnownPolicy } from '../resources/policy/known-roles.ts';
import type { AwsAccount } from './account.ts';
import type { Identity } from './identities.ts';
import type { Caches } from './caches.ts';
import { accountLabel, identitiesOf } from './identities.ts';
import { usersByRole } from './users-by-role.ts';
import type { LookAtAccount, WithoutUser } from './without-user.ts';

/** From one look at everything to the next. */
export const sweepMs = 600_000;
const retryMs = 15_000;
const mostRetries = 6;

interface SweptAccount extends Pick<AwsAccount, 'knownPolicies' | 'lookAtQuotas'> {
  readonly iam: Pick<AwsAccount['iam'], 'readAttachmentsAgain'>;
}

/** Looking at one that is as it should be costs no request. Keys: `policy <role ARN>`, `bundle <namespace>/<name>`, or `all`: everything of ours that can be found. */
export function createSweeper(options: {
  readonly world: Pick<
    World,
    | 'note'
    | 'convergePolicy'
    | 'convergeBundle'
    | 'withoutUser'
    | 'lookAfresh'
    | 'database'
    | 'databases'
    | 'serviceAccount'
    | 'associatedWith'
  >;
  readonly caches: Pick<Caches, 'configMaps' | 'users' | 'serviceAccounts'>;
  readonly aws: { as(identity: Identity): SweptAccount };
  readonly tell: (looks: readonly LookAtAccount[]) => void;
  readonly timeScale: number;
}): (key: string, signal: AbortSignal) => Promise<NextLook> {
  const { world, caches, aws, tell, timeScale } = options;
  const failed = new Map<string, number>();

  const usersOf = usersByRole(caches.users, caches.serviceAccounts, world);

  const one = async (key: string, signal: AbortSignal): Promise<boolean> => {
    const [kind, rest = ''] = key.split(' ');
    const [namespace = '', name = ''] = rest.split('/');
    if (kind !== 'policy') return (await world.convergeBundle(namespace, name, signal)).result !== 'failed';
    const { managed, inline } = await world.convergePolicy(rest, signal, 'first');
    return managed.result !== 'failed' && inline?.result !== 'failed';
  };

  /** Other users of the role or the namespace may be suspended, so that no pass of theirs comes by. */
  const leftBehind = (known: readonly KnownPolicy[]): readonly string[] => {
    const roles = known.filter(({ roleARN, usernames }) => {
      const { naming, possible } = usersOf(roleARN);
      const asking = new Set([...naming, ...possible].map(({ spec }) => spec.username));
      return asking.size === 0 || usernames.some((username) => !asking.has(username));
    });
    const bundles = caches.configMaps
      .list()
      .filter(({ metadata }) => metadata.labels?.[labels.kind] === 'trust-bundle')
      .filter(({ metadata: { namespace, name } }) =>
        caches.users.byIndex('namespace', namespace).every((user) => !mayUse(user, name)),
      );
    return [
      ...new Set(roles.map(({ roleARN }) => `policy ${roleARN}`)),
      ...bundles.map(({ metadata }) => `bundle ${metadata.namespace}/${metadata.name}`),
    ];
  };

  /** A database that is gone no longer tells the region, and so not the name. */
  const mayUse = (user: IamDatabaseUser, bundle: string): boolean => {
    const database = world.database(user.spec.databaseRef.name);
    const name =
      database === undefined ? user.spec.trustBundle.configMapName : trustBundleName(user, database);
    return name === undefined || name === bundle;
  };

  const withoutUser = (policy: KnownPolicy): readonly WithoutUser[] => {
    const arns = world.withoutUser(policy);
    const { policyARN, roleARN } = policy;
    return arns.length === 0
      ? []
      : [{ policyARN, roleARN, arns, isNamed: usersOf(roleARN).naming.length > 0 }];
  };

  return async (key, signal) => {
    if (key !== 'all') {
      const failures = (await one(key, signal)) ? 0 : (failed.get(key) ?? 0) + 1;
      // What fails for long is left to the look at everything, which comes around anyway.
      if (failures === 0 || failures > mostRetries) {
        failed.delete(key);
        return whenSomethingHappens;
      }
      failed.set(key, failures);
      return { afterMs: retryMs * 2 ** (failures - 1) * timeScale };
    }
    const identities = identitiesOf(world.databases());
    const accounts = identities.map((identity) => aws.as(identity));
    // One account's trouble is not another's, and policies are found whether or not quotas may be read.
    const [known, quotas] = await Promise.all([
      Promise.allSettled(accounts.map(async (account) => await account.knownPolicies(signal))),
      Promise.allSettled(accounts.map(async (account) => await account.lookAtQuotas(signal))),
    ]);
    const found = known.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    // Beside each other: one that hangs is not to keep what stands behind it.
    await Promise.all(leftBehind(found).map(async (left) => await one(left, signal)));
    const kept = known.map((answer) =>
      answer.status === 'fulfilled' ? answer.value.flatMap(withoutUser) : undefined,
    );
    // Its tags may say soon that a person accounts for it.
    for (const { roleARN } of kept.flatMap((some) => some ?? [])) world.lookAfresh(roleARN);
    tell(kept.map((found, at) => ({ account: accountLabel(identities[at]), found })));
    const attachments = await Promise.allSettled(
      accounts.map(async ({ iam }, at) => {
        const answer = known[at];
        const policies = answer?.status === 'fulfilled' ? answer.value : [];
        await iam.readAttachmentsAgain(
          policies.map(({ policyARN }) => policyARN),
          signal,
        );
      }),
    );
    const failures = failuresAmong([...known, ...quotas, ...attachments]);
    for (const failure of failures) world.note(failure);
    const failedLooks = failures.length === 0 ? 0 : (failed.get(key) ?? 0) + 1;
    failed.set(key, failedLooks);
    const afterMs = failedLooks === 0 ? sweepMs : Math.min(sweepMs, retryMs * 2 ** (failedLooks - 1));
    return { afterMs: afterMs * timeScale };
  };
}

/** Each once: a role that cannot be assumed fails all that is asked by it. The unforeseen is thrown, as a defect. */
function failuresAmong(answers: readonly PromiseSettledResult<unknown>[]): readonly Failure[] {
  const all = answers.flatMap((answer) => (answer.status === 'rejected' ? [asFailure(answer.reason)] : []));
  const defect = all.find(({ kind }) => kind === 'unexpected');
  if (defect !== undefined) throw defect;
  return [...new Map(all.map((failure) => [failure.message, failure])).values()];
}
