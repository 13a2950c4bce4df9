// The work queue: which key is looked at next, never twice at the same time.
import { type Backoff, backoffMs } from './backoff.ts';
import type { Cancel, Clock } from './clock.ts';
import { createDelays } from './delays.ts';
import { createLine, type Line } from './line.ts';
import { namespaceOf } from './object.ts';

/** Most urgent first. */
export const priorities = ['deletion', 'spec', 'dependency', 'resync', 'startup'] as const;
export type Priority = (typeof priorities)[number];

export interface Taken {
  readonly key: string;
  readonly priority: Priority;
}

export interface WorkQueue {
  /**
   * Asks for a pass. A queued key keeps one place (the more urgent wish counts); a key that is being worked on is queued
   * again when that pass ends. With `afterMs` later: of several delayed wishes the earliest counts, and a pass that
   * begins before it is due replaces it, because that pass decides anew when to look again.
   */
  add(key: string, options?: { readonly priority?: Priority; readonly afterMs?: number }): void;
  /** Asks again after a failure, with growing delay; answers the delay in milliseconds. */
  retry(key: string, options?: { readonly priority?: Priority; readonly atLeastMs?: number }): number;
  /** Ends the row of failures that `retry` counts. */
  forget(key: string): void;
  /** The next key; waits for one; undefined once the queue is shut down. Must be followed by `done(key)`. */
  next(): Promise<Taken | undefined>;
  done(key: string): void;
  /** Hands out nothing more; resolves when every key that was handed out is done. */
  shutdown(): Promise<void>;
  depth(): number;
  unfinishedWorkSeconds(): number;
  longestRunningProcessorSeconds(): number;
}

/** Named as controller-runtime names its work queue metrics. */
export interface WorkQueueMetrics {
  adds(): void;
  depth(keys: number): void;
  queueDurationSeconds(seconds: number): void;
  workDurationSeconds(seconds: number): void;
  retries(): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** In [0, 1). */
  readonly random: () => number;
  readonly metrics?: WorkQueueMetrics;
  /** Groups take turns within a priority; default: the key's namespace. */
  readonly groupOf?: (key: string) => string;
}

/** One turn in so many goes to the least urgent, so that a flood of urgent wishes cannot starve the rest for ever. */
const TURNS_PER_LEAST_URGENT = 16;

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, backoff, random, metrics, groupOf = namespaceOf } = options;
  const lines: readonly { readonly priority: Priority; readonly line: Line }[] = priorities.map(
    (priority) => ({ priority, line: createLine(groupOf) }),
  );
  const queued = new Map<string, { priority: Priority; readonly since: number }>();
  const processing = new Map<string, number>();
  const dirty = new Map<string, Priority>();
  const delays = createDelays<Priority>();
  const failures = new Map<string, number>();
  const waiters: ((taken: Taken | undefined) => void)[] = [];
  let alarm: { readonly due: number; readonly cancel: Cancel } | undefined;
  let turn = 0;
  let drained: PromiseWithResolvers<void> | undefined;

  const lineOf = (priority: Priority) => lines[priorities.indexOf(priority)]?.line;

  const take = (): Taken | undefined => {
    turn += 1;
    const leastUrgent = turn % TURNS_PER_LEAST_URGENT === 0;
    const found = leastUrgent
      ? lines.findLast(({ line }) => line.size() > 0)
      : lines.find(({ line }) => line.size() > 0);
    const key = found?.line.take();
    if (found === undefined || key === undefined) return undefined;
    const now = clock.now();
    metrics?.queueDurationSeconds((now - (queued.get(key)?.since ?? now)) / 1000);
    queued.delete(key);
    delays.delete(key);
    processing.set(key, now);
    metrics?.depth(queued.size);
    return { key, priority: found.priority };
  };

  const enqueue = (key: string, priority: Priority) => {
    if (processing.has(key)) {
      if (!dirty.has(key)) metrics?.adds();
      dirty.set(key, moreUrgent(priority, dirty.get(key)));
      return;
    }
    const present = queued.get(key);
    if (present === undefined) {
      queued.set(key, { priority, since: clock.now() });
      lineOf(priority)?.add(key);
      metrics?.adds();
      metrics?.depth(queued.size);
    } else if (moreUrgent(priority, present.priority) !== present.priority) {
      lineOf(present.priority)?.delete(key);
      lineOf(priority)?.add(key);
      present.priority = priority;
    }
    if (waiters.length > 0) waiters.shift()?.(take());
  };

  const ring = () => {
    alarm = undefined;
    for (
      let first = delays.first();
      first !== undefined && first.due <= clock.now();
      first = delays.first()
    ) {
      delays.delete(first.key);
      enqueue(first.key, first.value);
    }
    setAlarm();
  };

  const setAlarm = () => {
    const due = delays.first()?.due;
    if (due === undefined || (alarm !== undefined && alarm.due <= due)) return;
    alarm?.cancel();
    alarm = { due, cancel: clock.after(due - clock.now(), ring) };
  };

  const delay = (key: string, priority: Priority, afterMs: number) => {
    const due = clock.now() + afterMs;
    const planned = delays.get(key);
    delays.set({
      key,
      due: Math.min(due, planned?.due ?? due),
      value: moreUrgent(priority, planned?.value),
    });
    setAlarm();
  };

  const add: WorkQueue['add'] = (key, { priority = 'spec', afterMs = 0 } = {}) => {
    if (drained !== undefined) return;
    if (afterMs > 0) delay(key, priority, afterMs);
    else enqueue(key, priority);
  };

  return {
    add,
    retry: (key, { priority = 'spec', atLeastMs = 0 } = {}) => {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      const afterMs = Math.max(backoffMs(backoff, count, random()), atLeastMs);
      metrics?.retries();
      add(key, { priority, afterMs });
      return afterMs;
    },
    forget: (key) => {
      failures.delete(key);
    },
    next: () => {
      if (drained !== undefined) return Promise.resolve(undefined);
      const taken = take();
      return taken === undefined ? new Promise((resolve) => waiters.push(resolve)) : Promise.resolve(taken);
    },
    done: (key) => {
      const since = processing.get(key);
      if (since === undefined) return;
      processing.delete(key);
      metrics?.workDurationSeconds((clock.now() - since) / 1000);
      const wish = dirty.get(key);
      dirty.delete(key);
      if (drained === undefined) {
        if (wish !== undefined) enqueue(key, wish);
      } else if (processing.size === 0) {
        drained.resolve();
      }
    },
    shutdown: () => {
      if (drained === undefined) {
        drained = Promise.withResolvers();
        alarm?.cancel();
        delays.clear();
        for (const waiter of waiters.splice(0)) waiter(undefined);
        if (processing.size === 0) drained.resolve();
      }
      return drained.promise;
    },
    depth: () => queued.size,
    unfinishedWorkSeconds: () => {
      let sum = 0;
      for (const since of processing.values()) sum += clock.now() - since;
      return sum / 1000;
    },
    longestRunningProcessorSeconds: () => {
      let longest = 0;
      for (const since of processing.values()) longest = Math.max(longest, clock.now() - since);
      return longest / 1000;
    },
  };
}

function moreUrgent(a: Priority, b: Priority | undefined): Priority {
  return b === undefined || priorities.indexOf(a) < priorities.indexOf(b) ? a : b;
}
