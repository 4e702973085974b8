/** Durations as Prometheus writes them: `300ms`, `15s`, `1h30m`, `8d`. */

/** Largest first, the order in which they may stand. A year is 365 days, as in Prometheus. */
const UNITS = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

const DURATION = new RegExp(`^${UNITS.map(([unit]) => `(?:(\\d{1,15})${unit})?`).join('')}$`);

/** Milliseconds; null where the text is no duration. `0` needs no unit. */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0;
  const amounts = text === '' ? null : DURATION.exec(text);
  if (amounts === null) return null;
  const ms = UNITS.reduce((sum, [, size], i) => sum + Number(amounts[i + 1] ?? 0) * size, 0);
  return Number.isSafeInteger(ms) ? ms : null;
}

/** The shortest exact way to write it: 5400000 is `1h30m`. */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, size] of UNITS) {
    // Nobody says a year or a week for a retention of so many days.
    if (unit === 'y' || unit === 'w') continue;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text === '' ? '0s' : text;
}
