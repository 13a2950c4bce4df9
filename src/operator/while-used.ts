// One of each thing that is costly to have: made when it is first asked for, closed once nobody has asked for it for long.

export interface WhileUsed<T> {
  get(key: string, make: () => T): T;
  /** Without making one, and without its being a use. */
  peek(key: string): T | undefined;
  /** What has been idle for too long by now. */
  closeIdle(): void;
  closeAll(): void;
}

export function whileUsed<T extends { close(): void }>(options: {
  /** Longer than anybody goes on with one after asking for it. */
  readonly idleMs: number;
  readonly now: () => number;
}): WhileUsed<T> {
  const { idleMs, now } = options;
  const kept = new Map<string, { readonly thing: T; readonly usedAt: number }>();

  return {
    get: (key, make) => {
      const thing = kept.get(key)?.thing ?? make();
      kept.set(key, { thing, usedAt: now() });
      return thing;
    },
    peek: (key) => kept.get(key)?.thing,
    closeIdle: () => {
      for (const [key, { thing, usedAt }] of kept) {
        if (now() - usedAt <= idleMs) continue;
        kept.delete(key);
        thing.close();
      }
    },
    closeAll: () => {
      for (const { thing } of kept.values()) thing.close();
      kept.clear();
    },
  };
}
