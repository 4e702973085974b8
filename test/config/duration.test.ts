import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/config/duration.ts';

describe('a duration', () => {
  it.each<[string, number | null]>([
    ['300ms', 300],
    ['15s', 15_000],
    ['1h30m', 5_400_000],
    ['8d', 691_200_000],
    ['2w', 1_209_600_000],
    ['1y', 31_536_000_000],
    ['1y2w3d4h5m6s7ms', 33_019_506_007],
    ['1m500ms', 60_500],
    ['0', 0],
    ['0s', 0],
    ['', null],
    ['5', null],
    ['5 s', null],
    ['s', null],
    ['1.5h', null],
    ['-1s', null],
    ['1s1m', null],
    ['1s1s', null],
    ['1H', null],
    ['999999999999999y', null],
  ])('%j is %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 * 365 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it.each([
    [0, '0s'],
    [5_400_000, '1h30m'],
    [691_200_000, '8d'],
    [31_536_000_000, '365d'],
    [1_001, '1s1ms'],
  ])('of %d ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
