/** What our dashboards promise as JSON: Grafana's conventions, honest words, and nothing but our own metrics. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { DASHBOARDS } from '../../dashboards/all.ts';
import { build } from '../../dashboards/dashboard.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { PROCESS_DEFAULTS } from '../../src/metrics/catalogue/process.ts';
import { EVERYTHING, interpolate, parse } from './promql.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
const FOLDER = join(REPOSITORY, 'dashboards');
const jsons = DASHBOARDS.map((source) => ({ source, json: build(source) }));

interface PlacedPanel {
  readonly dashboard: string;
  readonly panel: Panel;
}
const panels: readonly PlacedPanel[] = jsons.flatMap(({ json }) =>
  panelsOf(json).map((panel) => ({ dashboard: json.title ?? '', panel })),
);
interface Target {
  readonly dashboard: string;
  readonly panel: string;
  readonly refId: string;
  readonly expr: string;
}
const targets: readonly Target[] = panels.flatMap(({ dashboard, panel }) =>
  queriesOf(panel).map(({ refId, expr }) => ({
    dashboard,
    panel: panel.title ?? '',
    refId,
    expr,
  })),
);

/** What Prometheus' plugin reads of a target; the SDK leaves that to each plugin. */
interface PrometheusTarget {
  readonly refId: string;
  readonly expr: string;
  readonly datasource: unknown;
}
function queriesOf(panel: Panel): readonly PrometheusTarget[] {
  return (panel.targets ?? []) as unknown as readonly PrometheusTarget[];
}

function panelsOf(json: Dashboard): Panel[] {
  return (json.panels ?? []).filter((panel) => panel.type !== 'row');
}

describe('the JSON files', () => {
  test.each(jsons)('$source.uid.json is what its source generates', ({ source, json }) => {
    expect(readFileSync(join(FOLDER, `${source.uid}.json`), 'utf8')).toBe(
      `${JSON.stringify(json, null, 2)}\n`,
    );
  });

  test('there is no other dashboard in the folder', () => {
    expect(
      readdirSync(FOLDER)
        .filter((name) => /^jim-.*\.json$/.test(name))
        .toSorted(),
    ).toEqual(DASHBOARDS.map(({ uid }) => `${uid}.json`).toSorted());
  });

  test('npm run dashboards writes the same files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'jim-dashboards-'));
    try {
      const tsc = join(
        dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
        'bin',
        'tsc',
      );
      const compiled = join(FOLDER, 'dist');
      execFileSync(process.execPath, [tsc, '-p', join(FOLDER, 'tsconfig.json')]);
      execFileSync(process.execPath, [join(compiled, 'dashboards', 'generate.js'), folder]);
      for (const { uid } of DASHBOARDS) {
        expect(readFileSync(join(folder, `${uid}.json`), 'utf8')).toBe(
          readFileSync(join(FOLDER, `${uid}.json`), 'utf8'),
        );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.each(jsons)('$source.title', ({ json }) => {
  test('can be provisioned: a fixed uid, no id, not editable, refreshed each minute, a relative time', () => {
    expect(json).toMatchObject({
      uid: expect.stringMatching(/^jim-[a-z-]+$/),
      tags: ['jim'],
      editable: false,
      refresh: '1m',
      schemaVersion: 42,
      time: { from: expect.stringMatching(/^now-/), to: 'now' },
    });
    expect(json).not.toHaveProperty('id');
    expect(JSON.stringify(json)).not.toContain('__inputs');
  });

  test('asks for the data source, job and instance as the linter wants, and for the JIM that links open', () => {
    const variables = json.templating?.list ?? [];
    expect(variables[0]).toMatchObject({
      name: 'datasource',
      type: 'datasource',
      label: 'Data source',
      query: 'prometheus',
    });
    for (const [index, name, label] of [
      [1, 'job', 'Job'],
      [2, 'instance', 'Instance'],
    ] as const) {
      expect(variables[index]).toMatchObject({
        name,
        label,
        type: 'query',
        multi: true,
        includeAll: true,
        allValue: '.+',
        refresh: 2,
        datasource: { type: 'prometheus', uid: '${datasource}' },
      });
    }
    expect(variables.at(-1)).toMatchObject({ name: 'jim_url', type: 'textbox' });
  });

  test('links our other dashboards with the choices made, and JIM', () => {
    expect(json.links).toEqual([
      expect.objectContaining({
        type: 'dashboards',
        tags: ['jim'],
        includeVars: true,
        keepTime: true,
      }),
      expect.objectContaining({ type: 'link', url: '${jim_url}/activity' }),
    ]);
  });

  test('fills the grid: every line is 24 columns wide, and nothing overlaps', () => {
    const cells = new Set<string>();
    const lines = new Map<number, number>();
    for (const { gridPos } of json.panels ?? []) {
      const { x, y, w, h } = gridPos ?? { x: 0, y: 0, w: 0, h: 0 };
      lines.set(y, (lines.get(y) ?? 0) + w);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          expect(cells).not.toContain(`${column},${line}`);
          cells.add(`${column},${line}`);
        }
      }
    }
    expect(new Set(lines.values())).toEqual(new Set([24]));
  });

  test('gives every panel and row its own id, and panels different titles', () => {
    const ids = (json.panels ?? []).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const titles = panelsOf(json).map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

describe('every panel', () => {
  test.each(panels)(
    '$dashboard: $panel.title has words, a unit, the data source and refIds',
    ({ panel }) => {
      expect(panel.title).toMatch(/^[A-Z]/);
      expect(panel.description).toMatch(/^[A-Z].{40,}\.$/s);
      expect(panel.datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
      expect(UNITS).toContain(panel.fieldConfig?.defaults?.unit);
      const queries = queriesOf(panel);
      expect(queries).not.toEqual([]);
      expect(queries.map(({ refId }) => refId).join('')).toBe(
        'ABCDEFGHIJ'.slice(0, queries.length),
      );
      expect(new Set(queries.map(({ datasource }) => datasource))).toEqual(
        new Set([panel.datasource]),
      );
    },
  );

  test('shows a legend where it has lines, and exemplars that lead to Activities somewhere', () => {
    const timeSeries = panels.filter(({ panel }) => panel.type === 'timeseries');
    expect(timeSeries).not.toEqual([]);
    for (const { panel } of timeSeries) {
      expect(panel.options).toMatchObject({ legend: { showLegend: true } });
    }
    expect(JSON.stringify(jsons)).toContain('"exemplar":true');
  });

  test('says of every query that may be empty when, and nothing of the others', () => {
    for (const { source, json } of jsons) {
      const built = new Map(panelsOf(json).map((panel) => [panel.title, panel.description ?? '']));
      for (const { title, queries } of source.rows.flatMap((row) => row.panels)) {
        const reasons = new Set(queries.flatMap(({ emptyWhen }) => emptyWhen ?? []));
        const notes = [
          ...(built.get(title) ?? '').matchAll(/No data when (.*?)\.(?= No data when|$)/g),
        ];
        expect(notes.map(([, reason]) => reason)).toEqual([...reasons]);
      }
    }
  });

  test('has, in a table, a column for every label and every value that is not hidden', () => {
    for (const { panel } of panels.filter(({ panel: { type } }) => type === 'table')) {
      const organize = (panel.transformations ?? []).find(({ id }) => id === 'organize');
      const options = organize?.options as { indexByName: Record<string, number> };
      const overridden = (panel.fieldConfig?.overrides ?? []).map(
        ({ matcher }) => matcher.options as string,
      );
      expect(Object.keys(options.indexByName).toSorted()).toEqual(overridden.toSorted());
    }
  });
});

describe('every query', () => {
  test.each(targets)('$dashboard: $panel $refId is PromQL', ({ expr }) => {
    expect(parse(interpolate(expr, EVERYTHING)).faults).toEqual([]);
  });

  test.each(targets)(
    '$dashboard: $panel $refId asks for our metrics by their labels',
    ({ expr }) => {
      const { selectors, groupingLabels } = parse(interpolate(expr, EVERYTHING));
      const strangers = selectors.flatMap(({ metric, matchers }) =>
        matchers
          .filter(({ label }) => !labelsOf(metric).includes(label))
          .map(({ label }) => `${metric}{${label}}`),
      );
      expect(strangers).toEqual([]);
      const known = new Set(selectors.flatMap(({ metric }) => labelsOf(metric)));
      expect(groupingLabels.filter((label) => !known.has(label))).toEqual([]);
    },
  );

  test('keeps to the job and instance chosen, or .lint says why not', () => {
    const offenders = targets.filter(({ expr }) =>
      parse(expr.replaceAll(/\$__\w+/g, '5m')).selectors.some(
        ({ matchers }) =>
          !['job', 'instance'].every((name) =>
            matchers.some(
              ({ label, op, value }) => label === name && op === '=~' && value === `$${name}`,
            ),
          ),
      ),
    );
    expect(excluded('target-job-rule')).toEqual(namesOf(offenders));
    expect(excluded('target-instance-rule')).toEqual(namesOf(offenders));
  });

  test('reads counters by rate or increase only', () => {
    const counters = targets
      .flatMap(({ expr }) => parse(interpolate(expr, EVERYTHING)).selectors)
      .filter(({ metric }) => isCounter(metric));
    expect(counters).not.toEqual([]);
    expect(new Set(counters.map(({ call }) => call))).toEqual(new Set(['rate', 'increase']));
  });

  test('uses $__rate_interval as the window, or .lint says why not', () => {
    const offenders = targets.filter(({ expr }) =>
      [...expr.matchAll(/\[([^\]]+)\]/g)].some(([, window]) => window !== '$__rate_interval'),
    );
    expect(excluded('target-rate-interval-rule')).toEqual(namesOf(offenders));
  });
});

describe('.lint', () => {
  test('gives a reason for each rule, and one for each panel that is excluded', () => {
    const rules = Object.entries(lint().exclusions);
    expect(rules).not.toEqual([]);
    for (const [, { reason, entries }] of rules) {
      expect(reason).toMatch(/\w{3}/);
      for (const entry of entries) expect(entry.reason).toMatch(/\w{3}/);
    }
  });
});

interface Lint {
  readonly exclusions: Record<
    string,
    { reason: string; entries: { dashboard: string; panel: string; reason: string }[] }
  >;
}
function lint(): Lint {
  return parseYaml(readFileSync(join(FOLDER, '.lint'), 'utf8')) as Lint;
}
function excluded(rule: string): string[] {
  const entries = lint().exclusions[rule]?.entries ?? [];
  return entries.map(({ dashboard, panel }) => `${dashboard}: ${panel}`).toSorted();
}
function namesOf(offenders: readonly Target[]): string[] {
  return [...new Set(offenders.map(({ dashboard, panel }) => `${dashboard}: ${panel}`))].toSorted();
}

/** Labels that Prometheus adds to every series. */
const TARGET_LABELS = ['job', 'instance'];
/** Prometheus' own series about alerts, with the labels that ours can have. */
const ALERTS_LABELS = [
  'alertname',
  'alertstate',
  'severity',
  'connected_system',
  'run_profile',
  ...TARGET_LABELS,
];

/** The labels that a metric can have; none for a metric that nobody has. */
function labelsOf(metric: string): string[] {
  if (metric === 'ALERTS') return ALERTS_LABELS;
  if (PROCESS_DEFAULTS.includes(metric)) return TARGET_LABELS;
  const family = CATALOGUE.find(
    ({ name, type }) =>
      name === metric ||
      (type === 'histogram' && [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(metric)),
  );
  if (family === undefined) throw new Error(`${metric} is not in the catalogue`);
  return [...family.labels, ...TARGET_LABELS, ...(metric.endsWith('_bucket') ? ['le'] : [])];
}

function isCounter(metric: string): boolean {
  const histogram = CATALOGUE.some(
    ({ name, type }) => type === 'histogram' && metric.startsWith(`${name}_`),
  );
  return metric.endsWith('_total') || histogram;
}

/** The units we use of Grafana's categories.ts, as dashboard-linter 0.2.0 knows them. */
const UNITS = ['short', 'none', 'string', 's', 'bytes', 'percentunit', 'cpm'];
