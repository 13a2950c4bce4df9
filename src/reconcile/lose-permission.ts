// A pass over a user that works and is not allowed any more: told until when it keeps its access, then ended.
import type { Condition } from '../api/conditions.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { closeAccess } from './close-access.ts';
import type { Failure } from '../kernel/failure.ts';
import { graceMs, judgeLoss } from './loss.ts';
import type { NextLook } from './next-look.ts';
import { report } from './report-user.ts';
import { type Link, rfc3339 } from './status.ts';
import type { World } from './world.ts';

/** `first`: what is known of target and permission. */
export async function losePermission(
  user: IamDatabaseUser,
  database: IamDatabase,
  { why, first }: { readonly why: Failure; readonly first: readonly Link[] },
  world: World,
  signal: AbortSignal,
): Promise<NextLook> {
  const { uid } = user.metadata;
  const before = world.losses.get(uid);
  const loss = judgeLoss(user, database, world);
  world.losses.set(uid, loss);
  // It tells of those that are held.
  if ((before?.verdict === 'held') !== (loss.verdict === 'held')) world.wakeDatabase(database.metadata.name);
  const ended = endedBefore(user);
  const last = ended.length === 0 ? '' : ' Its access had ended when the operator last looked.';
  switch (loss.verdict) {
    case 'held': {
      const { name, generation } = database.metadata;
      const how = `kubectl annotate iamdb ${name} --overwrite iamdb.dev/confirm-revocation=${generation}`;
      const message = `${why.message}${last} Too many users of IamDatabase ${name} would lose their access at once, so what they have is kept. If that is meant: ${how}`;
      return await report(user, world, {
        links: [stalled('MassRevocationHeld', message), ...first, ...ended],
      });
    }
    case 'grace': {
      const ends = loss.since + graceMs(database, world);
      const end = last === '' ? 'Its access ends' : 'It is ended anew';
      const message = `${why.message}${last} ${end} at ${rfc3339(ends)} unless it is allowed again before.`;
      return await report(user, world, {
        links: [stalled('PermissionLost', message), ...first, ...ended],
        atMs: ends - world.now(),
      });
    }
    case 'ended': {
      const how = { reason: 'PermissionLost', first } as const;
      const { links, stillOpen, left } = await closeAccess(user, how, world, signal);
      const message = stillOpen ?? left ?? 'Its access has ended; the role is kept.';
      return await report(user, world, {
        links: [stalled('PermissionLost', `${why.message} ${message}`), ...links],
      });
    }
    default:
      return loss.verdict satisfies never;
  }
}

/** It is allowed again, or nothing of it is to be ended for another reason. */
export function keepPermission(user: IamDatabaseUser, world: Pick<World, 'losses' | 'wakeDatabase'>): void {
  const { uid } = user.metadata;
  const wasHeld = world.losses.get(uid)?.verdict === 'held';
  world.losses.delete(uid);
  if (wasHeld) world.wakeDatabase(user.spec.databaseRef.name);
}

const ofAccess = ['PolicyReady', 'RoleReady', 'AccessVerified'] as const;

/**
 * What an operator that was started since finds said of an access that has ended. It stands until that is looked at again,
 * and decides nothing.
 */
function endedBefore({ status }: IamDatabaseUser): readonly Link[] {
  const told = ofAccess.flatMap((name) => status?.conditions?.find(({ type }) => type === name) ?? []);
  const reasonOf = (name: Condition['type']) => told.find(({ type }) => type === name)?.reason;
  // A role that others keep is theirs to end.
  const role = reasonOf('RoleReady');
  const isEnded =
    reasonOf('PolicyReady') === 'PermissionLost' && (role === 'PermissionLost' || role === 'NotManaged');
  return isEnded ? told : [];
}

const stalled = (reason: 'PermissionLost' | 'MassRevocationHeld', message: string): Link => ({
  type: 'Ready',
  status: 'False',
  reason,
  message,
  needsPerson: true,
});

/** How many users of a database are held, as its own link. */
export function heldLink(
  users: readonly IamDatabaseUser[],
  { losses }: Pick<World, 'losses'>,
  name: string,
  generation: number,
): Link | undefined {
  const held = users.filter(({ metadata }) => losses.get(metadata.uid)?.verdict === 'held').length;
  if (held === 0) return undefined;
  return stalled(
    'MassRevocationHeld',
    `${held} user(s) are not allowed any more, too many to end at once, and keep their access. If that is meant: kubectl annotate iamdb ${name} --overwrite iamdb.dev/confirm-revocation=${generation}`,
  );
}
