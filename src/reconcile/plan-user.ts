// A pass over a user in plan mode: what would be changed is told in its status, and nothing else is written.
import type { ConditionType } from '../api/conditions.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { previewConnection } from './links.ts';
import type { Preview } from '../kernel/preview.ts';
import type { NextLook } from './next-look.ts';
import { previewPolicies } from './policy-links.ts';
import { previewRole } from './role-links.ts';
import { report } from './report-user.ts';
import type { Eligible } from './standing.ts';
import { failed, good, type Link, waiting } from './status.ts';
import type { World } from './world.ts';

export async function planUser(
  user: IamDatabaseUser,
  standing: Eligible,
  first: readonly Link[],
  world: World,
  signal: AbortSignal,
): Promise<NextLook> {
  const [role, bundle, connection] = await Promise.all([
    previewRole(user, standing, world, signal),
    world.previewBundle(user, signal),
    previewConnection(user, standing, world, signal),
  ]);
  // In the order of a real pass, in which nobody gets into a policy as a role that is not ours.
  const policies =
    role.failure === undefined ? await previewPolicies(user, standing, world, signal) : undefined;
  const lines = [role, policies, bundle, connection].flatMap((part) => part?.lines ?? []);
  const links = [
    ...first,
    policies === undefined ? waiting('PolicyReady', 'RoleReady') : linkOf('PolicyReady', policies),
    linkOf('RoleReady', role),
    linkOf('TrustBundleReady', bundle),
    linkOf('ConnectionReady', connection),
    planned('AccessVerified', 'Nobody logs in for a proof in plan mode.'),
  ];
  const impossible = links.find(({ failure }) => failure !== undefined);
  return await report(user, world, {
    links: [readyOf(lines.length, impossible), ...links],
    standing,
    plan: fitted(lines),
  });
}

const linkOf = (type: ConditionType, { lines, failure }: Preview): Link => {
  if (failure !== undefined) return failed(type, failure);
  return lines.length === 0
    ? good(type, 'AsDeclared', 'Read back and found as declared.')
    : planned(type, `${lines.length} line(s) of status.plan say what would be changed.`);
};

const planned = (type: ConditionType, message: string): Link => ({
  type,
  status: 'Unknown',
  reason: 'Planned',
  message,
});

/** Neither on the way nor stalled: it is where it is meant to be. */
function readyOf(count: number, impossible: Link | undefined): Link {
  const what = count === 0 ? 'Nothing would be changed' : `${count} line(s) in status.plan`;
  const but = impossible === undefined ? '' : ` Not possible as it is: ${impossible.message}`;
  return {
    type: 'Ready',
    status: 'False',
    reason: 'Planned',
    message: `Plan mode: ${what}; nothing outside this status is written.${but}`,
    settled: true,
  };
}

const most = 200;
const longest = 1024;

/** Into what the schema admits. */
function fitted(lines: readonly string[]): readonly string[] {
  const clipped = lines.map((line) =>
    line.length <= longest ? line : `${line.slice(0, longest - 3).toWellFormed()}...`,
  );
  if (clipped.length <= most) return clipped;
  return [...clipped.slice(0, most - 1), `... and ${clipped.length - most + 1} more lines`];
}
