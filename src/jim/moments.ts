/**
 * JIM's dates and timespans as text, to and from whole microseconds (jim-api, 2.1). Pure and without Date's
 * rounding to milliseconds; written by hand because every row has four of them.
 */
import { type Instant, instant, type Micros, micros, MICROS_PER_SECOND } from './activity.ts';

const ZERO = 0x30;
const MICRO_DIGITS = 6;
const DAY_MICROS = 86_400 * MICROS_PER_SECOND;

/**
 * `2026-11-23T20:17:37.449847+00:00`, also with `Z`, with no suffix (= UTC), and with any number of digits of
 * a second, those past the sixth cut off (PostgreSQL keeps six). Null for anything else, for days that do not
 * exist, and for years whose microseconds a number cannot hold exactly (before 1685, after 2254).
 */
export function parseInstant(text: string): Instant | null {
  if (text.length < 19) return null;
  const days = dayNumber(text);
  if (days === null || (text[10] !== 'T' && text[10] !== ' ')) return null;
  const clock = clockSeconds(text, 11);
  if (clock < 0) return null;
  const fraction = parseFraction(text, 19);
  if (fraction === null) return null;
  const offset = offsetMinutes(text, fraction.end);
  if (offset === null) return null;
  const seconds = days * 86_400 + clock - offset * 60;
  const value = seconds * MICROS_PER_SECOND + fraction.micros;
  return Number.isSafeInteger(value) ? instant(value) : null;
}

/** With `Z` and always six digits, as a filter needs it: `2026-11-23T20:17:37.449847Z`. */
export function formatInstant(at: Instant): string {
  const fraction = ((at % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND;
  const wholeSeconds = new Date((at - fraction) / 1000).toISOString().slice(0, 19);
  return `${wholeSeconds}.${String(fraction).padStart(MICRO_DIGITS, '0')}Z`;
}

/** A date in a year that `parseInstant` cannot hold: .NET's zero date, or the 9999 of what never expires. */
export function isEndlessDate(text: string): boolean {
  const year = /^(\d{4})-\d\d-\d\dT/.exec(text)?.[1];
  return year !== undefined && (Number(year) < 1685 || Number(year) > 2254);
}

/** .NET's constant form `[-][d.]hh:mm:ss[.fffffff]`; digits past the sixth are cut off. Null for anything else. */
export function parseTimespan(text: string): Micros | null {
  const negative = text.startsWith('-');
  const start = negative ? 1 : 0;
  const days = parseDays(text, start);
  if (days === null) return null;
  const clock = clockSeconds(text, days.end);
  if (clock < 0) return null;
  const fraction = parseFraction(text, days.end + 8);
  if (fraction === null || fraction.end !== text.length) return null;
  const value = days.days * DAY_MICROS + clock * MICROS_PER_SECOND + fraction.micros;
  if (!Number.isSafeInteger(value)) return null;
  return micros(negative && value !== 0 ? -value : value);
}

/** As .NET writes it: no fraction when it is zero, else seven digits. */
export function formatTimespan(duration: Micros): string {
  const size = Math.abs(duration);
  const days = Math.floor(size / DAY_MICROS);
  const fraction = size % MICROS_PER_SECOND;
  const clock = Math.floor((size % DAY_MICROS) / MICROS_PER_SECOND);
  const hours = Math.floor(clock / 3600);
  const minutes = Math.floor((clock % 3600) / 60);
  const hms = [hours, minutes, clock % 60].map((part) => String(part).padStart(2, '0')).join(':');
  const tail = fraction === 0 ? '' : `.${String(fraction).padStart(MICRO_DIGITS, '0')}0`;
  return `${duration < 0 ? '-' : ''}${days === 0 ? '' : `${days}.`}${hms}${tail}`;
}

/** The two digits at `index` as a number, negative where there are none. */
function twoDigits(text: string, index: number): number {
  const tens = text.charCodeAt(index) - ZERO;
  const units = text.charCodeAt(index + 1) - ZERO;
  return tens >= 0 && tens <= 9 && units >= 0 && units <= 9 ? tens * 10 + units : -1;
}

/** `hh:mm:ss` at `index` in seconds; −1 for anything else. .NET writes no leap seconds and no hour 24. */
function clockSeconds(text: string, index: number): number {
  if (text[index + 2] !== ':' || text[index + 5] !== ':') return -1;
  const hours = twoDigits(text, index);
  const minutes = twoDigits(text, index + 3);
  const seconds = twoDigits(text, index + 6);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) {
    return -1;
  }
  return hours * 3600 + minutes * 60 + seconds;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;
/** Days from 1 January of year 0 to 1 January 1970. */
const DAYS_TO_1970 = 719_528;

/** `YYYY-MM-DD` at the start of the text, in days since 1970; null where there is no such day. */
function dayNumber(text: string): number | null {
  const century = twoDigits(text, 0);
  const yearOfCentury = twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  if (text[4] !== '-' || text[7] !== '-') return null;
  if (century < 0 || yearOfCentury < 0 || day < 1) return null;
  const daysBefore = DAYS_BEFORE_MONTH[month - 1];
  const monthDays = MONTH_DAYS[month - 1];
  if (daysBefore === undefined || monthDays === undefined) return null;
  const year = century * 100 + yearOfCentury;
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  if (day > monthDays + (isLeap && month === 2 ? 1 : 0)) return null;
  const leapDays =
    year === 0
      ? 0
      : Math.floor((year - 1) / 4) -
        Math.floor((year - 1) / 100) +
        Math.floor((year - 1) / 400) +
        1;
  const dayOfYear = daysBefore + day - 1 + (isLeap && month > 2 ? 1 : 0);
  return year * 365 + leapDays + dayOfYear - DAYS_TO_1970;
}

/** `.digits` at `index`, or nothing there. Null for a point without digits. */
function parseFraction(
  text: string,
  index: number,
): { readonly micros: number; readonly end: number } | null {
  if (text[index] !== '.') return { micros: 0, end: index };
  let value = 0;
  let worth = MICROS_PER_SECOND / 10;
  let end = index + 1;
  for (; end < text.length; end += 1) {
    const digit = text.charCodeAt(end) - ZERO;
    if (digit < 0 || digit > 9) break;
    value += digit * worth;
    worth = Math.floor(worth / 10);
  }
  return end === index + 1 ? null : { micros: value, end };
}

/** The end of the text as an offset from UTC: nothing, `Z`, `+hh:mm` or `-hh:mm` up to .NET's 14 hours. */
function offsetMinutes(text: string, index: number): number | null {
  const rest = text.length - index;
  if (rest === 0 || (rest === 1 && text[index] === 'Z')) return 0;
  const sign = text[index];
  if (rest !== 6 || (sign !== '+' && sign !== '-') || text[index + 3] !== ':') return null;
  const hours = twoDigits(text, index + 1);
  const minutes = twoDigits(text, index + 4);
  if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > 14 * 60) return null;
  const total = hours * 60 + minutes;
  return sign === '-' ? -total : total;
}

/** `d.` before the clock, or nothing. Null where neither. */
function parseDays(
  text: string,
  start: number,
): { readonly days: number; readonly end: number } | null {
  if (text[start + 2] === ':') return { days: 0, end: start };
  const point = text.indexOf('.', start);
  // .NET's largest timespan has 8 digits of days.
  if (point <= start || point - start > 8) return null;
  let days = 0;
  for (let index = start; index < point; index += 1) {
    const digit = text.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return null;
    days = days * 10 + digit;
  }
  return { days, end: point + 1 };
}
