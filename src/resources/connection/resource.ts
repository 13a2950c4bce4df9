// Keeps the ConfigMap that tells one user's applications how to connect.
import type { Resource } from '../../reconcile/kernel/converge.ts';
import type { ConfigMaps } from '../../reconcile/kernel/config-map.ts';
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
