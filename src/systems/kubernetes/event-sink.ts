// The event recorder's port over events.k8s.io/v1.
import type { EventSink } from '../../controller/events.ts';
import { isConflict, KubeError } from './kube-error.ts';
import { microTime } from './micro-time.ts';
import { objectsOf } from './objects.ts';
import { kinds } from './resource.ts';
import type { KubeTransport } from './transport.ts';

export interface Reporter {
  /** `iamdb.dev/operator` or the like: who reports. */
  readonly controller: string;
  /** Which process of it, at most 128 characters: the pod's name. */
  readonly instance: string;
}

export function eventSink(transport: KubeTransport, reporter: Reporter): EventSink {
  const events = objectsOf(transport, kinds.event);
  return {
    create: async ({ name, namespace, at, regarding, type, reason, action, note }, signal) => {
      const event = {
        metadata: { name, namespace },
        eventTime: microTime(at),
        reportingController: reporter.controller,
        reportingInstance: reporter.instance,
        regarding,
        type,
        reason,
        action,
        note,
      };
      try {
        await events.create(event, { signal });
      } catch (error) {
        // Names are unique, so this is our own event, whose answer was lost.
        if (!isConflict(error)) throw error;
      }
    },
    updateSeries: async ({ name, namespace, count, lastAt }, signal) => {
      const series = { count, lastObservedTime: microTime(lastAt) };
      await events.mergePatch({ name, namespace }, { series }, { signal });
    },
    isPassing: (error) =>
      error instanceof KubeError && (error.status === 0 || error.status === 429 || error.status >= 500),
  };
}
