import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type Activity, isRun, OUTCOMES, timesOf } from '../../src/jim/activity.ts';
import { readEnvelope, type Reading } from '../../src/jim/wire-schema.ts';
import * as state from '../../src/jim/wire-state.ts';
import * as wire from '../../src/jim/wire.ts';
import type { FailureCause } from '../../src/ledger/ledger.ts';
import {
  recording,
  recordingNames,
  RECORDED_VERSIONS,
  type RecordedVersion,
} from './recordings.ts';

function recordedActivities(version: RecordedVersion, lists: readonly string[]): Activity[] {
  const byId = new Map<string, Activity>();
  for (const name of lists) {
    const page = readEnvelope(recording(version, name));
    if (!page.ok) throw new Error(`${version}/${name}: ${page.fault}`);
    const rows = wire.readRows(page.value.rows);
    expect(rows.rejected, `${version}/${name}`).toEqual([]);
    for (const activity of rows.activities) byId.set(activity.id, activity);
  }
  return [...byId.values()];
}

describe('every recorded list row parses', () => {
  it.each(RECORDED_VERSIONS)('%s', (version) => {
    expect(recordedActivities(version, recordingNames(version, 'list-')).length).toBeGreaterThan(
      60,
    );
  });
});

describe('totals of the distinct rows of a recording', () => {
  const counted = [
    'list-desc-page-1.json',
    'list-desc-page-2.json',
    'list-with-CompleteWithWarning.json',
  ];

  it.each([
    {
      version: '0.14' as const,
      ids: 86,
      runs: {
        Complete: 15,
        CompleteWithWarning: 1,
        CompleteWithError: 2,
        FailedWithError: 5,
        Cancelled: 3,
      },
      errors: 305,
      durations: 23,
      durationMicros: 40_779_177,
      queueMicros: 155_321_626,
    },
    {
      version: 'main' as const,
      ids: 84,
      runs: {
        Complete: 15,
        CompleteWithWarning: 1,
        CompleteWithError: 2,
        FailedWithError: 5,
        Cancelled: 3,
      },
      errors: 305,
      durations: 23,
      durationMicros: 42_450_228,
      queueMicros: 160_709_318,
    },
    {
      version: '0.12' as const,
      ids: 66,
      runs: { Complete: 11, CompleteWithError: 1, FailedWithError: 1 },
      errors: 153,
      durations: 13,
      durationMicros: 17_387_799,
      queueMicros: 48_577_246,
    },
  ])('$version', ({ version, ids, runs, errors, durations, durationMicros, queueMicros }) => {
    const names = counted.filter((name) => recordingNames(version, name).length > 0);
    const activities = recordedActivities(version, names);
    expect(activities).toHaveLength(ids);
    expect(activities.filter((one) => one.targetType === 'SyncRule')).toEqual([]);
    const finished = activities.filter(isRun);
    const statuses: Record<string, number> = {};
    for (const { status } of finished) statuses[status] = (statuses[status] ?? 0) + 1;
    expect(statuses).toEqual(runs);
    expect(sum(finished.map((run) => run.errors))).toBe(errors);
    const times = finished.map(timesOf);
    const ran = times.flatMap(({ duration }) => (duration === null ? [] : [duration]));
    expect(ran).toHaveLength(durations);
    expect(sum(ran)).toBe(durationMicros);
    expect(sum(times.map(({ queue }) => queue))).toBe(queueMicros);
  });

  it('0.14: objects by outcome', () => {
    const runs = recordedActivities('0.14', counted).filter(isRun);
    const totals = Object.fromEntries(
      OUTCOMES.map((outcome) => [outcome, sum(runs.map((run) => run.outcomes[outcome]))]),
    );
    expect(totals).toEqual({
      Added: 12400,
      Updated: 325,
      Deleted: 750,
      Projected: 300,
      Joined: 100,
      AttributeFlows: 570,
      Disconnected: 150,
      DisconnectedOutOfScope: 0,
      OutOfScopeRetainJoin: 0,
      DriftCorrections: 0,
      Provisioned: 300,
      Exported: 450,
      Deprovisioned: 0,
      Created: 0,
      PendingExports: 300,
    });
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

describe('every recorded answer beside the lists parses', () => {
  it.each([
    ['detail-', wire.readDetail],
    ['cancelled-queued', wire.readDetail],
    ['crashed', wire.readDetail],
    ['stats-', wire.readStats],
    ['items-', wire.readItems],
    ['children-', wire.readChildren],
    ['progress-', wire.readProgress],
    ['worker-tasks-', state.readWorkerTasks],
    ['schedules.json', state.readSchedules],
    ['schedule-executions.json', state.readScheduleExecutions],
    ['schedule-execution-detail', state.readScheduleExecution],
    ['connected-systems', state.readConnectedSystems],
    ['run-profiles', state.readRunProfiles],
    ['certificates', state.readCertificates],
    ['health-ready', state.readHealth],
    ['health-version', state.readVersion],
  ] as const)('%s', (prefix, reader) => {
    let read = 0;
    for (const version of RECORDED_VERSIONS) {
      for (const name of recordingNames(version, prefix)) {
        // A few files hold the answers of several moments.
        const value = recording(version, name);
        const answers = Array.isArray(value) && prefix === 'progress-' ? value : [value];
        for (const answer of answers) {
          const reading = reader(answer);
          expect(reading.ok ? 'ok' : reading.fault, `${version}/${name}`).toBe('ok');
          read += 1;
        }
      }
    }
    expect(read).toBeGreaterThan(0);
  });

  it('no person, message or error text comes out of any', () => {
    const told = /First\d|Last\d|unhandled error|abandoned|Creating activity/;
    for (const version of RECORDED_VERSIONS) {
      for (const name of recordingNames(version, '')) {
        const value = recording(version, name);
        const readings = [
          wire.readDetail(value),
          wire.readItems(value),
          wire.readChildren(value),
          wire.readProgress(value),
          state.readWorkerTasks(value),
          state.readScheduleExecutions(value),
          state.readScheduleExecution(value),
        ];
        expect(JSON.stringify(readings), `${version}/${name}`).not.toMatch(told);
      }
    }
  });
});

describe('why a run did not succeed', () => {
  it.each([
    ['0.14', 'crashed', 'worker_crash'],
    ['main', 'crashed', 'worker_crash'],
    ['0.14', 'cancelled-queued', 'cancelled'],
    ['main', 'detail-ConnectedSystemRunProfile-FullImport-Cancelled', 'cancelled'],
    [
      '0.14',
      'detail-ConnectedSystemRunProfile-FullSynchronisation-Cancelled',
      'previous_step_failed',
    ],
    [
      'main',
      'detail-ConnectedSystemRunProfile-FullSynchronisation-Cancelled',
      'previous_step_failed',
    ],
    ['0.12', 'detail-ConnectedSystemRunProfile-FullImport-FailedWithError', 'object_errors'],
    ['0.14', 'detail-ConnectedSystemRunProfile-FullImport-CompleteWithError', 'object_errors'],
    ['0.14', 'detail-ConnectedSystemRunProfile-FullImport-CompleteWithWarning', null],
    ['0.14', 'detail-ConnectedSystemRunProfile-FullImport-Complete', null],
  ] as const)('%s %s: %s', (version, name, cause) => {
    const reading = wire.readDetail(recording(version, `${name}.json`));
    expect(reading.ok ? reading.value.failureCause : reading.fault).toBe(cause);
  });

  const crashed = recording('0.14', 'crashed.json') as Record<string, unknown>;

  it.each([
    [
      'an exception',
      { errorMessage: 'The server is unavailable', errorStackTrace: 'at X' },
      'exception',
    ],
    [
      'an exception after some objects failed',
      { errorMessage: 'x', errorStackTrace: 'at X', executionStats: withErrors(2) },
      'exception',
    ],
    ['no message at all', { errorMessage: null }, 'exception'],
    ['all objects failed', { errorMessage: 'x', executionStats: withErrors(2) }, 'object_errors'],
    ['a status unknown to us', { status: 'Paused' }, null],
    ['still running', { status: 'InProgress', executionTime: null }, null],
  ])('%s', (_rule, change, cause) => {
    const reading = wire.readDetail({ ...crashed, ...change });
    expect(reading.ok ? reading.value.failureCause : reading.fault).toBe(cause);
  });

  it('the ledger knows exactly these causes', () => {
    expectTypeOf<wire.FailureCause>().toEqualTypeOf<FailureCause>();
  });

  function withErrors(count: number): unknown {
    return { ...(crashed['executionStats'] as object), totalObjectErrors: count };
  }
});

describe('what the values are', () => {
  it('a detail of main has its schedule; an older one has none', () => {
    const name = 'detail-ConnectedSystemRunProfile-FullImport-CompleteWithError.json';
    expect(valueOf(wire.readDetail(recording('main', name)))).toMatchObject({
      parentId: null,
      targetContext: 'Directory',
      connectedSystemId: 3,
      runProfileId: 9,
      scheduleExecutionId: '01a20a19-c251-7175-8476-cbb29ce1b114',
      scheduleStepIndex: 0,
      scheduleName: 'Nightly',
      stats: {
        processed: 300,
        changed: 300,
        unchanged: 0,
        errors: 150,
        objectTypes: 1,
        outcomes: { Deleted: 150 },
      },
    });
    expect(valueOf(wire.readDetail(recording('0.14', name)))).toMatchObject({
      scheduleExecutionId: null,
      scheduleStepIndex: null,
      scheduleName: null,
    });
  });

  it('an old rule detail bears the later name', () => {
    expect(
      valueOf(wire.readDetail(recording('0.12', 'detail-SyncRule-Create-Complete.json'))),
    ).toMatchObject({
      targetType: 'SynchronisationRule',
      stats: null,
    });
  });

  it('a person’s detail names nobody', () => {
    const person = {
      ...(recording('0.14', 'detail-Schedule-Create-Complete.json') as object),
      targetType: 'MetaverseObject',
      targetName: 'Ada',
    };
    expect(valueOf(wire.readDetail(person)).targetName).toBeNull();
    expect(wire.readText(person).targetName).toBe('Ada');
  });

  it('export confirmations', () => {
    const value = {
      ...(recording('0.14', 'stats-ConnectedSystemRunProfile-Export-Complete.json') as object),
      totalPendingExportsConfirmed: 1,
      totalPendingExportsRetrying: 2,
      totalPendingExportsFailed: 3,
    };
    expect(valueOf(wire.readStats(value))).toMatchObject({
      exportsConfirmed: 1,
      exportsRetrying: 2,
      exportsFailed: 3,
    });
  });

  it('progress of a queued run says that nothing is known yet', () => {
    expect(valueOf(wire.readProgress(recording('0.14', 'progress-queued.json')))).toEqual({
      id: '01a20a15-6651-7098-abe0-d963d71e8337',
      status: 'InProgress',
      objectsProcessed: 0,
      objectsToProcess: 0,
      percentComplete: null,
      elapsedSeconds: 3.1823319,
      objectsPerSecond: null,
      estimatedSecondsRemaining: null,
      errors: 0,
      phase: null,
    });
  });

  it('the worker’s queue', () => {
    const page = valueOf(state.readWorkerTasks(recording('0.14', 'worker-tasks-schedule.json')));
    expect(page.rows.map(({ status }) => status)).toEqual([
      'WaitingForPreviousStep',
      'Processing',
      'Processing',
    ]);
    expect(page.rows[0]).toEqual({
      activityId: '01a20a19-7c65-7c56-97d9-ca6b6d9e2e10',
      status: 'WaitingForPreviousStep',
      timestamp: Date.parse('2026-11-23T20:29:32.123Z') * 1000 + 349,
    });
  });

  it('schedules, and what never ran', () => {
    const page = valueOf(state.readSchedules(recording('0.14', 'schedules.json')));
    expect(page.rows).toEqual([
      expect.objectContaining({
        name: 'Temporal Scope Reconciliation',
        enabled: true,
        lastRun: null,
        stepCount: 1,
      }),
      expect.objectContaining({
        name: 'Nightly',
        nextRun: Date.parse('2026-11-23T20:45:00Z') * 1000,
      }),
    ]);
  });

  it('a schedule execution and its steps', () => {
    expect(
      valueOf(state.readScheduleExecution(recording('0.14', 'schedule-execution-detail.json'))),
    ).toMatchObject({
      scheduleName: 'Nightly',
      status: 'Failed',
      steps: [
        {
          stepIndex: 0,
          stepType: 'RunProfile',
          connectedSystemId: 2,
          activityId: '01a20a19-7c3b-7b0c-9d2b-3d8bd24e7686',
        },
        { stepIndex: 0, connectedSystemId: 3 },
        { stepIndex: 1, connectedSystemId: 2 },
      ],
    });
  });

  it('an execution that is Completed is Complete', () => {
    const page = recording('0.14', 'schedule-executions.json') as { items: object[] };
    const items = page.items.map((item) => ({ ...item, status: 'Completed' }));
    expect(valueOf(state.readScheduleExecutions({ ...page, items })).rows[0]?.status).toBe(
      'Complete',
    );
  });

  it('connected systems with any name', () => {
    const page = valueOf(state.readConnectedSystems(recording('0.14', 'connected-systems.json')));
    expect(page.rows[0]).toEqual({
      id: 2,
      name: 'Badge "Office" \\ System',
      objects: 100,
      joinedObjects: 100,
      pendingExports: 0,
    });
  });

  it('certificates; invented, since no recorded server had any', () => {
    const page = recording('0.14', 'certificates.json') as object;
    const items = [
      { id: 'x', name: 'Corp Root CA', validTo: '2027-01-31T12:00:00+00:00', daysUntilExpiry: 69 },
      { id: 'y', name: 'For ever', validTo: '9999-12-31T23:59:59Z' },
    ];
    expect(valueOf(state.readCertificates({ ...page, items })).rows).toEqual([
      { name: 'Corp Root CA', expiry: Date.parse('2027-01-31T12:00:00Z') * 1000 },
      { name: 'For ever', expiry: null },
    ]);
  });
});

describe('what is wrong is named by its path, never by its value', () => {
  const page = recording('0.14', 'schedules.json') as { items: Record<string, unknown>[] };
  const detail = recording('0.14', 'crashed.json') as Record<string, unknown>;

  it.each([
    [
      state.readSchedules({ ...page, items: [page.items[0], { ...page.items[1], name: 7 }] }),
      'items.1.name is no string',
    ],
    [
      state.readSchedules({ ...page, items: [{ ...page.items[0], nextRunTime: 'secret' }] }),
      'items.0.nextRunTime is no date',
    ],
    [state.readSchedules(null), 'it is no object'],
    [state.readRunProfiles({}), 'it is no array'],
    [state.readVersion({ version: 14 }), 'version is no string'],
    [state.readHealth({ status: '' }), 'status is empty'],
    [wire.readDetail({ ...detail, id: 'secret' }), 'id is no id'],
    [wire.readDetail({ ...detail, executionTime: 'secret' }), 'executionTime is no timespan'],
    [
      wire.readDetail({ ...detail, objectsProcessed: -4711 }),
      'objectsProcessed is no whole number from 0',
    ],
    [
      wire.readStats({ totalObjectsProcessed: 1 }),
      'totalObjectChangeCount is no whole number from 0',
    ],
  ])('%#', (reading, fault) => {
    expect(reading).toEqual({ ok: false, fault });
  });

  it('an item needs no more than what is read of it', () => {
    const items = [{ id: 'x', errorType: 'DuplicateObject' }];
    const read = wire.readItems({
      items,
      totalCount: 1,
      page: 1,
      pageSize: 100,
      hasNextPage: false,
    });
    expect(read).toMatchObject({ value: { rows: [{ errorType: 'DuplicateObject' }] } });
  });

  it('no JSON makes a reader throw', () => {
    const readers = [
      wire.readDetail,
      wire.readStats,
      wire.readItems,
      wire.readChildren,
      wire.readProgress,
      wire.readText,
      wire.readItemText,
      wire.readErrorCode,
      readEnvelope,
      state.readWorkerTasks,
      state.readSchedules,
      state.readScheduleExecutions,
      state.readScheduleExecution,
      state.readConnectedSystems,
      state.readRunProfiles,
      state.readCertificates,
      state.readVersion,
      state.readHealth,
    ];
    const fields = [...Object.keys(detail), 'items', 'steps', 'name', 'version', 'code'];
    const anyObject = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue());
    const damaged = anyObject.map((change) => ({ ...detail, ...change }));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anyObject, damaged), (value) => {
        for (const reader of readers) expect(() => reader(value)).not.toThrow();
      }),
    );
  });
});

function valueOf<T>(reading: Reading<T>): T {
  if (!reading.ok) throw new Error(reading.fault);
  return reading.value;
}
