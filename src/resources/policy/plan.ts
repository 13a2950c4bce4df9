// The difference between the policies wanted for an IAM role and those that are there, as changes in a safe order.
import { Failure } from '../../kernel/failure.ts';
import type { Plan } from '../../kernel/converge.ts';
import { isAttachable, parseDbUserARN, parseRoleARN } from './arn.ts';
import { documentSize } from './document.ts';
import { shardARN } from './names.ts';
import { hasTags, type Placement, place, type Seat, tagsFor } from './placement.ts';
import type { DesiredPolicy, ObservedPolicies, ObservedShard, PolicyChange } from './policy.ts';

/**
 * Safe after any prefix: first what takes nothing from anybody who is to stay, so that neither a quota nor a stranger's
 * policy holds up an ending; then what gives; then what moved is taken from its old place; then what may be refused to us;
 * last what only makes room for the next version of a policy, so that giving access need not wait for it then.
 * What cannot be done holds up nothing else: the plan is a refusal when nothing else is left to do.
 */
export function planPolicy(desired: DesiredPolicy, observed: ObservedPolicies): Plan<PolicyChange> {
  const foreignWish = refuseForeignWish(desired);
  if (foreignWish !== undefined) return { refused: foreignWish };

  const wanted = place(desired, observed, Number.POSITIVE_INFINITY);
  const numbers = freeNumbers(observed, wanted.fresh.length);
  const detached = wanted.seats.filter(isDetached);
  const barrier = roleBarrier(desired, observed);
  const slots = barrier === undefined ? attachmentSlots(observed) : 0;
  const room = Math.min(numbers.length, Math.max(0, slots - detached.length));
  const placement = room < wanted.fresh.length ? place(desired, observed, room) : wanted;

  const changes = changesOf(desired, observed, placement, numbers, slots);
  if (changes.length > 0) return changes;
  if (placement.unplaced.length === 0 && !placement.seats.some(isDetached)) return [];
  if (barrier !== undefined) return { refused: barrier };
  const contested = placement.seats.find((seat) => isDetached(seat) && isContested(desired, seat));
  if (contested !== undefined) return { refused: detachedByOthers(desired, contested) };
  const isNameTaken = placement.unplaced.length > 0 && numbers.length === room;
  return { refused: isNameTaken ? foreignPolicy(observed) : tooManyAttached(desired, observed) };
}

function changesOf(
  desired: DesiredPolicy,
  observed: ObservedPolicies,
  placement: Placement,
  numbers: readonly number[],
  slots: number,
): readonly PolicyChange[] {
  const roleName = parseRoleARN(desired.roleARN).name;
  const home = homes(placement);
  const first: PolicyChange[] = [];
  const giving: PolicyChange[] = [];
  const moved: PolicyChange[] = [];
  const last: PolicyChange[] = [];
  const room: PolicyChange[] = [];
  let free = slots;
  // Without room to attach all that gives, nothing that stays is taken from where it works.
  const isHeld = placement.seats.filter(isDetached).length > slots;
  for (const planned of placement.seats) {
    const moves = takesWhatMoves(planned, home);
    const seat = moves && isHeld ? withWhatStays(planned) : planned;
    const phase = moves && !isHeld ? moved : first;
    const { shard } = seat;
    if (seat.arns.length + seat.released.length > 0) {
      const written = writes(desired, observed, seat);
      phase.push(...written.now);
      room.push(...written.afterwards);
      if (isDetached(seat) && !isContested(desired, seat) && free-- >= 1)
        giving.push({ do: 'attach', policyARN: shard.policyARN, roleName });
      last.push(...shard.others.map((entity) => detach(shard, entity)));
    } else if (desired.complete) {
      if (shard.attached) phase.push(detach(shard, { kind: 'Role', name: roleName }));
      (shard.others.length > 0 && phase === first ? last : phase).push(...removal(shard));
    }
  }
  placement.fresh.forEach((arns, index) => {
    const number = numbers[index];
    if (number === undefined) return;
    const policyARN = shardARN(desired, number);
    giving.push({ do: 'create', number, policyARN, arns, tags: tagsFor(desired, { current: true }) });
    giving.push({ do: 'attach', policyARN, roleName });
  });
  return [...first, ...giving, ...moved, ...last, ...room];
}

/** The seat as it is now, but for those who are to stay nowhere. */
function withWhatStays(seat: Seat): Seat {
  const staying = new Set([...seat.arns, ...seat.ceded]);
  return { ...seat, arns: seat.shard.arns.filter((arn) => staying.has(arn)) };
}

interface Writes {
  readonly now: readonly PolicyChange[];
  /** What leaves room for one more version. */
  readonly afterwards: readonly PolicyChange[];
}

/**
 * The tags before the document: what is added under today's scope must not stand under an older one. A policy that is found
 * full (others wrote it, or we were killed) has to lose a version first.
 */
function writes(desired: DesiredPolicy, observed: ObservedPolicies, seat: Seat): Writes {
  const { shard, arns, released } = seat;
  const { policyARN } = shard;
  const changes: PolicyChange[] = [];
  if (!hasTags(desired, seat)) {
    changes.push({ do: 'tag', policyARN, tags: tagsFor(desired, seat) });
  }
  const added = without(arns, [...shard.arns, ...shard.released]);
  const removed = without(shard.arns, [...arns, ...released]);
  const isMoved = without(released, shard.released).length + without(shard.released, released).length > 0;
  const isAsWanted = shard.exact && !isMoved && added.length === 0 && removed.length === 0;
  if (isAsWanted || documentSize(arns, released) > observed.quotas.policySize)
    return { now: changes, afterwards: [] };
  const excess = Math.max(0, (shard.versionIDs?.length ?? 0) - observed.quotas.versions + 1);
  const isFullThen = (shard.versionIDs?.length ?? 0) - excess + 1 >= observed.quotas.versions;
  const old = oldVersions(shard);
  const write = { do: 'write', policyARN, arns, released, added, removed } as const;
  return {
    now: [...changes, ...old.slice(0, excess), write],
    afterwards: isFullThen ? old.slice(excess, excess + 1) : [],
  };
}

/** In the order that DeletePolicy demands: nothing attached, no version but the default. */
function removal(shard: ObservedShard): readonly PolicyChange[] {
  return [
    ...shard.others.map((entity) => detach(shard, entity)),
    ...oldVersions(shard),
    { do: 'delete', policyARN: shard.policyARN },
  ];
}

function oldVersions({ policyARN, versionIDs, defaultVersionID }: ObservedShard): readonly PolicyChange[] {
  return (versionIDs ?? [])
    .filter((versionID) => versionID !== defaultVersionID)
    .map((versionID) => ({ do: 'delete-version', policyARN, versionID }));
}

function detach({ policyARN }: ObservedShard, entity: ObservedShard['others'][number]): PolicyChange {
  return { do: 'detach', policyARN, entity };
}

/** Where each ARN will stand; undefined for a shard that is yet to be made. */
function homes({ seats, fresh }: Placement): ReadonlyMap<string, ObservedShard | undefined> {
  return new Map<string, ObservedShard | undefined>([
    ...fresh.flat().map((arn) => [arn, undefined] as const),
    ...seats.flatMap(({ shard, arns }) => arns.map((arn) => [arn, shard] as const)),
  ]);
}

/** Whether the shard gives access now by an ARN that is to stay and does not work anywhere else yet. */
function takesWhatMoves(
  { shard, ceded }: Seat,
  home: ReadonlyMap<string, ObservedShard | undefined>,
): boolean {
  if (!shard.attached) return false;
  return ceded.some((arn) => {
    const other = home.get(arn);
    return other === undefined || !other.attached || !other.exact || !other.arns.includes(arn);
  });
}

/** The lowest numbers that are free, as many as are needed, ending where a stranger has the name. */
function freeNumbers({ shards, foreign }: ObservedPolicies, count: number): readonly number[] {
  const ours = new Set(shards.map(({ number }) => number));
  const theirs = new Set(foreign.map(({ number }) => number));
  const numbers: number[] = [];
  for (let number = 0; numbers.length < count && !theirs.has(number); number++) {
    if (!ours.has(number)) numbers.push(number);
  }
  return numbers;
}

function attachmentSlots({ role, quotas }: ObservedPolicies): number {
  if (role?.exists !== true || quotas.attachedPerRole === undefined) {
    return Number.POSITIVE_INFINITY;
  }
  return Math.max(0, quotas.attachedPerRole - role.attachedPolicies);
}

const isContested = ({ contested }: DesiredPolicy, { shard }: Seat): boolean =>
  contested?.has(shard.policyARN) === true;

const isDetached = ({ shard, arns }: Seat): boolean => arns.length > 0 && !shard.attached;

function without(arns: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return arns.filter((arn) => !known.has(arn));
}

export function refuseForeignWish({
  contributions,
}: Pick<DesiredPolicy, 'contributions'>): Failure | undefined {
  const isExact = contributions.every(
    (user) =>
      user.state !== 'present' || user.arns.every((arn) => parseDbUserARN(arn)?.username === user.username),
  );
  if (isExact) return undefined;
  return new Failure(
    'invalid',
    'InternalError',
    'A user asks for something else than its own exact rds-db ARN.',
  );
}

export function roleBarrier(
  { roleARN }: Pick<DesiredPolicy, 'roleARN'>,
  { role }: Pick<ObservedPolicies, 'role'>,
): Failure | undefined {
  if (!isAttachable(parseRoleARN(roleARN))) {
    return new Failure(
      'invalid',
      'RoleNotAttachable',
      `AWS lets nobody attach policies to ${roleARN}. Name a role of your own in principals.`,
    );
  }
  if (role?.exists === 'unknown') return role.failure;
  if (role?.exists !== false) return undefined;
  return new Failure(
    'missing',
    'RoleNotFound',
    `There is no IAM role ${roleARN} in the operator's account. Create it, path included, or mend principals.`,
  );
}

function foreignPolicy({ foreign }: ObservedPolicies): Failure {
  const [next] = foreign.toSorted((a, b) => a.number - b.number);
  return new Failure(
    'conflict',
    'ForeignPolicy',
    `Policy ${next?.policyARN ?? ''} has the name that is needed next and not the tags of this operator. Delete it, or give it back its tags.`,
  );
}

function tooManyAttached({ roleARN }: DesiredPolicy, { role, quotas }: ObservedPolicies): Failure {
  const used = role?.exists === true ? role.attachedPolicies : 0;
  return new Failure(
    'invalid',
    'QuotaExceeded',
    `${roleARN} has ${used} of at most ${quotas.attachedPerRole ?? 0} managed policies attached and needs another. Raise the IAM quota "Managed policies attached to an IAM role", or spread users over more roles.`,
  );
}

function detachedByOthers({ roleARN }: DesiredPolicy, { shard }: Seat): Failure {
  return new Failure(
    'conflict',
    'DetachedByOthers',
    `Somebody detaches ${shard.policyARN} from ${parseRoleARN(roleARN).name} again and again, so the operator has stopped attaching it. Look for DetachRolePolicy in CloudTrail; Terraform does it by managed_policy_arns or aws_iam_role_policy_attachments_exclusive on that role. Then ask for another try: set the annotation iamdb.dev/reconcile-requested-at.`,
  );
}
