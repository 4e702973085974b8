/** Which series the rules look at; the others, most of an exposition, would only cost time. */
import { ALERTS, RECORDINGS } from '../alerts/rules-file.ts';
import type { Selector } from '../dashboards/promql.ts';
import { parse } from '../dashboards/promql.ts';

/** By metric. The template of an alert's link asks for recorded series alone. */
const SELECTORS = new Map<string, Selector[]>();
for (const { expr } of [...ALERTS, ...RECORDINGS]) {
  const { faults, selectors } = parse(expr);
  if (faults.length > 0) throw new Error(`no PromQL: ${faults.join(', ')} in ${expr}`);
  for (const one of selectors)
    SELECTORS.set(one.metric, [...(SELECTORS.get(one.metric) ?? []), one]);
}

/** Whether a family has series that a selector of a rule may select. */
export function isFamilyLookedAt(family: string): boolean {
  return ['', '_bucket', '_sum', '_count'].some((suffix) => SELECTORS.has(family + suffix));
}

/** Whether a selector of a rule, all its matchers together, selects a series as an exposition writes it. */
export function isLookedAt(series: string): boolean {
  const selectors = SELECTORS.get(series.replace(/\{.*$/s, ''));
  if (selectors === undefined) return false;
  const labels = new Map(
    [...series.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', value = '']) => [
      label,
      value,
    ]),
  );
  return selectors.some(({ matchers }) =>
    matchers.every(({ label, op, value }) => matches(labels.get(label), op, value)),
  );
}

/** A label that the exposition lacks may come from the target. */
function matches(actual: string | undefined, op: string, value: string): boolean {
  if (actual === undefined) return true;
  if (op === '=') return actual === value;
  if (op === '!=') return actual !== value;
  const isWhole = new RegExp(`^(?:${value})$`, 's').test(actual);
  return op === '=~' ? isWhole : !isWhole;
}
