/**
 * The counting rules (design, section 2; counting.md): one pure step from a ledger and what a poll saw
 * to the next ledger. Nothing here knows of requests, files or the time of day. The rules stand here; the
 * books they are written into stand in `draft.ts`, how far JIM's list was read in `reading.ts`.
 */
import type { Activity, ActivityId, Instant, Micros } from '../jim/activity.ts';
import { MICROS_PER_MILLI, endOf, fingerprintOf, isFinishedStatus } from '../jim/activity.ts';
import type { DraftEvent } from './draft.ts';
import { Draft, countedFingerprint } from './draft.ts';
import type { Counted, Ledger, Missing, Open } from './ledger.ts';
import type { Finished } from './totals.ts';

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
  | DraftEvent;

export interface Accounted {
  readonly ledger: Ledger;
  readonly events: readonly AccountEvent[];
}

/** An orphan, a vanished row and an unreadable one are looked at again after this long. */
export const RECHECK_MS = 3_600_000;
/** Vanished and unreadable ids remembered; beyond it the oldest `created` are forgotten. */
const MAX_MISSING = 1_000;

/** One step of accounting: what was before, what was seen, and the next ledger in the making. */
interface Step {
  readonly before: Ledger;
  readonly observation: Observation;
  readonly limits: CountingLimits;
  readonly draft: Draft;
  readonly tell: (event: AccountEvent) => void;
}

/**
 * Moves the ledger forward by one observation. The same rows may come again, in any order and from any
 * overlap: ids decide what is new. Returns the same references for whatever did not change.
 */
export function account(
  ledger: Ledger,
  observation: Observation,
  limits: CountingLimits,
): Accounted {
  const events: AccountEvent[] = [];
  const tell = (event: AccountEvent): void => void events.push(event);
  const draft = new Draft(ledger, observation.nowMs, tell);
  const step: Step = { before: ledger, observation, limits, draft, tell };
  const rows = latestById(observation.sightings).map((sighting) => recognise(step, sighting));
  draft.naming.admit(rows.filter(({ matters }) => matters).map(({ activity }) => activity));
  for (const row of rows) {
    const { id, status } = row.activity;
    draft.naming.noteStatus(status);
    tell({ kind: 'verdict', id, verdict: judge(step, row) });
  }
  for (const row of observation.rejected) reject(step, row);
  for (const id of observation.gone) vanish(step, id);
  for (const id of observation.lookedUp) putOff(step, id);
  markOrphans(step);
  return { ledger: draft.finish(), events };
}

/** Of several sightings of one id in one poll the latest answer wins. */
function latestById(sightings: readonly Sighting[]): readonly Sighting[] {
  const latest = new Map<ActivityId, Sighting>();
  for (const sighting of sightings) {
    const { id } = sighting.activity;
    const earlier = latest.get(id);
    const fromOldest = sighting.fromOldest ?? earlier?.fromOldest ?? null;
    const isPlain = fromOldest === sighting.fromOldest;
    latest.set(id, isPlain ? sighting : { ...sighting, fromOldest });
  }
  return [...latest.values()];
}

/** A row seen, and what was known of it before this step. */
interface Row extends Sighting {
  readonly known: Counted | undefined;
  /** Whether a row that is not counted is followed at all, or belongs to the time before the horizon. */
  readonly matters: boolean;
}

function recognise(step: Step, { activity, date, fromOldest }: Sighting): Row {
  const known = step.draft.counted.get(activity.id);
  const matters = known === undefined && isFollowed(step, activity);
  return { activity, date, fromOldest, known, matters };
}

/** What a row seen means: each line is a rule. */
function judge(step: Step, row: Row): Verdict {
  const { draft, observation, limits } = step;
  const { activity, known } = row;
  if (known !== undefined) return compare(step, activity, known);
  if (!row.matters) return 'unknown_and_old';
  if (!isFinished(activity)) return follow(step, row, null);
  if (observation.first && !draft.open.has(activity.id)) {
    draft.remember(activity);
    return 'history';
  }
  if (!isSettled(step, row)) return follow(step, row, sightingOf(step, activity));
  draft.count(activity, limits.runStats);
  return 'counted';
}

/** What was counted stays counted: a row seen to change afterwards only moves a counter. */
function compare({ draft }: Step, activity: Activity, known: Counted): Verdict {
  const fingerprint = countedFingerprint(activity);
  if (fingerprint === known.fingerprint) return 'already_counted';
  draft.counted.replace(activity.id, { ...known, fingerprint });
  return 'altered';
}

/** Whether a row that is not counted is followed: it is new, known to be open, or in a part still unread. */
function isFollowed({ before, observation, draft }: Step, activity: Activity): boolean {
  const { id, created } = activity;
  if (observation.first || draft.open.has(id) || draft.missing.has(id)) return true;
  const { horizon, unread, enumerated, firstHorizon } = before.reading;
  if (horizon === null || created > horizon) return true;
  if (unread.some(({ low, high }) => created >= low && created <= high)) return true;
  // Rule 13: more than a page was unfinished at the first start, and not all of it could be listed then.
  const isAdopted = !enumerated && firstHorizon !== null && created <= firstHorizon;
  return isAdopted && !isFinishedStatus(activity.status);
}

/** Seen twice alike, at least `settle` apart, or ended more than `settle` before the Date of the answer. */
function isSettled({ draft, observation, limits }: Step, { activity, date }: Sighting): boolean {
  const end = endOf(activity);
  if (end !== null && end + limits.settleMicros < date) return true;
  const seen = draft.open.get(activity.id)?.sighting ?? null;
  if (seen === null || seen.fingerprint !== fingerprintOf(activity)) return false;
  const apartMs = observation.pollMs - seen.atMs;
  return apartMs > 0 && apartMs * MICROS_PER_MILLI >= limits.settleMicros;
}

function sightingOf({ draft, observation }: Step, activity: Activity): Open['sighting'] {
  const fingerprint = fingerprintOf(activity);
  const { pollMs } = observation;
  const earlier = draft.open.get(activity.id)?.sighting ?? null;
  // Our clock may have been set back: then the first sighting counts from now.
  const isAlike = earlier?.fingerprint === fingerprint && earlier.atMs <= pollMs;
  return isAlike ? earlier : { fingerprint, atMs: pollMs };
}

/** Not finished, or not settled: the id is open, and its label sets are shown at 0. */
function follow(step: Step, seen: Sighting, sighting: Open['sighting']): Verdict {
  const { draft, tell } = step;
  const { nowMs } = step.observation;
  const { activity, fromOldest } = seen;
  const { id, created, executed, status } = activity;
  const earlier = draft.open.get(id);
  draft.missing.delete(id);
  const labelled = draft.naming.labelsOf(activity);
  const next: Open = {
    created,
    executed,
    status,
    ...labelled,
    fromOldest: fromOldest ?? earlier?.fromOldest ?? 0,
    sighting,
    sinceMs: earlier === undefined || earlier.sinceMs > nowMs ? nowMs : earlier.sinceMs,
    orphaned: earlier?.orphaned === true || isTooOld(step, seen),
    nextCheckMs: nowMs + RECHECK_MS,
  };
  if (earlier === undefined || !sameOpen(earlier, next)) draft.open.set(id, next);
  if (next.orphaned && earlier?.orphaned !== true) tell({ kind: 'orphaned', id });
  if (earlier === undefined) draft.seed(labelled);
  if (sighting !== null) return 'settling';
  return earlier === undefined ? 'opened' : 'still_open';
}

/** Left behind before we came, by JIM's own clock: we need not watch it for another `open_limit` to say so. */
function isTooOld({ limits }: Step, { activity, date }: Sighting): boolean {
  const openMs = (date - activity.created) / MICROS_PER_MILLI;
  return !isFinishedStatus(activity.status) && openMs > limits.openLimitMs;
}

/** An unreadable row is looked at again, unless it is known already or history. */
function reject({ before, observation, draft }: Step, row: Observation['rejected'][number]): void {
  const { id, created, fromOldest } = row;
  if (draft.counted.get(id) !== undefined || draft.open.has(id)) return;
  const { horizon } = before.reading;
  const isHistory = observation.first || (horizon !== null && created <= horizon);
  if (isHistory && !draft.missing.has(id)) return;
  const nextCheckMs = observation.nowMs + RECHECK_MS;
  miss(draft, id, { created, fromOldest, why: 'rejected', nextCheckMs });
}

/** The row itself is gone: followed no more, but known again should a restored backup bring it back. */
function vanish({ observation, draft, tell }: Step, id: ActivityId): void {
  const open = draft.open.get(id);
  const nextCheckMs = observation.nowMs + RECHECK_MS;
  if (open === undefined) {
    const missing = draft.missing.get(id);
    if (missing !== undefined) draft.missing.set(id, { ...missing, nextCheckMs });
    return;
  }
  draft.open.delete(id);
  const { created, fromOldest } = open;
  miss(draft, id, { created, fromOldest, why: 'vanished', nextCheckMs });
  tell({ kind: 'vanished', id });
}

function miss({ missing }: Draft, id: ActivityId, row: Missing): void {
  missing.set(id, row);
  if (missing.size <= MAX_MISSING) return;
  let oldest = id;
  let oldestCreated: number = row.created;
  for (const [other, { created }] of missing.entries())
    if (created < oldestCreated) [oldest, oldestCreated] = [other, created];
  missing.delete(oldest);
}

/** Looked for and perhaps not found: absence proves nothing, but the next look can wait. */
function putOff({ observation, draft }: Step, id: ActivityId): void {
  const nextCheckMs = observation.nowMs + RECHECK_MS;
  const missing = draft.missing.get(id);
  if (missing !== undefined && missing.nextCheckMs !== nextCheckMs)
    draft.missing.set(id, { ...missing, nextCheckMs });
  const open = draft.open.get(id);
  if (open?.orphaned === true && open.nextCheckMs !== nextCheckMs)
    draft.open.set(id, { ...open, nextCheckMs });
}

/** JIM leaves some rows InProgress for ever: past `open_limit` they are shown apart and asked for once an hour. */
function markOrphans({ observation: { nowMs }, limits, draft, tell }: Step): void {
  for (const [id, open] of draft.open.entries()) {
    if (open.orphaned || nowMs - open.sinceMs <= limits.openLimitMs) continue;
    draft.open.set(id, { ...open, orphaned: true, nextCheckMs: nowMs + RECHECK_MS });
    tell({ kind: 'orphaned', id });
  }
}

function isFinished(activity: Activity): activity is Finished {
  return isFinishedStatus(activity.status);
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
    // An orphan's hourly check is a promise kept over restarts, and our clock may have been set back since; for
    // others the time is only a formality.
    (!a.orphaned || Math.abs(a.nextCheckMs - b.nextCheckMs) < RECHECK_MS / 2)
  );
}
