/**
 * What the collectors add to a counted run: `/stats`, error types, the cause of a failure, and the due times
 * of schedules. Each is a move of the ledger like any other: once, durable, then shown.
 */
import type { ActivityId, Instant } from '../jim/activity.ts';
import { admitWord } from './labels.ts';
import type {
  Cell,
  CellName,
  ConfirmationResult,
  FailureCause,
  Ledger,
  LastRun,
  RunAccount,
  ScheduleDues,
} from './ledger.ts';
import { CONFIRMATION_RESULTS } from './ledger.ts';
import { addToCell } from './totals.ts';

/** What `/stats` says beyond the list row; null where this server cannot tell. */
export interface RunStats {
  readonly processed: number | null;
  readonly unchanged: number | null;
  readonly confirmations: Readonly<Record<ConfirmationResult, number>>;
}

/** `/stats` of a counted run is asked again for this long. */
const STATS_PATIENCE_MS = 3_600_000;
const STATS_RETRY_MS = 60_000;

/** Adds a run's statistics, once: what is no longer owed changes nothing. */
export function applyStats(ledger: Ledger, id: ActivityId, stats: RunStats, nowMs: number): Ledger {
  const owed = ledger.owedStats.get(id);
  if (owed === undefined) return ledger;
  const owedStats = withoutKey(ledger.owedStats, id);
  const account = ledger.runs.get(owed.run);
  if (account === undefined) return { ...ledger, owedStats };
  const cells = new Map<CellName, Cell>(account.cells);
  if (stats.processed !== null) addToCell(cells, 'processed', stats.processed, nowMs);
  if (stats.unchanged !== null) addToCell(cells, 'unchanged', stats.unchanged, nowMs);
  const confirms = CONFIRMATION_RESULTS.some(
    (result) => stats.confirmations[result] > 0 || cells.has(`confirmation:${result}`),
  );
  if (confirms || owed.runType === 'Export') {
    for (const result of CONFIRMATION_RESULTS)
      addToCell(cells, `confirmation:${result}`, stats.confirmations[result], nowMs);
  }
  const last =
    account.last?.id === id ? { ...account.last, processed: stats.processed } : account.last;
  return { ...ledger, owedStats, runs: withRun(ledger, owed.run, { ...account, cells, last }) };
}

/** What a last run went through, for its gauge alone: of a run that is history no counter may know. */
export function applyLastProcessed(
  ledger: Ledger,
  id: ActivityId,
  processed: number | null,
): Ledger {
  if (processed === null) return ledger;
  const found = [...ledger.runs].find(([, { last }]) => last?.id === id);
  if (found === undefined) return ledger;
  const [key, account] = found;
  if (account.last === null || account.last.processed === processed) return ledger;
  const last: LastRun = { ...account.last, processed };
  return { ...ledger, runs: withRun(ledger, key, { ...account, last }) };
}

/** The statistics could not be had: asked again in a minute, given up after an hour, or at once where the run is `gone`. */
export function deferStats(
  ledger: Ledger,
  id: ActivityId,
  nowMs: number,
  gone = false,
): { readonly ledger: Ledger; readonly missing: boolean } {
  const owed = ledger.owedStats.get(id);
  if (owed === undefined) return { ledger, missing: false };
  if (gone || nowMs - owed.sinceMs >= STATS_PATIENCE_MS) {
    return { ledger: { ...ledger, owedStats: withoutKey(ledger.owedStats, id) }, missing: true };
  }
  const owedStats = new Map(ledger.owedStats).set(id, {
    ...owed,
    nextTryMs: nowMs + STATS_RETRY_MS,
  });
  return { ledger: { ...ledger, owedStats }, missing: false };
}

/** Objects with errors of a last run by JIM's ErrorType; ignored when another run ended since. */
export function applyErrorTypes(
  ledger: Ledger,
  run: string,
  id: ActivityId,
  errorsByType: ReadonlyMap<string, number>,
): { readonly ledger: Ledger; readonly unrecognised: readonly string[] } {
  const account = ledger.runs.get(run);
  if (account?.last?.id !== id) return { ledger, unrecognised: [] };
  let labels = ledger.labels;
  const unrecognised: string[] = [];
  const counts: Record<string, number> = {};
  for (const [type, count] of errorsByType) {
    const word =
      type === UNREAD
        ? { value: UNREAD, admissions: labels, unrecognised: false }
        : admitWord(labels, 'errorType', type);
    labels = word.admissions;
    if (word.unrecognised) unrecognised.push(type);
    counts[word.value] = (counts[word.value] ?? 0) + count;
  }
  const last: LastRun = { ...account.last, errorsByType: counts };
  return {
    ledger: { ...ledger, labels, runs: withRun(ledger, run, { ...account, last }) },
    unrecognised,
  };
}

/** The error type of errors whose items were too many to read. */
export const UNREAD = '(unread)';

/** Why the last unsuccessful run failed; ignored when another took its place. */
export function applyFailureCause(
  ledger: Ledger,
  run: string,
  id: ActivityId,
  cause: FailureCause,
): Ledger {
  const account = ledger.runs.get(run);
  if (account?.lastFailure?.id !== id || account.lastFailure.cause === cause) return ledger;
  return {
    ...ledger,
    runs: withRun(ledger, run, { ...account, lastFailure: { ...account.lastFailure, cause } }),
  };
}

/** A schedule as last read: when it runs next. */
export interface ScheduleNext {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly next: Instant | null;
}

/**
 * Remembers the last two next-run times that passed while the schedule was enabled. `date` is JIM's Date: a next
 * run is due when JIM's own clock passed it. Schedules that are gone are forgotten.
 */
export function applySchedules(
  ledger: Ledger,
  schedules: readonly ScheduleNext[],
  date: Instant,
): Ledger {
  const after = new Map<string, ScheduleDues>();
  for (const schedule of schedules)
    after.set(schedule.id, nextDues(ledger.schedules.get(schedule.id), schedule, date));
  const same =
    after.size === ledger.schedules.size &&
    [...after].every(([id, dues]) => ledger.schedules.get(id) === dues);
  return same ? ledger : { ...ledger, schedules: after };
}

function nextDues(
  before: ScheduleDues | undefined,
  schedule: ScheduleNext,
  date: Instant,
): ScheduleDues {
  const { name, enabled, next } = schedule;
  const announced = enabled ? next : null;
  if (before === undefined) return { name, next: announced, lastDue: null, previousDue: null };
  const passed = before.next !== null && before.next <= date && before.next !== before.lastDue;
  const lastDue = passed ? before.next : before.lastDue;
  const previousDue = passed ? before.lastDue : before.previousDue;
  if (before.name === name && before.next === announced && before.lastDue === lastDue)
    return before;
  return { name, next: announced, lastDue, previousDue };
}

function withRun(
  ledger: Ledger,
  key: string,
  account: RunAccount,
): ReadonlyMap<string, RunAccount> {
  return new Map(ledger.runs).set(key, account);
}

function withoutKey<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const after = new Map(map);
  after.delete(key);
  return after;
}
