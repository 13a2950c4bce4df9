// Events as the passes tell them, about the very version of the object that was looked at.
import { apiVersion } from '../api/names.ts';
import type { EventRecorder } from '../controller/events.ts';
import type { World } from '../reconcile/world.ts';

export const eventsAbout =
  (events: EventRecorder): World['event'] =>
  (about, { type, reason, message }) => {
    const { name, namespace, uid, resourceVersion } = about.metadata;
    const regarding = {
      apiVersion,
      kind: about.kind,
      name,
      uid,
      resourceVersion,
      ...(namespace === undefined ? {} : { namespace }),
    };
    events.record({ regarding, type, reason, action: 'Reconcile', note: message });
  };
