import { describe, expect, it } from 'vitest';
import { aDatabase, aTarget } from '../../test/builders/objects.ts';
import { aWorld } from '../../test/builders/world.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import { reconcileDatabase } from './database.ts';
import { Failure } from '../kernel/failure.ts';

const signal = new AbortController().signal;
const minute = 60_000;
const proxy = (name: string) => ({
  name,
  partition: 'aws',
  accountID: '111122223333',
  region: 'eu-west-1',
  resourceID: `prx-${name}`,
  endpoint: `${name}.example.com`,
  roleARN: 'arn:aws:iam::111122223333:role/proxy',
});
const target = (names: readonly string[], unseenProxies: readonly string[] = []): ResolvedTarget =>
  aTarget({
    resourceIDs: ['cluster-ABC', ...names.map((name) => `prx-${name}`)],
    ...(names.length === 0 ? {} : { proxies: names.map(proxy) }),
    ...(unseenProxies.length === 0 ? {} : { unseenProxies }),
  });

/** A database with the proxies a and b, which AWS showed both; `looks` answers with the ids that are in use then. */
async function proxied(timeScale = 1) {
  const world = aWorld({ timeScale });
  const declare = (...names: readonly string[]) => {
    const { target: declared } = aDatabase().spec;
    world.put(aDatabase({ spec: { target: { ...declared, proxies: names.map((name) => ({ name })) } } }));
  };
  const looks = async (resolved: ResolvedTarget | Failure, minutesLater = 0) => {
    world.time += minutesLater * minute * timeScale;
    if (resolved instanceof Failure) world.broken.resolve = resolved;
    else {
      delete world.broken.resolve;
      world.resolved = resolved;
    }
    await reconcileDatabase('orders', world, signal);
    const found = world.known.get('orders')?.target;
    if (found === undefined || found instanceof Failure) return 'no target';
    expect(found.proxies?.map(({ resourceID }) => resourceID) ?? []).toEqual(found.resourceIDs.slice(1));
    return found.resourceIDs.join(' ');
  };
  declare('a', 'b');
  expect(await looks(target(['a', 'b']))).toBe('cluster-ABC prx-a prx-b');
  return { looks, declare };
}

describe('a proxy that AWS does not show', () => {
  it.each([1, 0.05])(
    'stays what it was, in its place, for a quarter of an hour (time x %d)',
    async (scale) => {
      const { looks } = await proxied(scale);
      expect(await looks(target(['b'], ['a']))).toBe('cluster-ABC prx-a prx-b');
      expect(await looks(target(['b'], ['a']), 14)).toBe('cluster-ABC prx-a prx-b');
      expect(await looks(target(['b'], ['a']), 1)).toBe('cluster-ABC prx-b');
      expect(await looks(target(['b'], ['a']), 1)).toBe('cluster-ABC prx-b');
      expect(await looks(target(['a', 'b']), 1)).toBe('cluster-ABC prx-a prx-b');
    },
  );

  it('begins anew each time it is shown', async () => {
    const { looks } = await proxied();
    await looks(target([], ['a', 'b']));
    await looks(target(['a', 'b']), 14);
    await looks(target([], ['a', 'b']), 1);
    expect(await looks(target([], ['a', 'b']), 14)).toBe('cluster-ABC prx-a prx-b');
  });

  it('stays over a moment without the database itself, and over one in which AWS does not answer', async () => {
    const { looks } = await proxied();
    const missing = new Failure('missing', 'TargetMissing', 'AWS knows no cluster.');
    expect(await looks(missing)).toBe('no target');
    expect(await looks(target(['b'], ['a']), 1)).toBe('cluster-ABC prx-a prx-b');
    const throttled = new Failure('throttled', 'Throttled', 'Later.');
    expect(await looks(throttled, 1)).toBe('cluster-ABC prx-a prx-b');
    expect(await looks(target(['b'], ['a']), 13)).toBe('cluster-ABC prx-a prx-b');
    expect(await looks(target(['b'], ['a']), 1)).toBe('cluster-ABC prx-b');
  });

  it('is out at once where AWS says that it is another thing, or nobody declares it any more', async () => {
    const { looks, declare } = await proxied();
    expect(await looks(target(['b']))).toBe('cluster-ABC prx-b');
    expect(await looks(target(['b'], ['a']))).toBe('cluster-ABC prx-b');
    declare('a');
    expect(await looks(target([], ['a']))).toBe('cluster-ABC');
  });

  it('is in no policy before it was seen', async () => {
    const { looks, declare } = await proxied();
    declare('a', 'b', 'c');
    expect(await looks(target(['a', 'b'], ['c']))).toBe('cluster-ABC prx-a prx-b');
  });
});
