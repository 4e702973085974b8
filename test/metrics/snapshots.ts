/** Snapshots for tests: the empty one, one in which every family has samples, and large ones. */
import type { FinishedStatus } from '../../src/jim/activity.ts';
import { OUTCOMES, activityId, instant, micros } from '../../src/jim/activity.ts';
import type {
  ActivityAccount,
  Cell,
  CellName,
  Exemplar,
  HeldAlert,
  LastRun,
  Ledger,
  Open,
  RunAccount,
  RunLabels,
} from '../../src/ledger/ledger.ts';
import {
  NO_ACTIVITY_TOTALS,
  NO_RUN_TOTALS,
  activityKey,
  emptyLedger,
  recurringKey,
  runKey,
} from '../../src/ledger/ledger.ts';
import type { Snapshot } from '../../src/metrics/snapshot.ts';
import { NO_READINGS } from '../../src/metrics/snapshot.ts';

/** 2026-11-23T07:00:00Z, our clock in these tests. */
export const NOW_MS = Date.UTC(2026, 10, 23, 7);
/** The same moment of JIM's clock. */
export const NOW = instant(NOW_MS * 1_000);

export const HR_IMPORT: RunLabels = {
  connectedSystem: 'HR System',
  runProfile: 'Full Import',
  runType: 'FullImport',
};

export function activityIdOf(number: number) {
  return activityId(`00000000-0000-4000-8000-${String(number).padStart(12, '0')}`);
}

export function exemplar(number: number, value = 1): Exemplar {
  return { activityId: activityIdOf(number), value, atMs: NOW_MS - 1_500 };
}

export function cell(value: number, held = 0): Cell {
  return { value, held, birth: held === 0 ? null : { atMs: NOW_MS } };
}

export function activityAccount(account: Partial<ActivityAccount> = {}): ActivityAccount {
  return {
    targetType: 'ConnectedSystem',
    operation: 'Update',
    connectedSystem: 'HR System',
    published: NO_ACTIVITY_TOTALS,
    held: NO_ACTIVITY_TOTALS,
    birth: null,
    lastActiveMs: NOW_MS,
    ...account,
  };
}

export function runAccount(account: Partial<RunAccount> = {}): RunAccount {
  return {
    labels: HR_IMPORT,
    published: NO_RUN_TOTALS,
    held: NO_RUN_TOTALS,
    birth: null,
    cells: new Map(),
    last: null,
    lastSuccess: null,
    failureEnds: [],
    lastFailure: null,
    lastActiveMs: NOW_MS,
    ...account,
  };
}

export function lastRun(run: Partial<LastRun> = {}): LastRun {
  return {
    id: activityIdOf(1),
    status: 'Complete',
    created: instant(NOW - 600_000_000),
    end: instant(NOW - 300_500_000),
    duration: micros(240_250_000),
    queue: micros(59_250_000),
    errors: 0,
    outcomes: {},
    processed: null,
    errorsByType: null,
    ...run,
  };
}

export function openActivity(open: Partial<Open> = {}): Open {
  return {
    created: instant(NOW - 120_000_000),
    executed: instant(NOW - 120_000_000),
    status: 'InProgress',
    targetType: 'ConnectedSystemRunProfile',
    operation: 'Execute',
    connectedSystem: 'HR System',
    run: HR_IMPORT,
    fromOldest: 0,
    sighting: null,
    sinceMs: NOW_MS - 119_000,
    orphaned: false,
    nextCheckMs: NOW_MS + 3_600_000,
    ...open,
  };
}

export function heldAlert(alert: Partial<HeldAlert> = {}): HeldAlert {
  return {
    labels: { alertname: 'JimRunUnsuccessful' },
    annotations: {},
    generatorUrl: 'https://jim.example/activity/1',
    startsAtMs: NOW_MS,
    resolvedAtMs: null,
    activityId: activityIdOf(1),
    ...alert,
  } as HeldAlert;
}

export function ledgerOf(ledger: {
  readonly activities?: readonly ActivityAccount[];
  readonly runs?: readonly RunAccount[];
  readonly open?: readonly Open[];
  readonly rest?: Partial<Ledger>;
}): Ledger {
  const { activities = [], runs = [], open = [], rest = {} } = ledger;
  return {
    ...emptyLedger(500),
    activities: new Map(
      activities.map((account) => [
        activityKey(account.targetType, account.operation, account.connectedSystem),
        account,
      ]),
    ),
    runs: new Map(runs.map((account) => [runKey(account.labels), account])),
    open: new Map(open.map((activity, index) => [activityIdOf(9_000 + index), activity])),
    ...rest,
  };
}

export function snapshotOf(ledger: Ledger, more: Partial<Snapshot> = {}): Snapshot {
  return {
    ledger,
    nowMs: NOW_MS,
    jim: { up: false, version: null, clockOffsetSeconds: null },
    poll: {
      lastPollMs: null,
      lastSuccessfulPollMs: null,
      intervalSeconds: 15,
      caughtUp: false,
    },
    readings: NO_READINGS,
    stateSizeBytes: 0,
    build: { version: '1.2.3', revision: 'abc1234', nodeVersion: 'v20.20.2' },
    ...more,
  };
}

/** A run profile about which everything is known: each of its families has samples. */
export function busyRunAccount(labels: RunLabels, seed = 1): RunAccount {
  const cells = new Map<CellName, Cell>();
  for (const [index, outcome] of OUTCOMES.entries())
    cells.set(`outcome:${outcome}`, cell(seed * 10 + index));
  cells.set('processed', cell(seed * 1_000));
  cells.set('unchanged', cell(seed * 900));
  for (const result of ['Confirmed', 'Retrying', 'Failed'] as const)
    cells.set(`confirmation:${result}`, cell(seed));
  const status: FinishedStatus = 'CompleteWithError';
  return runAccount({
    labels,
    published: {
      statuses: {
        Complete: seed * 40,
        CompleteWithWarning: 3,
        CompleteWithError: 2,
        FailedWithError: 1,
        Cancelled: 1,
      },
      errors: seed * 5,
      durationBuckets: [1, 2, 3, 4, 5, 0, 0, 0, 0],
      durationSum: micros(seed * 1_234_567_890),
      queue: micros(seed * 98_765_432),
      exemplars: { Complete: exemplar(seed), CompleteWithError: exemplar(seed + 1) },
      durationExemplars: { 2: exemplar(seed, 42.5), 3: exemplar(seed + 1, 240.25) },
    },
    cells,
    last: lastRun({
      status,
      errors: 5,
      processed: 102,
      outcomes: { Added: 7, Updated: 3 },
      errorsByType: { DuplicateObject: 4, UnhandledError: 1 },
    }),
    lastSuccess: { end: instant(NOW - 86_400_000_000), duration: micros(200_125_000) },
    failureEnds: [instant(NOW - 7_200_000_000), instant(NOW - 300_500_000)],
    lastFailure: {
      id: activityIdOf(1),
      end: instant(NOW - 300_500_000),
      status,
      cause: 'object_errors',
    },
  });
}

/** A snapshot in which every family of the catalogue has samples. */
export function fullSnapshot(): Snapshot {
  const account = busyRunAccount(HR_IMPORT);
  return snapshotOf(
    ledgerOf({
      activities: [
        activityAccount({
          published: {
            statuses: {
              Complete: 12,
              CompleteWithWarning: 0,
              CompleteWithError: 1,
              FailedWithError: 0,
              Cancelled: 0,
            },
            errors: 3,
            exemplars: { Complete: exemplar(7) },
          },
        }),
      ],
      runs: [account],
      open: [
        openActivity({ executed: instant(NOW - 60_000_000) }),
        openActivity({ orphaned: true, created: instant(NOW - 8 * 86_400_000_000) }),
      ],
      rest: {
        started: true,
        recurring: new Map([
          [
            recurringKey('TemporalScopeReconciliation', 'Execute'),
            {
              targetType: 'TemporalScopeReconciliation',
              operation: 'Execute',
              lastSuccessEnd: instant(NOW - 1_800_000_000),
              failureEnds: [],
            },
          ],
        ]),
        authentication: {
          sign_in_succeeded: cell(9),
          sign_in_failed: cell(2),
          api_key_failed: cell(0),
        },
        schedules: new Map([
          [
            'nightly',
            {
              name: 'Nightly',
              next: instant(NOW + 3_600_000_000),
              lastDue: instant(NOW - 82_800_000_000),
              previousDue: instant(NOW - 169_200_000_000),
            },
          ],
        ]),
        alerts: new Map([['a', heldAlert()]]),
        lastHistoryGapMs: NOW_MS - 86_400_000,
      },
    }),
    {
      jim: { up: true, version: '0.14.0', clockOffsetSeconds: -0.25 },
      poll: {
        lastPollMs: NOW_MS,
        lastSuccessfulPollMs: NOW_MS,
        intervalSeconds: 15,
        caughtUp: true,
      },
      readings: {
        health: { ready: true, maintenance: false },
        workerTasks: [
          {
            activityId: activityIdOf(9_000),
            status: 'Processing',
            timestamp: instant(NOW - 60_000_000),
          },
          { activityId: null, status: 'Queued', timestamp: instant(NOW - 30_000_000) },
        ],
        progress: [
          {
            activityId: activityIdOf(9_000),
            run: HR_IMPORT,
            objectsProcessed: 10,
            objectsToProcess: 100,
            percentComplete: 10,
            objectsPerSecond: 1,
            estimatedSecondsRemaining: 90,
            changedAtMs: NOW_MS - 2_000,
          },
        ],
        schedules: [
          {
            id: 'nightly',
            name: 'Nightly',
            enabled: true,
            lastRun: instant(NOW - 82_800_000_000),
            nextRun: instant(NOW + 3_600_000_000),
            steps: [HR_IMPORT],
            lastExecution: { status: 'Failed' },
            inProgressSince: instant(NOW - 120_000_000),
          },
        ],
        connectedSystems: [
          {
            name: 'HR System',
            objects: 12_000,
            joinedObjects: 11_900,
            pendingExports: 0,
            runProfiles: [{ name: 'Full Import', runType: 'FullImport' }],
          },
        ],
        certificates: [{ name: 'ldap.example', expiry: instant(NOW + 30 * 86_400_000_000) }],
      },
      stateSizeBytes: 12_345,
    },
  );
}

/** A ledger of about `series` series, all of them of run profiles. */
export function largeLedger(series: number): Ledger {
  const runs = Array.from({ length: Math.ceil(series / SERIES_PER_BUSY_RUN) }, (_, index) =>
    busyRunAccount(
      {
        connectedSystem: `System ${Math.floor(index / 5)}`,
        runProfile: `Profile ${index}`,
        runType: 'FullImport',
      },
      index + 1,
    ),
  );
  return ledgerOf({ runs });
}

/** Lines of one `busyRunAccount`. */
const SERIES_PER_BUSY_RUN = 70;
