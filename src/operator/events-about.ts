// Events as the passes tell them, about the very version of the object that was looked at; those that warn go to the log too.
import { apiVersion } from '../api/names.ts';
import type { EventRecorder } from '../controller/events.ts';
import type { Log } from '../ops/log.ts';
import type { World } from '../reconcile/world.ts';

export const eventsAbout =
  (events: EventRecorder, log: Pick<Log, 'info'>): World['event'] =>
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
    // Whoever may write events in a namespace may forge one; and what is told at the end of an object is told nowhere else.
    if (type === 'Warning') log.info({ event: reason }, message);
    events.record({ regarding, type, reason, action: 'Reconcile', note: message });
  };
