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
