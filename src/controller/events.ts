// The event recorder: tells people about transitions, once each, without ever holding up or failing a pass.
import { leaveEarly, startDeadline } from './abort.ts';
import { backoffMs } from './backoff.ts';
import { type Cancel, type Clock, pause } from './clock.ts';
import type { Report } from './incident.ts';
import { plainText } from './plain-text.ts';
import type { EventTiming } from './timing.ts';

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion?: string;
}

export interface Occurrence {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** The condition's reason. */
  readonly reason: string;
  /** What was being done, in the same style: `GrantMembership`. */
  readonly action: string;
  /** Any text; it is clipped and escaped here. */
  readonly note: string;
}

export interface EventToSend extends Occurrence {
  readonly name: string;
  readonly namespace: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface SeriesToSend {
  readonly name: string;
  readonly namespace: string;
  /** All occurrences, the first included. */
  readonly count: number;
  readonly lastAt: number;
}

export interface EventSink {
  create(event: EventToSend, signal: AbortSignal): Promise<void>;
  updateSeries(series: SeriesToSend, signal: AbortSignal): Promise<void>;
  /** Whether the same call may succeed later. */
  isPassing(error: unknown): boolean;
}

export interface EventRecorder {
  /** Returns at once and never throws. Call it on transitions, not on each pass. */
  record(occurrence: Occurrence): void;
  /** Sends what is still waiting, for at most `ms`; what is recorded afterwards is lost. */
  stop(ms: number): Promise<void>;
}

export interface EventRecorderOptions {
  readonly sink: EventSink;
  readonly timing: EventTiming;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly report: Report;
  /** Events waiting to be sent; more than these are dropped, the oldest first. */
  readonly bufferSize?: number;
}

/** events.k8s.io/v1 refuses a note above 1,024 bytes. */
const NOTE_BYTES = 1_000;
const MAX_ATTEMPTS = 4;

interface Seen {
  readonly name: string;
  readonly namespace: string;
  count: number;
  lastAt: number;
  reported: number;
  cancelWindow: Cancel;
}

type Parcel =
  | { readonly send: 'event'; readonly event: EventToSend; readonly id: string }
  | { readonly send: 'series'; readonly series: SeriesToSend; readonly id: string };

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { sink, timing, clock, random, report, bufferSize = 256 } = options;
  const stopping = new AbortController();
  const seen = new Map<string, Seen>();
  const buffer: Parcel[] = [];
  let sending: Promise<void> | undefined;
  let closed = false;
  let serial = 0;

  const subjectOf = (parcel: Parcel) =>
    parcel.send === 'event' ? `${parcel.event.reason} of ${parcel.event.regarding.name}` : parcel.series.name;

  /** What was never sent must not count as seen, or its next occurrence would be swallowed too. */
  const giveUp = (parcel: Parcel, error: unknown) => {
    seen.get(parcel.id)?.cancelWindow();
    seen.delete(parcel.id);
    report({ what: 'event-dropped', subject: subjectOf(parcel), error });
  };

  const deliver = async (parcel: Parcel) => {
    for (let attempts = 1; ; attempts += 1) {
      const deadline = startDeadline(clock, timing.attemptMs, stopping.signal);
      try {
        if (parcel.send === 'event') await sink.create(parcel.event, deadline.signal);
        else await sink.updateSeries(parcel.series, deadline.signal);
        return;
      } catch (error) {
        // What came too late for us may have arrived: sending it once more does no harm.
        const maySucceed = deadline.signal.aborted || sink.isPassing(error);
        if (stopping.signal.aborted || attempts === MAX_ATTEMPTS || !maySucceed) {
          giveUp(parcel, error);
          return;
        }
      } finally {
        deadline.end();
      }
      await pause(clock, backoffMs(timing.backoff, attempts, random()), stopping.signal);
    }
  };

  const drain = async () => {
    for (let parcel = buffer.shift(); parcel !== undefined; parcel = buffer.shift()) {
      if (stopping.signal.aborted) giveUp(parcel, stopping.signal.reason);
      else await deliver(parcel);
    }
    sending = undefined;
  };

  const post = (parcel: Parcel) => {
    buffer.push(parcel);
    const dropped = buffer.length > bufferSize ? buffer.shift() : undefined;
    if (dropped !== undefined) giveUp(dropped, new Error('too many events are waiting'));
    sending ??= drain();
  };

  /** At the end of a window: tell the count if it grew, and go on counting; else forget. */
  const closeWindow = (id: string, entry: Seen) => {
    if (entry.count === entry.reported) {
      seen.delete(id);
      return;
    }
    const { name, namespace, count, lastAt } = entry;
    entry.reported = count;
    entry.cancelWindow = clock.after(timing.windowMs, () => closeWindow(id, entry));
    post({ send: 'series', id, series: { name, namespace, count, lastAt } });
  };

  const begin = (id: string, occurrence: Occurrence) => {
    const { regarding } = occurrence;
    const at = clock.wall();
    serial += 1;
    // The object's name, cut so that a name with its suffix stays within 253 characters, and a suffix of our own.
    const suffix = `${Math.floor(at).toString(16)}${(serial % 4096).toString(16).padStart(3, '0')}`;
    const name = `${regarding.name.slice(0, 220)}.${suffix}`;
    // Events about cluster-scoped objects live in this namespace by convention.
    const namespace = regarding.namespace ?? 'default';
    const entry: Seen = { name, namespace, count: 1, lastAt: at, reported: 1, cancelWindow: () => {} };
    entry.cancelWindow = clock.after(timing.windowMs, () => closeWindow(id, entry));
    seen.set(id, entry);
    post({ send: 'event', id, event: { ...occurrence, name, namespace, at } });
  };

  return {
    record: (occurrence) => {
      if (closed) return;
      const note = plainText(occurrence.note, NOTE_BYTES);
      const { regarding, type, reason } = occurrence;
      const id = JSON.stringify([regarding.kind, regarding.uid, type, reason, note]);
      const known = seen.get(id);
      if (known === undefined) {
        begin(id, { ...occurrence, note });
        return;
      }
      known.count += 1;
      known.lastAt = clock.wall();
    },
    stop: async (ms) => {
      closed = true;
      const cancel = clock.after(ms, () => stopping.abort(new Error('the event recorder was stopped')));
      await leaveEarly(sending ?? Promise.resolve(), stopping.signal).catch(() => {});
      cancel();
      for (const entry of seen.values()) entry.cancelWindow();
      seen.clear();
    },
  };
}
