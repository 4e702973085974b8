/**
 * Adding one finished Activity to the totals. Increments of a label set that is still held at 0
 * (design, section 2, rule 8) are kept apart until `zero-hold.ts` releases them.
 */
import type { Activity, FinishedStatus, Instant, Outcome } from '../jim/activity.ts';
import {
  MICROS_PER_SECOND,
  OUTCOMES,
  endOf,
  instant,
  isFailure,
  isSuccess,
  micros,
  timesOf,
} from '../jim/activity.ts';
import type {
  ActivityAccount,
  ActivityTotals,
  Cell,
  CellName,
  Exemplar,
  LastFailure,
  LastRun,
  RecurringAccount,
  RunAccount,
  RunLabels,
  RunTotals,
} from './ledger.ts';
import { DURATION_BOUNDS_SECONDS, NO_ACTIVITY_TOTALS, NO_RUN_TOTALS, OTHER } from './ledger.ts';

/** Ends of failures kept per run profile: consecutive failures are exact up to here. */
const MAX_FAILURE_ENDS = 100;

export type Finished = Activity & { readonly status: FinishedStatus };

export function newActivityAccount(
  targetType: string,
  operation: string,
  connectedSystem: string,
  nowMs: number,
): ActivityAccount {
  return {
    targetType,
    operation,
    connectedSystem,
    published: NO_ACTIVITY_TOTALS,
    held: NO_ACTIVITY_TOTALS,
    birth: { atMs: nowMs },
    lastActiveMs: nowMs,
  };
}

/** A run profile's account, with the outcomes usual for its run type at 0. */
export function newRunAccount(labels: RunLabels, nowMs: number): RunAccount {
  const birth = { atMs: nowMs };
  return {
    labels,
    published: NO_RUN_TOTALS,
    held: NO_RUN_TOTALS,
    birth,
    cells: new Map(usualCells(labels.runType).map((name) => [name, { value: 0, held: 0, birth }])),
    last: null,
    lastSuccess: null,
    failureEnds: [],
    lastFailure: null,
    lastActiveMs: nowMs,
  };
}

const IMPORT_OUTCOMES: readonly Outcome[] = ['Added', 'Updated', 'Deleted'];
const EXPORT_OUTCOMES: readonly Outcome[] = ['Exported', 'Deprovisioned', 'Created'];

function usualCells(runType: string): readonly CellName[] {
  return usualOutcomes(runType).map((outcome): CellName => `outcome:${outcome}`);
}

function usualOutcomes(runType: string): readonly Outcome[] {
  switch (runType) {
    case 'FullImport':
    case 'DeltaImport':
      return IMPORT_OUTCOMES;
    case 'Export':
      return EXPORT_OUTCOMES;
    case 'FullSynchronisation':
    case 'DeltaSynchronisation':
      return OUTCOMES.filter(
        (outcome) =>
          outcome === 'Deleted' ||
          !(IMPORT_OUTCOMES.includes(outcome) || EXPORT_OUTCOMES.includes(outcome)),
      );
    default:
      return [];
  }
}

export function addToActivityAccount(
  account: ActivityAccount,
  activity: Finished,
  nowMs: number,
): ActivityAccount {
  const target = account.birth === null ? 'published' : 'held';
  return {
    ...account,
    lastActiveMs: nowMs,
    [target]: addToActivityTotals(account[target], activity, nowMs),
  };
}

function addToActivityTotals(
  totals: ActivityTotals,
  activity: Finished,
  nowMs: number,
): ActivityTotals {
  const exemplar: Exemplar = { activityId: activity.id, value: 1, atMs: nowMs };
  return {
    statuses: { ...totals.statuses, [activity.status]: totals.statuses[activity.status] + 1 },
    errors: totals.errors + activity.errors,
    exemplars: { ...totals.exemplars, [activity.status]: exemplar },
  };
}

/** Counts a finished run into its account, and remembers it if it ended last. */
export function addToRunAccount(account: RunAccount, run: Finished, nowMs: number): RunAccount {
  const target = account.birth === null ? 'published' : 'held';
  const counted: RunAccount = {
    ...account,
    lastActiveMs: nowMs,
    [target]: addToRunTotals(account[target], run, nowMs),
    cells: addOutcomes(account.cells, run, nowMs),
  };
  return rememberRun(counted, run);
}

function addToRunTotals(totals: RunTotals, run: Finished, nowMs: number): RunTotals {
  const { duration, queue } = timesOf(run);
  const base: RunTotals = {
    ...totals,
    statuses: { ...totals.statuses, [run.status]: totals.statuses[run.status] + 1 },
    errors: totals.errors + run.errors,
    queue: micros(totals.queue + queue),
    exemplars: { ...totals.exemplars, [run.status]: { activityId: run.id, value: 1, atMs: nowMs } },
  };
  if (duration === null) return base;
  const seconds = duration / MICROS_PER_SECOND;
  const bucket = bucketOf(seconds);
  return {
    ...base,
    durationBuckets: base.durationBuckets.with(bucket, (base.durationBuckets[bucket] ?? 0) + 1),
    durationSum: micros(base.durationSum + duration),
    durationExemplars: {
      ...base.durationExemplars,
      [bucket]: { activityId: run.id, value: seconds, atMs: nowMs },
    },
  };
}

/** Index of the first bucket whose upper bound is not below the value; the last is +Inf. */
function bucketOf(seconds: number): number {
  const index = DURATION_BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
  return index === -1 ? DURATION_BOUNDS_SECONDS.length : index;
}

function addOutcomes(
  cells: ReadonlyMap<CellName, Cell>,
  run: Finished,
  nowMs: number,
): ReadonlyMap<CellName, Cell> {
  const happened = OUTCOMES.filter((outcome) => run.outcomes[outcome] > 0);
  if (happened.length === 0) return cells;
  const after = new Map(cells);
  for (const outcome of happened)
    addToCell(after, `outcome:${outcome}`, run.outcomes[outcome], nowMs);
  return after;
}

/** Adds to a cell in place; a cell never needed before is born now, at 0. */
export function addToCell(
  cells: Map<CellName, Cell>,
  name: CellName,
  amount: number,
  nowMs: number,
): void {
  const cell = cells.get(name) ?? { value: 0, held: 0, birth: { atMs: nowMs } };
  cells.set(
    name,
    cell.birth === null
      ? { ...cell, value: cell.value + amount }
      : { ...cell, held: cell.held + amount },
  );
}

/** When a finished run ended; JIM's missing or negative total time leaves only what else it says. */
function endOfFinished(run: Activity): Instant {
  return (
    endOf(run) ??
    instant(
      Math.max(run.created, (run.executed ?? run.created) + Math.max(0, run.executionTime ?? 0)),
    )
  );
}

/** A finished run as the gauges show it when it is the last. */
export function lastRunOf(run: Finished): LastRun {
  const { duration, queue } = timesOf(run);
  const outcomes: Partial<Record<Outcome, number>> = {};
  for (const outcome of OUTCOMES)
    if (run.outcomes[outcome] > 0) outcomes[outcome] = run.outcomes[outcome];
  return {
    id: run.id,
    status: run.status,
    created: run.created,
    end: endOfFinished(run),
    duration,
    queue,
    errors: run.errors,
    outcomes,
    processed: null,
    errorsByType: null,
  };
}

/** Updates the last run, the last success and the failures since, whatever the order in which runs are met. */
export function rememberRun(account: RunAccount, run: Finished): RunAccount {
  if (account.labels.runProfile === OTHER) return account;
  const candidate = lastRunOf(run);
  const { end, duration } = candidate;
  const afterSuccess = isSuccess(run.status) ? rememberSuccess(account, end, duration) : account;
  const afterFailure = isSuccess(run.status)
    ? afterSuccess
    : rememberUnsuccessful(afterSuccess, run, end);
  return { ...afterFailure, last: endedLater(candidate, account.last) ? candidate : account.last };
}

/** The last run is the one that ended last; then created; then id. */
function endedLater(candidate: LastRun, last: LastRun | null): boolean {
  if (last === null) return true;
  if (candidate.end !== last.end) return candidate.end > last.end;
  if (candidate.created !== last.created) return candidate.created > last.created;
  return candidate.id >= last.id;
}

function rememberSuccess(
  account: RunAccount,
  end: Instant,
  duration: LastRun['duration'],
): RunAccount {
  if (account.lastSuccess !== null && account.lastSuccess.end >= end) return account;
  const stillFailed = account.lastFailure !== null && account.lastFailure.end > end;
  return {
    ...account,
    lastSuccess: { end, duration },
    failureEnds: account.failureEnds.filter((failureEnd) => failureEnd > end),
    lastFailure: stillFailed ? account.lastFailure : null,
  };
}

function rememberUnsuccessful(account: RunAccount, run: Finished, end: Instant): RunAccount {
  if (account.lastSuccess !== null && end <= account.lastSuccess.end) return account;
  const failure: LastFailure = { id: run.id, end, status: run.status, cause: null };
  return {
    ...account,
    failureEnds: isFailure(run.status)
      ? withFailureEnd(account.failureEnds, end)
      : account.failureEnds,
    lastFailure:
      account.lastFailure === null || end >= account.lastFailure.end
        ? failure
        : account.lastFailure,
  };
}

function withFailureEnd(ends: readonly Instant[], end: Instant): readonly Instant[] {
  return [...ends, end].toSorted((a, b) => a - b).slice(-MAX_FAILURE_ENDS);
}

/** Activities that recur by themselves and are no runs: their last success and failures since are worth a gauge. */
export const RECURRING_TARGET_TYPES: ReadonlySet<string> = new Set([
  'TemporalScopeReconciliation',
  'MetaverseObjectHousekeeping',
  'HistoryRetentionCleanup',
]);

export function addToRecurring(
  account: RecurringAccount | undefined,
  activity: Finished,
): RecurringAccount {
  const before: RecurringAccount = account ?? {
    targetType: activity.targetType,
    operation: activity.operation,
    lastSuccessEnd: null,
    failureEnds: [],
  };
  const end = endOfFinished(activity);
  const lastSuccessEnd = before.lastSuccessEnd;
  if (isSuccess(activity.status)) {
    if (lastSuccessEnd !== null && lastSuccessEnd >= end) return before;
    return {
      ...before,
      lastSuccessEnd: end,
      failureEnds: before.failureEnds.filter((failureEnd) => failureEnd > end),
    };
  }
  if (!isFailure(activity.status) || (lastSuccessEnd !== null && end <= lastSuccessEnd))
    return before;
  return { ...before, failureEnds: withFailureEnd(before.failureEnds, end) };
}
