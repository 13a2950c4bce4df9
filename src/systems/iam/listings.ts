// The policies under a path, listed in pages, as one read for all who ask, held against what we wrote ourselves.
import { ListPoliciesCommand, type Policy } from '@aws-sdk/client-iam';
import { Failure } from '../../kernel/failure.ts';
import type { ListedPolicy } from '../../resources/policy/port.ts';
import type { Calls } from './calls.ts';
import type { Clock } from './clock.ts';
import { createOwnWrites, type OwnWrites } from './own-writes.ts';
import { createSharedRead, type SharedRead } from './shared-read.ts';
import type { TokenBucket } from './token-bucket.ts';

export interface ListingSettings {
  /** How old a listing may be when somebody asks. */
  readonly freshMs: number;
  /** How long IAM may take to show what was written. */
  readonly settleMs: number;
}

export interface Listings {
  policies(path: string, namePrefix: string, signal: AbortSignal): Promise<readonly ListedPolicy[]>;
  /** Not held against what we wrote. */
  overview(path: string, signal: AbortSignal): Promise<readonly ListedPolicy[]>;
  readonly ownWrites: OwnWrites;
  /** A number for a write that has just ended: only listings that begin later are after it. */
  readonly nextOrder: () => number;
}

type Policies = ReadonlyMap<string, ListedPolicy>;

export function createListings(
  calls: Calls,
  pace: TokenBucket,
  { freshMs, settleMs }: ListingSettings,
  clock: Clock,
): Listings {
  const ownWrites = createOwnWrites(settleMs, () => clock.now());
  const byPath = new Map<string, SharedRead<Policies>>();
  let order = 0;
  const nextOrder = (): number => ++order;

  const listingOf = (path: string): SharedRead<Policies> => {
    const known = byPath.get(path);
    if (known !== undefined) return known;
    const listing = createSharedRead({
      read: () => listAll(calls, path),
      pause: () => pace.take(never),
      nextOrder,
      clock,
    });
    byPath.set(path, listing);
    return listing;
  };

  return {
    ownWrites,
    nextOrder,
    overview: async (path, signal) => {
      const after = ownWrites.lastOrder('');
      return [...(await listingOf(path).get(clock.now() - freshMs, after, signal)).value.values()];
    },
    policies: async (path, namePrefix, signal) => {
      const after = ownWrites.lastOrder(namePrefix);
      const { value, order: readOrder } = await listingOf(path).get(clock.now() - freshMs, after, signal);
      ownWrites.check(namePrefix, value, readOrder);
      const prefix = namePrefix.toLowerCase();
      return [...value.values()].filter(({ name }) => name.toLowerCase().startsWith(prefix));
    },
  };
}

// The listing belongs to all who wait for it; each call has its own time limit.
const never = new AbortController().signal;

async function listAll(calls: Calls, path: string): Promise<Policies> {
  const policies = new Map<string, ListedPolicy>();
  let marker: string | undefined;
  do {
    const page = await calls.read('ListPolicies', never, (client, options) =>
      client.send(
        new ListPoliciesCommand({ Scope: 'Local', PathPrefix: path, MaxItems: 1000, Marker: marker }),
        options,
      ),
    );
    for (const policy of page.Policies ?? []) {
      const listed = listedPolicy(policy);
      policies.set(listed.policyARN, listed);
    }
    marker = page.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  return policies;
}

/** Throws Failure for an answer that lacks what IAM always sends. */
export function listedPolicy(policy: Policy | undefined): ListedPolicy {
  const { Arn, PolicyId, PolicyName, Path, DefaultVersionId, AttachmentCount } = policy ?? {};
  if (
    Arn === undefined ||
    PolicyId === undefined ||
    PolicyName === undefined ||
    Path === undefined ||
    DefaultVersionId === undefined ||
    AttachmentCount === undefined
  ) {
    throw new Failure(
      'unexpected',
      'InternalError',
      'IAM answered with an incomplete policy; the operator log has the details.',
    );
  }
  return {
    policyARN: Arn,
    policyID: PolicyId,
    name: PolicyName,
    path: Path,
    defaultVersionID: DefaultVersionId,
    attachmentCount: AttachmentCount,
  };
}
