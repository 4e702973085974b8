/**
 * The Ledger: the one immutable value that says what was counted. Everything that must be exactly once
 * lives here; `account.ts` moves it forward, `state-file.ts` makes it durable, and only then is it shown.
 *
 * Moments ending in `Ms` are our clock (milliseconds since 1970); `Instant`s are JIM's. They are never mixed.
 */
import { micros } from '../jim/activity.ts';
import type { ActivityId, FinishedStatus, Instant, Micros, Outcome } from '../jim/activity.ts';
import { ChunkedMap } from './chunked-map.ts';

export interface Ledger {
  /** False until the first complete observation (design, section 2, rule 6). */
  readonly started: boolean;
  readonly reading: Reading;
  /** Ids already counted (or history), so that a row met again is not counted again. */
  readonly counted: ReadonlyMap<ActivityId, Counted>;
  /** Ids seen unfinished or not yet settled, followed until they finish or vanish. */
  readonly open: ReadonlyMap<ActivityId, Open>;
  /** Vanished ids and unreadable rows, looked at again once an hour, in turns. */
  readonly missing: ReadonlyMap<ActivityId, Missing>;

  readonly activities: ReadonlyMap<string, ActivityAccount>;
  readonly runs: ReadonlyMap<string, RunAccount>;
  readonly recurring: ReadonlyMap<string, RecurringAccount>;
  /** Sign-ins; null until JIM is known to record them (0.14). */
  readonly authentication: Readonly<Record<AuthenticationEvent, Cell>> | null;
  readonly labels: Admissions;

  /** Runs counted whose `/stats` is still to be read. */
  readonly owedStats: ReadonlyMap<ActivityId, OwedStats>;
  readonly schedules: ReadonlyMap<string, ScheduleDues>;
  readonly inventory: InventoryMemory;
  /** Alerts the bridge holds firing, or resolved a short while ago, or by `resolve_after` while their run still fails. */
  readonly alerts: ReadonlyMap<string, HeldAlert>;
  /** When rows were found to have been deleted unseen. */
  readonly lastHistoryGapMs: number | null;
}

/** How far JIM's list has been read. Terms of counting.md, rules 6 to 9. */
export interface Reading {
  /** Newest `created` known, never later than JIM's Date + 1 s: the watermark. Null before the first row. */
  readonly top: Instant | null;
  /** `top` when the last completed pass began: the next pass reads down to this − overlap. */
  readonly base: Instant | null;
  /** `top` when the pass under way began; null between passes. */
  readonly passBase: Instant | null;
  /** How far down the pass under way must read. */
  readonly passEnd: Instant | null;
  /** Lowest Date of JIM seen since the last pass began: its clock may go back. */
  readonly lowestDate: Instant | null;
  /** Newest `created` whose id was forgotten: unknown rows at or before it are history. */
  readonly horizon: Instant | null;
  /** Parts of the list still to be read, newest first. */
  readonly unread: readonly Unread[];
  /** Rows JIM said it had, last time; only ever a hint (counting.md, rule 16). */
  readonly total: TotalHint | null;
  /** JIM's Date of the last complete poll. */
  readonly lastDate: Instant | null;
  /** Whether the first start saw every unfinished row (rule 13). */
  readonly enumerated: boolean;
  /** Where the lookback of the first start ended; unknown unfinished rows before it are adopted until enumerated. */
  readonly firstHorizon: Instant | null;
}

/** Created instants from `low` to `high`, both inclusive, not yet read in this pass. */
export interface Unread {
  readonly low: Instant;
  readonly high: Instant;
  /** Rows of this list at or after `high` were counted from the oldest end: rank survives insertions above. */
  readonly fromOldest: number;
  /** Rows before this were known before: above it, catching up is not finished; below, it is a second look. */
  readonly knownBelow: Instant;
}

export interface TotalHint {
  readonly base: number;
  /** Rows first seen since `base` was taken. */
  readonly newRows: number;
  /** Polls in a row in which the total disagreed. */
  readonly disagreed: number;
}

export interface Counted {
  readonly created: Instant;
  readonly fingerprint: string;
}

export interface Open {
  readonly created: Instant;
  readonly executed: Instant | null;
  /** JIM's word as last seen. */
  readonly status: string;
  readonly targetType: string;
  readonly operation: string;
  readonly connectedSystem: string;
  /** Null for what is no run. */
  readonly run: RunLabels | null;
  /** Position in the list counted from the oldest row, as last seen: survives rows inserted above. */
  readonly fromOldest: number;
  /** Seen finished but not settled: with what fingerprint, and when first (our clock). */
  readonly sighting: { readonly fingerprint: string; readonly atMs: number } | null;
  /** Our clock when first seen open; `open_limit` runs from here, or from `created` by JIM's clock. */
  readonly sinceMs: number;
  /** Orphaned: open longer than `open_limit`; looked at once an hour. */
  readonly orphaned: boolean;
  /** When to look again at an orphan. */
  readonly nextCheckMs: number;
}

export interface Missing {
  readonly created: Instant;
  readonly fromOldest: number;
  readonly why: 'vanished' | 'rejected';
  readonly nextCheckMs: number;
}

/** `R` of design.md, section 4. */
export interface RunLabels {
  readonly connectedSystem: string;
  readonly runProfile: string;
  readonly runType: string;
}

/** When a label set was first shown at 0 (our clock). Null once its increments are released. */
export interface Birth {
  readonly atMs: number;
}

/** One number with zero hold. `held` joins `value` on release. */
export interface Cell {
  readonly value: number;
  readonly held: number;
  readonly birth: Birth | null;
}

export interface Exemplar {
  readonly activityId: ActivityId;
  readonly value: number;
  /** Our clock when it was counted. */
  readonly atMs: number;
}

export type StatusCounts = Readonly<Record<FinishedStatus, number>>;

export interface ActivityTotals {
  readonly statuses: StatusCounts;
  readonly errors: number;
  readonly exemplars: Readonly<Partial<Record<FinishedStatus, Exemplar>>>;
}

/** Finished Activities of one (target type, operation, connected system). */
export interface ActivityAccount {
  readonly targetType: string;
  readonly operation: string;
  readonly connectedSystem: string;
  readonly published: ActivityTotals;
  readonly held: ActivityTotals;
  readonly birth: Birth | null;
  /** Our clock when an Activity of it was last counted or seen. */
  readonly lastActiveMs: number;
}

/** Upper bounds of jim_run_duration_seconds, in seconds; +Inf follows. Changing one needs a changelog entry. */
export const DURATION_BOUNDS_SECONDS = [1, 10, 60, 300, 900, 3600, 14_400, 43_200] as const;

export interface RunTotals {
  readonly statuses: StatusCounts;
  readonly errors: number;
  /** Runs per bucket, not cumulative; one more than there are bounds. */
  readonly durationBuckets: readonly number[];
  readonly durationSum: Micros;
  readonly queue: Micros;
  readonly exemplars: Readonly<Partial<Record<FinishedStatus, Exemplar>>>;
  /** By bucket index. */
  readonly durationExemplars: Readonly<Record<number, Exemplar>>;
}

/** Counters of a run profile that are born one by one: outcomes, and what `/stats` adds. */
export type CellName =
  `outcome:${Outcome}` | 'processed' | 'unchanged' | `confirmation:${ConfirmationResult}`;
export const CONFIRMATION_RESULTS = ['Confirmed', 'Retrying', 'Failed'] as const;
export type ConfirmationResult = (typeof CONFIRMATION_RESULTS)[number];

export interface RunAccount {
  readonly labels: RunLabels;
  readonly published: RunTotals;
  readonly held: RunTotals;
  readonly birth: Birth | null;
  readonly cells: ReadonlyMap<CellName, Cell>;
  /** Null for (other), for what the inventory lists but never ran, and for retired gauges. */
  readonly last: LastRun | null;
  readonly lastSuccess: { readonly end: Instant; readonly duration: Micros | null } | null;
  /** Ends of failed runs later than the last success's end, at most 100, oldest first. */
  readonly failureEnds: readonly Instant[];
  /** The unsuccessful run (Cancelled too) that ended last, until the next success; its cause once its detail was read. */
  readonly lastFailure: LastFailure | null;
  readonly lastActiveMs: number;
}

export interface LastFailure {
  readonly id: ActivityId;
  readonly end: Instant;
  readonly status: FinishedStatus;
  readonly cause: FailureCause | null;
}

export const FAILURE_CAUSES = [
  'worker_crash',
  'previous_step_failed',
  'cancelled',
  'object_errors',
  'exception',
] as const;
export type FailureCause = (typeof FAILURE_CAUSES)[number];

/** The finished run that ended last. */
export interface LastRun {
  readonly id: ActivityId;
  readonly status: FinishedStatus;
  readonly created: Instant;
  readonly end: Instant;
  readonly duration: Micros | null;
  readonly queue: Micros;
  readonly errors: number;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** From `/stats`; null until read or where the server cannot tell. */
  readonly processed: number | null;
  /** From `/items`; null until read. */
  readonly errorsByType: Readonly<Record<string, number>> | null;
}

/** Recurring Activities that are no runs (TemporalScopeReconciliation, MetaverseObjectHousekeeping, HistoryRetentionCleanup). */
export interface RecurringAccount {
  readonly targetType: string;
  readonly operation: string;
  readonly lastSuccessEnd: Instant | null;
  readonly failureEnds: readonly Instant[];
}

export const AUTHENTICATION_EVENTS = [
  'sign_in_succeeded',
  'sign_in_failed',
  'api_key_failed',
] as const;
export type AuthenticationEvent = (typeof AUTHENTICATION_EVENTS)[number];

/** Names admitted as label values, and those folded into (other): decided once (counting.md, rule 19). */
export interface Admissions {
  readonly runs: ReadonlySet<string>;
  readonly connectedSystems: ReadonlySet<string>;
  readonly schedules: ReadonlySet<string>;
  readonly certificates: ReadonlySet<string>;
  /** Hashes are not needed: names are already cut to 128 code points. Key is kind + name, value our clock when last met. */
  readonly folded: ReadonlyMap<string, number>;
  /** Enum words unknown to us, by field, at most 50 each. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** The `max_label_sets` under which the folded were folded. */
  readonly limit: number;
}

export interface OwedStats {
  readonly run: string;
  readonly runType: string;
  /** Our clock when the run was counted; asked again for an hour. */
  readonly sinceMs: number;
  readonly nextTryMs: number;
}

/** The last two next-run times of a schedule that passed while it was enabled. */
export interface ScheduleDues {
  readonly name: string;
  readonly next: Instant | null;
  readonly lastDue: Instant | null;
  readonly previousDue: Instant | null;
}

/** What the inventory listed, for retirement: gauges leave once two complete inventories lack the run profile. */
export interface InventoryMemory {
  /** Run keys of the newest complete inventory, and of what JIM ran since; null before the first. */
  readonly runs: ReadonlySet<string> | null;
  /** Run keys that the newest complete inventory lacked. */
  readonly absentOnce: ReadonlySet<string>;
  /** Names of the connected systems of that inventory, and of Activities since. */
  readonly connectedSystems: ReadonlySet<string>;
}

/** An alert of the bridge; identity labels never change while it fires. Times are our clock, but for `runEnd`. */
export interface HeldAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly generatorUrl: string;
  /** When the bridge first knew; an Alertmanager groups by it. */
  readonly startsAtMs: number;
  /** Null while firing; never in the future. */
  readonly resolvedAtMs: number | null;
  /** The newest run it tells of, and when that run ended (JIM's clock). */
  readonly activityId: ActivityId;
  readonly runEnd: Instant;
  /** When that run was found; `resolve_after` runs from here. */
  readonly foundAtMs: number;
  /** When an Alertmanager first accepted it firing; null until then, and it fires at least 10 minutes longer. */
  readonly acceptedAtMs: number | null;
}

const NO_STATUSES: StatusCounts = {
  Complete: 0,
  CompleteWithWarning: 0,
  CompleteWithError: 0,
  FailedWithError: 0,
  Cancelled: 0,
};

export const NO_ACTIVITY_TOTALS: ActivityTotals = {
  statuses: NO_STATUSES,
  errors: 0,
  exemplars: {},
};

export const NO_RUN_TOTALS: RunTotals = {
  statuses: NO_STATUSES,
  errors: 0,
  durationBuckets: [...DURATION_BOUNDS_SECONDS.map(() => 0), 0],
  durationSum: micros(0),
  queue: micros(0),
  exemplars: {},
  durationExemplars: {},
};

/** The ledger before anything was observed. */
export function emptyLedger(limit: number): Ledger {
  return {
    started: false,
    reading: {
      top: null,
      base: null,
      passBase: null,
      passEnd: null,
      lowestDate: null,
      horizon: null,
      unread: [],
      total: null,
      lastDate: null,
      enumerated: false,
      firstHorizon: null,
    },
    counted: ChunkedMap.of<ActivityId, Counted>(new Map()),
    open: new Map(),
    missing: new Map(),
    activities: new Map(),
    runs: new Map(),
    recurring: new Map(),
    authentication: null,
    labels: {
      runs: new Set(),
      connectedSystems: new Set(),
      schedules: new Set(),
      certificates: new Set(),
      folded: new Map(),
      words: {},
      limit,
    },
    owedStats: new Map(),
    schedules: new Map(),
    inventory: { runs: null, absentOnce: new Set(), connectedSystems: new Set() },
    alerts: new Map(),
    lastHistoryGapMs: null,
  };
}

/** `(other)` label sets have counters only. */
export const OTHER = '(other)';

const SEPARATOR = '\u0000';

/** The map key of a run profile's label set. Label values hold no control characters, so the separator is safe. */
export function runKey(labels: RunLabels): string {
  return `${labels.connectedSystem}${SEPARATOR}${labels.runProfile}${SEPARATOR}${labels.runType}`;
}

export function activityKey(
  targetType: string,
  operation: string,
  connectedSystem: string,
): string {
  return `${targetType}${SEPARATOR}${operation}${SEPARATOR}${connectedSystem}`;
}

export function recurringKey(targetType: string, operation: string): string {
  return `${targetType}${SEPARATOR}${operation}`;
}

/** Failed runs since the last success. */
export function consecutiveFailures(account: Pick<RunAccount, 'failureEnds'>): number {
  return account.failureEnds.length;
}
