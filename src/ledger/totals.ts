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
  LastFailure,
  LastRun,
  RecurringAccount,
  RunAccount,
  RunLabels,
  RunTotals,
  StatusCounts,
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

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What one step adds to an account of Activities: one copy of its totals, however many Activities are counted. */
export class ActivityTally {
  readonly #before: ActivityAccount;
  readonly #nowMs: number;
  #totals: ActivityTotalsInProgress | null = null;

  constructor(before: ActivityAccount, nowMs: number) {
    this.#before = before;
    this.#nowMs = nowMs;
  }

  count({ id, status, errors }: Finished): void {
    const totals = (this.#totals ??= copyOfActivityTotals(this.#before[targetOf(this.#before)]));
    totals.statuses[status] += 1;
    totals.errors += errors;
    totals.exemplars[status] = { activityId: id, value: 1, atMs: this.#nowMs };
  }

  /** The account after it; the same reference where nothing was counted. */
  get account(): ActivityAccount {
    if (this.#totals === null) return this.#before;
    const target = targetOf(this.#before);
    return { ...this.#before, lastActiveMs: this.#nowMs, [target]: this.#totals };
  }
}

type ActivityTotalsInProgress = Writable<ActivityTotals> & {
  readonly statuses: Writable<StatusCounts>;
  readonly exemplars: Writable<ActivityTotals['exemplars']>;
};

function copyOfActivityTotals({
  statuses,
  errors,
  exemplars,
}: ActivityTotals): ActivityTotalsInProgress {
  return { statuses: { ...statuses }, errors, exemplars: { ...exemplars } };
}

/** Increments of a label set that is still held at 0 are kept apart. */
function targetOf({ birth }: Pick<RunAccount, 'birth'>): 'published' | 'held' {
  return birth === null ? 'published' : 'held';
}

/** What one step adds to an account of runs: one copy of its totals, however many runs are counted. */
export class RunTally {
  readonly #nowMs: number;
  /** What is true of it but for the totals in progress and the outcomes. */
  #account: RunAccount;
  #totals: RunTotalsInProgress | null = null;
  /** Objects of what was counted. */
  readonly #outcomes = new Map<Outcome, number>();

  constructor(before: RunAccount, nowMs: number) {
    this.#account = before;
    this.#nowMs = nowMs;
  }

  /** Counts a finished run, and remembers it if it ended last. */
  count(run: Finished): void {
    const totals = (this.#totals ??= copyOfRunTotals(this.#account[targetOf(this.#account)]));
    addToRunTotals(totals, run, this.#nowMs);
    for (const outcome of OUTCOMES) {
      const objects = run.outcomes[outcome];
      if (objects > 0) this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + objects);
    }
    this.remember(run);
  }

  /** A run of history: known, but not counted. */
  remember(run: Finished): void {
    this.#account = rememberRun(this.#account, run);
  }

  /** The account after it; the same reference where nothing was counted or remembered. */
  get account(): RunAccount {
    if (this.#totals === null) return this.#account;
    return {
      ...this.#account,
      lastActiveMs: this.#nowMs,
      [targetOf(this.#account)]: this.#totals,
      cells: this.#cells(),
    };
  }

  /** A cell is born with its first object. The same reference where none was met. */
  #cells(): RunAccount['cells'] {
    if (this.#outcomes.size === 0) return this.#account.cells;
    const cells = new Map(this.#account.cells);
    for (const [outcome, objects] of this.#outcomes)
      addToCell(cells, `outcome:${outcome}`, objects, this.#nowMs);
    return cells;
  }
}

type RunTotalsInProgress = Writable<RunTotals> & {
  readonly statuses: Writable<StatusCounts>;
  readonly durationBuckets: number[];
  readonly exemplars: Writable<RunTotals['exemplars']>;
  readonly durationExemplars: Writable<RunTotals['durationExemplars']>;
};

function copyOfRunTotals(totals: RunTotals): RunTotalsInProgress {
  return {
    ...totals,
    statuses: { ...totals.statuses },
    durationBuckets: [...totals.durationBuckets],
    exemplars: { ...totals.exemplars },
    durationExemplars: { ...totals.durationExemplars },
  };
}

function addToRunTotals(totals: RunTotalsInProgress, run: Finished, atMs: number): void {
  const { id, status, errors } = run;
  const { duration, queue } = timesOf(run);
  totals.statuses[status] += 1;
  totals.errors += errors;
  totals.queue = micros(totals.queue + queue);
  totals.exemplars[status] = { activityId: id, value: 1, atMs };
  if (duration === null) return;
  const seconds = duration / MICROS_PER_SECOND;
  const bucket = bucketOf(seconds);
  totals.durationBuckets[bucket] = (totals.durationBuckets[bucket] ?? 0) + 1;
  totals.durationSum = micros(totals.durationSum + duration);
  totals.durationExemplars[bucket] = { activityId: id, value: seconds, atMs };
}

/** Index of the first bucket whose upper bound is not below the value; the last is +Inf. */
function bucketOf(seconds: number): number {
  const index = DURATION_BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
  return index === -1 ? DURATION_BOUNDS_SECONDS.length : index;
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
  const end = endOfFinished(run);
  const after = isSuccess(run.status)
    ? rememberSuccess(account, run, end)
    : rememberUnsuccessful(account, run, end);
  return endedLater(run, end, account.last) ? { ...after, last: lastRunOf(run) } : after;
}

/** The last run is the one that ended last; then created; then id. */
function endedLater(candidate: Finished, end: Instant, last: LastRun | null): boolean {
  if (last === null) return true;
  if (end !== last.end) return end > last.end;
  if (candidate.created !== last.created) return candidate.created > last.created;
  return candidate.id >= last.id;
}

function rememberSuccess(account: RunAccount, run: Finished, end: Instant): RunAccount {
  if (account.lastSuccess !== null && account.lastSuccess.end >= end) return account;
  const { duration } = timesOf(run);
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
