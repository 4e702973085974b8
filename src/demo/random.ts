/** A small seeded random generator: the same seed plays the same world, on every machine. */

export interface Random {
  /** In [0, 1), with 32 bits. */
  next(): number;
  /** A whole number from `low` to `high`, both inclusive. */
  int(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of a non-empty list. */
  pick<T>(from: readonly [T, ...T[]]): T;
  /** `digits` lower-case hexadecimal digits. */
  hex(digits: number): string;
  /** A random (version 4) id, as JIM gives to some rows. */
  guid(): string;
  /** A time-ordered (version 7) id, as JIM gives to most rows. */
  timeOrderedGuid(ms: number): string;
  /** An independent stream: what one part of the world draws does not change another's draws. */
  fork(label: string): Random;
}

export function createRandom(seed: number | string): Random {
  const draw = sfc32(hash32(`${seed}/a`), hash32(`${seed}/b`), hash32(`${seed}/c`), 1);
  for (let warmUp = 0; warmUp < 12; warmUp += 1) draw();

  const next = (): number => draw() / 4294967296;
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  const hex = (digits: number): string => {
    let text = '';
    while (text.length < digits) text += draw().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  };
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (from) => from[int(0, from.length - 1)] ?? from[0],
    hex,
    guid: () => dashed(`${hex(12)}4${hex(3)}${variant(int(0, 3))}${hex(15)}`),
    timeOrderedGuid: (ms) =>
      dashed(
        `${Math.floor(ms).toString(16).padStart(12, '0')}7${hex(3)}${variant(int(0, 3))}${hex(15)}`,
      ),
    fork: (label) => createRandom(`${seed}/${label}`),
  };
}

/** FNV-1a, 32 bits: turns any text into a seed. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** The place of `index` in a permutation of 0…size−1 that `seed` chooses; needs no memory. */
export function permuted(index: number, size: number, seed: number): number {
  if (size < 2) return index;
  let step = (seed % size) | 1;
  while (greatestCommonDivisor(step, size) !== 1) step += 2;
  const start = Math.floor(seed / 7) % size;
  return (step * index + start) % size;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Chris Doty-Humphrey's small fast counter: 128 bits of state, passes PractRand. */
function sfc32(seedA: number, seedB: number, seedC: number, seedCounter: number): () => number {
  let a = seedA;
  let b = seedB;
  let c = seedC;
  let counter = seedCounter;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
}

function variant(two: number): string {
  return '89ab'.charAt(two);
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
