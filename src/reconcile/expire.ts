// A user whose time is over: its access is ended to the second, and comes back when the time is extended.
import type { IamDatabaseUser } from '../api/objects.ts';
import { closeAccess } from './close-access.ts';
import { isExpired } from './expiry.ts';
import { modeOf } from './mode.ts';
import type { NextLook } from './next-look.ts';
import { report } from './report-user.ts';
import { hasBegun } from './standing.ts';
import type { Link } from './status.ts';
import type { World } from './world.ts';

/** Undefined for one whose time is not over. `first`: what is known of target and permission. */
export async function expire(
  user: IamDatabaseUser,
  first: readonly Link[],
  world: World,
  signal: AbortSignal,
): Promise<NextLook | undefined> {
  if (!isExpired(user, world.now())) return undefined;
  const { expirationTime = '' } = user.spec;
  const told = (what: string): Link => ({
    type: 'Ready',
    status: 'False',
    reason: 'Expired',
    message: `expirationTime ${expirationTime} has passed${what}`,
    settled: true,
  });
  if (!hasBegun(user)) return await report(user, world, { links: [told('; nothing was begun.'), ...first] });
  if (modeOf(user, world) === 'Plan') {
    return await report(user, world, { links: [told('; plan mode: its access is not ended.'), ...first] });
  }
  const { links, stillOpen, left } = await closeAccess(user, { reason: 'Expired', first }, world, signal);
  const ready = told(
    stillOpen === undefined && left === undefined
      ? '; its access has ended and the role is kept.'
      : `. ${stillOpen ?? left}`,
  );
  // What is not ended in full is on its way.
  return await report(user, world, { links: [{ ...ready, settled: stillOpen === undefined }, ...links] });
}
