/**
 * Every metric about JIM against what really happened there: a company has two bad hours, the real poll and all
 * collectors watch, and each family of the catalogue is held against the world's own books, value by value. A
 * family that has no truth here fails.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { BADGES, CLOUD, DELTA, DIRECTORY, HR } from '../../src/demo/company-set-up.ts';
import type { Company } from '../../src/demo/company.ts';
import { createCompany } from '../../src/demo/company.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import type { Ending, TruthRow } from '../../src/demo/truth.ts';
import { FINISHED_STATUSES, OUTCOMES } from '../../src/jim/activity.ts';
import { DURATION_BOUNDS_SECONDS } from '../../src/ledger/ledger.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import type { ParsedExposition } from '../metrics/strict-parser.ts';
import { parseExposition } from '../metrics/strict-parser.ts';
import type { Rig } from './rig.ts';
import { START_MS, createRig } from './rig.ts';

/** Series and its value; the series is `{a="x",b="y"}` with the labels in order of their names. */
type Truth = ReadonlyMap<string, number>;
type Labels = Readonly<Record<string, string>>;

const CLOCK_OFFSET_MS = 7_000;
const OPEN_LIMIT_MS = 30 * 60_000;
const MICROS = 1e6;

let rig: Rig;
let company: Company;
let shown: ParsedExposition;
/** What was finished before we looked first. */
let history: ReadonlySet<string>;
let causes: ReadonlyMap<string, string>;
/** Next-run times that passed while we watched, oldest first, by schedule. */
const dues = new Map<string, number[]>();
/** When the progress of a run last changed, by our clock. */
const moved = new Map<string, { readonly mark: string; readonly atMs: number }>();

beforeAll(async () => {
  company = createCompany({
    seed: 'truth',
    startMs: START_MS,
    days: 0,
    dialect: 'main',
    quiet: true,
    clockOffsetMs: CLOCK_OFFSET_MS,
  });
  const { world, incidents } = company;
  rig = await createRig({
    world,
    settings: { runStats: 'auto', openLimitMs: OPEN_LIMIT_MS },
  });
  // Its set-up is over, and history when we look first.
  rig.pass(120_000);
  await rig.poll();
  await rig.collectors.afterPoll({});
  history = new Set(world.truth().map(({ id }) => id));

  incidents.orphan();
  const why = new Map<string, string>();
  incidents.failNextRun(CLOUD, 'connector', 'FullImport');
  why.set(incidents.run(CLOUD, 'FullImport'), 'exception');
  incidents.failNextRun(BADGES, 'unhandled', 'FullImport');
  why.set(incidents.run(BADGES, 'FullImport'), 'object_errors');
  incidents.run(HR, 'FullImport');
  incidents.failSignIns(2);
  await watch(30);
  incidents.failNextRun(CLOUD, 'connector', 'FullImport');
  why.set(incidents.run(CLOUD, 'FullImport'), 'exception');
  incidents.failNextRun(DIRECTORY, 'some_objects', 'FullImport');
  incidents.run(DIRECTORY, 'FullImport');
  incidents.startSchedule(DELTA);
  await watch(30);
  incidents.slowDown(HR, 20);
  incidents.run(HR, 'FullImport');
  await watch(1);
  for (const id of incidents.cancelRunning()) why.set(id, 'cancelled');
  // Long enough for every zero hold, with nothing new at its end but what is still under way.
  for (const { name } of world.schedules) incidents.setScheduleEnabled(name, name !== DELTA);
  await watch(15);
  incidents.run(HR, 'FullImport');
  incidents.run(BADGES, 'DeltaImport');
  incidents.startSchedule(DELTA);
  await watch(3);
  causes = why;
  shown = parseExposition(rig.scrape() ?? '', 'text');
});

/** A poll, all collectors, and a minute. */
async function watch(minutes: number): Promise<void> {
  const { world } = company;
  for (let minute = 0; minute < minutes; minute += 1) {
    const before = new Map(world.schedules.map(({ name, nextRunTime }) => [name, nextRunTime]));
    rig.pass(60_000);
    for (const { name, isEnabled, nextRunTime } of world.schedules) {
      const due = before.get(name) ?? null;
      if (isEnabled && due !== null && nextRunTime !== due)
        dues.set(name, [...(dues.get(name) ?? []), due]);
    }
    await rig.poll();
    await rig.collectors.afterPoll({});
    for (const name of ['inventory', 'schedules', 'certificates'] as const)
      await rig.collectors.turn(name, {});
    for (const row of openRows().filter(isRunRow)) {
      const mark = `${row.objectsProcessed}/${row.objectsToProcess}/${row.totals.Errors}`;
      if (moved.get(row.id)?.mark !== mark) moved.set(row.id, { mark, atMs: rig.nowMs() });
    }
  }
}

function series(labels: Labels): string {
  const pairs = Object.keys(labels).toSorted();
  return `{${pairs.map((label) => `${label}=${JSON.stringify(labels[label])}`).join(',')}}`;
}

/** Adds up. */
function sums<Row>(
  rows: readonly Row[],
  each: (row: Row) => readonly (readonly [Labels, number])[],
): Truth {
  const truth = new Map<string, number>();
  for (const [labels, value] of rows.flatMap(each))
    truth.set(series(labels), (truth.get(series(labels)) ?? 0) + value);
  return truth;
}

/** The last word of each series. */
function facts(entries: readonly (readonly [Labels, number | null])[]): Truth {
  return new Map(
    entries.flatMap(([labels, value]) =>
      value === null ? [] : [[series(labels), value] as const],
    ),
  );
}

// ---- The world's books.

interface Counted extends Ending {
  readonly id: string;
  readonly created: number;
}
interface CountedRun extends Counted {
  readonly run: NonNullable<Ending['run']>;
}

function finished(): readonly Counted[] {
  const last = ({ id, created, endings }: TruthRow): readonly Counted[] => {
    const [ending] = endings;
    return ending === undefined ? [] : [{ ...ending, id, created }];
  };
  return company.world
    .truth()
    .filter(({ listed }) => listed)
    .flatMap(last);
}
const counted = (): readonly Counted[] => finished().filter(({ id }) => !history.has(id));
const runs = (): readonly CountedRun[] =>
  counted().flatMap((one) => (one.run === null ? [] : [{ ...one, run: one.run }]));

const openRows = (): readonly WorldRow[] =>
  company.world.table.rows.filter(
    ({ status, parentActivityId }) =>
      parentActivityId === null && !(FINISHED_STATUSES as readonly string[]).includes(status),
  );
const isRunRow = (row: WorldRow): boolean =>
  row.targetType === 'ConnectedSystemRunProfile' && row.targetOperationType === 'Execute';
const isOrphan = (row: WorldRow): boolean => row.targetOperationType === 'ImportSchema';
const isRunning = (row: WorldRow): boolean => row.executed - row.created >= 10_000;

function runLabels({ connectedSystem, runProfile, runType }: CountedRun['run']): Labels {
  return { connected_system: connectedSystem, run_profile: runProfile, run_type: runType };
}
function rowLabels(row: WorldRow): Labels {
  return {
    connected_system: row.targetContext ?? '',
    run_profile: row.targetName ?? '',
    run_type: row.runType,
  };
}
const target = (one: Counted): Labels => ({
  target_type: one.targetType,
  operation: one.operation,
});
const system = (one: Counted): Labels => ({
  ...target(one),
  connected_system: one.connectedSystem,
});
const openSystem = (row: WorldRow): Labels => ({
  target_type: row.targetType,
  operation: row.targetOperationType,
  connected_system: (isRunRow(row) ? row.targetContext : row.targetName) ?? '',
});
const endOf = (one: Counted): number => one.created + (one.totalActivityTime ?? 0);
const isSuccess = ({ status }: Counted): boolean =>
  status === 'Complete' || status === 'CompleteWithWarning';
const isFailure = ({ status }: Counted): boolean =>
  status === 'CompleteWithError' || status === 'FailedWithError';
/** Cancelled before it began, or stopped by the step before it. */
const neverRan = ({ status, executionTime, executed, created }: Counted): boolean =>
  executionTime === null || (status === 'Cancelled' && executed - created < 10_000);

/** By run profile, in the order in which they ended. */
function histories(): readonly (readonly [Labels, readonly CountedRun[]])[] {
  const byRun = new Map<string, CountedRun[]>();
  for (const run of runs().toSorted((a, b) => endOf(a) - endOf(b))) {
    const key = series(runLabels(run.run));
    byRun.set(key, [...(byRun.get(key) ?? []), run]);
  }
  return [...byRun.values()].flatMap((all) => {
    const [first] = all;
    return first === undefined ? [] : [[runLabels(first.run), all] as const];
  });
}
type OfRun = (all: readonly CountedRun[], last: CountedRun) => number | null;
const perRun = (value: OfRun): Truth =>
  facts(
    histories().map(([labels, all]) => {
      const last = all.at(-1);
      return [labels, last === undefined ? null : value(all, last)];
    }),
  );
function sinceSuccess(all: readonly CountedRun[]): readonly CountedRun[] {
  return all.slice(all.findLastIndex(isSuccess) + 1);
}
const rowOf = (id: string): WorldRow => {
  const row = company.world.row(id);
  if (row === undefined) throw new Error(`the world has lost ${id}`);
  return row;
};
const unchangedOf = ({ id, objectsProcessed }: CountedRun): number =>
  Math.max(0, objectsProcessed - rowOf(id).stats.changes);

const RECURRING = [
  'TemporalScopeReconciliation',
  'MetaverseObjectHousekeeping',
  'HistoryRetentionCleanup',
];
const SIGN_INS: Readonly<Record<string, string>> = {
  'Interactive sign-in succeeded': 'sign_in_succeeded',
  'Interactive sign-in failed': 'sign_in_failed',
  'API key authentication failed': 'api_key_failed',
};
const schedules = (): Company['world']['schedules'] => company.world.schedules;
const perSchedule = (value: (schedule: Company['world']['schedules'][number]) => number | null) =>
  facts(schedules().map((schedule) => [{ schedule: schedule.name }, value(schedule)]));
const seconds = (micros: number | null): number | null =>
  micros === null ? null : micros / MICROS;
const perSystem = (value: (one: Company['world']['systems'][number]) => number): Truth =>
  facts(company.world.systems.map((one) => [{ connected_system: one.name }, value(one)]));
const one = (value: number): Truth => new Map([['{}', value]]);

/**
 * What each family must show. `zeros`: further series may stand there at 0, since all of a label set are born
 * together. `within`: how far a time of ours may be off.
 */
interface Expectation {
  readonly truth: () => Truth;
  readonly zeros?: true;
  readonly within?: number;
}

const EXPECTED: Readonly<Record<string, Expectation>> = {
  jim_up: { truth: () => one(1) },
  jim_info: { truth: () => facts([[{ version: company.world.dialect.version }, 1]]) },
  jim_ready: { truth: () => one(1) },
  jim_maintenance_mode: { truth: () => one(0) },
  // The Date header has whole seconds.
  jim_clock_offset_seconds: { truth: () => one(CLOCK_OFFSET_MS / 1_000), within: 0.6 },
  jim_activities_total: {
    truth: () => sums(counted(), (row) => [[{ ...system(row), status: row.status }, 1]]),
    zeros: true,
  },
  jim_activity_errors_total: {
    truth: () => sums(counted(), (row) => [[system(row), row.totals.Errors]]),
    zeros: true,
  },
  jim_activities_in_progress: {
    truth: () => sums(openRows(), (row) => (isOrphan(row) ? [] : [[openSystem(row), 1]])),
    zeros: true,
  },
  jim_activities_orphaned: {
    truth: () => sums(openRows(), (row) => (isOrphan(row) ? [[openSystem(row), 1]] : [])),
    zeros: true,
  },
  jim_activities_in_progress_since_timestamp_seconds: {
    truth: () => {
      const oldestFirst = openRows().filter((row) => !isOrphan(row));
      return facts(
        oldestFirst
          .toSorted((a, b) => b.created - a.created)
          .map((row) => [openSystem(row), seconds(row.created)]),
      );
    },
  },
  jim_activity_consecutive_failures: {
    truth: () => sums(finished().filter(isRecurring), (row) => [[target(row), 0]]),
  },
  jim_activity_last_success_timestamp_seconds: {
    truth: () =>
      facts(
        finished()
          .filter((row) => isRecurring(row) && isSuccess(row))
          .toSorted((a, b) => endOf(a) - endOf(b))
          .map((row) => [target(row), seconds(endOf(row))]),
      ),
  },
  jim_authentication_events_total: {
    truth: () =>
      sums(counted(), ({ id, targetType }) =>
        targetType === 'Authentication'
          ? [[{ event: SIGN_INS[rowOf(id).targetName ?? ''] ?? 'unknown' }, 1]]
          : [],
      ),
    zeros: true,
  },
  jim_runs_total: {
    truth: () => sums(runs(), ({ run, status }) => [[{ ...runLabels(run), status }, 1]]),
    zeros: true,
  },
  jim_run_errors_total: {
    truth: () => sums(runs(), ({ run, totals }) => [[runLabels(run), totals.Errors]]),
    zeros: true,
  },
  jim_run_objects_total: {
    truth: () =>
      sums(runs(), ({ run, totals }) =>
        OUTCOMES.map((outcome) => [{ ...runLabels(run), outcome }, totals[outcome]] as const),
      ),
    zeros: true,
  },
  jim_run_duration_seconds: {
    truth: () =>
      sums(runs(), (run) => {
        if (run.executionTime === null || neverRan(run)) return [];
        const labels = runLabels(run.run);
        const took = run.executionTime / MICROS;
        const buckets = DURATION_BOUNDS_SECONDS.map(
          (bound) =>
            [{ ...labels, le: `${bound}.0`, part: 'bucket' }, Number(took <= bound)] as const,
        );
        return [
          ...buckets,
          [{ ...labels, le: '+Inf', part: 'bucket' }, 1],
          [{ ...labels, part: 'count' }, 1],
          [{ ...labels, part: 'sum' }, took],
        ];
      }),
    zeros: true,
  },
  jim_run_queue_seconds_total: {
    truth: () =>
      sums(runs(), (run) => {
        const ran = neverRan(run) ? 0 : (run.executionTime ?? 0);
        return [[runLabels(run.run), Math.max(0, (run.totalActivityTime ?? 0) - ran) / MICROS]];
      }),
    zeros: true,
  },
  jim_run_objects_processed_total: {
    truth: () => sums(runs(), (run) => [[runLabels(run.run), run.objectsProcessed]]),
    zeros: true,
  },
  jim_run_objects_unchanged_total: {
    truth: () => sums(runs(), (run) => [[runLabels(run.run), unchangedOf(run)]]),
    zeros: true,
  },
  jim_run_export_confirmations_total: {
    truth: () =>
      sums(runs(), ({ id, run }) => {
        const { confirmed, retrying, failed } = rowOf(id).stats;
        const labels = runLabels(run);
        return [
          [{ ...labels, result: 'Confirmed' }, confirmed],
          [{ ...labels, result: 'Retrying' }, retrying],
          [{ ...labels, result: 'Failed' }, failed],
        ];
      }),
    zeros: true,
  },
  jim_run_last_status: {
    truth: () =>
      facts(
        histories().flatMap(([labels, all]) =>
          FINISHED_STATUSES.map(
            (status) => [{ ...labels, status }, Number(all.at(-1)?.status === status)] as const,
          ),
        ),
      ),
  },
  jim_run_last_completion_timestamp_seconds: {
    truth: () => perRun((_, last) => seconds(endOf(last))),
  },
  jim_run_last_success_timestamp_seconds: {
    truth: () =>
      perRun((all) => {
        const success = all.findLast(isSuccess);
        return success === undefined ? null : seconds(endOf(success));
      }),
  },
  jim_run_last_duration_seconds: {
    truth: () => perRun((_, last) => (neverRan(last) ? null : seconds(last.executionTime))),
  },
  jim_run_last_errors: { truth: () => perRun((_, { totals }) => totals.Errors) },
  jim_run_last_objects_processed: { truth: () => perRun((_, last) => last.objectsProcessed) },
  jim_run_last_success_duration_seconds: {
    truth: () => perRun((all) => seconds(all.findLast(isSuccess)?.executionTime ?? null)),
  },
  jim_run_last_failure_info: {
    truth: () =>
      facts(
        histories().flatMap(([labels, all]) => {
          const failure = sinceSuccess(all).at(-1);
          if (failure === undefined) return [];
          return [[{ ...labels, cause: causes.get(failure.id) ?? 'previous_step_failed' }, 1]];
        }),
      ),
  },
  jim_run_last_objects: {
    truth: () =>
      facts(
        histories().flatMap(([labels, all]) =>
          OUTCOMES.map(
            (outcome) => [{ ...labels, outcome }, all.at(-1)?.totals[outcome] ?? 0] as const,
          ).filter(([, count]) => count > 0),
        ),
      ),
    zeros: true,
  },
  jim_run_last_errors_by_type: {
    truth: () =>
      sums(histories(), ([labels, all]) =>
        rowOf(all.at(-1)?.id ?? '')
          .items.filter(({ errorType }) => errorType !== 'NotSet')
          .map(({ errorType, count }) => [{ ...labels, error_type: errorType }, count] as const),
      ),
  },
  jim_run_consecutive_failures: {
    truth: () => perRun((all) => sinceSuccess(all).filter(isFailure).length),
    zeros: true,
  },
  jim_run_in_progress: {
    truth: () =>
      sums(openRows().filter(isRunRow), (row) => [
        [{ ...rowLabels(row), state: isRunning(row) ? 'running' : 'queued' }, 1],
      ]),
    zeros: true,
  },
  jim_run_running_since_timestamp_seconds: {
    truth: () =>
      facts(
        openRows()
          .filter((row) => isRunRow(row) && isRunning(row))
          .map((row) => [rowLabels(row), seconds(row.executed)]),
      ),
  },
  jim_run_progress_timestamp_seconds: {
    truth: () =>
      facts(
        openRows()
          .filter((row) => isRunRow(row) && isRunning(row))
          .map((row) => [rowLabels(row), (moved.get(row.id)?.atMs ?? Number.NaN) / 1_000]),
      ),
    within: 1,
  },
  jim_worker_tasks: {
    truth: () => sums(company.world.tasks, ({ status }) => [[{ status }, 1]]),
    zeros: true,
  },
  jim_worker_tasks_oldest_timestamp_seconds: {
    truth: () =>
      facts(
        company.world.tasks
          .toSorted((a, b) => b.timestamp - a.timestamp)
          .map(({ status, timestamp }) => [{ status }, seconds(timestamp)]),
      ),
  },
  jim_schedule_enabled: { truth: () => perSchedule(({ isEnabled }) => Number(isEnabled)) },
  jim_schedule_last_run_timestamp_seconds: {
    truth: () => perSchedule(({ lastRunTime }) => seconds(lastRunTime)),
  },
  jim_schedule_next_run_timestamp_seconds: {
    truth: () => perSchedule(({ nextRunTime }) => seconds(nextRunTime)),
  },
  jim_schedule_last_due_timestamp_seconds: {
    truth: () => perSchedule(({ name }) => seconds(dues.get(name)?.at(-1) ?? null)),
  },
  jim_schedule_previous_due_timestamp_seconds: {
    truth: () => perSchedule(({ name }) => seconds(dues.get(name)?.at(-2) ?? null)),
  },
  jim_schedule_run_profile_info: {
    truth: () =>
      facts(
        schedules().flatMap(({ name, steps }) =>
          steps.flatMap(({ connectedSystemId, runProfileId }) => {
            const of = company.world.systems.find(({ id }) => id === connectedSystemId);
            const profile = of?.runProfiles.find(({ id }) => id === runProfileId);
            if (of === undefined || profile === undefined) return [];
            const run = { connected_system: of.name, run_profile: profile.name };
            return [[{ schedule: name, ...run, run_type: profile.runType }, 1] as const];
          }),
        ),
      ),
  },
  jim_schedule_last_execution_status: {
    truth: () =>
      facts(
        schedules().flatMap(({ id, name }) => {
          const ended = company.world.executions.findLast(
            ({ scheduleId, completedAt }) => scheduleId === id && completedAt !== null,
          );
          if (ended === undefined) return [];
          return ['Complete', 'Failed', 'Cancelled'].map(
            (status) => [{ schedule: name, status }, Number(ended.status === status)] as const,
          );
        }),
      ),
  },
  jim_schedule_in_progress_since_timestamp_seconds: {
    truth: () =>
      facts(
        company.world.executions
          .filter(({ completedAt }) => completedAt === null)
          .map(({ scheduleName, startedAt }) => [{ schedule: scheduleName }, seconds(startedAt)]),
      ),
  },
  jim_connected_system_objects: { truth: () => perSystem(({ objectCount }) => objectCount) },
  jim_connected_system_joined_objects: { truth: () => perSystem(({ joinedCount }) => joinedCount) },
  jim_connected_system_pending_exports: {
    truth: () => perSystem(({ pendingExports }) => pendingExports),
  },
  jim_certificate_expiry_timestamp_seconds: {
    truth: () =>
      facts(
        company.world.certificates.map(({ name, validTo }) => [
          { certificate: name },
          Math.floor(validTo) / MICROS,
        ]),
      ),
  },
};

function isRecurring({ targetType }: Counted): boolean {
  return RECURRING.includes(targetType);
}

/** The samples of a family; those of a histogram carry the part of their name as a label. */
function samplesOf(name: string): Truth {
  const family = shown.families.get(name);
  return new Map(
    (family?.samples ?? []).map((sample) => {
      const part = sample.name.slice(name.length + 1);
      return [series(part === '' ? sample.labels : { ...sample.labels, part }), sample.value];
    }),
  );
}

const ABOUT_JIM = CATALOGUE.map(({ name }) => name).filter(
  (name) => !name.startsWith('jim_exporter_'),
);

describe('what is shown of JIM is what happened there', () => {
  it.each(ABOUT_JIM)('%s', (name) => {
    const expectation = EXPECTED[name];
    if (expectation === undefined) throw new Error(`nothing here says what ${name} must show`);
    const { zeros = false, within = 1e-6 } = expectation;
    const truth = expectation.truth();
    const samples = samplesOf(name);
    const wrong = [...new Set([...truth.keys(), ...samples.keys()])].flatMap((key) => {
      const [is, should] = [samples.get(key), truth.get(key)];
      const isRight =
        is === undefined || should === undefined
          ? zeros && (is ?? 0) === 0 && (should ?? 0) === 0
          : Math.abs(is - should) <= within;
      return isRight ? [] : [{ key, is, should }];
    });
    expect(wrong).toEqual([]);
    expect(samples.size, 'something is shown').toBeGreaterThan(0);
  });

  it('was eventful: every counter has counted, every status and cause was met', () => {
    const statuses = new Set(runs().map(({ status }) => status));
    expect([...statuses].toSorted()).toEqual([...FINISHED_STATUSES].toSorted());
    for (const name of ABOUT_JIM.filter((each) => each.endsWith('_total')))
      expect(
        [...samplesOf(name).values()].some((value) => value > 0),
        name,
      ).toBe(true);
    expect([...samplesOf('jim_activities_orphaned').values()]).toContain(1);
    const shownCauses = [...samplesOf('jim_run_last_failure_info').keys()].join('\n');
    for (const cause of ['exception', 'object_errors', 'cancelled'])
      expect(shownCauses).toContain(`cause="${cause}"`);
  });
});
