/** Values as the toolkit's Go reads them: its durations are not Prometheus', its YAML is 1.1. */
import type { Parser } from '../config/values.ts';

/** YAML 1.1's words; our own reader, of 1.2, leaves all but true and false as text. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', 'y'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', 'n'].map((word) => [word, false] as const),
]);

export const goBoolean: Parser<boolean> = (given) => {
  const value = BOOLEANS.get(String(given).toLowerCase());
  return value === undefined ? { fault: 'must be true or false' } : { value };
};

/** Milliseconds, from Go's notation or, as there, from a number of nanoseconds. */
export const goDuration: Parser<number> = (given) => {
  const ms = typeof given === 'number' ? given / 1_000_000 : parseGoDuration(String(given));
  return ms === null || ms < 0
    ? { fault: 'is no duration as Go writes it; write it as 100ms, 1s or 1m30s' }
    : { value: ms };
};

const MS_OF_UNIT: Readonly<Record<string, number>> = {
  ns: 1 / 1_000_000,
  us: 1 / 1_000,
  // The micro sign and the Greek letter look alike, and Go takes both.
  '\u00b5s': 1 / 1_000,
  '\u03bcs': 1 / 1_000,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const AMOUNT = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;

/** Milliseconds; null where Go would refuse the text. Units come in any order, with decimals. */
function parseGoDuration(text: string): number | null {
  const unsigned = text.replace(/^[+-]/, '');
  if (unsigned === '0') return 0;
  const amounts = [...unsigned.matchAll(AMOUNT)];
  if (amounts.length === 0 || amounts.map(([whole]) => whole).join('') !== unsigned) return null;
  const ms = amounts.reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (MS_OF_UNIT[unit] ?? 0),
    0,
  );
  return text.startsWith('-') ? -ms : ms;
}
