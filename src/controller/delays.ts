// Keys that are due later: a binary heap with one entry per key that counts.

export interface Delayed<V> {
  readonly key: string;
  readonly due: number;
  readonly value: V;
}

export interface Delays<V> {
  get(key: string): Delayed<V> | undefined;
  /** Replaces what was planned for the key. */
  set(entry: Delayed<V>): void;
  delete(key: string): void;
  /** The earliest entry, left in place. */
  first(): Delayed<V> | undefined;
  clear(): void;
}

export function createDelays<V>(): Delays<V> {
  const planned = new Map<string, Delayed<V>>();
  let heap: Delayed<V>[] = [];

  const swap = (a: number, b: number) => {
    const [first, second] = [heap[a], heap[b]];
    if (first === undefined || second === undefined) return;
    heap[a] = second;
    heap[b] = first;
  };
  const dueAt = (index: number) => heap[index]?.due ?? Number.POSITIVE_INFINITY;

  const push = (entry: Delayed<V>) => {
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (dueAt(parent) <= dueAt(index)) return;
      swap(index, parent);
      index = parent;
    }
  };

  const dropFirst = () => {
    swap(0, heap.length - 1);
    heap.pop();
    let index = 0;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const child = dueAt(right) < dueAt(left) ? right : left;
      if (dueAt(child) >= dueAt(index)) return;
      swap(index, child);
      index = child;
    }
  };

  return {
    get: (key) => planned.get(key),
    set: (entry) => {
      planned.set(entry.key, entry);
      // Replaced entries stay in the heap until they surface; rebuild before they outnumber the living.
      if (heap.length > 64 && heap.length > 2 * planned.size) {
        heap = [];
        for (const living of planned.values()) push(living);
      } else {
        push(entry);
      }
    },
    delete: (key) => {
      planned.delete(key);
    },
    first: () => {
      for (;;) {
        const [top] = heap;
        if (top === undefined || planned.get(top.key) === top) return top;
        dropFirst();
      }
    },
    clear: () => {
      planned.clear();
      heap = [];
    },
  };
}
