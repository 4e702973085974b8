/**
 * The counting rules (design, section 2; counting.md): one pure step from a ledger and what a poll saw
 * to the next ledger. Nothing here knows of requests, files or the time of day.
 */
import type { Activity, ActivityId, Instant, Micros } from '../jim/activity.ts';
import {
  MICROS_PER_MILLI,
  connectedSystemOf,
  endOf,
  fingerprintOf,
  isFinishedStatus,
  isKnownStatus,
  isRun,
} from '../jim/activity.ts';
import { CopyOnWrite } from './copy-on-write.ts';
import { admit, admitWord, labelValue, nameAs, noteUnknownWord, runLabelsAs } from './labels.ts';
import type {
  Admissions,
  AuthenticationEvent,
  Cell,
  Counted,
  LastRun,
  Ledger,
  Missing,
  Open,
  RunLabels,
} from './ledger.ts';
import { OTHER, activityKey, recurringKey, runKey } from './ledger.ts';
import type { Finished } from './totals.ts';
import {
  RECURRING_TARGET_TYPES,
  addToActivityAccount,
  addToRecurring,
  addToRunAccount,
  lastRunOf,
  newActivityAccount,
  newRunAccount,
  rememberRun,
} from './totals.ts';

/** An Activity as one answer of JIM showed it. */
export interface Sighting {
  readonly activity: Activity;
  /** `Date` of that very answer. */
  readonly date: Instant;
  /** Position in the list by `created`, counted from the oldest row; null where the answer does not tell. */
  readonly fromOldest: number | null;
}

/** What one observation brought, besides how far it read (`reading.ts`). */
export interface Observation {
  /** Our clock: births are stamped with it, so it must not be earlier than the last publication. */
  readonly nowMs: number;
  /** Our clock when the poll began: all it sees of one id is one sighting. */
  readonly pollMs: number;
  /** In the order of the answers: of several sightings of one id the last wins, and they are one sighting. */
  readonly sightings: readonly Sighting[];
  readonly rejected: readonly {
    readonly id: ActivityId;
    readonly created: Instant;
    readonly fromOldest: number;
  }[];
  /** Ids for which the detail answered 404 NOT_FOUND: nothing less proves that a row is gone. */
  readonly gone: readonly ActivityId[];
  /** Ids that were looked for, found or not: what is looked at hourly waits another hour. */
  readonly lookedUp: readonly ActivityId[];
  /** The first complete observation: what it shows as finished is history. */
  readonly first: boolean;
}

export interface CountingLimits {
  readonly settleMicros: Micros;
  readonly openLimitMs: number;
  /** Whether `/stats` of a counted run is owed. */
  readonly runStats: boolean;
}

/** Why a row did what it did to the ledger: the word in debug logs and tests. */
export type Verdict =
  | 'counted'
  | 'history'
  | 'already_counted'
  | 'altered'
  | 'opened'
  | 'still_open'
  | 'settling'
  | 'unknown_and_old';

export type AccountEvent =
  | { readonly kind: 'verdict'; readonly id: ActivityId; readonly verdict: Verdict }
  | { readonly kind: 'vanished'; readonly id: ActivityId }
  | { readonly kind: 'orphaned'; readonly id: ActivityId }
  | { readonly kind: 'unrecognised'; readonly field: string; readonly word: string }
  | { readonly kind: 'folded'; readonly count: number }
  /** A run was counted: what the bridge tells of. Folded run profiles are not told. */
  | { readonly kind: 'run_finished'; readonly labels: RunLabels; readonly run: LastRun };

export interface Accounted {
  readonly ledger: Ledger;
  readonly events: readonly AccountEvent[];
}

/** An orphan, a vanished row and an unreadable one are looked at again after this long. */
export const RECHECK_MS = 3_600_000;
/** Vanished and unreadable ids remembered; beyond it the oldest `created` are forgotten. */
const MAX_MISSING = 1_000;

/**
 * Moves the ledger forward by one observation. The same rows may come again, in any order and from any
 * overlap: ids decide what is new. Returns the same references for whatever did not change.
 */
export function account(
  ledger: Ledger,
  observation: Observation,
  limits: CountingLimits,
): Accounted {
  const draft = new Draft(ledger, observation, limits);
  const sightings = latestById(observation.sightings);
  draft.admitNames(sightings);
  for (const sighting of sightings) draft.see(sighting);
  for (const row of observation.rejected) draft.reject(row);
  for (const id of observation.gone) draft.vanish(id);
  for (const id of observation.lookedUp) draft.putOff(id);
  draft.markOrphans();
  return draft.finish();
}

/** Of several sightings of one id in one poll the latest answer wins. */
function latestById(sightings: readonly Sighting[]): readonly Sighting[] {
  const latest = new Map<ActivityId, Sighting>();
  for (const sighting of sightings) {
    const earlier = latest.get(sighting.activity.id);
    const fromOldest = sighting.fromOldest ?? earlier?.fromOldest ?? null;
    latest.set(sighting.activity.id, { ...sighting, fromOldest });
  }
  return [...latest.values()];
}

/**
 * The next ledger in the making: maps are copied on first write, so that a poll of a hundred rows costs
 * a hundred steps and an idle one returns what it was given.
 */
class Draft {
  readonly #before: Ledger;
  readonly #observation: Observation;
  readonly #limits: CountingLimits;
  readonly #events: AccountEvent[] = [];
  readonly #counted: CopyOnWrite<ActivityId, Counted>;
  readonly #open: CopyOnWrite<ActivityId, Open>;
  readonly #missing: CopyOnWrite<ActivityId, Missing>;
  readonly #activities: CopyOnWrite<
    string,
    Ledger['activities'] extends ReadonlyMap<string, infer V> ? V : never
  >;
  readonly #runs: CopyOnWrite<
    string,
    Ledger['runs'] extends ReadonlyMap<string, infer V> ? V : never
  >;
  readonly #recurring: CopyOnWrite<
    string,
    Ledger['recurring'] extends ReadonlyMap<string, infer V> ? V : never
  >;
  readonly #owedStats: CopyOnWrite<
    ActivityId,
    Ledger['owedStats'] extends ReadonlyMap<ActivityId, infer V> ? V : never
  >;
  #authentication: Ledger['authentication'];
  #labels: Admissions;

  constructor(ledger: Ledger, observation: Observation, limits: CountingLimits) {
    this.#before = ledger;
    this.#observation = observation;
    this.#limits = limits;
    this.#counted = new CopyOnWrite(ledger.counted);
    this.#open = new CopyOnWrite(ledger.open);
    this.#missing = new CopyOnWrite(ledger.missing);
    this.#activities = new CopyOnWrite(ledger.activities);
    this.#runs = new CopyOnWrite(ledger.runs);
    this.#recurring = new CopyOnWrite(ledger.recurring);
    this.#owedStats = new CopyOnWrite(ledger.owedStats);
    this.#authentication = ledger.authentication;
    this.#labels = ledger.labels;
  }

  /** Admits or folds all names of this observation together, so that their order in it does not matter. */
  admitNames(sightings: readonly Sighting[]): void {
    const wanted = sightings
      .filter(({ activity }) => this.#matters(activity))
      .map(({ activity }) => activity);
    const nowMs = this.#observation.nowMs;
    const systems = admit(
      this.#labels,
      'connectedSystems',
      wanted.map((activity) => labelValue(connectedSystemOf(activity))),
      nowMs,
    );
    const runs = admit(
      systems.admissions,
      'runs',
      wanted.filter(isRun).map((activity) => runKey(rawRunLabels(activity))),
      nowMs,
    );
    this.#labels = runs.admissions;
    const count = systems.newlyFolded + runs.newlyFolded;
    if (count > 0) this.#events.push({ kind: 'folded', count });
  }

  see(sighting: Sighting): void {
    const { activity } = sighting;
    if (!isKnownStatus(activity.status)) this.#noteStatusWord(activity.status);
    const verdict = this.#judge(sighting);
    this.#events.push({ kind: 'verdict', id: activity.id, verdict });
  }

  #judge(sighting: Sighting): Verdict {
    const { activity } = sighting;
    const known = this.#counted.get(activity.id);
    if (known !== undefined) return this.#compare(activity, known);
    if (!this.#matters(activity)) return 'unknown_and_old';
    if (!isFinished(activity)) return this.#follow(sighting, null);
    if (this.#observation.first && !this.#open.has(activity.id)) return this.#remember(activity);
    if (this.#isSettled(sighting)) return this.#count(activity);
    return this.#follow(sighting, this.#sightingOf(activity));
  }

  /** What was counted stays counted: a row seen to change afterwards only moves a counter. */
  #compare(activity: Activity, known: Counted): Verdict {
    const fingerprint = countedFingerprint(activity);
    if (fingerprint === known.fingerprint) return 'already_counted';
    this.#counted.set(activity.id, { ...known, fingerprint });
    return 'altered';
  }

  /** Whether a row that is not counted is followed at all, or belongs to the time before the horizon. */
  #matters(activity: Activity): boolean {
    if (this.#counted.has(activity.id)) return false;
    if (this.#observation.first || this.#open.has(activity.id) || this.#missing.has(activity.id))
      return true;
    const { horizon, unread, enumerated, firstHorizon } = this.#before.reading;
    if (horizon === null || activity.created > horizon) return true;
    if (unread.some(({ low, high }) => activity.created >= low && activity.created <= high))
      return true;
    // Rule 13: more than a page was unfinished at the first start, and not all of it could be listed then.
    return (
      !enumerated &&
      firstHorizon !== null &&
      activity.created <= firstHorizon &&
      !isFinishedStatus(activity.status)
    );
  }

  /** Seen twice alike, at least `settle` apart, or ended more than `settle` before the Date of the answer. */
  #isSettled({ activity, date }: Sighting): boolean {
    const end = endOf(activity);
    if (end !== null && end + this.#limits.settleMicros < date) return true;
    const seen = this.#open.get(activity.id)?.sighting ?? null;
    if (seen === null || seen.fingerprint !== fingerprintOf(activity)) return false;
    const apartMs = this.#observation.pollMs - seen.atMs;
    return apartMs > 0 && apartMs * MICROS_PER_MILLI >= this.#limits.settleMicros;
  }

  #sightingOf(activity: Activity): Open['sighting'] {
    const fingerprint = fingerprintOf(activity);
    const { pollMs } = this.#observation;
    const earlier = this.#open.get(activity.id)?.sighting ?? null;
    // Our clock may have been set back: then the first sighting counts from now.
    if (earlier !== null && earlier.fingerprint === fingerprint && earlier.atMs <= pollMs)
      return earlier;
    return { fingerprint, atMs: pollMs };
  }

  #follow(seen: Sighting, sighting: Open['sighting']): Verdict {
    const { activity, fromOldest } = seen;
    const earlier = this.#open.get(activity.id);
    const missing = this.#missing.get(activity.id);
    if (missing !== undefined) this.#missing.delete(activity.id);
    const nowMs = this.#observation.nowMs;
    const labels = this.#labelsOf(activity);
    const next: Open = {
      created: activity.created,
      executed: activity.executed,
      status: activity.status,
      ...labels,
      fromOldest: fromOldest ?? earlier?.fromOldest ?? 0,
      sighting,
      sinceMs: earlier === undefined || earlier.sinceMs > nowMs ? nowMs : earlier.sinceMs,
      orphaned: earlier?.orphaned === true || this.#isTooOld(seen),
      nextCheckMs: nowMs + RECHECK_MS,
    };
    if (earlier === undefined || !sameOpen(earlier, next)) this.#open.set(activity.id, next);
    if (next.orphaned && earlier?.orphaned !== true)
      this.#events.push({ kind: 'orphaned', id: activity.id });
    if (earlier === undefined) this.#seed(labels);
    if (sighting !== null) return 'settling';
    return earlier === undefined ? 'opened' : 'still_open';
  }

  /** Left behind before we came, by JIM's own clock: we need not watch it for another `open_limit` to say so. */
  #isTooOld({ activity, date }: Sighting): boolean {
    const openMs = (date - activity.created) / MICROS_PER_MILLI;
    return !isFinishedStatus(activity.status) && openMs > this.#limits.openLimitMs;
  }

  /** History of the first start: not counted, but it fills the last-run gauges and is known from now on. */
  #remember(activity: Finished): Verdict {
    this.#close(activity);
    const labels = this.#labelsOf(activity);
    const { run } = labels;
    this.#activityAccount(labels);
    if (run !== null) this.#runs.set(runKey(run), rememberRun(this.#runAccount(run), activity));
    this.#rememberRecurring(activity);
    return 'history';
  }

  #count(activity: Finished): Verdict {
    const nowMs = this.#observation.nowMs;
    this.#close(activity);
    const labels = this.#labelsOf(activity);
    const { key, account: activityAccount } = this.#activityAccount(labels);
    this.#activities.set(key, addToActivityAccount(activityAccount, activity, nowMs));
    this.#countAuthentication(activity);
    this.#rememberRecurring(activity);
    const { run } = labels;
    if (run !== null) {
      this.#runs.set(runKey(run), addToRunAccount(this.#runAccount(run), activity, nowMs));
      if (run.runProfile !== OTHER) {
        this.#events.push({ kind: 'run_finished', labels: run, run: lastRunOf(activity) });
      }
      if (this.#limits.runStats) {
        this.#owedStats.set(activity.id, {
          run: runKey(run),
          runType: run.runType,
          sinceMs: nowMs,
          nextTryMs: nowMs,
        });
      }
    }
    return 'counted';
  }

  /** Shows the label sets of a row at 0 while it is still open: its end then need not be held back. */
  #seed(labels: Labels): void {
    const { run } = labels;
    this.#activityAccount(labels);
    if (run !== null && !this.#runs.has(runKey(run)))
      this.#runs.set(runKey(run), this.#runAccount(run));
  }

  /** Counted once means closed: the id is never open again, whatever its row shows later. */
  #close(activity: Finished): void {
    this.#counted.set(activity.id, {
      created: activity.created,
      fingerprint: countedFingerprint(activity),
    });
    this.#open.delete(activity.id);
    this.#missing.delete(activity.id);
  }

  #activityAccount({ targetType, operation, connectedSystem }: Labels): {
    key: string;
    account: ReturnType<typeof newActivityAccount>;
  } {
    const key = activityKey(targetType, operation, connectedSystem);
    let found = this.#activities.get(key);
    if (found === undefined) {
      found = newActivityAccount(targetType, operation, connectedSystem, this.#observation.nowMs);
      this.#activities.set(key, found);
    }
    return { key, account: found };
  }

  #runAccount(labels: RunLabels): ReturnType<typeof newRunAccount> {
    return this.#runs.get(runKey(labels)) ?? newRunAccount(labels, this.#observation.nowMs);
  }

  #rememberRecurring(activity: Finished): void {
    if (!RECURRING_TARGET_TYPES.has(activity.targetType)) return;
    const key = recurringKey(activity.targetType, activity.operation);
    this.#recurring.set(key, addToRecurring(this.#recurring.get(key), activity));
  }

  #countAuthentication(activity: Activity): void {
    const event = authenticationEventOf(activity);
    if (event === null || this.#authentication === null) return;
    const cell = this.#authentication[event];
    const after: Cell =
      cell.birth === null ? { ...cell, value: cell.value + 1 } : { ...cell, held: cell.held + 1 };
    this.#authentication = { ...this.#authentication, [event]: after };
  }

  #labelsOf(activity: Activity): Labels {
    const targetType = this.#word('targetType', activity.targetType);
    const operation = this.#word('operation', activity.operation);
    const connectedSystem = nameAs(
      this.#labels,
      'connectedSystems',
      labelValue(connectedSystemOf(activity)),
    );
    if (!isRun(activity)) return { targetType, operation, connectedSystem, run: null };
    const raw = rawRunLabels(activity);
    const admitted = runLabelsAs(this.#labels, raw);
    return {
      targetType,
      operation,
      connectedSystem,
      run: { ...admitted, runType: this.#word('runType', raw.runType) },
    };
  }

  #word(field: 'targetType' | 'operation' | 'runType', word: string): string {
    const { value, admissions, unrecognised } = admitWord(this.#labels, field, word);
    this.#labels = admissions;
    if (unrecognised) this.#events.push({ kind: 'unrecognised', field, word });
    return value;
  }

  #noteStatusWord(word: string): void {
    const { admissions, unrecognised } = noteUnknownWord(this.#labels, 'status', word);
    this.#labels = admissions;
    if (unrecognised) this.#events.push({ kind: 'unrecognised', field: 'status', word });
  }

  reject(row: Observation['rejected'][number]): void {
    if (this.#counted.has(row.id) || this.#open.has(row.id)) return;
    const { horizon } = this.#before.reading;
    const known = this.#missing.get(row.id);
    if (
      known === undefined &&
      (this.#observation.first || (horizon !== null && row.created <= horizon))
    )
      return;
    this.#missing.set(row.id, {
      created: row.created,
      fromOldest: row.fromOldest,
      why: 'rejected',
      nextCheckMs: this.#observation.nowMs + RECHECK_MS,
    });
    this.#boundMissing();
  }

  /** The row itself is gone: followed no more, but known again should a restored backup bring it back. */
  vanish(id: ActivityId): void {
    const open = this.#open.get(id);
    const nextCheckMs = this.#observation.nowMs + RECHECK_MS;
    if (open !== undefined) {
      this.#open.delete(id);
      this.#missing.set(id, {
        created: open.created,
        fromOldest: open.fromOldest,
        why: 'vanished',
        nextCheckMs,
      });
      this.#boundMissing();
      this.#events.push({ kind: 'vanished', id });
      return;
    }
    const missing = this.#missing.get(id);
    if (missing !== undefined) this.#missing.set(id, { ...missing, nextCheckMs });
  }

  /** Looked for and perhaps not found: absence proves nothing, but the next look can wait. */
  putOff(id: ActivityId): void {
    const nextCheckMs = this.#observation.nowMs + RECHECK_MS;
    const missing = this.#missing.get(id);
    if (missing !== undefined && missing.nextCheckMs < nextCheckMs)
      this.#missing.set(id, { ...missing, nextCheckMs });
    const open = this.#open.get(id);
    if (open?.orphaned === true && open.nextCheckMs < nextCheckMs)
      this.#open.set(id, { ...open, nextCheckMs });
  }

  #boundMissing(): void {
    if (this.#missing.size <= MAX_MISSING) return;
    let oldest: ActivityId | null = null;
    let oldestCreated = Number.POSITIVE_INFINITY;
    for (const [id, { created }] of this.#missing.entries()) {
      if (created < oldestCreated) [oldest, oldestCreated] = [id, created];
    }
    if (oldest !== null) this.#missing.delete(oldest);
  }

  /** JIM leaves some rows InProgress for ever: past `open_limit` they are shown apart and asked for once an hour. */
  markOrphans(): void {
    const { nowMs } = this.#observation;
    for (const [id, open] of this.#open.entries()) {
      if (open.orphaned || nowMs - open.sinceMs <= this.#limits.openLimitMs) continue;
      this.#open.set(id, { ...open, orphaned: true, nextCheckMs: nowMs + RECHECK_MS });
      this.#events.push({ kind: 'orphaned', id });
    }
  }

  finish(): Accounted {
    const before = this.#before;
    const unchanged =
      this.#labels === before.labels &&
      this.#authentication === before.authentication &&
      ![
        this.#counted,
        this.#open,
        this.#missing,
        this.#activities,
        this.#runs,
        this.#recurring,
        this.#owedStats,
      ].some((map) => map.changed);
    if (unchanged) return { ledger: before, events: this.#events };
    const ledger: Ledger = {
      ...before,
      counted: this.#counted.value,
      open: this.#open.value,
      missing: this.#missing.value,
      activities: this.#activities.value,
      runs: this.#runs.value,
      recurring: this.#recurring.value,
      owedStats: this.#owedStats.value,
      authentication: this.#authentication,
      labels: this.#labels,
    };
    return { ledger, events: this.#events };
  }
}

/** The label values of an Activity, admitted or folded. */
type Labels = Pick<Open, 'targetType' | 'operation' | 'connectedSystem' | 'run'>;

function isFinished(activity: Activity): activity is Finished {
  return isFinishedStatus(activity.status);
}

/** A counted row that runs again changes with every request: it is altered once, not at every poll. */
function countedFingerprint(activity: Activity): string {
  return isFinishedStatus(activity.status) ? fingerprintOf(activity) : activity.status;
}

/** Only what is shown or decides counts as a change: positions move with every retention pass. */
function sameOpen(a: Open, b: Open): boolean {
  return (
    a.created === b.created &&
    a.executed === b.executed &&
    a.status === b.status &&
    a.targetType === b.targetType &&
    a.operation === b.operation &&
    a.connectedSystem === b.connectedSystem &&
    a.run?.connectedSystem === b.run?.connectedSystem &&
    a.run?.runProfile === b.run?.runProfile &&
    a.run?.runType === b.run?.runType &&
    a.fromOldest === b.fromOldest &&
    a.sighting?.fingerprint === b.sighting?.fingerprint &&
    a.sighting?.atMs === b.sighting?.atMs &&
    a.sinceMs === b.sinceMs &&
    a.orphaned === b.orphaned &&
    // An orphan's hourly check is a promise kept over restarts; for others the time is only a formality.
    (!a.orphaned || a.nextCheckMs > b.nextCheckMs - RECHECK_MS / 2)
  );
}

function rawRunLabels(activity: Activity): RunLabels {
  return {
    connectedSystem: labelValue(activity.targetContext ?? ''),
    runProfile: labelValue(activity.targetName ?? ''),
    runType: labelValue(activity.runType),
  };
}

/** Status is Complete even for failures (jim-api, section 8): the name tells. */
function authenticationEventOf(activity: Activity): AuthenticationEvent | null {
  if (activity.targetType !== 'Authentication') return null;
  switch (activity.targetName) {
    case 'Interactive sign-in succeeded':
      return 'sign_in_succeeded';
    case 'Interactive sign-in failed':
      return 'sign_in_failed';
    case 'API key authentication failed':
      return 'api_key_failed';
    default:
      return null;
  }
}
