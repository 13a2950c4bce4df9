// Who works: the replica that holds the lease, once it knows that no other installation has its operator id.
import { leasePrefix } from '../api/names.ts';
import type { Config } from '../config.ts';
import { systemClock } from '../controller/clock.ts';
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
    readonly begin: () => void;
    readonly signal: AbortSignal;
  }): void;
  /** Frees the lease. */
  stop(): Promise<void>;
}

export function createLeading(options: {
  readonly config: Config;
  readonly timing: Timing;
  readonly log: Log;
  readonly report: Report;
  readonly onLost: () => void;
}): Leading {
  const { config, timing, log, report, onLost } = options;
  const isElected = config['leader-elect'];
  let election: Election | undefined;
  let hasBegun = false;
  const holdsLease = () => election?.isLeader() ?? !isElected;

  return {
    beforeWrite: () => {
      if (!holdsLease()) throw notLeading;
    },
    isLeader: () => hasBegun && holdsLease(),
    whyWaiting: () => (holdsLease() && !hasBegun ? notAlone : undefined),
    start: ({ transport, operatorID, identity, begin, signal }) => {
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
      const beginAlone = () => {
        untilAlone({
          log,
          timeScale: config['time-scale'],
          handOverMs: timing.lease.handOverMs,
          signal,
          holders,
          declare: elected.declare,
          namespace,
          operatorID,
          leaseName: name,
        }).then(beginNow, (error: unknown) => {
          if (!signal.aborted) log.error({ err: error }, 'beginning to lead');
        });
      };
      const elected = createElection({
        lease: leasePort(transport, { namespace, name }),
        name: 'iamdb-operator',
        identity,
        timing: timing.lease,
        clock: systemClock,
        random: Math.random,
        onElected: beginAlone,
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

const notLeading = new Failure(
  'unavailable',
  'Progressing',
  'This replica does not lead any more; the leader goes on.',
);
