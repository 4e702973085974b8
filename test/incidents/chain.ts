/**
 * An incident through the real chain in virtual time: the simulated company, the exporter's own poll cycle and
 * publication, one scrape a minute, and our rules evaluated on those scrapes by promtool.
 *
 * The collectors of slower readings do not run here: what only they tell is proved in alerts/tests.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Company } from '../../src/demo/company.ts';
import { createCompany } from '../../src/demo/company.ts';
import type { Rig } from '../poll/rig.ts';
import { createRig } from '../poll/rig.ts';

const RULES = new URL('../../alerts/jim.rules.yaml', import.meta.url).pathname;
const MINUTE_MS = 60_000;
/** A Tuesday at 07:02: the first delta cycle is due in 13 minutes. */
const START_MS = Date.UTC(2026, 2, 3, 7, 2);

export interface Stage {
  readonly company: Company;
  readonly rig: Rig;
}
export interface Incident {
  readonly name: string;
  readonly minutes: number;
  /** What happens, by minutes since the beginning. */
  readonly story: Readonly<Record<number, (stage: Stage) => void | Promise<void>>>;
  /** Minutes in which Prometheus finds no exporter. */
  readonly gone?: readonly [from: number, to: number];
}

/** The alerts that fired, each with the first and the last minute in which it did. */
export type Fired = Readonly<Record<string, readonly [first: number, last: number]>>;

/** The scrapes as Prometheus would store them: by series, one value a minute, `_` where there is none. */
export async function recorded(incident: Incident): Promise<ReadonlyMap<string, string[]>> {
  const company = createCompany({ seed: 'incidents', startMs: START_MS, days: 2, quiet: true });
  const rig = await createRig({ world: company.world });
  const series = new Map<string, string[]>();
  for (let minute = 0; minute < incident.minutes; minute += 1) {
    rig.pass(Math.max(1, START_MS + minute * MINUTE_MS - rig.nowMs()));
    await incident.story[minute]?.({ company, rig });
    await rig.poll();
    const [from, to] = incident.gone ?? [Infinity, Infinity];
    const isGone = minute >= from && minute < to;
    add(series, minute, 'up', isGone ? '0' : '1');
    if (!isGone) addScrape(series, minute, rig.scrape() ?? '');
  }
  return series;
}

/** What the rules name; the other series would only cost time. */
const NAMED = new Set(readFileSync(RULES, 'utf8').match(/\bjim_[a-z_]+/g));
const SAMPLE_LINE = /^([a-z]\w*)(\{.*\})? (\S+)$/;

function addScrape(series: Map<string, string[]>, minute: number, exposition: string): void {
  for (const line of exposition.split('\n')) {
    const [, name = '', labels = '{}', value = ''] = SAMPLE_LINE.exec(line) ?? [];
    if (!NAMED.has(name)) continue;
    // promtool's time begins at 0, and so must the moments that metrics tell.
    const shown = name.endsWith('_timestamp_seconds') ? Number(value) - START_MS / 1_000 : value;
    add(series, minute, `${name}${labels}`, String(shown));
  }
}

const TARGET = 'job="jim-exporter",instance="exporter:10190"';

function add(series: Map<string, string[]>, minute: number, name: string, value: string): void {
  const [metric = '', labels = ''] = name.replace(/\}$/, '').split(/\{(.*)/s);
  const key = `${metric}{${labels === '' ? '' : `${labels},`}${TARGET}}`;
  const values = series.get(key) ?? [];
  // A series that has left is marked, as Prometheus does, and then missing.
  while (values.length < minute)
    values.push(values.length === 0 || isAbsent(values) ? '_' : 'stale');
  values.push(value);
  series.set(key, values);
}

function isAbsent(values: readonly string[]): boolean {
  return values.at(-1) === '_' || values.at(-1) === 'stale';
}

/** As in the file: without it promtool takes another order each time, and alerts begin a minute apart. */
const GROUPS = [...readFileSync(RULES, 'utf8').matchAll(/^  - name: (\S+)$/gm)].map(
  ([, name = '']) => name,
);
const FIRING = 'ALERTS{alertstate="firing",alertname!="JimWatchdog"}';

/** Asks promtool each minute what fires, by claiming that nothing does: it then says what it got. */
export function firedIn(
  promtool: string,
  series: ReadonlyMap<string, string[]>,
  minutes: number,
): Fired {
  const folder = mkdtempSync(join(tmpdir(), 'jim-incident-'));
  try {
    const file = join(folder, 'incident.yaml');
    const inputSeries = [...series].map(([name, values]) => ({
      series: name,
      values: [...values, ...(values.length < minutes && !isAbsent(values) ? ['stale'] : [])].join(
        ' ',
      ),
    }));
    const asked = Array.from({ length: minutes }, (_, minute) => ({
      expr: `count by (alertname) (${FIRING})`,
      eval_time: `${minute}m`,
      exp_samples: [],
    }));
    const tests = [{ interval: '1m', input_series: inputSeries, promql_expr_test: asked }];
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({
        rule_files: [RULES],
        evaluation_interval: '1m',
        group_eval_order: GROUPS,
        tests,
      }),
    );
    const { stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], {
      encoding: 'utf8',
      maxBuffer: 64 * 1_048_576,
    });
    return firedAsTold(`${stdout}\n${stderr}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function firedAsTold(told: string): Fired {
  const fired: Record<string, [number, number]> = {};
  let minute: number | null = null;
  for (const line of told.split('\n')) {
    const time = /time: (?:(\d+)h)?(?:(\d+)m)?(?:0s)?,/.exec(line);
    if (time !== null) minute = Number(time[1] ?? 0) * 60 + Number(time[2] ?? 0);
    for (const [, alert = ''] of line.matchAll(/alertname=\\?"(\w+)/g)) {
      if (minute === null || line.includes('expr:')) continue;
      fired[alert] = [fired[alert]?.[0] ?? minute, minute];
    }
  }
  if (Object.keys(fired).length === 0 && !told.includes('SUCCESS'))
    throw new Error(`promtool did not judge: ${told.slice(0, 2_000)}`);
  return fired;
}
