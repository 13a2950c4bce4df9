// How IAM is called: in turn, with a time limit, retried in one place, and with every error as a failure of ours.
import type { IAMClient } from '@aws-sdk/client-iam';
import { Failure, type FailureKind } from '../../kernel/failure.ts';
import type { Clock } from './clock.ts';
import { errorName, failureOf, httpStatus, isAmbiguous, isThrottling } from './failures.ts';
import type { TokenBucket } from './token-bucket.ts';

export interface SentCall {
  readonly operation: string;
  /** HTTP status; undefined if no answer came. */
  readonly status: number | undefined;
  /** `ok` also where the error is an answer, as of what does not exist. */
  readonly outcome: 'ok' | FailureKind;
  readonly durationMs: number;
}

export interface CallSettings {
  readonly client: IAMClient;
  /** The role of spec.assumeRole that the client's credentials are of; undefined: the operator's own. */
  readonly by?: string | undefined;
  readonly reads: TokenBucket;
  readonly writes: TokenBucket;
  /** How often a call is sent at most. */
  readonly attempts: number;
  readonly requestTimeoutMs: number;
  /** First wait before a second attempt; doubled for each more. */
  readonly retryMs: number;
  readonly clock: Clock;
  /** Runs right before each write is sent; throws to keep it back. */
  readonly beforeWrite: () => void;
  readonly onCall: (call: SentCall) => void;
}

type Send<O> = (client: IAMClient, options: { readonly abortSignal: AbortSignal }) => Promise<O>;
/** What certain errors mean as a value, by their names in the API reference. */
type Meanings<M> = Readonly<Record<string, () => M>>;

export interface Calls {
  read<O, M = never>(
    operation: string,
    signal: AbortSignal,
    send: Send<O>,
    meanings?: Meanings<M>,
  ): Promise<O | M>;
  write<O, M = never>(
    operation: string,
    signal: AbortSignal,
    send: Send<O>,
    meanings?: Meanings<M>,
  ): Promise<O | M>;
}

export function createCalls(settings: CallSettings): Calls {
  const { client, by, attempts, requestTimeoutMs, retryMs, clock } = settings;

  const once = async <O>(
    operation: string,
    signal: AbortSignal,
    send: Send<O>,
    meanings: Meanings<unknown>,
  ): Promise<O> => {
    const startedAt = clock.now();
    const done = (status: number | undefined, outcome: SentCall['outcome']): void =>
      settings.onCall({ operation, status, outcome, durationMs: clock.now() - startedAt });
    try {
      const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]);
      const answer = await send(client, { abortSignal });
      done(200, 'ok');
      return answer;
    } catch (thrown) {
      const isAnswer = Object.hasOwn(meanings, errorName(thrown));
      done(httpStatus(thrown), isAnswer ? 'ok' : failureOf(thrown, operation, by).kind);
      throw thrown;
    }
  };

  const call = async <O, M>(
    writes: boolean,
    operation: string,
    signal: AbortSignal,
    send: Send<O>,
    meanings: Meanings<M> = {},
  ): Promise<O | M> => {
    const bucket = writes ? settings.writes : settings.reads;
    for (let attempt = 1; ; attempt++) {
      await inTurn(bucket, operation, signal);
      if (writes) settings.beforeWrite();
      try {
        return await once(operation, signal, send, meanings);
      } catch (thrown) {
        const name = errorName(thrown);
        const meaning = Object.hasOwn(meanings, name) ? meanings[name] : undefined;
        if (meaning !== undefined) return meaning();
        if (isThrottling(thrown)) bucket.slowDown();
        // A throttled write was not done. Of a write without an answer nobody knows: observing tells, not sending it again.
        const isSafe = isThrottling(thrown) || (!writes && isAmbiguous(thrown));
        if (!isSafe || attempt >= attempts || signal.aborted) throw failureOf(thrown, operation, by);
        await clock.sleep(retryMs * 2 ** (attempt - 1), signal).catch(() => {
          throw failureOf(thrown, operation, by);
        });
      }
    }
  };

  return {
    read: (operation, signal, send, meanings) => call(false, operation, signal, send, meanings),
    write: (operation, signal, send, meanings) => call(true, operation, signal, send, meanings),
  };
}

/** A pass that runs out of time while it waits for its turn was slowed down; nothing is broken. */
async function inTurn(bucket: TokenBucket, operation: string, signal: AbortSignal): Promise<void> {
  try {
    await bucket.take(signal);
  } catch (cause) {
    throw new Failure(
      'throttled',
      'Throttled',
      `iam:${operation} is waiting for its turn, so that AWS need not throttle us; the operator goes on by itself.`,
      { cause },
    );
  }
}
