/**
 * Draws a dashboard from its generated JSON and real query results, so that a person can look whether the story
 * of a night is readable. It is no Grafana: panels have their places, titles, values, colours and simple charts.
 */
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Named, ShownWindow } from './look-charts.ts';
import { drawTimeSeries, drawTimeline } from './look-charts.ts';
import type { Field } from './look-fields.ts';
import { colourOf, escapeHtml, fieldOf, textOf } from './look-fields.ts';
import type { InstantSample, Prometheus, RangeSeries } from './prometheus.ts';
import type { Choices } from './promql.ts';
import { interpolate } from './promql.ts';

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
}

const CELL_PX = { width: 62, height: 32 };

/** A page of its own, without scripts. `choices.rangeSeconds` is what `window` spans. */
export async function drawDashboard(
  json: Dashboard,
  prometheus: Prometheus,
  window: ShownWindow,
  choices: Choices,
): Promise<string> {
  const drawn: string[] = [];
  for (const panel of json.panels ?? []) {
    const { x, y, w, h } = panel.gridPos ?? { x: 0, y: 0, w: 24, h: 1 };
    const place = `left:${x * CELL_PX.width}px;top:${y * CELL_PX.height}px;width:${w * CELL_PX.width - 8}px;height:${h * CELL_PX.height - 8}px`;
    const title = `<h2>${escapeHtml(panel.title ?? '')}</h2>`;
    const body = panel.type === 'row' ? '' : await drawPanel(panel, prometheus, window, choices);
    const kind = panel.type === 'row' ? 'row' : 'panel';
    drawn.push(`<section class="${kind}" style="${place}">${title}${body}</section>`);
  }
  return `<!doctype html><meta charset="utf-8"><title>${escapeHtml(json.title ?? '')}</title><style>${STYLE}</style><body>${drawn.join('\n')}`;
}

/** How high the page is, in pixels. */
export function pageSize(json: Dashboard): { readonly width: number; readonly height: number } {
  const ends = (json.panels ?? []).map(({ gridPos }) => (gridPos?.y ?? 0) + (gridPos?.h ?? 0));
  return { width: 24 * CELL_PX.width, height: Math.max(...ends) * CELL_PX.height };
}

async function drawPanel(
  panel: Panel,
  prometheus: Prometheus,
  window: ShownWindow,
  choices: Choices,
): Promise<string> {
  const targets = (panel.targets ?? []) as unknown as readonly Target[];
  const size = {
    width: (panel.gridPos?.w ?? 0) * CELL_PX.width - 24,
    height: (panel.gridPos?.h ?? 0) * CELL_PX.height - 48,
  };
  if (panel.type === 'timeseries' || panel.type === 'state-timeline') {
    const stepSeconds = Math.max(window.stepSeconds, panel.interval === '5m' ? 300 : 0);
    const series: Named<RangeSeries>[] = [];
    for (const target of targets) {
      const expr = interpolate(target.expr, { ...choices, stepSeconds });
      const found = await prometheus.range(expr, { ...window, stepSeconds });
      series.push(...found.map((one) => ({ name: legend(target, one.metric), data: one })));
    }
    if (series.length === 0) return NO_DATA;
    return panel.type === 'timeseries'
      ? drawTimeSeries(panel, series, window, size)
      : drawTimeline(panel, series, window, size);
  }
  const answers = new Map<string, readonly InstantSample[]>();
  for (const target of targets) {
    answers.set(
      target.refId,
      await prometheus.instant(interpolate(target.expr, choices), window.endMs),
    );
  }
  if (panel.type === 'table') return drawTable(panel, answers, window);
  const values = targets.flatMap((target) =>
    (answers.get(target.refId) ?? []).map((one) => ({
      name: legend(target, one.metric),
      data: one,
    })),
  );
  if (values.length === 0) return '<p class="stat">–</p>';
  return panel.type === 'bargauge' ? drawRanking(panel, values) : drawStat(panel, values);
}

const NO_DATA = '<p class="none">No data</p>';

function legend(target: Target, metric: Readonly<Record<string, string>>): string {
  const format = target.legendFormat ?? '';
  return format.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '').trim();
}

function drawStat(panel: Panel, values: readonly Named<InstantSample>[]): string {
  const options = panel.options as { textMode?: string };
  return values
    .map(({ name, data }) => {
      const value = Number(data.value[1]);
      const shown = options.textMode === 'name' ? name : textOf(fieldOf(panel), value, 0);
      const caption =
        options.textMode === 'value_and_name' ? `<small>${escapeHtml(name)}</small>` : '';
      return `<p class="stat" style="background:${colourOf(fieldOf(panel), value)}">${escapeHtml(shown)}${caption}</p>`;
    })
    .join('');
}

function drawRanking(panel: Panel, values: readonly Named<InstantSample>[]): string {
  const greatest = Math.max(...values.map(({ data }) => Number(data.value[1])), 1);
  return values
    .slice(0, 14)
    .map(({ name, data }) => {
      const value = Number(data.value[1]);
      const bar = `width:${(value / greatest) * 45}%;background:${colourOf(fieldOf(panel), value)}`;
      return `<div class="rank"><span>${escapeHtml(name)}</span><b style="${bar}"></b>${escapeHtml(textOf(fieldOf(panel), value, 0))}</div>`;
    })
    .join('');
}

/** Rows as Grafana's `merge` makes them: by the labels that all the answers share. */
function drawTable(
  panel: Panel,
  answers: ReadonlyMap<string, readonly InstantSample[]>,
  window: ShownWindow,
): string {
  const rows = mergedRows(answers);
  if (rows.length === 0) return NO_DATA;
  const columns = (panel.fieldConfig?.overrides ?? []).map(({ matcher, properties }) => {
    const property = (id: string): unknown => properties.find((one) => one.id === id)?.value;
    return {
      name: matcher.options as string,
      title: property('displayName') as string,
      field: {
        unit: property('unit'),
        mappings: property('mappings'),
        thresholds: property('thresholds'),
      } as Field,
    };
  });
  const sort = (panel.options as { sortBy?: { displayName: string }[] }).sortBy?.[0]?.displayName;
  const sortColumn = columns.find(({ title }) => title === sort)?.name ?? '';
  const sorted = rows.toSorted((a, b) => compare(b.get(sortColumn), a.get(sortColumn)));
  const cell = (row: Row, { name, field }: (typeof columns)[number]): string => {
    const value = row.get(name);
    if (typeof value !== 'number') return `<td>${escapeHtml(value ?? '')}</td>`;
    return `<td style="background:${colourOf(field, value)}">${escapeHtml(textOf(field, value, window.endMs))}</td>`;
  };
  const head = columns.map(({ title }) => `<th>${escapeHtml(title)}</th>`).join('');
  const body = sorted.map(
    (row) => `<tr>${columns.map((column) => cell(row, column)).join('')}</tr>`,
  );
  return `<table><tr>${head}</tr>${body.join('')}</table>`;
}

type Row = ReadonlyMap<string, string | number>;

function mergedRows(answers: ReadonlyMap<string, readonly InstantSample[]>): Row[] {
  const frames = [...answers].filter(([, samples]) => samples.length > 0);
  const labelSets = frames.map(
    ([, samples]) => new Set(samples.flatMap(({ metric }) => Object.keys(metric))),
  );
  const shared = [...(labelSets[0] ?? [])].filter((label) =>
    labelSets.every((set) => set.has(label)),
  );
  const rows = new Map<string, Map<string, string | number>>();
  for (const [refId, samples] of frames) {
    const valueName = frames.length === 1 && answers.size === 1 ? 'Value' : `Value #${refId}`;
    for (const { metric, value } of samples) {
      const key = JSON.stringify(shared.map((label) => metric[label]));
      const row = rows.get(key) ?? new Map<string, string | number>();
      for (const [label, text] of Object.entries(metric)) row.set(label, text);
      row.set(valueName, Number(value[1]));
      rows.set(key, row);
    }
  }
  return [...rows.values()];
}

function compare(a: string | number | undefined, b: string | number | undefined): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '') < String(b ?? '') ? -1 : 1;
}

const STYLE = `
body { background: #111217; color: #ccccdc; font: 12px sans-serif; margin: 0; position: relative }
section { position: absolute; overflow: hidden }
.panel { background: #181b1f; border: 1px solid #2c3235 }
h2 { font-size: 12px; margin: 4px 8px; font-weight: 600 } .row h2 { font-size: 14px; margin: 8px 0 }
.stat { font-size: 22px; text-align: center; margin: 8px; padding: 8px; display: inline-block; min-width: 44px; color: #fff; text-shadow: 0 0 3px #000 }
.stat small { display: block; font-size: 11px } .none { text-align: center; color: #8e8e8e }
table { border-collapse: collapse; width: 100%; font-size: 11px } td, th { border-bottom: 1px solid #2c3235; padding: 2px 6px; text-align: left; white-space: nowrap; color: #ccccdc } td[style] { text-shadow: 0 0 3px #000, 0 0 2px #000; color: #fff }
svg { margin: 0 8px } svg text { font-size: 10px; fill: #ccccdc } .axis { fill: #8e8e8e }
.rank { display: flex; gap: 6px; margin: 3px 8px; font-size: 11px } .rank span { width: 45% } .rank b { height: 12px }
`;
