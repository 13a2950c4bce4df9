// Whether another installation of the same operator id works or goes before us: two would undo each other's work.
import { leaveEarly } from '../controller/abort.ts';
import { type Clock, pause } from '../controller/clock.ts';
import type { Holder } from '../systems/kubernetes/lease.ts';
import { lookMs, type Surroundings } from './preflight.ts';

/** As clocks of nodes may differ. */
const lateMs = 10_000;

interface Own {
  readonly namespace: string;
  /** See `LeaseTiming`. */
  readonly handOverMs: number;
}

export type Step =
  | { readonly do: 'begin' | 'declare' }
  | {
      readonly do: 'wait';
      readonly for: Holder;
      /** What our Lease says is not so. */
      readonly withdraw: boolean;
    };

/**
 * What is to be done by one that holds its Lease and saw all Leases of that name. It begins only if it saw its own declare
 * that it works, and no other: each declares before it looks, so of two one at least sees the other, whoever is the quicker. Clocks have to agree
 * within `handOverMs`, as a Lease that was silent for longer is nobody's.
 */
export function nextStep(own: Own, holders: readonly Holder[], now: number): Step {
  const mine = holders.find(({ namespace }) => namespace === own.namespace);
  const works = mine?.works === true;
  const others = holders.filter((one) => one.namespace !== own.namespace && isAlive(one, own, now));
  // Who worked goes before who waits, as long as the next of its replicas may come.
  const rival = others.find((one) => one.works) ?? (works ? undefined : others.find(isBefore(mine, own)));
  if (rival !== undefined) return { do: 'wait', for: rival, withdraw: works };
  return { do: works ? 'begin' : 'declare' };
}

function isAlive({ holder, works, renewedAt, durationSeconds }: Holder, own: Own, now: number): boolean {
  const silentMs = now - renewedAt;
  const isHeld = holder !== '' && silentMs <= durationSeconds * 1000 + lateMs;
  return isHeld || (works && silentMs <= own.handOverMs);
}

/** Of those that wait. */
const isBefore = (mine: Holder | undefined, own: Own) => (other: Holder) => {
  const order = other.acquiredAt - (mine?.acquiredAt ?? Number.POSITIVE_INFINITY);
  return order < 0 || (order === 0 && other.namespace < own.namespace);
};

/** Waits while another installation of the same operator id goes before us. */
export async function untilAlone(
  options: Surroundings &
    Own & {
      readonly clock: Clock;
      readonly holders: (signal: AbortSignal) => Promise<readonly Holder[]>;
      /** On our Lease. */
      readonly declare: (works: boolean) => Promise<void>;
      readonly operatorID: string;
      readonly leaseName: string;
    },
): Promise<void> {
  const { log, clock, timeScale, signal, operatorID, holders, leaseName } = options;
  const declare = async (works: boolean) => await leaveEarly(options.declare(works), signal);
  for (;;) {
    const found = await holders(signal).catch((error: unknown) => {
      log.error({ err: error }, 'whether another installation has this operator id could not be read');
      return undefined;
    });
    const step = found && nextStep(options, found, clock.wall());
    if (step?.do === 'begin') return;
    if (step?.do === 'declare') {
      await declare(true);
      continue;
    }
    if (step?.do === 'wait') {
      if (step.withdraw) await declare(false);
      const { namespace } = step.for;
      const remedy = `Give one of the two another --operator-id, or uninstall the one in namespace ${namespace} and delete its Lease: kubectl delete lease ${leaseName} -n ${namespace}`;
      const fields = { operatorID, otherNamespace: namespace, remedy };
      log.error(fields, 'another installation has the same operator id; nothing is done beside it');
    }
    await pause(clock, lookMs * timeScale, signal);
    signal.throwIfAborted();
  }
}
