/** What was measured, held against its goal, and how it grows: the table that `npm run bench` prints. */

/** One line of the table. */
export interface Line {
  /** With its letter first, as issue and README name the measurements. */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: Goal | null;
  /** How much of the goal was used, or how the peer did; empty where there is nothing to say. */
  readonly remark: string;
}

export type Goal = { readonly atMost: number } | { readonly atLeast: number };

/** A value that depends on a size: points of one name become one fitted exponent. */
export interface Point {
  readonly name: string;
  /** What the size counts: series, rows, open Activities, bytes of state. */
  readonly axis: string;
  readonly size: number;
  readonly value: number;
}

export interface Measured {
  readonly lines: readonly Line[];
  readonly points: readonly Point[];
  /** What could not be compared, and why. */
  readonly notes: readonly string[];
}

export function line(
  what: string,
  value: number,
  unit: string,
  more: { readonly goal?: Goal; readonly remark?: string } = {},
): Line {
  return { what, value, unit, goal: more.goal ?? null, remark: more.remark ?? '' };
}

export function isMet({ value, goal }: Line): boolean | null {
  if (goal === null) return null;
  return 'atMost' in goal ? value <= goal.atMost : value >= goal.atLeast;
}

/** Result over goal, so that 1 is the goal itself: below it is good for limits, above it for least values. */
function ratioOf({ value, goal }: Line): string {
  if (goal === null) return '';
  const wanted = 'atMost' in goal ? goal.atMost : goal.atLeast;
  return wanted === 0 ? '' : (value / wanted).toFixed(2);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
}

/**
 * The exponent k of value = c · size^k, fitted by least squares in logarithms: 0 does not grow, 1 grows in
 * proportion. Null without two sizes.
 */
function growthExponent(points: readonly Pick<Point, 'size' | 'value'>[]): number | null {
  const logs = points
    .filter(({ size, value }) => size > 0 && value > 0)
    .map(({ size, value }) => ({ x: Math.log(size), y: Math.log(value) }));
  const meanX = mean(logs.map(({ x }) => x));
  const meanY = mean(logs.map(({ y }) => y));
  const spread = mean(logs.map(({ x }) => (x - meanX) ** 2));
  return spread > 0 ? mean(logs.map(({ x, y }) => (x - meanX) * (y - meanY))) / spread : null;
}

export function growthLines(points: readonly Point[]): readonly Line[] {
  const names = [...new Set(points.map(({ name }) => name))];
  return names.flatMap((name) => {
    const series = points.filter((point) => point.name === name);
    const exponent = growthExponent(series);
    if (exponent === null) return [];
    const sizes = series.map(({ size }) => size.toLocaleString('en')).join(', ');
    const axis = series[0]?.axis ?? '';
    return [line(`(i) growth of ${name} with ${axis}`, exponent, 'exponent', { remark: sizes })];
  });
}

export function formatTable(lines: readonly Line[]): string {
  const rows = lines.map((one) => [
    one.what,
    `${formatNumber(one.value)} ${one.unit}`.trim(),
    formatGoal(one),
    ratioOf(one),
    one.remark,
    formatVerdict(isMet(one)),
  ]);
  const head = ['measured', 'result', 'goal', 'result ÷ goal', 'remark', ''];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const padded = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [padded(head), rule, ...rows.map(padded)].join('\n');
}

function formatGoal({ goal, unit }: Line): string {
  if (goal === null) return '–';
  const number =
    'atMost' in goal ? `≤ ${formatNumber(goal.atMost)}` : `≥ ${formatNumber(goal.atLeast)}`;
  return `${number} ${unit}`.trim();
}

function formatVerdict(met: boolean | null): string {
  if (met === null) return '';
  return met ? 'met' : '**falls short**';
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
