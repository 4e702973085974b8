/** Schedules: when they are due, what they run, how their last execution ended and what runs now. */
import type { Instant } from '../../jim/activity.ts';
import { earlier } from '../../jim/activity.ts';
import type { PlannedStep, Schedule, ScheduleExecution } from '../../jim/wire-state.ts';
import { applySchedules } from '../../ledger/enrich.ts';
import { admit, labelValue, nameAs, runLabelsAs } from '../../ledger/labels.ts';
import type { Admissions, RunLabels } from '../../ledger/ledger.ts';
import { runKey } from '../../ledger/ledger.ts';
import type { ScheduleExecutionStatus, ScheduleReading } from '../../metrics/snapshot.ts';
import type { Collector, CollectorTurn } from './collector.ts';
import { nothingLacking } from './collector.ts';

/** Schedules beyond are not shown: ten pages of a hundred. */
const MAX_PAGES = 10;
/** Pages of executions read at the first turn, to find the last one of schedules that run rarely. */
const MAX_FIRST_EXECUTION_PAGES = 5;
/** Schedules whose steps are read in one turn when they are new. */
const MAX_NEW_STEPS = 10;
/** Executions in progress that are older than a page, looked at one by one. */
const MAX_OLD_EXECUTIONS = 5;

/** Later versions tell more kinds of ends; what stops on errors has failed. Other words are no end. */
const ENDED: Readonly<Record<string, ScheduleExecutionStatus>> = {
  Complete: 'Complete',
  CompleteWithWarning: 'Complete',
  CompleteWithError: 'Failed',
  Failed: 'Failed',
  Cancelled: 'Cancelled',
};
const IN_PROGRESS: ReadonlySet<string> = new Set(['Queued', 'InProgress', 'Paused']);

type LabelsOf = (connectedSystemId: number | null, runProfileId: number | null) => RunLabels | null;

export function createSchedules(labelsOf: LabelsOf): Collector {
  const steps = createStepReader();
  const executions = createExecutionReader();
  return {
    name: 'schedules',
    lacking: nothingLacking,
    needsKey: true,
    leavesAtOnce: false,
    collect: async (turn) => {
      const { schedules, date } = await readSchedules(turn);
      await executions.read(turn, schedules);
      await steps.read(turn, schedules);
      const labels = await remember(turn, schedules, date);
      return {
        schedules: schedules.map((schedule): ScheduleReading => ({
          id: schedule.id,
          name: nameAs(labels, 'schedules', labelValue(schedule.name)),
          enabled: schedule.enabled,
          lastRun: schedule.lastRun,
          nextRun: schedule.nextRun,
          steps: steps.of(schedule.id).flatMap(({ connectedSystemId, runProfileId }) => {
            const run = labelsOf(connectedSystemId, runProfileId);
            return run === null ? [] : [runLabelsAs(labels, run)];
          }),
          ...executions.of(schedule.id),
        })),
      };
    },
  };
}

/** The schedules of each run profile, for alerts; null while they are not known. */
export function schedulesByRun(
  schedules: readonly ScheduleReading[] | null,
): ReadonlyMap<string, readonly string[]> | null {
  if (schedules === null) return null;
  const names = new Map<string, Set<string>>();
  for (const { name, steps } of schedules) {
    for (const step of steps) {
      const known = names.get(runKey(step)) ?? new Set();
      names.set(runKey(step), known.add(name));
    }
  }
  return new Map([...names].map(([key, set]) => [key, [...set].toSorted()]));
}

async function readSchedules({
  jim,
  call,
}: CollectorTurn): Promise<{ readonly schedules: readonly Schedule[]; readonly date: Instant }> {
  const first = await jim.schedules({ ...call, page: 1 });
  const schedules = [...first.rows];
  let more = first.hasNextPage;
  for (let page = 2; more && page <= MAX_PAGES; page += 1) {
    const next = await jim.schedules({ ...call, page });
    schedules.push(...next.rows);
    more = next.hasNextPage;
  }
  return { schedules, date: first.date };
}

/** The due times that passed, in the ledger; returns what the names are shown as. */
async function remember(
  { move, nowMs, telemetry }: CollectorTurn,
  schedules: readonly Schedule[],
  date: Instant,
): Promise<Admissions> {
  let folded = 0;
  const { labels } = await move((ledger) => {
    const names = schedules.map(({ name }) => labelValue(name));
    const admitted = admit(ledger.labels, 'schedules', names, nowMs());
    folded = admitted.newlyFolded;
    const withNames =
      admitted.admissions === ledger.labels ? ledger : { ...ledger, labels: admitted.admissions };
    const next = schedules.map(({ id, name, enabled, nextRun }) => ({
      id,
      name: nameAs(withNames.labels, 'schedules', labelValue(name)),
      enabled,
      next: nextRun,
    }));
    return applySchedules(withNames, next, date);
  });
  if (folded > 0) telemetry.labelSetsFolded(folded);
  return labels;
}

interface StepReader {
  read(turn: CollectorTurn, schedules: readonly Schedule[]): Promise<void>;
  of(scheduleId: string): readonly PlannedStep[];
}

/** Steps change rarely: read when a schedule is new or has another number of them, else one schedule a turn. */
function createStepReader(): StepReader {
  const known = new Map<
    string,
    { readonly stepCount: number; readonly steps: readonly PlannedStep[] }
  >();
  let turns = 0;
  return {
    of: (id) => known.get(id)?.steps ?? [],
    read: async ({ jim, call }, schedules) => {
      const ids = new Set(schedules.map(({ id }) => id));
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
      const changed = schedules.filter(
        ({ id, stepCount }) => known.get(id)?.stepCount !== stepCount,
      );
      const inTurn = schedules[turns % Math.max(1, schedules.length)];
      turns += 1;
      const wanted = changed.length > 0 || inTurn === undefined ? changed : [inTurn];
      for (const { id, stepCount } of wanted.slice(0, MAX_NEW_STEPS)) {
        const steps = await jim.scheduleSteps(id, call);
        if (steps !== 'not_found') known.set(id, { stepCount, steps });
      }
    },
  };
}

type ExecutionFacts = Pick<ScheduleReading, 'lastExecution' | 'inProgressSince'>;

interface ExecutionReader {
  read(turn: CollectorTurn, schedules: readonly Schedule[]): Promise<void>;
  of(scheduleId: string): ExecutionFacts;
}

interface Ended {
  readonly status: ScheduleExecutionStatus;
  readonly queuedAt: Instant;
}

function createExecutionReader(): ExecutionReader {
  const ended = new Map<string, Ended>();
  const inProgress = new Map<string, ScheduleExecution>();
  let isFirst = true;

  const note = (execution: ScheduleExecution): void => {
    const { id, scheduleId, status, queuedAt } = execution;
    if (scheduleId === null) return;
    if (IN_PROGRESS.has(status)) {
      inProgress.set(id, execution);
      return;
    }
    inProgress.delete(id);
    const end = ENDED[status];
    if (end === undefined) return;
    const before = ended.get(scheduleId);
    if (before === undefined || before.queuedAt <= queuedAt)
      ended.set(scheduleId, { status: end, queuedAt });
  };

  return {
    of: (scheduleId) => {
      const last = ended.get(scheduleId);
      const starts = [...inProgress.values()]
        .filter((execution) => execution.scheduleId === scheduleId)
        .map(({ startedAt, queuedAt }) => startedAt ?? queuedAt);
      return {
        lastExecution: last === undefined ? null : { status: last.status },
        inProgressSince: starts.length === 0 ? null : starts.reduce(earlier),
      };
    },
    read: async ({ jim, call }, schedules) => {
      const seen = new Set<string>();
      const lastPage = isFirst ? MAX_FIRST_EXECUTION_PAGES : 1;
      for (let page = 1; page <= lastPage; page += 1) {
        const { rows, hasNextPage } = await jim.scheduleExecutions({ ...call, page });
        for (const execution of rows) {
          seen.add(execution.id);
          note(execution);
        }
        const unknown = schedules.some(({ id, lastRun }) => lastRun !== null && !ended.has(id));
        if (!hasNextPage || !unknown) break;
      }
      isFirst = false;
      const older = [...inProgress.keys()].filter((id) => !seen.has(id));
      for (const id of older.slice(0, MAX_OLD_EXECUTIONS)) {
        const execution = await jim.scheduleExecution(id, call);
        if (execution === 'not_found') inProgress.delete(id);
        else note(execution);
      }
      const ids = new Set(schedules.map(({ id }) => id));
      for (const id of ended.keys()) if (!ids.has(id)) ended.delete(id);
      for (const [id, { scheduleId }] of inProgress)
        if (scheduleId === null || !ids.has(scheduleId)) inProgress.delete(id);
    },
  };
}
