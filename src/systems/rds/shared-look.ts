// Looks that are shared: callers who ask for the same thing at about the same time get one answer.
import { unlessAborted } from '../unless-aborted.ts';

export interface SharedLook<T> {
  /** The answer for `key`: one of at most `keepMs` of age, else a new one. `fresh` tells which. */
  (
    key: string,
    look: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T; readonly fresh: boolean }>;
}

export function sharedLook<T>(options: {
  /** How long an answer is good, in milliseconds from when it was asked for. Failures are never kept. */
  readonly keepMs: number;
  /** Ends a look that nobody answers. */
  readonly timeoutMs: number;
  /** Milliseconds, of any clock. */
  readonly now: () => number;
}): SharedLook<T> {
  const looks = new Map<string, { readonly askedAt: number; readonly answer: Promise<T> }>();

  return async (key, look, signal) => {
    const now = options.now();
    for (const [old, { askedAt }] of looks) if (now - askedAt >= options.keepMs) looks.delete(old);
    const kept = looks.get(key);
    if (kept !== undefined) return { value: await unlessAborted(kept.answer, signal), fresh: false };

    // Not the caller's signal: another one may be waiting for the same answer.
    const entry = { askedAt: now, answer: look(AbortSignal.timeout(options.timeoutMs)) };
    looks.set(key, entry);
    entry.answer.catch(() => {
      if (looks.get(key) === entry) looks.delete(key);
    });
    return { value: await unlessAborted(entry.answer, signal), fresh: true };
  };
}
