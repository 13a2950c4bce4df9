// Events as the passes tell them, about the very version of the object that was looked at; what is told at its end goes to the log too.
import { apiVersion } from '../api/names.ts';
import type { EventReason } from '../api/event-reasons.ts';
import type { EventRecorder } from '../controller/events.ts';
import type { Log } from '../ops/log.ts';
import type { World } from '../reconcile/world.ts';

export const eventsAbout =
  (events: EventRecorder, log: Pick<Log, 'warn'>): World['event'] =>
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
    // Whoever may write events in a namespace may forge one; and this is told nowhere else.
    if (atTheEnd.has(reason))
      log.warn({ event: reason, object: `${about.kind} ${namespace ?? ''}/${name}` }, message);
    events.record({ regarding, type, reason, action: 'Reconcile', note: message });
  };

const atTheEnd: ReadonlySet<string> = new Set([
  'RoleLeft',
  'Retained',
  'RoleGivenUp',
] satisfies readonly EventReason[]);
