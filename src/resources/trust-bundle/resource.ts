// Keeps the ConfigMap with a region's certificate authorities.
import type { Resource } from '../../kernel/converge.ts';
import { applyToConfigMap, type ConfigMaps } from '../../kernel/config-map.ts';
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
    apply: async (changes, desired, observed, signal) =>
      await applyToConfigMap(configMaps, changes, desired, observed, signal),
  };
}
