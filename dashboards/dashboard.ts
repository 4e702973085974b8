/**
 * A dashboard's frame: identity, variables and links, the same for all of ours, and the panels in its rows, as
 * the classic JSON that Grafana 10 and later provisions.
 */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dashboard, Panel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  DataqueryBuilder as PrometheusQuery,
  PromQueryFormat,
  QueryEditorMode,
} from '@grafana/grafana-foundation-sdk/prometheus';
import { refId } from './panels.ts';
import type { PanelSource, Query, QueryKind } from './panels.ts';

export interface DashboardSource {
  /** Fixed for ever: links and bookmarks hold it. The file is named after it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Shown at first: Grafana's relative notation, `now-24h`. */
  readonly from: string;
  /** Variables besides the common ones. */
  readonly variables: readonly Builder<VariableModel>[];
  readonly rows: readonly Row[];
}
export interface Row {
  readonly title: string;
  readonly panels: readonly PanelSource[];
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

export function build(source: DashboardSource): Dashboard {
  const dashboard = new DashboardBuilder(source.title)
    .uid(source.uid)
    .description(source.description)
    .tags(['jim'])
    .readonly()
    .refresh('1m')
    .time({ from: source.from, to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...commonVariables(), ...source.variables, jimUrl()])
    .links([otherDashboards(), activitiesInJim()]);
  addRows(dashboard, source.rows);
  return dashboard.build();
}

/** As Grafana's own editor stores such a query. */
const LABEL_VALUES = { qryType: 1, refId: 'PrometheusVariableQueryEditor-VariableQuery' };

/** A variable whose choices are a label's values on the exporters chosen. */
export function labelVariable(
  name: string,
  label: string,
  selector: string,
  choice: 'one' | 'many',
): Builder<VariableModel> {
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ ...LABEL_VALUES, query: `label_values(${selector}, ${name})` })
    .definition(`label_values(${selector}, ${name})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    // oxlint-disable-next-line unicorn/no-array-sort -- a builder's option, no array
    .sort(VariableSort.AlphabeticalCaseInsensitiveAsc);
  if (choice === 'one') return variable;
  return variable
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}

function commonVariables(): Builder<VariableModel>[] {
  return [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    labelVariable('job', 'Job', 'jim_exporter_build_info', 'many'),
    labelVariable('instance', 'Instance', 'jim_exporter_build_info{job=~"$job"}', 'many'),
  ];
}

/** Where people open JIM. Not a label of any metric, so it is asked for here; links carry it along. */
function jimUrl(): Builder<VariableModel> {
  return new TextBoxVariableBuilder('jim_url')
    .label('JIM URL')
    .description(
      'Base URL at which you open JIM in the browser; used by the links to its Activities.',
    )
    .defaultValue('http://jim.demo.invalid');
}

function otherDashboards() {
  return new DashboardLinkBuilder('JIM dashboards')
    .type(DashboardLinkType.Dashboards)
    .tags(['jim'])
    .asDropdown(false)
    .includeVars(true)
    .keepTime(true);
}
function activitiesInJim() {
  return new DashboardLinkBuilder('Activities in JIM')
    .type(DashboardLinkType.Link)
    .icon('external link')
    .url('${jim_url}/activity')
    .targetBlank(true);
}

/** The rows' headings and panels. The SDK lays them out: left to right, in lines of 24 columns. */
function addRows(dashboard: DashboardBuilder, rows: readonly Row[]): void {
  let id = 1;
  for (const row of rows) {
    dashboard.withRow(new RowBuilder(row.title).id(id++));
    for (const panel of row.panels) dashboard.withPanel(built(panelJson(panel, id++)));
  }
}

function panelJson(panel: PanelSource, id: number): Panel {
  return {
    ...panel.view.build(),
    id,
    title: panel.title,
    description: [panel.description, ...noDataNotes(panel.queries)].join(' '),
    datasource: DATASOURCE,
    gridPos: { x: 0, y: 0, w: panel.width, h: panel.height },
    targets: panel.queries.map((query, index) => target(query, index, panel.kind)),
  };
}

function noDataNotes(queries: readonly Query[]): string[] {
  const reasons = new Set(queries.flatMap(({ emptyWhen }) => emptyWhen ?? []));
  return [...reasons].map((reason) => `No data when ${reason}.`);
}

function target(query: Query, index: number, kind: QueryKind): Dataquery {
  const builder = new PrometheusQuery()
    .refId(refId(index))
    .datasource(DATASOURCE)
    .editorMode(QueryEditorMode.Code)
    .expr(query.expr)
    .format(kind === 'table' ? PromQueryFormat.Table : PromQueryFormat.TimeSeries)
    .exemplar(query.exemplars ?? false);
  if (query.legend !== undefined) builder.legendFormat(query.legend);
  if (kind === 'range') builder.range();
  else builder.instant();
  return builder.build();
}

function built<T>(value: T): Builder<T> {
  return { build: () => value };
}
