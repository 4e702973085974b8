/** Entries per chunk: what one more entry costs to copy, and what an entry costs to find (a look into each chunk). */
const CHUNK_ENTRIES = 1_000;

/**
 * An immutable map in chunks, for the ten thousand counted ids of which a poll adds one: a chunk that did not
 * change keeps its reference, and so does whatever was made of it (its text in the state file).
 */
export class ChunkedMap<K, V> implements ReadonlyMap<K, V> {
  /** None is empty; no key is in two of them. */
  readonly chunks: readonly ReadonlyMap<K, V>[];
  readonly size: number;

  private constructor(chunks: readonly ReadonlyMap<K, V>[]) {
    this.chunks = chunks;
    this.size = chunks.reduce((total, chunk) => total + chunk.size, 0);
  }

  /** Of pairs whose keys are all different. */
  static of<K, V>(entries: Iterable<readonly [K, V]>): ChunkedMap<K, V> {
    if (entries instanceof ChunkedMap) return entries;
    const pairs = [...entries];
    const chunks: ReadonlyMap<K, V>[] = [];
    for (let start = 0; start < pairs.length; start += CHUNK_ENTRIES)
      chunks.push(new Map(pairs.slice(start, start + CHUNK_ENTRIES)));
    return new ChunkedMap(chunks);
  }

  get(key: K): V | undefined {
    // The newest first: rows met again are mostly those of the polls before.
    for (let index = this.chunks.length - 1; index >= 0; index -= 1) {
      const value = this.chunks[index]?.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  has(key: K): boolean {
    for (let index = this.chunks.length - 1; index >= 0; index -= 1)
      if (this.chunks[index]?.has(key) === true) return true;
    return false;
  }

  /** With these entries as well; none of their keys may be there. */
  adding(entries: ReadonlyMap<K, V>): ChunkedMap<K, V> {
    if (entries.size === 0) return this;
    const newest = this.chunks.at(-1);
    const hasRoom = newest !== undefined && newest.size < CHUNK_ENTRIES;
    let chunk = new Map(hasRoom ? newest : []);
    const after = [...(hasRoom ? this.chunks.slice(0, -1) : this.chunks), chunk];
    for (const [key, value] of entries) {
      if (chunk.size >= CHUNK_ENTRIES) after.push((chunk = new Map<K, V>()));
      chunk.set(key, value);
    }
    return new ChunkedMap<K, V>(after);
  }

  /** With these values in place of those that are there; all of their keys must be. */
  replacing(entries: ReadonlyMap<K, V>): ChunkedMap<K, V> {
    if (entries.size === 0) return this;
    const after = [...this.chunks];
    for (const [key, value] of entries) {
      const index = after.findIndex((chunk) => chunk.has(key));
      after[index] = new Map(after[index]).set(key, value);
    }
    return new ChunkedMap(after);
  }

  /** Those entries that `isKept`; the same reference where that is all of them. Chunks that are `keptWhole` are not looked through. */
  filter(
    isKept: (value: V) => boolean,
    keptWhole: (chunk: ReadonlyMap<K, V>) => boolean = () => false,
  ): ChunkedMap<K, V> {
    const kept = this.chunks.map((chunk) =>
      keptWhole(chunk) ? chunk : filterChunk(chunk, isKept),
    );
    if (kept.every((chunk, index) => chunk === this.chunks[index])) return this;
    const rest = new ChunkedMap(kept.filter(({ size }) => size > 0));
    // What is kept of many chunks is put together again: each is one more place to look into.
    const isSparse = rest.chunks.length > 2 + (2 * rest.size) / CHUNK_ENTRIES;
    return isSparse ? new ChunkedMap<K, V>([]).adding(rest) : rest;
  }

  *entries(): MapIterator<[K, V]> {
    for (const chunk of this.chunks) yield* chunk.entries();
  }

  *keys(): MapIterator<K> {
    for (const chunk of this.chunks) yield* chunk.keys();
  }

  *values(): MapIterator<V> {
    for (const chunk of this.chunks) yield* chunk.values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }
}

function filterChunk<K, V>(
  chunk: ReadonlyMap<K, V>,
  isKept: (value: V) => boolean,
): ReadonlyMap<K, V> {
  const kept = new Map<K, V>();
  for (const [key, value] of chunk) if (isKept(value)) kept.set(key, value);
  return kept.size === chunk.size ? chunk : kept;
}
