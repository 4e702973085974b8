import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instant, micros } from '../../src/jim/activity.ts';
import {
  formatInstant,
  formatTimespan,
  isEndlessDate,
  parseInstant,
  parseTimespan,
} from '../../src/jim/moments.ts';

const DAY_MICROS = 86_400_000_000;

describe('instants as JIM writes them', () => {
  it.each([
    ['as read from the database', '2026-11-23T20:17:37.449847+00:00', 1_795_465_057_449_847],
    [
      'as made in process: the seventh digit is cut off',
      '2026-11-23T20:22:31.6009666Z',
      1_795_465_351_600_966,
    ],
    ['without a suffix: UTC', '2026-11-23T20:17:37.449847', 1_795_465_057_449_847],
    ['trailing zeros trimmed', '2026-11-23T20:29:32.77996+00:00', 1_795_465_772_779_960],
    ['no fraction at all', '2026-11-23T21:00:00+00:00', 1_795_467_600_000_000],
    ['one digit', '1970-01-01T00:00:00.5Z', 500_000],
    ['nine digits', '1970-01-01T00:00:00.123456999Z', 123_456],
    ['east of Greenwich', '1970-01-01T05:30:00+05:30', 0],
    ['west of Greenwich', '1969-12-31T19:00:00-05:00', 0],
    ['before 1970', '1969-12-31T23:59:59.999999Z', -1],
    ['a leap day', '2024-02-29T00:00:00Z', 1_709_164_800_000_000],
    ['a leap day of a century', '2000-02-29T12:00:00Z', 951_825_600_000_000],
  ])('%s: %s', (_rule, text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  it.each([
    ['month 13', '2026-13-01T00:00:00Z'],
    ['month 0', '2026-00-01T00:00:00Z'],
    ['day 31 of November', '2026-11-31T00:00:00Z'],
    ['29 February of no leap year', '2023-02-29T00:00:00Z'],
    ['29 February 1900', '1900-02-29T00:00:00Z'],
    ['day 0', '2026-11-00T00:00:00Z'],
    ['hour 24', '2026-11-23T24:00:00Z'],
    ['minute 60', '2026-11-23T20:60:00Z'],
    ['second 60', '2026-11-23T20:00:60Z'],
    ['a point without digits', '2026-11-23T20:00:00.Z'],
    ['an offset of 15 hours', '2026-11-23T20:00:00+15:00'],
    ['an offset without colon', '2026-11-23T20:00:00+0000'],
    ['a small z', '2026-11-23T20:00:00z'],
    ['text behind', '2026-11-23T20:00:00Zulu'],
    ['a date alone', '2026-11-23'],
    ['no time sign', '2026-11-23_20:00:00Z'],
    ['nothing', ''],
    ['words', 'yesterday at half past 3'],
    ['year 1, whose microseconds no number holds', '0001-01-01T00:00:00'],
    ['year 9999', '9999-12-31T23:59:59Z'],
    ['digits of another script', '２０２６-11-23T20:00:00Z'],
  ])('refuses %s', (_rule, text) => {
    expect(parseInstant(text)).toBeNull();
  });

  it('format, then parse, gives the same microsecond', () => {
    const anyInstant = fc.integer({ min: -8_990_000_000_000_000, max: 8_990_000_000_000_000 });
    fc.assert(
      fc.property(anyInstant, (at) => {
        expect(parseInstant(formatInstant(instant(at)))).toBe(at);
      }),
    );
  });

  it('agrees with Date to the millisecond', () => {
    const years = { min: new Date('1690-01-01'), max: new Date('2250-01-01'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(years), (date) => {
        expect(parseInstant(date.toISOString())).toBe(date.getTime() * 1000);
      }),
    );
  });

  it('an offset moves the moment and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: -840, max: 840 }), (minutes) => {
        const size = Math.abs(minutes);
        const hhmm = [Math.floor(size / 60), size % 60].map((n) => String(n).padStart(2, '0'));
        const text = `2026-11-23T20:17:37.449847${minutes < 0 ? '-' : '+'}${hhmm.join(':')}`;
        expect(parseInstant(text)).toBe(1_795_465_057_449_847 - minutes * 60_000_000);
      }),
    );
  });

  it('a filter gets Z and all six digits', () => {
    expect(formatInstant(instant(1_795_465_772_779_960))).toBe('2026-11-23T20:29:32.779960Z');
    expect(formatInstant(instant(0))).toBe('1970-01-01T00:00:00.000000Z');
    expect(formatInstant(instant(-1))).toBe('1969-12-31T23:59:59.999999Z');
  });

  it.each([
    ['0001-01-01T00:00:00', true],
    ['0001-01-01T00:00:00+00:00', true],
    ['9999-12-31T23:59:59Z', true],
    ['2026-11-23T20:00:00Z', false],
    ['2026-13-01T00:00:00Z', false],
    ['', false],
  ])('endless: %s is %s', (text, expected) => {
    expect(isEndlessDate(text)).toBe(expected);
  });
});

describe('timespans as .NET writes them', () => {
  it.each([
    ['00:00:00', 0],
    ['00:01:30', 90_000_000],
    ['00:01:30.1234560', 90_123_456],
    ['1.02:03:04.5678900', DAY_MICROS + 7_384_567_890],
    ['-00:00:00.0000010', -1],
    ['-1.00:00:00', -DAY_MICROS],
    ['23:59:59.9999999', DAY_MICROS - 1],
    ['100.00:00:00', 100 * DAY_MICROS],
  ])('%s is %d µs', (text, expected) => {
    expect(parseTimespan(text)).toBe(expected);
  });

  it.each([
    '24:00:00',
    '00:60:00',
    '00:00:60',
    '0:00:00',
    '00:00',
    '1:2:3',
    '.00:00:00',
    '-.00:00:00',
    'x.00:00:00',
    '00:00:00.',
    '00:00:00.12x',
    '00:00:00Z',
    '999999999.00:00:00',
    '99999999.00:00:00',
    '--00:00:00',
    '',
    'PT1M30S',
  ])('refuses %j', (text) => {
    expect(parseTimespan(text)).toBeNull();
  });

  it('format, then parse, gives the same microseconds', () => {
    const anySpan = fc.integer({ min: -8_990_000_000_000_000, max: 8_990_000_000_000_000 });
    fc.assert(
      fc.property(anySpan, (span) => {
        expect(parseTimespan(formatTimespan(micros(span)))).toBe(span);
      }),
    );
  });

  it('format gives back what JIM wrote', () => {
    for (const text of [
      '00:00:00',
      '00:01:30.1234560',
      '1.02:03:04.5678900',
      '-00:00:00.0000010',
    ]) {
      const span = parseTimespan(text);
      expect(span === null ? null : formatTimespan(span)).toBe(text);
    }
  });
});

it('no text makes either parser throw', () => {
  const nearly = fc.stringMatching(/^[-0-9.:TZ+ ]{0,40}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string(), nearly), (text) => {
      for (const value of [parseInstant(text), parseTimespan(text)]) {
        expect(value === null || Number.isSafeInteger(value)).toBe(true);
      }
    }),
  );
});
