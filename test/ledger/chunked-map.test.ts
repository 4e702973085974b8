import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkedMap } from '../../src/ledger/chunked-map.ts';

function numbered(from: number, to: number): Map<string, number> {
  return new Map(
    Array.from({ length: to - from }, (_, index) => [`id-${from + index}`, from + index]),
  );
}

describe('a map in chunks', () => {
  it('copies one chunk for one more entry', () => {
    const before = ChunkedMap.of(numbered(0, 2_500));
    const after = before.adding(numbered(2_500, 2_501));
    expect(before.chunks.map(({ size }) => size)).toEqual([1_000, 1_000, 500]);
    expect(after.chunks.map(({ size }) => size)).toEqual([1_000, 1_000, 501]);
    expect(after.chunks.slice(0, 2).every((chunk, index) => chunk === before.chunks[index])).toBe(
      true,
    );
    expect(before.has('id-2500')).toBe(false);
    expect(after.get('id-2500')).toBe(2_500);
  });

  it('begins a chunk when the newest is full', () => {
    const full = ChunkedMap.of(numbered(0, 1_000));
    const after = full.adding(numbered(1_000, 3_001));
    expect(after.chunks.map(({ size }) => size)).toEqual([1_000, 1_000, 1_000, 1]);
    expect(after.chunks[0]).toBe(full.chunks[0]);
  });

  it('keeps its reference where nothing changes', () => {
    const map = ChunkedMap.of(numbered(0, 1_500));
    expect(ChunkedMap.of(map)).toBe(map);
    expect(map.adding(new Map())).toBe(map);
    expect(map.replacing(new Map())).toBe(map);
    expect(map.filter(() => true)).toBe(map);
  });

  it('is put together again when little is left of many chunks', () => {
    const sparse = ChunkedMap.of(numbered(0, 10_000)).filter((value) => value % 1_000 === 0);
    expect(sparse.chunks.map(({ size }) => size)).toEqual([10]);
  });

  it('is what a plain map would be, whatever is added, replaced and left out', () => {
    const move = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 0, max: 1_500 }) }),
      fc.record({ kind: fc.constant('replace' as const), nth: fc.nat(4_000) }),
      fc.record({
        kind: fc.constant('keep' as const),
        from: fc.nat(4_000),
        except: fc.integer({ min: 2, max: 9 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 8 }), (moves) => {
        let chunked = ChunkedMap.of(new Map<string, number>());
        let plain = new Map<string, number>();
        let next = 0;
        for (const made of moves) {
          if (made.kind === 'add') {
            const added = numbered(next, (next += made.count));
            chunked = chunked.adding(added);
            plain = new Map([...plain, ...added]);
          } else if (made.kind === 'replace') {
            const key = [...plain.keys()][made.nth % Math.max(1, plain.size)];
            if (key === undefined) continue;
            chunked = chunked.replacing(new Map([[key, -made.nth]]));
            plain.set(key, -made.nth);
          } else {
            const isKept = (value: number): boolean =>
              value >= made.from || value % made.except !== 0;
            chunked = chunked.filter(isKept);
            plain = new Map([...plain].filter(([, value]) => isKept(value)));
          }
        }
        expect([...chunked]).toEqual([...plain]);
        expect(chunked.size).toBe(plain.size);
        const seen: [string, number][] = [];
        chunked.forEach((value, key) => seen.push([key, value]));
        expect(seen).toEqual([...plain]);
        for (const [key, value] of plain)
          expect([chunked.has(key), chunked.get(key)]).toEqual([true, value]);
        expect([chunked.has('none'), chunked.get('none')]).toEqual([false, undefined]);
      }),
      { numRuns: 60 },
    );
  });
});
