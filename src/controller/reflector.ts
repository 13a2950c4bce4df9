// Keeps a store equal to what the API server holds: list in pages, watch, resume, and never give up.
import { leaveEarly, startDeadline } from './abort.ts';
import { backoffMs } from './backoff.ts';
import { type Clock, pause } from './clock.ts';
import type { Report } from './incident.ts';
import { isOlder, type KubeObject } from './object.ts';
import type { Change, StoreWriter } from './store.ts';
import type { ReflectorTiming } from './timing.ts';
import { startWatchdog } from './watchdog.ts';

export interface ListPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Present when there are more pages. */
  readonly continueToken?: string;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** What an error of `list` or `watch` asks for: to begin anew with a list, or to try the same again. */
export type Verdict =
  | { readonly do: 'relist'; readonly afterMs?: number }
  | { readonly do: 'retry'; readonly afterMs?: number };

/** The API server as the reflector needs it, for one kind of object. */
export interface ListWatch<T> {
  /** One page of a consistent list (never from a cache that may be behind). Without `limit` everything at once. */
  list(request: {
    readonly limit?: number;
    readonly continueToken?: string;
    readonly signal: AbortSignal;
  }): Promise<ListPage<T>>;
  /**
   * Changes after `resourceVersion`, with bookmarks. Ends when the server ends it; throws for everything else, an ERROR
   * event included, and promptly when the signal is aborted.
   */
  watch(request: {
    readonly resourceVersion: string;
    readonly timeoutSeconds: number;
    readonly signal: AbortSignal;
  }): AsyncIterable<WatchEvent<T>>;
  judge(error: unknown): Verdict;
}

export interface Reflector {
  start(): void;
  /** Ends the watch; resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** Whether the store has once held a complete list. */
  isSynced(): boolean;
  /** Resolves at the first complete list, after its handlers ran; rejects when the signal is aborted or on stop. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Cuts the watch, which may be half open, and lists: resolves once a list that began after this call has been told. */
  refresh(signal: AbortSignal): Promise<void>;
}

export interface ReflectorOptions<T> {
  /** For logs. */
  readonly name: string;
  readonly source: ListWatch<T>;
  readonly store: StoreWriter<T>;
  /**
   * Called after the store holds the change; may only enqueue. `initial` marks the objects of the first list. What it
   * throws is reported and goes no further.
   */
  readonly onChange: (change: Change<T>, initial: boolean) => void;
  /** Drops what nobody reads before the object is stored; managedFields is dropped anyway. */
  readonly trim?: (object: T) => T;
  readonly timing: ReflectorTiming;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly report: Report;
  readonly pageSize?: number;
}

/** A watch that ends before this part of its time and without an event counts as a failure, or it would become a hot loop. */
const SHORTEST_WATCH = 1 / 250;

/** The watch told of an older version than it had told of before, which no healthy watch does. */
class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
}

export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const { name, source, store, timing, clock, random, report, pageSize = 500 } = options;
  const stopping = new AbortController();
  const synced = Promise.withResolvers<void>();
  // Nobody may be waiting when stop() rejects it, and that must not end the process.
  synced.promise.catch(() => {});
  let isSynced = false;
  let running: Promise<void> | undefined;
  /** Where to go on watching; undefined: list first. */
  let cursor: string | undefined;
  let listedAt = 0;
  let failures = 0;
  /** Who waits for a list that begins after they asked. */
  const asking: (() => void)[] = [];
  /** Ends a watch, or the wait for the next try. */
  let interruption = new AbortController();

  const tell = (changes: readonly Change<T>[], initial: boolean) => {
    for (const change of changes) {
      const failed = (error: unknown) => report({ what: 'handler-threw', subject: change.key, error });
      try {
        const returned: unknown = options.onChange(change, initial);
        if (returned instanceof Promise) returned.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  };

  const trim = (object: T): T => {
    // A copy, because deleting a property would turn the object into a slow and large one.
    const { managedFields: _, ...metadata } = object.metadata;
    const trimmed = { ...object, metadata };
    return options.trim === undefined ? trimmed : options.trim(trimmed);
  };

  const readPages = async (limit: number | undefined): Promise<ListPage<T>> => {
    const items: T[] = [];
    let continueToken: string | undefined;
    for (;;) {
      const page = await source.list({
        ...(limit === undefined ? {} : { limit }),
        ...(continueToken === undefined ? {} : { continueToken }),
        signal: stopping.signal,
      });
      for (const item of page.items) items.push(trim(item));
      continueToken = page.continueToken;
      if (continueToken === undefined) return { items, resourceVersion: page.resourceVersion };
    }
  };

  const readAll = async (): Promise<ListPage<T>> => {
    try {
      return await readPages(pageSize);
    } catch (error) {
      // The continue token outlived the server's history: a list in one piece cannot expire half-way.
      if (source.judge(error).do !== 'relist') throw error;
      return readPages(undefined);
    }
  };

  const list = async () => {
    const served = asking.length;
    const { items, resourceVersion } = await readAll();
    listedAt = clock.now();
    cursor = resourceVersion;
    tell(store.replace(items), !isSynced);
    if (!isSynced) {
      isSynced = true;
      synced.resolve();
    }
    for (const resolve of asking.splice(0, served)) resolve();
  };

  const apply = (event: WatchEvent<T>, seen: string) => {
    const version = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion;
    if (isOlder(version, seen)) throw new OutOfOrder(`version ${version} came after ${seen}`);
    cursor = version;
    if (event.type === 'BOOKMARK') return;
    const object = trim(event.object);
    tell(event.type === 'DELETED' ? store.remove(object) : store.upsert(object), false);
  };

  const watch = async (from: string) => {
    const startedAt = clock.now();
    const untilRelist = Math.max(listedAt + timing.relistMs - startedAt, 0);
    const wanted = timing.watchMs * (0.9 + random() / 5);
    const relist = startDeadline(clock, untilRelist, interruption.signal);
    const silence = startWatchdog(clock, timing.watchdogMs, relist.signal);
    let heard = false;
    try {
      for await (const event of source.watch({
        resourceVersion: from,
        timeoutSeconds: Math.max(Math.ceil(Math.min(wanted, untilRelist) / 1000), 1),
        signal: silence.signal,
      })) {
        heard = true;
        silence.heard();
        apply(event, cursor ?? from);
        failures = 0;
      }
    } catch (error) {
      if (error instanceof OutOfOrder || !silence.signal.aborted) throw error;
      if (silence.isSilent()) report({ what: 'watch-silent', subject: name });
      return;
    } finally {
      silence.end();
      relist.end();
      if (clock.now() - listedAt >= timing.relistMs) cursor = undefined;
    }
    if (!heard && clock.now() - startedAt < timing.watchMs * SHORTEST_WATCH) {
      throw new Error('the watch ended at once');
    }
    failures = 0;
  };

  /** Decides what comes after a failure, and how long to wait before it, in milliseconds. */
  const recover = (stage: 'list' | 'watch', error: unknown): number => {
    const outOfOrder = error instanceof OutOfOrder;
    const verdict: Verdict = outOfOrder ? { do: 'relist' } : source.judge(error);
    if (verdict.do === 'relist') cursor = undefined;
    failures += 1;
    // A history that expired is ordinary and answered at once, but not over and over.
    const own = verdict.do === 'relist' && failures === 1 ? 0 : backoffMs(timing.backoff, failures, random());
    // Everybody was told the same Retry-After: come back a little after it, not all at once.
    const waitMs = Math.max(own, (verdict.afterMs ?? 0) * (1 + random() / 5));
    const trouble = verdict.do === 'relist' ? 'watch-expired' : 'watch-failed';
    const what = stage === 'list' ? 'list-failed' : outOfOrder ? 'watch-out-of-order' : trouble;
    report({ what, subject: name, error, waitMs });
    return waitMs;
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      interruption = new AbortController();
      const { signal } = interruption;
      const from = asking.length > 0 ? undefined : cursor;
      try {
        await (from === undefined ? list() : watch(from));
      } catch (error) {
        if (stopping.signal.aborted) return;
        await pause(clock, recover(from === undefined ? 'list' : 'watch', error), signal);
      }
    }
  };

  return {
    start: () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort(new Error('the reflector was stopped'));
      interruption.abort(stopping.signal.reason);
      synced.reject(new Error(`${name} was stopped before it was synced`));
      await running;
    },
    isSynced: () => isSynced,
    whenSynced: (signal) => leaveEarly(synced.promise, signal),
    refresh: async (signal) => {
      const listed = Promise.withResolvers<void>();
      asking.push(listed.resolve);
      interruption.abort(new Error('a list is asked for'));
      await leaveEarly(listed.promise, signal);
    },
  };
}
