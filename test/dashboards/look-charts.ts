/** A panel's series as simple SVG charts over time. */
import type { Panel, Threshold } from '@grafana/grafana-foundation-sdk/dashboard';
import { COLOURS, colourOf, colourOfSeries, escapeHtml, fieldOf, textOf } from './look-fields.ts';
import type { RangeSeries, Window } from './prometheus.ts';

/** What is drawn, and by how much the clock on the axes differs from Prometheus'. */
export interface ShownWindow extends Window {
  readonly clockShiftMs: number;
}
export interface Named<Data> {
  readonly name: string;
  readonly data: Data;
}
interface Size {
  readonly width: number;
  readonly height: number;
}

export function drawTimeline(
  panel: Panel,
  series: readonly Named<RangeSeries>[],
  window: ShownWindow,
  size: Size,
): string {
  const nameWidth = 230;
  const rowHeight = Math.min(22, size.height / series.length);
  const x = scale(window, nameWidth, size.width);
  const rows = series.map(({ name, data }, index) => {
    const y = index * rowHeight;
    const states = data.values.map(([seconds, value]) => {
      const width = x((seconds + window.stepSeconds) * 1_000) - x(seconds * 1_000);
      return `<rect x="${x(seconds * 1_000)}" y="${y}" width="${width + 0.3}" height="${rowHeight - 2}" fill="${colourOf(fieldOf(panel), Number(value))}"/>`;
    });
    return `<text x="0" y="${y + rowHeight * 0.7}">${escapeHtml(name)}</text>${states.join('')}`;
  });
  return svg(size, [...rows, timeAxis(window, x, size)]);
}

interface Shape {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly { readonly atMs: number; readonly from: number; readonly to: number }[];
}

const AXIS_PX = 60;
const LEGEND_LINE_PX = 13;

export function drawTimeSeries(
  panel: Panel,
  series: readonly Named<RangeSeries>[],
  window: ShownWindow,
  size: Size,
): string {
  const legendLines = Math.min(4, Math.ceil(series.length / 3));
  const plot = { width: size.width, height: size.height - legendLines * LEGEND_LINE_PX };
  const shapes = shapesOf(panel, series);
  const ends = shapes.flatMap(({ points }) => points.map(({ to }) => to));
  const [least, greatest] = [Math.min(0, ...ends), Math.max(0, ...ends) || 1];
  const x = scale(window, AXIS_PX, plot.width - 10);
  const y = (value: number): number =>
    4 + (1 - (value - least) / (greatest - least)) * (plot.height - 22);

  const draw = custom(panel).drawStyle === 'bars' ? drawBars : drawLine;
  const drawn = shapes.map((shape) => draw(shape, x, y));
  const axis = [least, greatest].map(
    (value) =>
      `<text x="0" y="${y(value) + (value === greatest ? 8 : 0)}">${escapeHtml(textOf(fieldOf(panel), value, 0))}</text>`,
  );
  const limits = (fieldOf(panel).thresholds?.steps ?? [])
    .filter((step): step is Threshold & { value: number } => step.value !== null)
    .filter(({ value }) => value >= least && value <= greatest)
    .map(
      ({ value, color }) =>
        `<line x1="${AXIS_PX}" x2="${plot.width}" y1="${y(value)}" y2="${y(value)}" stroke="${COLOURS[color] ?? '#888'}" stroke-dasharray="4"/>`,
    );
  return svg(size, [
    ...drawn,
    ...axis,
    ...limits,
    ...legendOf(shapes, plot),
    timeAxis(window, x, plot),
  ]);
}

function shapesOf(panel: Panel, series: readonly Named<RangeSeries>[]): Shape[] {
  const isStacked = custom(panel).stacking?.mode === 'normal';
  const heights = new Map<number, number>();
  return series.map(({ name, data }, index) => ({
    name,
    colour: colourOfSeries(panel, name, index),
    points: data.values
      .map(([seconds, value]) => ({ atMs: seconds * 1_000, value: Number(value) }))
      .filter(({ value }) => Number.isFinite(value))
      .map(({ atMs, value }) => {
        const from = isStacked ? (heights.get(atMs) ?? 0) : 0;
        heights.set(atMs, from + value);
        return { atMs, from, to: from + value };
      }),
  }));
}

function custom(panel: Panel): {
  readonly drawStyle?: string;
  readonly stacking?: { readonly mode: string };
} {
  return panel.fieldConfig?.defaults?.custom ?? {};
}

type Scale = (value: number) => number;

function drawBars({ points, colour }: Shape, x: Scale, y: Scale): string {
  return points
    .filter(({ from, to }) => to > from)
    .map(
      ({ atMs, from, to }) =>
        `<rect x="${x(atMs)}" y="${y(to)}" width="4" height="${y(from) - y(to)}" fill="${colour}" fill-opacity="0.8"/>`,
    )
    .join('');
}

function drawLine({ points, colour }: Shape, x: Scale, y: Scale): string {
  const line = points.map(({ atMs, to }) => `${x(atMs)},${y(to)}`).join(' ');
  return `<polyline points="${line}" fill="none" stroke="${colour}"/>`;
}

function legendOf(shapes: readonly Shape[], plot: Size): string[] {
  return shapes.slice(0, 12).map(({ name, colour }, index) => {
    const left = (index % 3) * (plot.width / 3);
    const top = plot.height + 11 + Math.floor(index / 3) * LEGEND_LINE_PX;
    return `<text x="${left}" y="${top}" style="fill:${colour}">■ ${escapeHtml(name)}</text>`;
  });
}

function scale(window: ShownWindow, from: number, to: number): Scale {
  const span = window.endMs - window.startMs;
  return (timeMs) =>
    Math.round((from + ((timeMs - window.startMs) / span) * (to - from)) * 10) / 10;
}

function timeAxis(window: ShownWindow, x: Scale, size: Size): string {
  const sixth = (window.endMs - window.startMs) / 6;
  return Array.from({ length: 7 }, (_, index) => window.startMs + sixth * index)
    .map((timeMs) => {
      const clock = new Date(timeMs + window.clockShiftMs).toISOString().slice(11, 16);
      return `<text x="${Math.min(x(timeMs), size.width - 34)}" y="${size.height - 2}" class="axis">${clock}</text>`;
    })
    .join('');
}

function svg(size: Size, content: readonly string[]): string {
  return `<svg width="${size.width}" height="${size.height}">${content.join('')}</svg>`;
}
