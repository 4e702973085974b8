/** Value in, exposition text out: what each family shows of a snapshot, and when it is absent. */
import { describe, expect, it } from 'vitest';
import { instant, micros } from '../../src/jim/activity.ts';
import { NO_RUN_TOTALS, runKey } from '../../src/ledger/ledger.ts';
import { SNAPSHOT_FAMILIES } from '../../src/metrics/catalogue.ts';
import { samplesOf } from '../../src/metrics/catalogue/family.ts';
import { writeSamples } from '../../src/metrics/exposition.ts';
import type { Readings, ScheduleReading, Snapshot } from '../../src/metrics/snapshot.ts';
import { NO_READINGS } from '../../src/metrics/snapshot.ts';
import {
  HR_IMPORT,
  NOW,
  NOW_MS,
  activityAccount,
  activityIdOf,
  busyRunAccount,
  cell,
  exemplar,
  fullSnapshot,
  heldAlert,
  lastRun,
  ledgerOf,
  openActivity,
  runAccount,
  snapshotOf,
} from './snapshots.ts';

/** The sample lines of one family, without HELP and TYPE. */
function linesOf(name: string, snapshot: Snapshot, format: 'text' | 'openMetrics' = 'text') {
  const family = SNAPSHOT_FAMILIES.find((one) => one.name === name);
  if (family === undefined) throw new Error(`no family ${name}`);
  asserted.add(name);
  return writeSamples(family, samplesOf(family, snapshot))[format].split('\n').slice(0, -1);
}
const asserted = new Set<string>();

const EMPTY = snapshotOf(ledgerOf({}));
const withReadings = (readings: Partial<Readings>): Snapshot =>
  snapshotOf(ledgerOf({}), { readings: { ...NO_READINGS, ...readings } });
const OTHER_IMPORT = {
  connectedSystem: '(other)',
  runProfile: '(other)',
  runType: 'FullImport',
};
const HR = 'connected_system="HR System",run_profile="Full Import",run_type="FullImport"';
const seconds = (at: number): number => at / 1_000_000;

describe('JIM itself', () => {
  it('is up or down, and has no version, health or clock before it was asked', () => {
    expect(linesOf('jim_up', EMPTY)).toEqual(['jim_up 0']);
    expect(linesOf('jim_up', fullSnapshot())).toEqual(['jim_up 1']);
    for (const name of [
      'jim_info',
      'jim_ready',
      'jim_maintenance_mode',
      'jim_clock_offset_seconds',
    ])
      expect(linesOf(name, EMPTY)).toEqual([]);
    expect(linesOf('jim_info', fullSnapshot())).toEqual(['jim_info{version="0.14.0"} 1']);
    expect(linesOf('jim_clock_offset_seconds', fullSnapshot())).toEqual([
      'jim_clock_offset_seconds -0.25',
    ]);
  });

  it.each([
    [{ ready: true, maintenance: false }, 1, 0],
    [{ ready: false, maintenance: true }, 0, 1],
    [{ ready: false, maintenance: false }, 0, 0],
  ])('is ready or in maintenance mode: %o', (health, ready, maintenance) => {
    const snapshot = withReadings({ health });
    expect(linesOf('jim_ready', snapshot)).toEqual([`jim_ready ${ready}`]);
    expect(linesOf('jim_maintenance_mode', snapshot)).toEqual([
      `jim_maintenance_mode ${maintenance}`,
    ]);
  });

  it('has a worker queue: all four statuses while it can be read, the oldest where there is one', () => {
    expect(linesOf('jim_worker_tasks', EMPTY)).toEqual([]);
    const task = (status: string, ago: number) => ({
      activityId: null,
      status,
      timestamp: instant(NOW - ago * 1_000_000),
    });
    const snapshot = withReadings({
      workerTasks: [task('Queued', 30), task('Queued', 90), task('Processing', 5), task('New', 9)],
    });
    expect(linesOf('jim_worker_tasks', snapshot)).toEqual([
      'jim_worker_tasks{status="Queued"} 2',
      'jim_worker_tasks{status="Processing"} 1',
      'jim_worker_tasks{status="CancellationRequested"} 0',
      'jim_worker_tasks{status="WaitingForPreviousStep"} 0',
    ]);
    expect(linesOf('jim_worker_tasks_oldest_timestamp_seconds', snapshot)).toEqual([
      `jim_worker_tasks_oldest_timestamp_seconds{status="Queued"} ${seconds(NOW) - 90}`,
      `jim_worker_tasks_oldest_timestamp_seconds{status="Processing"} ${seconds(NOW) - 5}`,
    ]);
  });

  it('has connected systems, whose numbers add up where their names became equal; none for (other)', () => {
    const system = (name: string, objects: number) => ({
      name,
      objects,
      joinedObjects: objects - 1,
      pendingExports: 2,
      runProfiles: [],
    });
    const snapshot = withReadings({
      connectedSystems: [system('HR', 10), system('(other)', 99), system('HR', 5)],
    });
    expect(linesOf('jim_connected_system_objects', snapshot)).toEqual([
      'jim_connected_system_objects{connected_system="HR"} 15',
    ]);
    expect(linesOf('jim_connected_system_joined_objects', snapshot)).toEqual([
      'jim_connected_system_joined_objects{connected_system="HR"} 13',
    ]);
    expect(linesOf('jim_connected_system_pending_exports', snapshot)).toEqual([
      'jim_connected_system_pending_exports{connected_system="HR"} 4',
    ]);
    expect(linesOf('jim_connected_system_objects', EMPTY)).toEqual([]);
  });

  it('has certificates: of several with one name the first to expire', () => {
    const snapshot = withReadings({
      certificates: [
        { name: 'ldap', expiry: instant(2_000_000_000) },
        { name: '(other)', expiry: instant(1) },
        { name: 'ldap', expiry: instant(1_500_000_000) },
      ],
    });
    expect(linesOf('jim_certificate_expiry_timestamp_seconds', snapshot)).toEqual([
      'jim_certificate_expiry_timestamp_seconds{certificate="ldap"} 1500',
    ]);
  });
});

describe('Activities', () => {
  const published = {
    statuses: {
      Complete: 12,
      CompleteWithWarning: 0,
      CompleteWithError: 1,
      FailedWithError: 0,
      Cancelled: 0,
    },
    errors: 3,
    exemplars: { Complete: exemplar(7) },
  };
  const account = activityAccount({ published });
  const US = 'target_type="ConnectedSystem",operation="Update"';
  const THEM = 'target_type="ConnectedSystem",operation="Update",connected_system="HR System"';

  it('are counted by all five statuses at once', () => {
    const lines = linesOf('jim_activities_total', snapshotOf(ledgerOf({ activities: [account] })));
    expect(lines).toEqual([
      `jim_activities_total{${US},status="Complete",connected_system="HR System"} 12`,
      `jim_activities_total{${US},status="CompleteWithWarning",connected_system="HR System"} 0`,
      `jim_activities_total{${US},status="CompleteWithError",connected_system="HR System"} 1`,
      `jim_activities_total{${US},status="FailedWithError",connected_system="HR System"} 0`,
      `jim_activities_total{${US},status="Cancelled",connected_system="HR System"} 0`,
    ]);
  });

  it('carry an exemplar in OpenMetrics only, where one was published', () => {
    const snapshot = snapshotOf(ledgerOf({ activities: [account] }));
    const lines = linesOf('jim_activities_total', snapshot, 'openMetrics');
    expect(lines[0]).toBe(
      `jim_activities_total{${US},status="Complete",connected_system="HR System"} 12 # {activity_id="00000000-0000-4000-8000-000000000007"} 1 1795417198.5`,
    );
    expect(lines.slice(1).join('')).not.toContain('#');
  });

  it('held back by zero hold stay at 0, and so do their errors and exemplars', () => {
    const held = activityAccount({ held: published, birth: { atMs: NOW_MS } });
    const snapshot = snapshotOf(ledgerOf({ activities: [held] }));
    const lines = linesOf('jim_activities_total', snapshot, 'openMetrics');
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toMatch(/ 0$/);
    expect(linesOf('jim_activity_errors_total', snapshot)).toEqual([
      `jim_activity_errors_total{${THEM}} 0`,
    ]);
  });

  it('have their errors summed', () => {
    const snapshot = snapshotOf(ledgerOf({ activities: [account] }));
    expect(linesOf('jim_activity_errors_total', snapshot)).toEqual([
      `jim_activity_errors_total{${THEM}} 3`,
    ]);
  });

  it('in progress: known label sets show 0, the oldest shows since when', () => {
    const open = { targetType: 'Schedule', operation: 'Update', connectedSystem: '', run: null };
    const snapshot = snapshotOf(
      ledgerOf({
        activities: [account],
        open: [
          openActivity({ ...open, created: instant(NOW - 5_000_000) }),
          openActivity({ ...open, created: instant(NOW - 9_000_000), status: 'Paused' }),
        ],
      }),
    );
    const labels = 'target_type="Schedule",operation="Update",connected_system=""';
    expect(linesOf('jim_activities_in_progress', snapshot)).toEqual([
      `jim_activities_in_progress{${THEM}} 0`,
      `jim_activities_in_progress{${labels}} 2`,
    ]);
    expect(linesOf('jim_activities_in_progress_since_timestamp_seconds', snapshot)).toEqual([
      `jim_activities_in_progress_since_timestamp_seconds{${labels}} ${seconds(NOW) - 9}`,
    ]);
  });

  it('that are orphaned, settling or folded are not in progress', () => {
    const snapshot = snapshotOf(
      ledgerOf({
        open: [
          openActivity({ orphaned: true }),
          openActivity({ status: 'Complete', sighting: { fingerprint: 'x', atMs: NOW_MS } }),
          openActivity({ connectedSystem: '(other)' }),
        ],
      }),
    );
    const labels =
      'target_type="ConnectedSystemRunProfile",operation="Execute",connected_system="HR System"';
    expect(linesOf('jim_activities_in_progress', snapshot)).toEqual([
      `jim_activities_in_progress{${labels}} 0`,
    ]);
    expect(linesOf('jim_activities_orphaned', snapshot)).toEqual([
      `jim_activities_orphaned{${labels}} 1`,
    ]);
    expect(linesOf('jim_activities_in_progress_since_timestamp_seconds', snapshot)).toEqual([]);
  });

  it('that recur by themselves have failures in a row and a last success', () => {
    const recurring = {
      targetType: 'HistoryRetentionCleanup',
      operation: 'Delete',
      lastSuccessEnd: null,
      failureEnds: [instant(1), instant(2)],
    };
    const never = snapshotOf(ledgerOf({ rest: { recurring: new Map([['x', recurring]]) } }));
    const labels = 'target_type="HistoryRetentionCleanup",operation="Delete"';
    expect(linesOf('jim_activity_consecutive_failures', never)).toEqual([
      `jim_activity_consecutive_failures{${labels}} 2`,
    ]);
    expect(linesOf('jim_activity_last_success_timestamp_seconds', never)).toEqual([]);
    const once = { ...recurring, failureEnds: [], lastSuccessEnd: instant(1_700_000_000_500_000) };
    const succeeded = snapshotOf(ledgerOf({ rest: { recurring: new Map([['x', once]]) } }));
    expect(linesOf('jim_activity_last_success_timestamp_seconds', succeeded)).toEqual([
      `jim_activity_last_success_timestamp_seconds{${labels}} 1700000000.5`,
    ]);
  });

  it('of sign-ins are counted where JIM records them (0.14), without what is held back', () => {
    expect(linesOf('jim_authentication_events_total', EMPTY)).toEqual([]);
    const authentication = {
      sign_in_succeeded: cell(9),
      sign_in_failed: cell(2, 5),
      api_key_failed: cell(0),
    };
    const snapshot = snapshotOf(ledgerOf({ rest: { authentication } }));
    expect(linesOf('jim_authentication_events_total', snapshot)).toEqual([
      'jim_authentication_events_total{event="sign_in_succeeded"} 9',
      'jim_authentication_events_total{event="sign_in_failed"} 2',
      'jim_authentication_events_total{event="api_key_failed"} 0',
    ]);
  });
});

describe('counters of runs', () => {
  const busy = snapshotOf(ledgerOf({ runs: [busyRunAccount(HR_IMPORT)] }));

  it('count by all five statuses, with exemplars in OpenMetrics', () => {
    expect(linesOf('jim_runs_total', busy)).toEqual([
      `jim_runs_total{${HR},status="Complete"} 40`,
      `jim_runs_total{${HR},status="CompleteWithWarning"} 3`,
      `jim_runs_total{${HR},status="CompleteWithError"} 2`,
      `jim_runs_total{${HR},status="FailedWithError"} 1`,
      `jim_runs_total{${HR},status="Cancelled"} 1`,
    ]);
    expect(linesOf('jim_runs_total', busy, 'openMetrics')[2]).toBe(
      `jim_runs_total{${HR},status="CompleteWithError"} 2 # {activity_id="00000000-0000-4000-8000-000000000002"} 1 1795417198.5`,
    );
  });

  it('sum errors and waiting time', () => {
    expect(linesOf('jim_run_errors_total', busy)).toEqual([`jim_run_errors_total{${HR}} 5`]);
    expect(linesOf('jim_run_queue_seconds_total', busy)).toEqual([
      `jim_run_queue_seconds_total{${HR}} 98.765432`,
    ]);
  });

  it('are a histogram of durations with the bounds of the design, cumulative, with exemplars on buckets', () => {
    const lines = linesOf('jim_run_duration_seconds', busy, 'openMetrics');
    expect(lines).toEqual([
      `jim_run_duration_seconds_bucket{${HR},le="1.0"} 1`,
      `jim_run_duration_seconds_bucket{${HR},le="10.0"} 3`,
      `jim_run_duration_seconds_bucket{${HR},le="60.0"} 6 # {activity_id="00000000-0000-4000-8000-000000000001"} 42.5 1795417198.5`,
      `jim_run_duration_seconds_bucket{${HR},le="300.0"} 10 # {activity_id="00000000-0000-4000-8000-000000000002"} 240.25 1795417198.5`,
      `jim_run_duration_seconds_bucket{${HR},le="900.0"} 15`,
      `jim_run_duration_seconds_bucket{${HR},le="3600.0"} 15`,
      `jim_run_duration_seconds_bucket{${HR},le="14400.0"} 15`,
      `jim_run_duration_seconds_bucket{${HR},le="43200.0"} 15`,
      `jim_run_duration_seconds_bucket{${HR},le="+Inf"} 15`,
      `jim_run_duration_seconds_sum{${HR}} 1234.56789`,
      `jim_run_duration_seconds_count{${HR}} 15`,
    ]);
  });

  it('show no exemplar outside its bucket: a server would refuse it', () => {
    const published = { ...NO_RUN_TOTALS, durationExemplars: { 0: exemplar(1, 1.5) } };
    const snapshot = snapshotOf(ledgerOf({ runs: [runAccount({ published })] }));
    expect(linesOf('jim_run_duration_seconds', snapshot, 'openMetrics').join('')).not.toContain(
      'activity_id',
    );
  });

  it('have an outcome, and what /stats adds, only where it was born, and without what is held', () => {
    const cells = new Map([
      ['outcome:Updated', cell(0, 7)],
      ['outcome:Added', cell(4)],
      ['processed', cell(100)],
      ['confirmation:Failed', cell(1)],
    ] as const);
    const snapshot = snapshotOf(ledgerOf({ runs: [runAccount({ cells })] }));
    expect(linesOf('jim_run_objects_total', snapshot)).toEqual([
      `jim_run_objects_total{${HR},outcome="Added"} 4`,
      `jim_run_objects_total{${HR},outcome="Updated"} 0`,
    ]);
    expect(linesOf('jim_run_objects_processed_total', snapshot)).toEqual([
      `jim_run_objects_processed_total{${HR}} 100`,
    ]);
    expect(linesOf('jim_run_objects_unchanged_total', snapshot)).toEqual([]);
    expect(linesOf('jim_run_objects_unchanged_total', busy)).toEqual([
      `jim_run_objects_unchanged_total{${HR}} 900`,
    ]);
    expect(linesOf('jim_run_export_confirmations_total', snapshot)).toEqual([
      `jim_run_export_confirmations_total{${HR},result="Failed"} 1`,
    ]);
  });

  it('of a label set born now are all there, at 0', () => {
    const held = runAccount({
      held: busyRunAccount(HR_IMPORT).published,
      birth: { atMs: NOW_MS },
    });
    const snapshot = snapshotOf(ledgerOf({ runs: [held] }));
    for (const name of [
      'jim_runs_total',
      'jim_run_errors_total',
      'jim_run_queue_seconds_total',
      'jim_run_duration_seconds',
    ]) {
      const lines = linesOf(name, snapshot, 'openMetrics');
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(line).toMatch(/} 0$/);
    }
  });
});

describe('the last run', () => {
  const of = (account: Parameters<typeof runAccount>[0]): Snapshot =>
    snapshotOf(ledgerOf({ runs: [runAccount(account)] }));
  const LAST_RUN_NAMES = SNAPSHOT_FAMILIES.map(({ name }) => name).filter((name) =>
    name.startsWith('jim_run_last_'),
  );

  it('is absent before the first run is known, after retirement, and for (other)', () => {
    expect(LAST_RUN_NAMES).toHaveLength(10);
    const other = of({ ...busyRunAccount(OTHER_IMPORT) });
    const retired = of({ ...busyRunAccount(HR_IMPORT), last: null });
    for (const name of LAST_RUN_NAMES) {
      expect(linesOf(name, of({}))).toEqual([]);
      expect(linesOf(name, other)).toEqual([]);
      expect(linesOf(name, retired)).toEqual([]);
    }
    expect(linesOf('jim_run_consecutive_failures', other)).toEqual([]);
    expect(linesOf('jim_run_in_progress', other)).toEqual([]);
    expect(linesOf('jim_runs_total', other)).toHaveLength(5);
  });

  it('has one status out of five', () => {
    const snapshot = of({ last: lastRun({ status: 'FailedWithError' }) });
    expect(linesOf('jim_run_last_status', snapshot)).toEqual([
      `jim_run_last_status{${HR},status="Complete"} 0`,
      `jim_run_last_status{${HR},status="CompleteWithWarning"} 0`,
      `jim_run_last_status{${HR},status="CompleteWithError"} 0`,
      `jim_run_last_status{${HR},status="FailedWithError"} 1`,
      `jim_run_last_status{${HR},status="Cancelled"} 0`,
    ]);
  });

  it('has its end, duration, errors and what it processed', () => {
    const snapshot = of({ last: lastRun({ errors: 4, processed: 102 }) });
    expect(linesOf('jim_run_last_completion_timestamp_seconds', snapshot)).toEqual([
      `jim_run_last_completion_timestamp_seconds{${HR}} ${seconds(NOW) - 300.5}`,
    ]);
    expect(linesOf('jim_run_last_duration_seconds', snapshot)).toEqual([
      `jim_run_last_duration_seconds{${HR}} 240.25`,
    ]);
    expect(linesOf('jim_run_last_errors', snapshot)).toEqual([`jim_run_last_errors{${HR}} 4`]);
    expect(linesOf('jim_run_last_objects_processed', snapshot)).toEqual([
      `jim_run_last_objects_processed{${HR}} 102`,
    ]);
  });

  it('has no duration where it never ran, and nothing processed where /stats was not read', () => {
    const snapshot = of({ last: lastRun({ duration: null, processed: null }) });
    expect(linesOf('jim_run_last_duration_seconds', snapshot)).toEqual([]);
    expect(linesOf('jim_run_last_objects_processed', snapshot)).toEqual([]);
  });

  it('has a last success beside it, once there is one', () => {
    const never = of({ last: lastRun() });
    expect(linesOf('jim_run_last_success_timestamp_seconds', never)).toEqual([]);
    expect(linesOf('jim_run_last_success_duration_seconds', never)).toEqual([]);
    const once = of({
      last: lastRun(),
      lastSuccess: { end: instant(1_700_000_000_000_000), duration: micros(1_500_000) },
    });
    expect(linesOf('jim_run_last_success_timestamp_seconds', once)).toEqual([
      `jim_run_last_success_timestamp_seconds{${HR}} 1700000000`,
    ]);
    expect(linesOf('jim_run_last_success_duration_seconds', once)).toEqual([
      `jim_run_last_success_duration_seconds{${HR}} 1.5`,
    ]);
  });

  it('has the cause of the last failure, once it was read, until the next success', () => {
    const failure = { id: activityIdOf(1), end: NOW, status: 'Cancelled' } as const;
    const read = of({
      last: lastRun(),
      lastFailure: { ...failure, cause: 'previous_step_failed' },
    });
    expect(linesOf('jim_run_last_failure_info', read)).toEqual([
      `jim_run_last_failure_info{${HR},cause="previous_step_failed"} 1`,
    ]);
    const unread = of({ last: lastRun(), lastFailure: { ...failure, cause: null } });
    expect(linesOf('jim_run_last_failure_info', unread)).toEqual([]);
  });

  it('has its objects by the outcomes that this run profile ever had', () => {
    const snapshot = of({
      cells: new Map([['outcome:Deleted', cell(3)]] as const),
      last: lastRun({ outcomes: { Updated: 2 } }),
    });
    expect(linesOf('jim_run_last_objects', snapshot)).toEqual([
      `jim_run_last_objects{${HR},outcome="Updated"} 2`,
      `jim_run_last_objects{${HR},outcome="Deleted"} 0`,
    ]);
  });

  it('has its errors by type, absent without errors', () => {
    const snapshot = of({
      last: lastRun({ errorsByType: { DuplicateObject: 4, '(unread)': 1 } }),
    });
    expect(linesOf('jim_run_last_errors_by_type', snapshot)).toEqual([
      `jim_run_last_errors_by_type{${HR},error_type="DuplicateObject"} 4`,
      `jim_run_last_errors_by_type{${HR},error_type="(unread)"} 1`,
    ]);
    expect(linesOf('jim_run_last_errors_by_type', of({ last: lastRun() }))).toEqual([]);
  });

  it('is followed by failures in a row: 0 for a run profile that never ran, absent once retired', () => {
    const listed = ledgerOf({
      runs: [runAccount()],
      rest: {
        inventory: {
          runs: new Set([runKey(HR_IMPORT)]),
          absentOnce: new Set<string>(),
          connectedSystems: new Set(['HR System']),
        },
      },
    });
    expect(linesOf('jim_run_consecutive_failures', snapshotOf(listed))).toEqual([
      `jim_run_consecutive_failures{${HR}} 0`,
    ]);
    const gone = { ...listed, inventory: { ...listed.inventory, runs: new Set<string>() } };
    expect(linesOf('jim_run_consecutive_failures', snapshotOf(gone))).toEqual([]);
    expect(linesOf('jim_run_in_progress', snapshotOf(gone))).toEqual([]);
    const failing = of({ last: lastRun(), failureEnds: [instant(1), instant(2), instant(3)] });
    expect(linesOf('jim_run_consecutive_failures', failing)).toEqual([
      `jim_run_consecutive_failures{${HR}} 3`,
    ]);
  });
});

describe('runs in progress', () => {
  const queued = openActivity();
  const running = openActivity({ executed: instant(NOW - 60_000_000) });

  it('are 0 for every run profile, and absent since when', () => {
    const snapshot = snapshotOf(ledgerOf({ runs: [runAccount()] }));
    expect(linesOf('jim_run_in_progress', snapshot)).toEqual([
      `jim_run_in_progress{${HR},state="queued"} 0`,
      `jim_run_in_progress{${HR},state="running"} 0`,
    ]);
    expect(linesOf('jim_run_running_since_timestamp_seconds', snapshot)).toEqual([]);
  });

  it('run once executed is later than created; the oldest running one says since when', () => {
    const older = openActivity({ executed: instant(NOW - 90_000_000) });
    const snapshot = snapshotOf(ledgerOf({ open: [queued, running, older] }));
    expect(linesOf('jim_run_in_progress', snapshot)).toEqual([
      `jim_run_in_progress{${HR},state="queued"} 1`,
      `jim_run_in_progress{${HR},state="running"} 2`,
    ]);
    expect(linesOf('jim_run_running_since_timestamp_seconds', snapshot)).toEqual([
      `jim_run_running_since_timestamp_seconds{${HR}} ${seconds(NOW) - 90}`,
    ]);
  });

  it.each([
    ['Processing', 0, 1],
    ['Queued', 1, 0],
  ])('run as soon as their worker task is %s', (status, waiting, working) => {
    const workerTasks = [{ activityId: activityIdOf(9_000).toUpperCase(), status, timestamp: NOW }];
    const snapshot = snapshotOf(ledgerOf({ open: [queued] }), {
      readings: { ...NO_READINGS, workerTasks },
    });
    expect(linesOf('jim_run_in_progress', snapshot)).toEqual([
      `jim_run_in_progress{${HR},state="queued"} ${waiting}`,
      `jim_run_in_progress{${HR},state="running"} ${working}`,
    ]);
  });

  it('are none of the orphans, the settling, the folded, and of what is no run', () => {
    const snapshot = snapshotOf(
      ledgerOf({
        open: [
          openActivity({ orphaned: true }),
          openActivity({ status: 'Cancelled' }),
          openActivity({ run: OTHER_IMPORT }),
          openActivity({ run: null }),
        ],
      }),
    );
    expect(linesOf('jim_run_in_progress', snapshot)).toEqual([]);
  });

  it('show when their progress last changed, of two the one that stands still longer', () => {
    const progress = (run: typeof HR_IMPORT, changedAtMs: number) => ({
      activityId: activityIdOf(1),
      run,
      objectsProcessed: 1,
      objectsToProcess: 2,
      percentComplete: 50,
      objectsPerSecond: null,
      estimatedSecondsRemaining: null,
      changedAtMs,
    });
    const snapshot = withReadings({
      progress: [progress(HR_IMPORT, 9_500), progress(HR_IMPORT, 7_250), progress(OTHER_IMPORT, 1)],
    });
    expect(linesOf('jim_run_progress_timestamp_seconds', snapshot)).toEqual([
      `jim_run_progress_timestamp_seconds{${HR}} 7.25`,
    ]);
    expect(linesOf('jim_run_progress_timestamp_seconds', EMPTY)).toEqual([]);
  });
});

describe('schedules', () => {
  const nightly: ScheduleReading = {
    id: '1',
    name: 'Nightly',
    enabled: false,
    lastRun: null,
    nextRun: null,
    steps: [],
    lastExecution: null,
    inProgressSince: null,
  };
  const of = (...schedules: readonly Partial<ScheduleReading>[]): Snapshot =>
    withReadings({ schedules: schedules.map((one) => ({ ...nightly, ...one })) });

  it('that never ran and are not planned show only that they are enabled or not', () => {
    expect(linesOf('jim_schedule_enabled', of({}))).toEqual([
      'jim_schedule_enabled{schedule="Nightly"} 0',
    ]);
    for (const name of [
      'jim_schedule_last_run_timestamp_seconds',
      'jim_schedule_next_run_timestamp_seconds',
      'jim_schedule_last_due_timestamp_seconds',
      'jim_schedule_previous_due_timestamp_seconds',
      'jim_schedule_last_execution_status',
      'jim_schedule_in_progress_since_timestamp_seconds',
      'jim_schedule_run_profile_info',
    ])
      expect(linesOf(name, of({}))).toEqual([]);
  });

  it('show their moments', () => {
    const snapshot = of({
      lastRun: instant(1_000_000),
      nextRun: instant(2_500_000),
      inProgressSince: instant(3_000_000),
    });
    expect(linesOf('jim_schedule_last_run_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_last_run_timestamp_seconds{schedule="Nightly"} 1',
    ]);
    expect(linesOf('jim_schedule_next_run_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_next_run_timestamp_seconds{schedule="Nightly"} 2.5',
    ]);
    expect(linesOf('jim_schedule_in_progress_since_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_in_progress_since_timestamp_seconds{schedule="Nightly"} 3',
    ]);
  });

  it('show the due times that the ledger remembers, whether or not JIM can be asked', () => {
    const dues = {
      name: 'Nightly',
      next: null,
      lastDue: instant(9_000_000),
      previousDue: instant(8_000_000),
    };
    const snapshot = snapshotOf(ledgerOf({ rest: { schedules: new Map([['1', dues]]) } }));
    expect(linesOf('jim_schedule_last_due_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_last_due_timestamp_seconds{schedule="Nightly"} 9',
    ]);
    expect(linesOf('jim_schedule_previous_due_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_previous_due_timestamp_seconds{schedule="Nightly"} 8',
    ]);
  });

  it('name the run profiles that are their steps, each once, and none that was folded', () => {
    expect(
      linesOf('jim_schedule_run_profile_info', of({ steps: [HR_IMPORT, HR_IMPORT, OTHER_IMPORT] })),
    ).toEqual([`jim_schedule_run_profile_info{schedule="Nightly",${HR}} 1`]);
  });

  it('show how their newest execution ended: one of three', () => {
    expect(
      linesOf('jim_schedule_last_execution_status', of({ lastExecution: { status: 'Failed' } })),
    ).toEqual([
      'jim_schedule_last_execution_status{schedule="Nightly",status="Complete"} 0',
      'jim_schedule_last_execution_status{schedule="Nightly",status="Failed"} 1',
      'jim_schedule_last_execution_status{schedule="Nightly",status="Cancelled"} 0',
    ]);
  });

  it('whose names became equal are one label set; (other) has no gauges', () => {
    const snapshot = of(
      {
        lastRun: instant(2_000_000),
        lastExecution: { status: 'Failed' },
        nextRun: instant(9_000_000),
      },
      {
        enabled: true,
        lastRun: instant(1_000_000),
        lastExecution: { status: 'Complete' },
        nextRun: instant(5_000_000),
      },
      { name: '(other)', enabled: true },
    );
    expect(linesOf('jim_schedule_enabled', snapshot)).toEqual([
      'jim_schedule_enabled{schedule="Nightly"} 1',
    ]);
    expect(linesOf('jim_schedule_last_run_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_last_run_timestamp_seconds{schedule="Nightly"} 2',
    ]);
    expect(linesOf('jim_schedule_next_run_timestamp_seconds', snapshot)).toEqual([
      'jim_schedule_next_run_timestamp_seconds{schedule="Nightly"} 5',
    ]);
    expect(linesOf('jim_schedule_last_execution_status', snapshot)[1]).toMatch(/"Failed"} 1$/);
  });
});

describe('the exporter', () => {
  it('says what it is, and when it polled; what never happened is absent', () => {
    expect(linesOf('jim_exporter_build_info', EMPTY)).toEqual([
      'jim_exporter_build_info{version="1.2.3",revision="abc1234",node_version="v20.20.2"} 1',
    ]);
    for (const name of [
      'jim_exporter_last_poll_timestamp_seconds',
      'jim_exporter_last_successful_poll_timestamp_seconds',
      'jim_exporter_last_history_gap_timestamp_seconds',
    ])
      expect(linesOf(name, EMPTY)).toEqual([]);
    const polled = snapshotOf(ledgerOf({ rest: { lastHistoryGapMs: 5_000 } }), {
      poll: { lastPollMs: 2_000, lastSuccessfulPollMs: 1_500, intervalSeconds: 15, caughtUp: true },
    });
    expect(linesOf('jim_exporter_last_poll_timestamp_seconds', polled)).toEqual([
      'jim_exporter_last_poll_timestamp_seconds 2',
    ]);
    expect(linesOf('jim_exporter_last_successful_poll_timestamp_seconds', polled)).toEqual([
      'jim_exporter_last_successful_poll_timestamp_seconds 1.5',
    ]);
    expect(linesOf('jim_exporter_last_history_gap_timestamp_seconds', polled)).toEqual([
      'jim_exporter_last_history_gap_timestamp_seconds 5',
    ]);
    expect(linesOf('jim_exporter_poll_interval_seconds', polled)).toEqual([
      'jim_exporter_poll_interval_seconds 15',
    ]);
    expect(linesOf('jim_exporter_caught_up', EMPTY)).toEqual(['jim_exporter_caught_up 0']);
    expect(linesOf('jim_exporter_caught_up', polled)).toEqual(['jim_exporter_caught_up 1']);
  });

  it('says how large its ledger is', () => {
    const { labels } = ledgerOf({});
    const ledger = ledgerOf({
      open: [openActivity(), openActivity({ orphaned: true })],
      rest: { labels: { ...labels, runs: new Set(['a', 'b', 'c']) } },
    });
    const snapshot = snapshotOf(ledger, { stateSizeBytes: 4_096 });
    expect(linesOf('jim_exporter_open_activities', snapshot)).toEqual([
      'jim_exporter_open_activities 2',
    ]);
    expect(linesOf('jim_exporter_label_sets', snapshot)).toEqual(['jim_exporter_label_sets 3']);
    expect(linesOf('jim_exporter_state_size_bytes', snapshot)).toEqual([
      'jim_exporter_state_size_bytes 4096',
    ]);
  });

  it('says how many alerts it holds firing; the resolved ones it still sends are none', () => {
    expect(linesOf('jim_exporter_alerts_firing', EMPTY)).toEqual([
      'jim_exporter_alerts_firing{alert="JimRunUnsuccessful"} 0',
    ]);
    const alerts = new Map([
      ['a', heldAlert()],
      ['b', heldAlert()],
      ['c', heldAlert({ resolvedAtMs: NOW_MS })],
      ['d', heldAlert({ labels: { alertname: 'JimTest' } })],
    ]);
    expect(
      linesOf('jim_exporter_alerts_firing', snapshotOf(ledgerOf({ rest: { alerts } }))),
    ).toEqual([
      'jim_exporter_alerts_firing{alert="JimRunUnsuccessful"} 2',
      'jim_exporter_alerts_firing{alert="JimTest"} 1',
    ]);
  });
});

it('every family of the snapshot is asserted above', () => {
  expect(SNAPSHOT_FAMILIES.map(({ name }) => name).filter((name) => !asserted.has(name))).toEqual(
    [],
  );
});
