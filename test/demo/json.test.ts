import { describe, expect, test } from 'vitest';
import { writeDate, writeTimespan, writeTimestamp, type DateStyle } from '../../src/demo/json.ts';

const NOON = Date.parse('2026-11-23T12:00:00Z') * 1000;

describe('dates from the database', () => {
  test.each<[number, DateStyle, string]>([
    [NOON, 'offset', '2026-11-23T12:00:00+00:00'],
    [NOON + 779_960, 'offset', '2026-11-23T12:00:00.77996+00:00'],
    [NOON + 1, 'offset', '2026-11-23T12:00:00.000001+00:00'],
    [NOON + 100_000, 'z', '2026-11-23T12:00:00.1Z'],
    [NOON + 500_000, 120, '2026-11-23T14:00:00.5+02:00'],
    [NOON + 500_000, -570, '2026-11-23T02:30:00.5-09:30'],
  ])('%i in style %s are %s', (micros, style, text) => {
    expect(writeDate(micros, style)).toBe(text);
  });
});

describe('timestamps made in process', () => {
  test('have up to seven digits and Z', () => {
    expect(writeTimestamp(NOON + 600_966)).toMatch(/^2026-11-23T12:00:00\.600966\dZ$/);
  });
});

describe('timespans', () => {
  test.each([
    [0, '00:00:00'],
    [90_000_000, '00:01:30'],
    [90_123_456, '00:01:30.1234560'],
    [10, '00:00:00.0000100'],
    [93_784_567_890, '1.02:03:04.5678900'],
    [-1_500_000, '-00:00:01.5000000'],
  ])('of %i µs are %s', (micros, text) => {
    expect(writeTimespan(micros)).toBe(text);
  });
});
