// Many single questions, one call: gathers what is asked within a few milliseconds.
import { abortError, leaveEarly, startDeadline } from './abort.ts';
import type { Cancel, Clock } from './clock.ts';

export interface BatchOptions<Answer> {
  /** One call for all keys, each named once. A key that the answer lacks is answered with undefined. */
  readonly ask: (keys: readonly string[], signal: AbortSignal) => Promise<ReadonlyMap<string, Answer>>;
  /** How long to gather after the first question. */
  readonly windowMs: number;
  /** A batch of this size does not wait for the end of the window. */
  readonly maxKeys: number;
  /** After this a call's signal is aborted. */
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/**
 * Asks about `key` together with others. The call begins after the question, so the answer is never older than it. A
 * failed call fails all who asked; a caller whose signal is aborted leaves the others undisturbed.
 */
export type Batched<Answer> = (key: string, signal: AbortSignal) => Promise<Answer | undefined>;

interface Gathering<Answer> {
  readonly keys: Set<string>;
  readonly answers: PromiseWithResolvers<ReadonlyMap<string, Answer>>;
  readonly cancelWindow: Cancel;
}

export function batch<Answer>(options: BatchOptions<Answer>): Batched<Answer> {
  const { ask, windowMs, maxKeys, deadlineMs, clock } = options;
  let gathering: Gathering<Answer> | undefined;

  const send = async ({ keys, answers }: Gathering<Answer>) => {
    gathering = undefined;
    const deadline = startDeadline(clock, deadlineMs);
    try {
      answers.resolve(await ask([...keys], deadline.signal));
    } catch (error) {
      answers.reject(error);
    } finally {
      deadline.end();
    }
  };

  const open = (): Gathering<Answer> => {
    const answers = Promise.withResolvers<ReadonlyMap<string, Answer>>();
    // All who asked may have left by the time it fails.
    answers.promise.catch(() => {});
    const opened: Gathering<Answer> = {
      keys: new Set(),
      answers,
      cancelWindow: clock.after(windowMs, () => void send(opened)),
    };
    gathering = opened;
    return opened;
  };

  return async (key, signal) => {
    if (signal.aborted) throw abortError(signal);
    const joined = gathering ?? open();
    joined.keys.add(key);
    if (joined.keys.size >= maxKeys) {
      joined.cancelWindow();
      void send(joined);
    }
    return (await leaveEarly(joined.answers.promise, signal)).get(key);
  };
}
