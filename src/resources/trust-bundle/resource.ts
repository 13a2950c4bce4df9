// Keeps the ConfigMap with a region's certificate authorities.
import type { Resource } from '../../reconcile/kernel/converge.ts';
import type { ConfigMaps } from '../../reconcile/kernel/config-map.ts';
import {
  describeTrustBundle,
  type DesiredTrustBundle,
  type ObservedTrustBundle,
  planTrustBundle,
  type TrustBundleChange,
} from './plan.ts';

export function trustBundleResource(ports: {
  readonly configMaps: ConfigMaps;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}): Resource<DesiredTrustBundle, ObservedTrustBundle, TrustBundleChange> {
  const { configMaps, now } = ports;
  return {
    observe: async ({ namespace, name }, signal) => ({
      configMap: await configMaps.get(namespace, name, signal),
    }),
    plan: (desired, observed) => planTrustBundle(desired, observed, now()),
    describe: describeTrustBundle,
    async apply(changes, { namespace, name }, observed, signal) {
      let { configMap } = observed;
      for (const change of changes) {
        switch (change.do) {
          case 'create':
            configMap = await configMaps.create(change.configMap, signal);
            break;
          case 'replace':
            configMap = await configMaps.replace(change.configMap, change.resourceVersion, signal);
            break;
          case 'remove':
            await configMaps.remove(namespace, name, change.uid, signal);
            configMap = undefined;
            break;
        }
      }
      // What the write returned is an observation made after it: no further read.
      return { configMap };
    },
  };
}
