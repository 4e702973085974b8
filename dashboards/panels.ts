/**
 * Panels as we speak of them: what is asked, what it is called, what a bad value means. Each kind of view is
 * one function on top of the Grafana SDK; `dashboard.ts` puts them on a page.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AxisPlacement,
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type {
  DynamicConfigValue,
  Panel,
  Threshold,
  ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';
import type { FinishedStatus } from '../src/jim/activity.ts';
import {
  JIM_DOWN_CODE,
  JIM_UP_CODE,
  NEVER_RAN_CODE,
  RUNNING_CODE,
  STATUS_CODES,
} from './promql.ts';

/** One query of a panel. */
export interface Query {
  readonly expr: string;
  /** Grafana's legend format; tables have none. */
  readonly legend?: string;
  /** Show each run as a point that opens JIM's page of its Activity. */
  readonly exemplars?: boolean;
  /** When the query rightly returns nothing, as the end of "No data when …". Without it, no data is a fault. */
  readonly emptyWhen?: string;
}

/** range: over the time range. instant: at its end. table: at its end, as rows. */
export type QueryKind = 'range' | 'instant' | 'table';

export interface PanelSource {
  readonly title: string;
  /** What is shown, and what a bad value means. */
  readonly description: string;
  /** In Grafana's grid of 24 columns, and rows of 30 pixels. */
  readonly width: number;
  readonly height: number;
  readonly kind: QueryKind;
  readonly queries: readonly Query[];
  readonly view: Builder<Panel>;
}

/** What every kind of panel is given. */
interface Common {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly queries: readonly Query[];
}

/** Grafana's names of units: categories.ts of grafana-data. */
export type Unit =
  | 'short'
  | 'none'
  | 'string'
  | 's'
  | 'bytes'
  | 'percentunit'
  | 'cpm'
  | 'reqps'
  | 'dateTimeFromNow'
  | 'bool_yes_no';

/** A colour from a value on. The first colour holds from below. */
export interface Step {
  readonly from: number;
  readonly colour: Colour;
}
export type Colour = 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'purple' | 'text';

/** A few numbers to be read from afar. */
export function stat(
  panel: Common & {
    readonly unit: Unit;
    readonly steps?: readonly Step[];
    readonly base?: Colour;
    readonly mappings?: ValueMapping[];
    /** The series' name is the message (a version), not its value. */
    readonly showsName?: boolean;
  },
): PanelSource {
  const view = new Stat()
    .unit(panel.unit)
    .thresholds(thresholds(panel.base ?? 'text', panel.steps ?? []))
    .colorScheme(byThresholds())
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .colorMode(
      panel.steps === undefined && panel.mappings === undefined
        ? BigValueColorMode.None
        : BigValueColorMode.BackgroundSolid,
    )
    .graphMode(BigValueGraphMode.None)
    .textMode(textMode(panel))
    .noValue('–');
  if (panel.mappings !== undefined) view.mappings(panel.mappings);
  return { ...panel, kind: 'instant', view };
}

function textMode(panel: { readonly showsName?: boolean; readonly queries: readonly Query[] }) {
  if (panel.showsName === true) return BigValueTextMode.Name;
  return panel.queries.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value;
}

interface Series extends Common {
  readonly unit: Unit;
  readonly steps?: readonly Step[];
  readonly base?: Colour;
  readonly stacked?: boolean;
  /** Colours of the series whose names end so; the others take the palette's. */
  readonly colours?: Readonly<Record<string, Colour>>;
  /** Values may be negative. */
  readonly signed?: boolean;
  /** Where the axis ends at least, so that a quiet panel does not magnify noise. */
  readonly softMax?: number;
  /** The least step of the query: Grafana's notation, `5m`. */
  readonly interval?: string;
}

/** How values move. */
export function lines(panel: Series): PanelSource {
  const view = timeSeries(panel)
    .drawStyle(GraphDrawStyle.Line)
    .lineInterpolation(LineInterpolation.StepAfter)
    .lineWidth(1)
    .fillOpacity(panel.stacked === true ? 40 : 5)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false);
  return { ...panel, kind: 'range', view };
}

/** Events in each step of time. */
export function bars(panel: Series): PanelSource {
  const view = timeSeries({ ...panel, interval: panel.interval ?? '5m' })
    .drawStyle(GraphDrawStyle.Bars)
    // Bars that are not stacked stand in front of each other: outlines and thin colour keep the shorter ones visible.
    .lineWidth(panel.stacked === true ? 0 : 1)
    .fillOpacity(panel.stacked === true ? 90 : 25)
    .showPoints(VisibilityMode.Never);
  return { ...panel, kind: 'range', view };
}

function timeSeries(panel: Series): TimeSeries {
  const view = new TimeSeries()
    .unit(panel.unit)
    .axisPlacement(AxisPlacement.Auto)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .tooltip(
      // oxlint-disable-next-line unicorn/no-array-sort -- a builder's option, no array
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    )
    .stacking(
      new StackingConfigBuilder().mode(
        panel.stacked === true ? StackingMode.Normal : StackingMode.None,
      ),
    )
    .dataLinks([ACTIVITIES_IN_JIM]);
  for (const [ending, colour] of Object.entries(panel.colours ?? {})) {
    view.overrideByRegexp(`/${ending}$/`, [
      { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: colour } },
    ]);
  }
  if (panel.signed !== true) view.min(0);
  if (panel.softMax !== undefined) view.axisSoftMax(panel.softMax);
  if (panel.interval !== undefined) view.interval(panel.interval);
  if (panel.steps !== undefined) {
    view
      .thresholds(thresholds(panel.base ?? 'text', panel.steps))
      .thresholdsStyle(
        new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
      );
  }
  return view;
}

/** Which states followed each other: one row for each series. */
export function timeline(panel: Common & { readonly mappings: ValueMapping[] }): PanelSource {
  const view = new StateTimeline()
    .mappings(panel.mappings)
    .unit('none')
    .thresholds(thresholds('text', []))
    .colorScheme(byThresholds())
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .rowHeight(0.9)
    .fillOpacity(85)
    .lineWidth(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .dataLinks([ACTIVITIES_IN_JIM]);
  return { ...panel, kind: 'range', view };
}

/** Values beside each other, the greatest first to see. */
export function ranking(
  panel: Common & { readonly unit: Unit; readonly steps?: readonly Step[]; readonly base?: Colour },
): PanelSource {
  const view = new BarGauge()
    .unit(panel.unit)
    .min(0)
    .thresholds(thresholds(panel.base ?? 'blue', panel.steps ?? []))
    .colorScheme(byThresholds())
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .namePlacement(BarGaugeNamePlacement.Left)
    .showUnfilled(true)
    .noValue('–');
  return { ...panel, kind: 'instant', view };
}

/** A column of a table: one of the labels, or the value of one query. */
export interface Column {
  /** Either a label, or the place of the query whose value is shown. */
  readonly label?: string;
  readonly query?: number;
  readonly title: string;
  readonly unit?: Unit;
  readonly steps?: readonly Step[];
  readonly base?: Colour;
  readonly mappings?: ValueMapping[];
  readonly links?: readonly Link[];
  readonly width?: number;
}
export interface Link {
  readonly title: string;
  readonly url: string;
}

/** Rows made of the labels and of each query's value, joined by the labels that all queries share. */
export function table(
  panel: Common & { readonly columns: readonly Column[]; readonly sortBy: string },
): PanelSource {
  const view = new Table()
    .unit('short')
    .filterable(true)
    .noValue('–')
    .sortBy([new TableSortByFieldStateBuilder().displayName(panel.sortBy).desc(true)]);
  if (panel.queries.length > 1) view.withTransformation({ id: 'merge', options: {} });
  const shown = named(panel.columns, panel.queries.length);
  const hidden = hiddenFields(shown, panel.queries.length);
  view.withTransformation({
    id: 'organize',
    options: {
      excludeByName: Object.fromEntries(hidden.map((field) => [field, true])),
      indexByName: Object.fromEntries(shown.map(({ field }, index) => [field, index])),
      renameByName: {},
    },
  });
  for (const { field, column } of shown) view.overrideByName(field, properties(column));
  return { ...panel, kind: 'table', view };
}

/** The columns with the names that Grafana gives their fields. */
function named(columns: readonly Column[], queries: number): { field: string; column: Column }[] {
  return columns.map((column) => ({
    field: column.label ?? valueField(column.query ?? 0, queries),
    column,
  }));
}
/** Grafana calls the value `Value` where there is one query, else `Value #A`, after the query. */
function valueField(index: number, queries: number): string {
  return queries === 1 ? 'Value' : `Value #${refId(index)}`;
}
function hiddenFields(shown: readonly { field: string }[], queries: number): string[] {
  const values = Array.from({ length: queries }, (_, index) => valueField(index, queries));
  const names = new Set(shown.map(({ field }) => field));
  return ['Time', ...values].filter((field) => !names.has(field));
}
/** A, B, C …: what Grafana calls a panel's queries. */
export function refId(index: number): string {
  const letter = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[index];
  if (letter === undefined) throw new Error(`a panel has at most 26 queries, not ${index + 1}`);
  return letter;
}
function properties(column: Column): DynamicConfigValue[] {
  const result: DynamicConfigValue[] = [{ id: 'displayName', value: column.title }];
  if (column.unit !== undefined) result.push({ id: 'unit', value: column.unit });
  if (column.width !== undefined) result.push({ id: 'custom.width', value: column.width });
  if (column.mappings !== undefined) result.push({ id: 'mappings', value: column.mappings });
  if (column.links !== undefined) result.push({ id: 'links', value: column.links });
  if (column.mappings !== undefined || column.steps !== undefined) {
    result.push(
      { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } },
      { id: 'color', value: { mode: 'thresholds' } },
      {
        id: 'thresholds',
        value: { mode: 'absolute', steps: steps(column.base ?? 'text', column.steps ?? []) },
      },
    );
  }
  return result;
}

const ACTIVITIES_IN_JIM = new DashboardLinkBuilder('Activities in JIM')
  .url('${jim_url}/activity')
  .targetBlank(true);

/** The colour of each status, wherever it is shown. */
export const STATUS_COLOURS = {
  Complete: 'green',
  CompleteWithWarning: 'yellow',
  Cancelled: 'purple',
  CompleteWithError: 'orange',
  FailedWithError: 'red',
} as const satisfies Record<FinishedStatus, Colour>;

/** Words and colours for `runState` and `lastStatus`. */
export const RUN_STATES: ValueMapping[] = [
  words({
    [NEVER_RAN_CODE]: ['Not run yet', 'text'],
    [STATUS_CODES.Complete]: ['Complete', STATUS_COLOURS.Complete],
    [STATUS_CODES.CompleteWithWarning]: ['With warning', STATUS_COLOURS.CompleteWithWarning],
    [STATUS_CODES.Cancelled]: ['Cancelled', STATUS_COLOURS.Cancelled],
    [STATUS_CODES.CompleteWithError]: ['With error', STATUS_COLOURS.CompleteWithError],
    [STATUS_CODES.FailedWithError]: ['Failed', STATUS_COLOURS.FailedWithError],
    [RUNNING_CODE]: ['Running', 'blue'],
    [JIM_UP_CODE]: ['Reachable', 'green'],
    [JIM_DOWN_CODE]: ['Unreachable', 'red'],
  }),
];

/** A mapping of numbers to words and colours. */
export function words(texts: Readonly<Record<number, readonly [string, Colour]>>): ValueMapping {
  return {
    type: MappingType.ValueToText,
    options: Object.fromEntries(
      Object.entries(texts).map(([value, [text, color]], index) => [value, { text, color, index }]),
    ),
  };
}

function thresholds(base: Colour, above: readonly Step[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps(base, above));
}
function steps(base: Colour, above: readonly Step[]): Threshold[] {
  return [
    { value: null, color: base },
    ...above.map(({ from, colour }) => ({ value: from, color: colour })),
  ];
}
function byThresholds(): FieldColorBuilder {
  return new FieldColorBuilder().mode(FieldColorModeId.Thresholds);
}
