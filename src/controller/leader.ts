// Leader election over a Lease, after client-go's algorithm: safe against clock skew, but no fence by itself.
import { startDeadline } from './abort.ts';
import { type Clock, pause } from './clock.ts';
import type { Report } from './incident.ts';
import type { LeaseTiming } from './timing.ts';

export interface LeaseRecord {
  /** Empty: free. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** Milliseconds since 1970 by the holder's clock; written for people, never compared with our own. */
  readonly acquiredAt: number;
  readonly renewedAt: number;
  readonly transitions: number;
  /** Whether they work who take turns in holding it, and not only hold it; the next holder goes on where the last ended. */
  readonly works: boolean;
}

export interface StoredLease extends LeaseRecord {
  /** The resource version, which a write must name. */
  readonly version: string;
}

/** The Lease as the election needs it; every error is taken as a failed attempt. */
export interface LeasePort {
  read(signal: AbortSignal): Promise<StoredLease | undefined>;
  create(record: LeaseRecord, signal: AbortSignal): Promise<StoredLease>;
  /** Must fail if the stored version is another one. */
  update(record: StoredLease, signal: AbortSignal): Promise<StoredLease>;
}

export interface Election {
  start(): void;
  /**
   * Whether this process may write now. False from the renew deadline on, even if the process was paused and nothing has
   * run since: the time is looked at, not a flag. A write sent now has until the lease's end (duration minus renew
   * deadline later) before somebody else may lead.
   */
  isLeader(): boolean;
  /** Of a leader: writes on the lease whether it works; resolves once that stands there, and never if the lease is lost. */
  declare(works: boolean): Promise<void>;
  /** Ends the election and frees the lease if it is held. Stop everything that writes first. */
  stop(): Promise<void>;
}

export interface ElectionOptions {
  readonly lease: LeasePort;
  /** For logs. */
  readonly name: string;
  /** Must be another one for each process, restarts included. */
  readonly identity: string;
  readonly timing: LeaseTiming;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onElected: () => void;
  /** Called at most once, only after `onElected`; the election is over then, and the process should end. */
  readonly onLost: () => void;
  readonly report: Report;
}

type State = 'candidate' | 'leader' | 'ended';

export function createElection(options: ElectionOptions): Election {
  const { lease, name, identity, timing, clock, random, report } = options;
  const stopping = new AbortController();
  let state: State = 'candidate';
  let running: Promise<void> | undefined;
  /** The last lease seen, and when by our own clock: what the others write as time is never trusted. */
  let observed: { readonly lease: StoredLease; readonly at: number } | undefined;
  let renewed = { at: 0, wall: 0 };
  /** Undefined: as the one before left it. */
  let declared: boolean | undefined;
  let stands = Promise.withResolvers<void>();
  let hurry = Promise.withResolvers<void>();

  const observe = (seen: StoredLease, at: number) => {
    if (observed === undefined || observed.lease.version !== seen.version) observed = { lease: seen, at };
    return observed;
  };

  /** Since the last renewal. The larger of both clocks, because one of them stands still while a machine sleeps. */
  const age = () => Math.max(clock.now() - renewed.at, clock.wall() - renewed.wall);
  const isLeader = () => state === 'leader' && age() < timing.renewDeadlineMs;

  const ours = (current: LeaseRecord | undefined): LeaseRecord => {
    const kept = current?.holder === identity ? current : undefined;
    const transitions = current?.transitions ?? 0;
    const silentMs = kept === undefined ? clock.wall() - (current?.renewedAt ?? 0) : 0;
    return {
      holder: identity,
      durationSeconds: Math.max(Math.ceil(timing.durationMs / 1000), 1),
      acquiredAt: kept?.acquiredAt ?? clock.wall(),
      renewedAt: clock.wall(),
      transitions: current === undefined || kept !== undefined ? transitions : transitions + 1,
      works: declared ?? (current?.works === true && silentMs <= timing.handOverMs),
    };
  };

  const isHeldByOther = (seen: { readonly lease: StoredLease; readonly at: number }) => {
    if (seen.lease.holder === '' || seen.lease.holder === identity) return false;
    // The holder's own duration may be longer than ours while settings are being rolled out.
    const durationMs = Math.max(timing.durationMs, seen.lease.durationSeconds * 1000);
    return clock.now() < seen.at + durationMs;
  };

  const write = async (current: StoredLease | undefined, signal: AbortSignal) => {
    // The time before sending: others count from when the server took it, which is later.
    const sent = { at: clock.now(), wall: clock.wall() };
    const stored =
      current === undefined
        ? await lease.create(ours(undefined), signal)
        : await lease.update({ ...ours(current), version: current.version }, signal);
    observe(stored, clock.now());
    renewed = sent;
    // What was inherited is this holder's own from here on, whatever becomes of the object that said so.
    declared ??= stored.works;
    if (stored.works === declared) stands.resolve();
    return 'held' as const;
  };

  /** Of several that try at once one wins, which is no trouble of the others. */
  const take = async (current: StoredLease | undefined, signal: AbortSignal): Promise<'held' | 'other'> => {
    try {
      return await write(current, signal);
    } catch (error) {
      const stored = signal.aborted ? undefined : await lease.read(signal).catch(() => undefined);
      if (stored === undefined || !isHeldByOther(observe(stored, clock.now()))) throw error;
      return 'other';
    }
  };

  const acquireOrRenew = async (signal: AbortSignal): Promise<'held' | 'other'> => {
    if (state === 'leader' && observed !== undefined) {
      try {
        return await write(observed.lease, signal);
      } catch (error) {
        // A conflict, or an answer that was lost: look at what is stored and decide on that.
        if (signal.aborted) throw error;
      }
    }
    const stored = await lease.read(signal);
    if (stored === undefined) return take(undefined, signal);
    const seen = observe(stored, clock.now());
    return isHeldByOther(seen) ? 'other' : take(seen.lease, signal);
  };

  const attempt = async (): Promise<'held' | 'other' | 'failed'> => {
    const half = timing.renewDeadlineMs / 2;
    const rest = state === 'leader' ? Math.min(half, timing.renewDeadlineMs - age()) : half;
    const deadline = startDeadline(clock, rest, stopping.signal);
    try {
      return await acquireOrRenew(deadline.signal);
    } catch (error) {
      if (!stopping.signal.aborted) report({ what: 'lease-attempt-failed', subject: name, error });
      return 'failed';
    } finally {
      deadline.end();
    }
  };

  const campaign = async () => {
    while (!stopping.signal.aborted && (await attempt()) !== 'held') {
      await pause(clock, timing.retryMs * (1 + 1.2 * random()), stopping.signal);
    }
  };

  const tell = (handler: () => void) => {
    try {
      handler();
    } catch (error) {
      report({ what: 'handler-threw', subject: name, error });
    }
  };

  const lead = async () => {
    while (!stopping.signal.aborted) {
      const rested = pause(clock, Math.min(timing.retryMs, timing.renewDeadlineMs - age()), stopping.signal);
      await Promise.race([rested, hurry.promise]);
      hurry = Promise.withResolvers();
      if (stopping.signal.aborted) return;
      // A process that was paused past the deadline must not renew: it has been silent for too long to go on.
      if (!isLeader() || (await attempt()) === 'other' || !isLeader()) {
        if (stopping.signal.aborted) return;
        state = 'ended';
        report({ what: 'lease-lost', subject: name });
        tell(options.onLost);
        return;
      }
    }
  };

  const run = async () => {
    await campaign();
    if (stopping.signal.aborted) return;
    state = 'leader';
    tell(options.onElected);
    await lead();
  };

  const release = async () => {
    if (observed === undefined) return;
    const deadline = startDeadline(clock, timing.retryMs);
    try {
      const free = {
        ...ours(observed.lease),
        holder: '',
        durationSeconds: 1,
        version: observed.lease.version,
      };
      await lease.update(free, deadline.signal);
    } catch (error) {
      report({ what: 'lease-attempt-failed', subject: name, error });
    } finally {
      deadline.end();
    }
  };

  return {
    start: () => {
      running ??= run();
    },
    isLeader,
    declare: async (works) => {
      declared = works;
      stands = Promise.withResolvers();
      hurry.resolve();
      await stands.promise;
    },
    stop: async () => {
      const held = isLeader();
      state = 'ended';
      stopping.abort(new Error('the election was stopped'));
      await running;
      if (held) await release();
    },
  };
}
