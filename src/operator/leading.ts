// Who works: the replica that holds the lease, once it knows that no other installation has its operator id.
import { leasePrefix } from '../api/names.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../controller/clock.ts';
import type { Report } from '../controller/incident.ts';
import { createElection, type Election } from '../controller/leader.ts';
import type { Timing } from '../controller/timing.ts';
import type { Log } from '../ops/log.ts';
import { Failure } from '../kernel/failure.ts';
import { leaseHolders, leasePort } from '../systems/kubernetes/lease.ts';
import type { KubeTransport } from '../systems/kubernetes/transport.ts';
import { untilAlone } from './alone.ts';

export interface Leading {
  /** Right before each write: throws, as a leader that was paused must not write late. */
  readonly beforeWrite: () => void;
  /** Whether it works, and not only holds the lease. */
  readonly isLeader: () => boolean;
  /** Of one that holds the lease and does not work yet; undefined for all others. */
  whyWaiting(): string | undefined;
  /** `begin` is called once, and not after `signal` says that the operator stops. */
  start(options: {
    readonly transport: KubeTransport;
    readonly operatorID: string;
    /** Of this replica. */
    readonly identity: string;
    /** Looks at everything in the cluster anew; it was looked at once right before this call. */
    readonly refresh: (signal: AbortSignal) => Promise<void>;
    readonly begin: () => void;
    readonly signal: AbortSignal;
  }): void;
  /** Frees the lease. */
  stop(): Promise<void>;
}

export function createLeading(options: {
  readonly config: Config;
  readonly timing: Timing;
  readonly log: Pick<Log, 'info' | 'error'>;
  readonly clock: Clock;
  readonly report: Report;
  readonly onLost: () => void;
}): Leading {
  const { config, timing, log, clock, report, onLost } = options;
  const isElected = config['leader-elect'];
  let election: Election | undefined;
  let isAlone = false;
  let hasBegun = false;
  const holdsLease = () => election?.isLeader() ?? !isElected;

  return {
    beforeWrite: () => {
      if (!holdsLease()) throw notLeading;
    },
    isLeader: () => hasBegun && holdsLease(),
    whyWaiting: () => {
      if (!holdsLease() || hasBegun) return undefined;
      return isAlone ? notFresh : notAlone;
    },
    start: ({ transport, operatorID, identity, refresh, begin, signal }) => {
      const lookedAt = clock.now();
      const beginNow = () => {
        if (signal.aborted) return;
        hasBegun = true;
        log.info({}, 'leading');
        begin();
      };
      if (!isElected) {
        beginNow();
        return;
      }
      const name = `${leasePrefix}${operatorID}`;
      const { namespace } = config;
      const holders = async (until: AbortSignal) => await leaseHolders(transport, name, until);
      const beginAlone = async () => {
        await untilAlone({
          log,
          clock,
          timeScale: config['time-scale'],
          handOverMs: timing.lease.handOverMs,
          signal,
          holders,
          declare: elected.declare,
          namespace,
          operatorID,
          leaseName: name,
        });
        isAlone = true;
        // What others did while this one waited it may not have heard of, as a watch may be half open.
        if (clock.now() - lookedAt >= timing.lease.retryMs) await refresh(signal);
        beginNow();
      };
      const elected = createElection({
        lease: leasePort(transport, { namespace, name }),
        name: 'iamdb-operator',
        identity,
        timing: timing.lease,
        clock,
        random: Math.random,
        onElected: () => {
          beginAlone().catch((error: unknown) => {
            if (!signal.aborted) log.error({ err: error }, 'beginning to lead');
          });
        },
        onLost,
        report,
      });
      election = elected;
      elected.start();
    },
    stop: async () => {
      await election?.stop();
    },
  };
}

const notAlone = 'it is not known to be the only installation of its operator id; the log says more';
const notFresh = 'it looks at the cluster anew';

const notLeading = new Failure(
  'unavailable',
  'Progressing',
  'This replica does not lead any more; the leader goes on.',
);
