/** The queries of all panels, by names that tests can show. */
import { DASHBOARDS } from '../../dashboards/all.ts';
import type { Query, QueryKind } from '../../dashboards/panels.ts';
import type { Prometheus, Window } from './prometheus.ts';
import type { Choices } from './promql.ts';
import { interpolate } from './promql.ts';

export interface PanelQuery {
  readonly kind: QueryKind;
  readonly query: Query;
}

/** Dashboard, panel and number of the query, as `test.each` shows them by `%s`: it would cut what `$name` says. */
export const PANEL_QUERIES: readonly (readonly [name: string, PanelQuery])[] = DASHBOARDS.flatMap(
  ({ title: dashboard, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ title, kind, queries }) =>
        queries.map(
          (query, index) => [`${dashboard}: ${title} ${index + 1}`, { kind, query }] as const,
        ),
      ),
    ),
);

/** How many series the panel would show. */
export async function seriesFound(
  prometheus: Prometheus,
  { kind, query }: PanelQuery,
  choices: Choices,
  window: Window,
): Promise<number> {
  const expr = interpolate(query.expr, choices);
  const found =
    kind === 'range'
      ? await prometheus.range(expr, window)
      : await prometheus.instant(expr, window.endMs);
  return found.length;
}
