// Proxies that AWS does not show for a moment: they stay what they were, until it has shown none for so long that they are gone.
import type { ResolvedProxy } from '../resources/target/proxy.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import type { DatabaseState, KnownProxy } from './database-state.ts';
import { goneAfterMs } from './orphan.ts';

/**
 * The target with all proxies that are to be used, in the order in which they are declared, and what is remembered of them.
 * What AWS says of a proxy takes its id from the policies at once; that it says nothing does so only after a while.
 */
export function withUnseenProxies(
  judged: ResolvedTarget,
  declared: readonly { readonly name: string }[],
  before: DatabaseState | undefined,
  now: number,
  timeScale: number,
): Pick<DatabaseState, 'proxies'> & { readonly target: ResolvedTarget } {
  const { unseenProxies = [], ...target } = judged;
  const unseen = new Set(unseenProxies);
  const known = declared.flatMap(({ name }): readonly KnownProxy[] => {
    const found = target.proxies?.find((one) => one.name === name);
    if (found !== undefined) return [{ proxy: found }];
    const was = before?.proxies?.find(({ proxy }) => proxy.name === name);
    if (was === undefined || !unseen.has(name)) return [];
    const missingSince = was.missingSince ?? now;
    return now - missingSince >= goneAfterMs * timeScale ? [] : [{ proxy: was.proxy, missingSince }];
  });
  if (known.length === 0) return { target };
  return {
    target: withProxies(
      target,
      known.map(({ proxy }) => proxy),
    ),
    proxies: known,
  };
}

const withProxies = (target: ResolvedTarget, proxies: readonly ResolvedProxy[]): ResolvedTarget => ({
  ...target,
  proxies,
  resourceIDs: [
    ...target.resourceIDs.filter((id) => !id.startsWith('prx-')),
    ...proxies.map(({ resourceID }) => resourceID),
  ],
});
