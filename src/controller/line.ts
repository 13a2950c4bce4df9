// One priority's line of keys: first come first served within a group, the groups taking turns.

export interface Line {
  add(key: string): void;
  delete(key: string): void;
  take(): string | undefined;
  size(): number;
}

export function createLine(groupOf: (key: string) => string): Line {
  // Maps and sets keep insertion order: the first group is the next to be served.
  const groups = new Map<string, Set<string>>();
  let size = 0;

  const remove = (group: string, keys: Set<string>, key: string) => {
    if (!keys.delete(key)) return;
    size -= 1;
    if (keys.size === 0) groups.delete(group);
  };

  return {
    add: (key) => {
      const group = groupOf(key);
      const keys = groups.get(group);
      if (keys?.has(key) === true) return;
      if (keys === undefined) groups.set(group, new Set([key]));
      else keys.add(key);
      size += 1;
    },
    delete: (key) => {
      const group = groupOf(key);
      const keys = groups.get(group);
      if (keys !== undefined) remove(group, keys, key);
    },
    take: () => {
      for (const [group, keys] of groups) {
        for (const key of keys) {
          remove(group, keys, key);
          if (groups.delete(group)) groups.set(group, keys);
          return key;
        }
      }
      return undefined;
    },
    size: () => size,
  };
}
