// When the policies of an IAM role are passed over: with all of its users that are about to be let in, and few roles at once.
import { onAbort } from '../controller/abort.ts';
import type { Clock } from '../controller/clock.ts';
import { createTurns } from '../controller/turns.ts';

export interface RoleTurns {
  /** A pass over a user is on its way to the policies of these IAM roles; call what is answered once it is there, or never will be. */
  onTheWay(roleARNs: readonly string[]): () => void;
  /** Waits for those on the way, then for a turn; answers what ends the turn, or undefined if none came. */
  enter(roleARN: string, signal: AbortSignal): Promise<(() => void) | undefined>;
  /** Somebody's access is ended by the coming pass: it waits for nobody on the way, and goes ahead of other roles. */
  hurry(roleARN: string): void;
}

/** IAM takes a few writes a second: more roles at once would only take longer each, and run out of time. */
const rolesAtOnce = 8;
/** The longest wait in any line, of a pass's time: whose turn comes last has time left for its work. */
export const longestInLineMs = (passDeadlineMs: number): number => passDeadlineMs / 4;
/** Shares of a pass's time. Others are waited for while they keep coming: one that is held up comes with the next pass. */
const shares = { forOthers: 1 / 6, forTheNext: 1 / 24 };

interface Gathering {
  /** Somebody has come; the last one, if nobody else is on the way. */
  come(isLast: boolean): void;
  end(): void;
}

export function createRoleTurns(clock: Clock, passDeadlineMs: number): RoleTurns {
  const longestForOthersMs = passDeadlineMs * shares.forOthers;
  const longestForTheNextMs = passDeadlineMs * shares.forTheNext;
  const turns = createTurns({ places: rolesAtOnce, longestMs: longestInLineMs(passDeadlineMs), clock });
  const onTheirWay = new Map<string, number>();
  const gathering = new Map<string, Set<Gathering>>();
  const hurried = new Set<string>();

  const gathered = async (roleARN: string, signal: AbortSignal): Promise<void> => {
    if ((onTheirWay.get(roleARN) ?? 0) === 0 || hurried.has(roleARN)) return;
    const { promise, resolve: end } = Promise.withResolvers<void>();
    let cancelNext = clock.after(longestForTheNextMs, end);
    const come = (isLast: boolean) => {
      cancelNext();
      if (isLast) end();
      else cancelNext = clock.after(longestForTheNextMs, end);
    };
    const own: Gathering = { come, end };
    const all = gathering.get(roleARN) ?? new Set();
    gathering.set(roleARN, all.add(own));
    const cancel = clock.after(longestForOthersMs, end);
    const release = onAbort(signal, end);
    await promise;
    cancelNext();
    cancel();
    release();
    all.delete(own);
    if (all.size === 0) gathering.delete(roleARN);
  };

  return {
    onTheWay: (roleARNs) => {
      for (const roleARN of roleARNs) onTheirWay.set(roleARN, (onTheirWay.get(roleARN) ?? 0) + 1);
      let isUnderWay = true;
      return () => {
        if (!isUnderWay) return;
        isUnderWay = false;
        for (const roleARN of roleARNs) {
          const left = (onTheirWay.get(roleARN) ?? 1) - 1;
          if (left > 0) onTheirWay.set(roleARN, left);
          else onTheirWay.delete(roleARN);
          for (const { come } of gathering.get(roleARN) ?? []) come(left === 0);
        }
      };
    },
    enter: async (roleARN, signal) => {
      await gathered(roleARN, signal);
      hurried.delete(roleARN);
      return await turns.take(roleARN, signal);
    },
    hurry: (roleARN) => {
      hurried.add(roleARN);
      turns.hurry(roleARN);
      for (const { end } of gathering.get(roleARN) ?? []) end();
    },
  };
}
