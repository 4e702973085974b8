import { ChunkedMap } from './chunked-map.ts';

/** A map that is copied when it is first written: what did not change keeps its reference, and costs nothing. */
export class CopyOnWrite<K, V> {
  readonly #before: ReadonlyMap<K, V>;
  #copy: Map<K, V> | null = null;

  constructor(before: ReadonlyMap<K, V>) {
    this.#before = before;
  }
  get value(): ReadonlyMap<K, V> {
    return this.#copy ?? this.#before;
  }
  get size(): number {
    return this.value.size;
  }
  get(key: K): V | undefined {
    return this.value.get(key);
  }
  has(key: K): boolean {
    return this.value.has(key);
  }
  entries(): MapIterator<[K, V]> {
    return this.value.entries();
  }
  /** The value that is there already changes nothing. */
  set(key: K, value: V): void {
    if (this.value.get(key) === value) return;
    this.#copy ??= new Map(this.#before);
    this.#copy.set(key, value);
  }
  delete(key: K): void {
    if (!this.has(key)) return;
    this.#copy ??= new Map(this.#before);
    this.#copy.delete(key);
  }
}

/** As `CopyOnWrite`, of a map too large to be copied for one entry. */
export class CopyChunks<K, V> {
  readonly #before: ChunkedMap<K, V>;
  readonly #added = new Map<K, V>();
  readonly #replaced = new Map<K, V>();

  constructor(before: ReadonlyMap<K, V>) {
    this.#before = ChunkedMap.of(before);
  }
  get value(): ChunkedMap<K, V> {
    return this.#before.replacing(this.#replaced).adding(this.#added);
  }
  get(key: K): V | undefined {
    return this.#added.get(key) ?? this.#replaced.get(key) ?? this.#before.get(key);
  }
  /** A key that is not there. */
  add(key: K, value: V): void {
    this.#added.set(key, value);
  }
  /** A key that is there. */
  replace(key: K, value: V): void {
    this.#replaced.set(key, value);
  }
}
