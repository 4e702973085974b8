/** Values as a panel's field options say them: unit, words, colour. */
import type { Panel, Threshold, ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';

export interface Field {
  readonly unit?: string;
  readonly mappings?: readonly ValueMapping[];
  readonly thresholds?: { readonly steps: readonly Threshold[] };
}

/** A fixed colour where an override names the series by a regular expression, else the next of the palette. */
export function colourOfSeries(panel: Panel, name: string, index: number): string {
  for (const { matcher, properties } of panel.fieldConfig?.overrides ?? []) {
    if (matcher.id !== 'byRegexp') continue;
    const pattern = (matcher.options as string).replace(/^\/(.*)\/$/, '$1');
    const colour = properties.find(({ id }) => id === 'color')?.value as { fixedColor: string };
    if (new RegExp(pattern).test(name)) return COLOURS[colour.fixedColor] ?? '#888';
  }
  return PALETTE[index % PALETTE.length] ?? '#888';
}

export function fieldOf(panel: Panel): Field {
  return panel.fieldConfig?.defaults ?? {};
}

export function textOf(field: Field, value: number, nowMs: number): string {
  return mapped(field, value)?.text ?? formatValue(value, field.unit ?? 'short', nowMs);
}

export function colourOf(field: Field, value: number): string {
  const name =
    mapped(field, value)?.color ??
    (field.thresholds?.steps ?? []).findLast((step) => step.value === null || value >= step.value)
      ?.color;
  return COLOURS[name ?? 'text'] ?? 'transparent';
}

function mapped(field: Field, value: number): { text?: string; color?: string } | undefined {
  for (const mapping of field.mappings ?? []) {
    const options = mapping.options as Record<string, { text?: string; color?: string }>;
    if (options[String(value)] !== undefined) return options[String(value)];
  }
  return undefined;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

export const COLOURS: Readonly<Record<string, string>> = {
  green: '#73bf69',
  yellow: '#fade2a',
  orange: '#ff9830',
  red: '#f2495c',
  blue: '#5794f2',
  purple: '#b877d9',
  text: 'transparent',
};
const PALETTE = [
  '#73bf69',
  '#f2cc0c',
  '#8ab8ff',
  '#ff780a',
  '#f2495c',
  '#5794f2',
  '#b877d9',
  '#705da0',
  '#37872d',
  '#fade2a',
  '#447ebc',
  '#c15c17',
];

/** Numbers as Grafana's units say them, near enough to be read. */
function formatValue(value: number, unit: string, nowMs: number): string {
  if (!Number.isFinite(value)) return String(value);
  switch (unit) {
    case 's':
      return duration(value);
    case 'percentunit':
      return `${round(value * 100)} %`;
    case 'bytes':
      return value < 1_024
        ? `${value} B`
        : value < 1_048_576
          ? `${round(value / 1_024)} KiB`
          : `${round(value / 1_048_576)} MiB`;
    case 'cpm':
      return `${round(value)} /min`;
    case 'dateTimeFromNow':
      return value > nowMs
        ? `in ${duration((value - nowMs) / 1_000)}`
        : `${duration((nowMs - value) / 1_000)} ago`;
    case 'short':
      return Math.abs(value) >= 1_000 ? `${round(value / 1_000)} K` : String(round(value));
    default:
      return String(round(value));
  }
}

function duration(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 1) return `${round(seconds * 1_000)} ms`;
  if (size < 90) return `${round(seconds)} s`;
  if (size < 5_400) return `${round(seconds / 60)} min`;
  if (size < 172_800) return `${round(seconds / 3_600)} h`;
  return `${round(seconds / 86_400)} d`;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
