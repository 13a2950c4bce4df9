// Keeps the ConfigMap that tells one user's applications how to connect.
import type { Resource } from '../../kernel/converge.ts';
import { applyToConfigMap, type ConfigMaps } from '../../kernel/config-map.ts';
import {
  type ConnectionChange,
  describeConnection,
  type DesiredConnection,
  type ObservedConnection,
  planConnection,
} from './plan.ts';

export function connectionResource(
  configMaps: ConfigMaps,
): Resource<DesiredConnection, ObservedConnection, ConnectionChange> {
  return {
    observe: async ({ namespace, name }, signal) => ({
      configMap: await configMaps.get(namespace, name, signal),
    }),
    plan: planConnection,
    describe: describeConnection,
    apply: async (changes, desired, observed, signal) =>
      await applyToConfigMap(configMaps, changes, desired, observed, signal),
  };
}
