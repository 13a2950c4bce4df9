// Whether the roles of a database's proxies may log in to it as a user: without that the user gets no further than the proxy.
import type { IamDatabaseUser } from '../api/objects.ts';
import { connectStatement, lackingConnect } from '../resources/access/role-rights.ts';
import type { ResolvedProxy } from '../resources/target/proxy.ts';
import { asFailure, Failure } from '../kernel/failure.ts';
import { isSettled } from './links.ts';
import type { PoliciesDone } from './policy-links.ts';
import type { Eligible } from './standing.ts';
import { failed } from './status.ts';
import { userARNs } from './user-arns.ts';
import type { World } from './world.ts';

/** The link of the user's own policies, unless a proxy's role lacks what it needs. What nobody may look at is said. */
export async function checkProxyRoles(
  { spec }: IamDatabaseUser,
  { target }: Eligible,
  policies: PoliciesDone,
  world: Pick<World, 'roleDocuments'>,
  signal: AbortSignal,
): Promise<PoliciesDone> {
  const proxies = target.proxies ?? [];
  if (proxies.length === 0 || !isSettled(policies)) return policies;
  const servers = userARNs(spec.username, {
    ...target,
    resourceIDs: target.resourceIDs.filter((id) => !id.startsWith('prx-')),
  });
  const failures = await Promise.all(
    proxies.map(async (proxy) => await failureOf(proxy, servers, world, signal)),
  );
  const found = failures.flatMap((failure) => failure ?? []);
  const broken = found.find(({ reason }) => reason !== 'AccessDenied');
  if (broken !== undefined) return { ...policies, link: failed('PolicyReady', broken) };
  const [unseen] = found;
  if (unseen === undefined) return policies;
  const message = `${policies.link.message} Whether the role of the RDS Proxy may log in was not checked: ${unseen.message}`;
  return { ...policies, link: { ...policies.link, message } };
}

async function failureOf(
  { name, roleARN }: ResolvedProxy,
  servers: readonly string[],
  world: Pick<World, 'roleDocuments'>,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  try {
    const documents = await world.roleDocuments(roleARN, signal);
    const lacking = lackingConnect(documents ?? { identity: [], boundary: undefined }, servers);
    if (lacking.length === 0) return undefined;
    const why =
      documents === undefined
        ? 'does not exist'
        : 'may not log in to the database as this user, by its policies or its permissions boundary';
    return new Failure(
      'denied',
      'ProxyRoleLacksConnect',
      `Role ${roleARN} of RDS Proxy ${name} ${why}. Add to its policies: ${connectStatement(lacking)}`,
    );
  } catch (thrown) {
    return asFailure(thrown);
  }
}
