/**
 * The alerts as range queries: what Prometheus' own rule engine would take a minute for each day of, a server answers
 * for a month at once. Recorded series are put in as the expressions that record them, and `for` is reckoned here.
 */
import { ALERTS, RECORDINGS } from '../alerts/rules-file.ts';
import type { RangeSeries } from '../dashboards/prometheus.ts';

/** An alert as one expression that no recorded series is needed for. */
export interface RangeAlert {
  readonly alert: string;
  readonly expr: string;
  readonly forSeconds: number;
}

export function rangeAlerts(): readonly RangeAlert[] {
  return ALERTS.filter(({ alert }) => alert !== 'JimWatchdog').map(
    ({ alert, expr, for: duration }) => ({
      alert,
      expr: withoutRecordings(expr),
      forSeconds: secondsOf(duration ?? '0s'),
    }),
  );
}

/** Records of one name are one expression, with their labels; those that nobody defines select nothing. */
function withoutRecordings(expr: string): string {
  return expr.replaceAll(/\bjim:[a-z_]+:[a-z0-9_]+/g, (name) => {
    const records = RECORDINGS.filter(({ record }) => record === name);
    if (records.length === 0) return name;
    const parts = records.map(({ expr: recorded, labels }) => {
      const inner = /^\d/.test(recorded) ? `vector(${recorded})` : withoutRecordings(recorded);
      return Object.entries(labels ?? {}).reduce(
        (labelled, [label, value]) => `label_replace(${labelled}, "${label}", "${value}", "", "")`,
        inner,
      );
    });
    return `(${parts.join(' or ')})`;
  });
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

function secondsOf(duration: string): number {
  const [, count = '', unit = ''] = /^(\d+)([smhd])$/.exec(duration) ?? [];
  return Number(count) * (SECONDS[unit] ?? Number.NaN);
}

/** When a series of an alert's expression has first stood for long enough to fire, in seconds; null where it never has. */
export function firesAt(
  { values }: RangeSeries,
  { forSeconds, stepSeconds }: { readonly forSeconds: number; readonly stepSeconds: number },
): number | null {
  let since: number | null = null;
  let before = Number.NEGATIVE_INFINITY;
  for (const [seconds] of values) {
    if (since === null || seconds - before > stepSeconds) since = seconds;
    if (seconds - since >= forSeconds) return seconds;
    before = seconds;
  }
  return null;
}
