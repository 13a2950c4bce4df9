// What is known of the cluster's EKS Pod Identity associations: which ServiceAccount has one, and the role of those asked for.
import { asFailure, Failure } from '../kernel/failure.ts';
import type { PodIdentity, PodIdentityPort } from '../reconcile/principals.ts';

export interface PodIdentities {
  /** Of a ServiceAccount `namespace/name`: undefined where it has none; why it is not known, until it is. */
  of(account: string): PodIdentity | Failure | undefined;
  /** ServiceAccounts whose association is known to lead to that role. */
  associatedWith(roleARN: string): readonly string[];
  /** Looks at what AWS has, and at the associations of these. What cannot be seen stays as it was seen last. */
  look(accounts: readonly string[], signal: AbortSignal): Promise<void>;
}

/** Where Pod Identity is not used. */
export const noPodIdentities: PodIdentities = {
  of: () => undefined,
  associatedWith: () => [],
  look: () => Promise.resolve(),
};

export function createPodIdentities(options: {
  /** Undefined where Pod Identity is not used. */
  readonly port: PodIdentityPort | undefined;
  /** Told of each ServiceAccount whose association is another than the one that was known. */
  readonly onChange: (account: string, was: PodIdentity | undefined) => void;
  readonly note: (failure: Failure) => void;
}): PodIdentities {
  const { port, onChange, note } = options;
  if (port === undefined) return noPodIdentities;
  let listed: ReadonlyMap<string, string> | undefined;
  let whyNotListed = notLookedAt;
  const described = new Map<string, PodIdentity>();
  const whyNotDescribed = new Map<string, Failure>();

  /** As it was known last; what is known for the first time is news to nobody. */
  const known = new Map<string, PodIdentity | undefined>();

  const of = (account: string) => {
    if (listed === undefined) return whyNotListed;
    const id = listed.get(account);
    return id === undefined ? undefined : (described.get(id) ?? whyNotDescribed.get(id) ?? notLookedAt);
  };

  const list = async (signal: AbortSignal) => {
    try {
      listed = await port.list(signal);
    } catch (thrown) {
      whyNotListed = asFailure(thrown);
      note(whyNotListed);
    }
  };
  const describe = async (id: string, signal: AbortSignal) => {
    try {
      const found = await port.describe(id, signal);
      if (found !== undefined) described.set(id, found);
      // Gone since the list was made, or made by a newer EKS than we know.
      else described.delete(id);
      whyNotDescribed.delete(id);
    } catch (thrown) {
      const failure = asFailure(thrown);
      whyNotDescribed.set(id, failure);
      note(failure);
    }
  };

  const forgetAllBut = (ids: ReadonlySet<string>) => {
    for (const id of described.keys()) if (!ids.has(id)) described.delete(id);
    for (const id of whyNotDescribed.keys()) if (!ids.has(id)) whyNotDescribed.delete(id);
  };
  const compare = (account: string) => {
    const is = of(account);
    if (is instanceof Failure) return;
    const was = known.get(account);
    const isNews = known.has(account) && !isSame(was, is);
    if (is === undefined) known.delete(account);
    else known.set(account, is);
    if (isNews) onChange(account, was);
  };

  return {
    of,
    associatedWith: (roleARN) =>
      [...(listed ?? [])].flatMap(([account, id]) =>
        described.get(id)?.roleARN === roleARN ? [account] : [],
      ),
    look: async (accounts, signal) => {
      if (accounts.length === 0) return;
      const previous = listed;
      await list(signal);
      const present = listed ?? new Map<string, string>();
      for (const account of previous === undefined ? [] : present.keys()) {
        if (previous?.has(account) === false && !known.has(account)) known.set(account, undefined);
      }
      await Promise.all(
        accounts.flatMap((account) => present.get(account) ?? []).map((id) => describe(id, signal)),
      );
      forgetAllBut(new Set(present.values()));
      for (const account of new Set([...known.keys(), ...present.keys()])) compare(account);
    },
  };
}

const isSame = (was: PodIdentity | undefined, is: PodIdentity | undefined) =>
  was?.roleARN === is?.roleARN && was?.podRoleARN === is?.podRoleARN;

const notLookedAt = new Failure(
  'unavailable',
  'Progressing',
  'The Pod Identity associations of the EKS cluster were not looked at yet.',
);
