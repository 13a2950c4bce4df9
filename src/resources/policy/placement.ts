// Which ARN stands in which shard: statements stay where they are, new ones fill the first shard with room.
import { parseDbUserARN } from './arn.ts';
import { documentSize } from './document.ts';
import { tagKeys, type Tags, tagsOf, tagValue } from './names.ts';
import type { DesiredPolicy, ObservedPolicies, ObservedShard } from './policy.ts';

/** What a shard of ours is to hold; nothing means that it goes. */
export interface Seat {
  readonly shard: ObservedShard;
  readonly arns: readonly string[];
  /** What it is to hold for nobody of ours. */
  readonly released: readonly string[];
  /** What it holds now and gives up only because it is to stand in another shard. */
  readonly ceded: readonly string[];
  /** Whether today's scope may be recorded with it: all that it holds is accounted for. */
  readonly current: boolean;
}

export interface Placement {
  readonly seats: readonly Seat[];
  /** Documents of shards to be made, in order. */
  readonly fresh: readonly (readonly string[])[];
  /** What found no place: an old ARN is still in its old seat, which may then be over the size that can be written. */
  readonly unplaced: readonly string[];
}

/** `room`: how many shards may be made at most. */
export function place(desired: DesiredPolicy, observed: ObservedPolicies, room: number): Placement {
  const claims = claimsOf(desired);
  const limit = observed.quotas.policySize;
  const taken = new Set<string>();
  const homeless = new Set<string>();

  // A duplicate stays where it works already, so that taking the other one away costs nobody a moment's access.
  const workingFirst = observed.shards.toSorted((a, b) => worth(b) - worth(a) || a.number - b.number);
  const opened: { readonly shard: ObservedShard; readonly seat: OpenSeat }[] = [];
  for (const shard of workingFirst) {
    const kept: string[] = [];
    const ceded: string[] = [];
    // Who is not accounted for may not move under today's scope: there it would be taken away.
    const mayMove = (arn: string): boolean => isCurrent(desired, shard) || isClaimed(claims, arn);
    const released = releasedOf(claims, shard);
    const staying = [...shard.arns, ...shard.released].filter(
      (arn) => !released.includes(arn) && keeps(desired, claims, shard, arn),
    );
    for (const arn of [...staying.filter((one) => !mayMove(one)), ...staying.filter(mayMove)]) {
      if (desired.complete && taken.has(arn)) ceded.push(arn);
      else if (mayMove(arn) && documentSize([...kept, arn], released) > limit) {
        ceded.push(arn);
        homeless.add(arn);
      } else {
        kept.push(arn);
        taken.add(arn);
      }
    }
    const current =
      isCurrent(desired, shard) || (desired.complete && kept.every((arn) => isClaimed(claims, arn)));
    opened.push({ shard, seat: openSeat(kept, ceded, current, released) });
  }

  const seats = opened.toSorted((a, b) => a.shard.number - b.shard.number);
  const fresh: OpenSeat[] = [];
  const unplaced: string[] = [];
  for (const arn of [...claims.present, ...homeless].toSorted()) {
    if (taken.has(arn)) continue;
    taken.add(arn);
    const candidates = [...seats.map(({ seat }) => seat), ...fresh];
    // What moves goes only where nothing moves away, so that no two shards wait for each other.
    const seat = candidates.find(
      ({ current, ceded, size }) =>
        current && size + arn.length + 3 <= limit && (ceded.length === 0 || !homeless.has(arn)),
    );
    if (seat !== undefined) seat.put(arn);
    else if (fresh.length < room) fresh.push(openSeat([arn], [], true));
    else unplaced.push(arn);
  }
  for (const arn of unplaced) {
    const home = observed.shards.find((shard) => shard.arns.includes(arn));
    seats.find(({ shard }) => shard === home)?.seat.put(arn);
  }
  return {
    seats: seats.map(({ shard, seat: { arns, released, ceded, current } }) => ({
      shard,
      arns: arns.toSorted(),
      released,
      ceded,
      current,
    })),
    fresh: fresh.map(({ arns }) => arns.toSorted()),
    unplaced,
  };
}

interface OpenSeat {
  readonly arns: readonly string[];
  readonly released: readonly string[];
  readonly ceded: readonly string[];
  readonly current: boolean;
  readonly size: number;
  put(arn: string): void;
}

function openSeat(
  initial: readonly string[],
  ceded: readonly string[],
  current: boolean,
  released: readonly string[] = [],
): OpenSeat {
  const arns = [...initial];
  let size = documentSize(arns, released);
  return {
    arns,
    released,
    ceded,
    current,
    get size() {
      return size;
    },
    put(arn) {
      arns.push(arn);
      size = documentSize(arns, released);
    },
  };
}

interface Claims {
  readonly present: ReadonlySet<string>;
  readonly absent: ReadonlySet<string>;
  readonly released: ReadonlySet<string>;
  /** By user name: the exact ARNs of each whose database is known, undefined for one whose is not. */
  readonly unknown: ReadonlyMap<string, readonly (readonly string[] | undefined)[]>;
  readonly resourceIDs: ReadonlySet<string>;
}

export function claimsOf({
  contributions,
  resourceIDs,
}: Pick<DesiredPolicy, 'contributions' | 'resourceIDs'>): Claims {
  const present = new Set<string>();
  const absent = new Set<string>();
  const released = new Set<string>();
  const sets = { present, absent, released };
  const unknown = new Map<string, (readonly string[] | undefined)[]>();
  for (const contribution of contributions) {
    const { username, arns } = contribution;
    if (contribution.state === 'unknown') unknown.set(username, [...(unknown.get(username) ?? []), arns]);
    else for (const arn of contribution.arns) sets[contribution.state].add(arn);
  }
  return { present, absent, released, unknown, resourceIDs };
}

/** What is let go where it stands: nobody who stays wants it. One that is wanted again is taken back in its place. */
export function releasedOf(
  claims: Claims,
  shard: Pick<ObservedShard, 'arns' | 'released'>,
): readonly string[] {
  const left = [...shard.released, ...shard.arns.filter((arn) => claims.released.has(arn))];
  return left.filter((arn) => !claims.present.has(arn)).toSorted();
}

export function isClaimed(claims: Claims, arn: string): boolean {
  if (claims.present.has(arn)) return true;
  const unknown = claims.unknown.get(parseDbUserARN(arn)?.username ?? '') ?? [];
  // The namesake on another server does not hold on to what somebody leaves behind on this one.
  const isElsewhere = claims.absent.has(arn) || claims.resourceIDs.has(parseDbUserARN(arn)?.resourceID ?? '');
  return unknown.some((own) => own === undefined || own.includes(arn) || !isElsewhere);
}

function keeps(desired: DesiredPolicy, claims: Claims, shard: ObservedShard, arn: string): boolean {
  if (!desired.complete || isClaimed(claims, arn)) return true;
  return !claims.absent.has(arn) && !isCurrent(desired, shard);
}

/** Whether it was written under the scope that is ours today. */
export function isCurrent(desired: DesiredPolicy, shard: Pick<ObservedShard, 'tags'>): boolean {
  return shard.tags[tagKeys.scope] === tagValue(desired.scope);
}

/** The tags that a seat should have; others may be beside them. Today's scope only where that is true. */
export function tagsFor(desired: DesiredPolicy, seat: Pick<Seat, 'current'>): Tags {
  return { ...desired.tags, ...(seat.current ? tagsOf(desired, desired.scope) : {}) };
}

/** Whether they are all there. IAM tells keys apart without regard to case. */
export function hasTags(desired: DesiredPolicy, seat: Seat): boolean {
  const there = new Map(Object.entries(seat.shard.tags).map(([key, value]) => [key.toLowerCase(), value]));
  return Object.entries(tagsFor(desired, seat)).every(
    ([key, value]) => there.get(key.toLowerCase()) === value,
  );
}

const worth = (shard: ObservedShard): number => (shard.attached ? 2 : 0) + (shard.exact ? 1 : 0);
