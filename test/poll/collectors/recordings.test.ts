/**
 * The poll and all collectors on the recorded answers of real servers: the runs that were recorded are counted,
 * then every collector reads what that JIM answered. The numbers below were read in the recordings by hand.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STATUSES } from '../../../src/demo/row.ts';
import { micros } from '../../../src/jim/activity.ts';
import type { Transport } from '../../../src/http.ts';
import type { Rig } from '../rig.ts';
import { createRig } from '../rig.ts';

type Fields = Readonly<Record<string, unknown>>;

const RECORDINGS = new URL('../../recordings/', import.meta.url);
const API = '/api/v1';
/** After the first recorded rows, before the first run; and after the last row. */
const BEFORE_MS = Date.UTC(2026, 10, 23, 20, 19);
const AFTER_MS = Date.UTC(2026, 10, 23, 20, 40);

/** A JIM that says what was recorded, of the Activities those that were there already. */
function recordedJim(
  version: string,
  nowMs: () => number,
): { readonly transport: Transport; readonly asked: string[] } {
  const folder = new URL(`${version}/`, RECORDINGS);
  const names = readdirSync(folder);
  const read = (name: string): unknown =>
    JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  const rows = new Map<unknown, Fields>();
  for (const name of names.filter((each) => /^list-(desc|with)-/.test(each)))
    for (const row of (read(name.slice(0, -5)) as { items: Fields[] }).items)
      rows.set(row['id'], row);
  /** What kind of Activity an id was recorded as: the rest of the names of its files. */
  const kinds = new Map<unknown, string>();
  for (const name of names.filter((each) => each.startsWith('detail-'))) {
    const kind = name.slice('detail-'.length, -'.json'.length);
    kinds.set((read(`detail-${kind}`) as Fields)['id'], kind);
  }
  const about = (part: string, id: string): unknown => {
    const name = `${part}-${kinds.get(id) ?? ''}`;
    return names.includes(`${name}.json`) ? read(name) : undefined;
  };
  const envelope = (items: readonly unknown[]): Fields => ({
    items,
    totalCount: items.length,
    page: 1,
    pageSize: 100,
    totalPages: 1,
    hasNextPage: false,
    hasPreviousPage: false,
  });

  const list = (query: URLSearchParams): Fields => {
    const has = (row: Fields, name: string, keep: (value: number, bound: number) => boolean) => {
      const bound = version === 'main' ? query.get(name) : null;
      return bound === null || keep(Date.parse(String(row['created'])), Date.parse(bound));
    };
    const status = version === 'main' ? query.get('status') : null;
    const found = [...rows.values()].filter(
      (row) =>
        Date.parse(String(row['created'])) < nowMs() &&
        has(row, 'createdFrom', (value, bound) => value >= bound) &&
        has(row, 'createdTo', (value, bound) => value <= bound) &&
        (status === null || row['status'] === status),
    );
    const rank = (row: Fields): number => (STATUSES as readonly unknown[]).indexOf(row['status']);
    const sorted =
      query.get('sortBy') === 'status'
        ? found.toSorted((a, b) => rank(a) - rank(b))
        : found.toSorted(
            (a, b) => Date.parse(String(b['created'])) - Date.parse(String(a['created'])),
          );
    return envelope(query.get('page') === '1' ? sorted : []);
  };

  const bodyOf = (path: string, query: URLSearchParams): unknown => {
    const [, id = '', part = 'detail'] = /^\/activities\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
    if (id !== '') {
      // Three of the hundreds of items were recorded.
      const page = about(part, id);
      if (part !== 'items' || page === undefined) return page;
      return { ...page, hasNextPage: false, page: Number(query.get('page')) };
    }
    if (path === '/activities') return list(query);
    const files: Readonly<Record<string, string>> = {
      '/health/version': 'health-version',
      '/health/ready': 'health-ready',
      '/worker-tasks': 'worker-tasks-schedule',
      '/schedules': 'schedules',
      '/schedule-executions': 'schedule-executions',
      '/synchronisation/connected-systems': 'connected-systems',
      '/synchronisation/connected-systems/1/run-profiles': 'run-profiles',
    };
    const file = files[path];
    if (file !== undefined) return read(file);
    if (path.endsWith('/run-profiles')) return [];
    return path === '/certificates' ? envelope([]) : undefined;
  };

  const asked: string[] = [];
  const transport: Transport = async ({ url }) => {
    const path = url.pathname.slice(API.length);
    asked.push(path);
    const body = bodyOf(path, url.searchParams);
    const error = { code: 'NOT_FOUND', message: 'not recorded', details: null };
    return {
      status: body === undefined ? 404 : 200,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        date: new Date(nowMs()).toUTCString(),
      },
      body: (async function* () {
        yield new TextEncoder().encode(JSON.stringify(body ?? error));
      })(),
    };
  };
  return { transport, asked };
}

async function watch(version: string): Promise<{ rig: Rig; asked: readonly string[] }> {
  let now = (): number => BEFORE_MS;
  const jim = recordedJim(version, () => now());
  const rig = await createRig({
    startMs: BEFORE_MS,
    settings: { runStats: 'auto', overlap: micros(3_600_000_000) },
    mutant: { transport: () => jim.transport },
  });
  now = rig.nowMs;
  await rig.poll();
  rig.pass(AFTER_MS - BEFORE_MS);
  for (let turn = 0; turn < 30; turn += 1) {
    await rig.poll();
    await rig.collectors.afterPoll({});
    rig.pass(15_000);
  }
  await rig.poll();
  return { rig, asked: jim.asked };
}

/** The lines that begin so, without it. */
function linesOf(rig: Rig, ...beginnings: readonly string[]): readonly string[] {
  const lines = (rig.scrape() ?? '').split('\n').filter((line) => !line.startsWith('#'));
  return beginnings.flatMap((beginning) => lines.filter((line) => line.startsWith(beginning)));
}

const HR = 'connected_system="HR System"';
const DIRECTORY = 'connected_system="Directory"';
const BADGES = 'connected_system="Badge \\"Office\\" \\\\ System"';
const FULL_IMPORT = 'run_profile="Full Import",run_type="FullImport"';
const FULL_SYNC = 'run_profile="Full Synchronisation",run_type="FullSynchronisation"';
const DELTA_SYNC = 'run_profile="Delta Synchronisation",run_type="DeltaSynchronisation"';
const EXPORT = 'run_profile="Export",run_type="Export"';

test.each(['0.14', 'main'])('%s: what the collectors read of JIM as it is', async (version) => {
  const { rig } = await watch(version);
  const ofMain = version === 'main';
  expect(
    linesOf(
      rig,
      'jim_ready',
      'jim_maintenance_mode',
      'jim_worker_tasks',
      'jim_schedule_enabled',
      'jim_schedule_last_run',
      'jim_schedule_next_run',
      'jim_schedule_last_execution_status',
      'jim_schedule_in_progress',
      'jim_connected_system_',
    ),
  ).toEqual([
    'jim_ready 1',
    'jim_maintenance_mode 0',
    'jim_worker_tasks{status="Queued"} 0',
    'jim_worker_tasks{status="Processing"} 2',
    'jim_worker_tasks{status="CancellationRequested"} 0',
    'jim_worker_tasks{status="WaitingForPreviousStep"} 1',
    `jim_worker_tasks_oldest_timestamp_seconds{status="Processing"} ${ofMain ? '1795465790.111873' : '1795465772.080743'}`,
    `jim_worker_tasks_oldest_timestamp_seconds{status="WaitingForPreviousStep"} ${ofMain ? '1795465790.199313' : '1795465772.123349'}`,
    'jim_schedule_enabled{schedule="Temporal Scope Reconciliation"} 1',
    'jim_schedule_enabled{schedule="Nightly"} 1',
    `jim_schedule_last_run_timestamp_seconds{schedule="Nightly"} ${ofMain ? '1795465790.077068' : '1795465772.045176'}`,
    'jim_schedule_next_run_timestamp_seconds{schedule="Temporal Scope Reconciliation"} 1795467600',
    'jim_schedule_next_run_timestamp_seconds{schedule="Nightly"} 1795466700',
    'jim_schedule_last_execution_status{schedule="Nightly",status="Complete"} 0',
    'jim_schedule_last_execution_status{schedule="Nightly",status="Failed"} 1',
    'jim_schedule_last_execution_status{schedule="Nightly",status="Cancelled"} 0',
    `jim_connected_system_objects{${BADGES}} 100`,
    `jim_connected_system_objects{${DIRECTORY}} ${ofMain ? 1_287 : 1_282}`,
    `jim_connected_system_objects{${HR}} ${ofMain ? 12_146 : 12_136}`,
    `jim_connected_system_joined_objects{${BADGES}} 100`,
    `jim_connected_system_joined_objects{${DIRECTORY}} ${ofMain ? 1_287 : 1_282}`,
    `jim_connected_system_joined_objects{${HR}} ${ofMain ? 1_124 : 1_114}`,
    `jim_connected_system_pending_exports{${BADGES}} 0`,
    `jim_connected_system_pending_exports{${DIRECTORY}} 1000`,
    `jim_connected_system_pending_exports{${HR}} 0`,
  ]);
});

test.each(['0.14', 'main'])('%s: what they read about finished runs', async (version) => {
  const { rig, asked } = await watch(version);
  expect(linesOf(rig, 'jim_run_last_failure_info')).toEqual(
    [
      `jim_run_last_failure_info{${DIRECTORY},${FULL_IMPORT},cause="object_errors"} 1`,
      `jim_run_last_failure_info{${BADGES},${FULL_SYNC},cause="previous_step_failed"} 1`,
      `jim_run_last_failure_info{${HR},${FULL_IMPORT},cause="worker_crash"} 1`,
    ].toSorted(),
  );
  // Of the items three of 300, and seven of seven, were recorded.
  expect(linesOf(rig, 'jim_run_last_errors_by_type')).toEqual([
    `jim_run_last_errors_by_type{${BADGES},${FULL_IMPORT},error_type="DuplicateObject"} 2`,
    `jim_run_last_errors_by_type{${DIRECTORY},${FULL_IMPORT},error_type="UnhandledError"} 2`,
  ]);
  // An import's number is that of all it read only on main; before, it is left out.
  const importsOfMain = {
    jim_run_objects_processed_total: [
      [`${DIRECTORY},${FULL_IMPORT}`, 300],
      [`${HR},${FULL_IMPORT}`, 30_000],
      [`${BADGES},${FULL_IMPORT}`, 100],
    ],
    jim_run_objects_unchanged_total: [
      [`${DIRECTORY},${FULL_IMPORT}`, 0],
      [`${HR},${FULL_IMPORT}`, 30_000],
      [`${BADGES},${FULL_IMPORT}`, 100],
    ],
    jim_run_last_objects_processed: [
      [`${DIRECTORY},${FULL_IMPORT}`, 300],
      [`${HR},${FULL_IMPORT}`, 30_000],
    ],
  } as const;
  const others = {
    jim_run_objects_processed_total: [
      [`${BADGES},${FULL_SYNC}`, 0],
      [`${HR},${FULL_SYNC}`, 300],
      [`${DIRECTORY},${EXPORT}`, 150],
      [`${HR},${DELTA_SYNC}`, 0],
    ],
    jim_run_objects_unchanged_total: [
      [`${BADGES},${FULL_SYNC}`, 0],
      [`${HR},${FULL_SYNC}`, 130],
      [`${DIRECTORY},${EXPORT}`, 0],
      [`${HR},${DELTA_SYNC}`, 0],
    ],
    jim_run_last_objects_processed: [
      [`${BADGES},${FULL_SYNC}`, 0],
      [`${DIRECTORY},${EXPORT}`, 150],
      [`${HR},${DELTA_SYNC}`, 0],
    ],
  } as const;
  for (const name of Object.keys(others) as (keyof typeof others)[]) {
    const values = [...others[name], ...(version === 'main' ? importsOfMain[name] : [])];
    const expected = values.map(([run, value]) => `${name}{${run}} ${value}`);
    expect(linesOf(rig, name).toSorted()).toEqual(expected.toSorted());
  }
  expect(linesOf(rig, 'jim_run_export_confirmations_total')).toEqual(
    ['Confirmed', 'Retrying', 'Failed'].map(
      (result) => `jim_run_export_confirmations_total{${DIRECTORY},${EXPORT},result="${result}"} 0`,
    ),
  );
  // Each of the 26 runs was asked about once: eight were recorded, and the others are gone from this JIM for good.
  const stats = asked.filter((path) => path.endsWith('/stats'));
  expect([stats.length, new Set(stats).size]).toEqual([26, 26]);
  expect(linesOf(rig, 'jim_exporter_run_stats_missing_total')).toEqual([
    'jim_exporter_run_stats_missing_total 18',
  ]);
});
