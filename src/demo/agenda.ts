/** What is still to happen in a world, soonest first. A binary heap; equal instants keep their order. */

export interface Agenda {
  add(atMicros: number, action: () => void): void;
  /** Takes the soonest entry due at `untilMicros` or before. */
  take(untilMicros: number): { readonly atMicros: number; readonly action: () => void } | null;
}

interface Entry {
  readonly atMicros: number;
  readonly order: number;
  readonly action: () => void;
}

export function createAgenda(): Agenda {
  const heap: Entry[] = [];
  let order = 0;

  const isBefore = (a: Entry | undefined, b: Entry | undefined): boolean =>
    a !== undefined &&
    b !== undefined &&
    (a.atMicros < b.atMicros || (a.atMicros === b.atMicros && a.order < b.order));

  const swap = (a: number, b: number): void => {
    const first = heap[a];
    const second = heap[b];
    if (first === undefined || second === undefined) return;
    heap[a] = second;
    heap[b] = first;
  };

  const rise = (from: number): void => {
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      if (!isBefore(heap[child], heap[parent])) return;
      swap(child, parent);
      child = parent;
    }
  };

  const sink = (): void => {
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      const right = left + 1;
      let first = parent;
      if (isBefore(heap[left], heap[first])) first = left;
      if (isBefore(heap[right], heap[first])) first = right;
      if (first === parent) return;
      swap(parent, first);
      parent = first;
    }
  };

  return {
    add(atMicros, action) {
      heap.push({ atMicros, order, action });
      order += 1;
      rise(heap.length - 1);
    },
    take(untilMicros) {
      const soonest = heap[0];
      if (soonest === undefined || soonest.atMicros > untilMicros) return null;
      swap(0, heap.length - 1);
      heap.pop();
      sink();
      return soonest;
    },
  };
}
