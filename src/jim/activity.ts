/**
 * What an Activity is: JIM's row, read into exact types. Pure: no I/O, no clock.
 *
 * All moments are JIM's own clock in whole microseconds since 1970 (`Instant`), because PostgreSQL
 * keeps microseconds and JavaScript's Date would lose the three digits that decide order and equality.
 * They fit a safe integer until the year 2255.
 */

export type ActivityId = string & { readonly __brand: 'ActivityId' };
/** A moment of JIM's clock, in microseconds since 1970-01-01T00:00:00Z. Never compared with our clock. */
export type Instant = number & { readonly __brand: 'Instant' };
/** A duration in microseconds. */
export type Micros = number & { readonly __brand: 'Micros' };

export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_MILLI = 1_000;

/** A number of microseconds since 1970 as an Instant. */
export function instant(microsSince1970: number): Instant {
  return microsSince1970 as Instant;
}
/** A number of microseconds as a duration. */
export function micros(duration: number): Micros {
  return duration as Micros;
}
/** A string as an Activity's id: JIM's GUIDs, lower case. */
export function activityId(id: string): ActivityId {
  return id.toLowerCase() as ActivityId;
}
export function toSeconds(value: Instant | Micros): number {
  return value / MICROS_PER_SECOND;
}
/** The moment `duration` before `at`. */
export function before(at: Instant, duration: Micros): Instant {
  return instant(at - duration);
}
export function earlier(a: Instant, b: Instant): Instant {
  return a < b ? a : b;
}
export function later(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}

/** The five final statuses, in JIM's words (jim-api, section 4). */
export const FINISHED_STATUSES = [
  'Complete',
  'CompleteWithWarning',
  'CompleteWithError',
  'FailedWithError',
  'Cancelled',
] as const;
export type FinishedStatus = (typeof FINISHED_STATUSES)[number];

/** The unfinished words JIM knows. Any other word is kept open and reported, never guessed. */
const KNOWN_UNFINISHED: ReadonlySet<string> = new Set(['NotSet', 'InProgress']);

export function isFinishedStatus(status: string): status is FinishedStatus {
  return (FINISHED_STATUSES as readonly string[]).includes(status);
}
export function isKnownStatus(status: string): boolean {
  return isFinishedStatus(status) || KNOWN_UNFINISHED.has(status);
}
/** Complete and CompleteWithWarning do not stop a JIM schedule (jim-api, 5.5): they are successes. */
export function isSuccess(status: FinishedStatus): boolean {
  return status === 'Complete' || status === 'CompleteWithWarning';
}
/** Failures count towards consecutive failures; Cancelled is neither success nor failure. */
export function isFailure(status: FinishedStatus): boolean {
  return status === 'CompleteWithError' || status === 'FailedWithError';
}

/** Outcomes of objects in a run: the suffixes of the list row's `total…` counters, without Errors. */
export const OUTCOMES = [
  'Added',
  'Updated',
  'Deleted',
  'Projected',
  'Joined',
  'AttributeFlows',
  'Disconnected',
  'DisconnectedOutOfScope',
  'OutOfScopeRetainJoin',
  'DriftCorrections',
  'Provisioned',
  'Exported',
  'Deprovisioned',
  'Created',
  'PendingExports',
] as const;
export type Outcome = (typeof OUTCOMES)[number];
export type OutcomeCounts = Readonly<Record<Outcome, number>>;

/**
 * One row of `GET /api/v1/activities`, as far as counting needs it. Messages and people's names are
 * left behind at the wire, so that nothing past it can leak them.
 */
export interface Activity {
  readonly id: ActivityId;
  /** When the row was created: for worker tasks, when they were queued. */
  readonly created: Instant;
  /** When work began; equal to `created` (±0.7 ms) until a worker picks the row up. */
  readonly executed: Instant | null;
  /** JIM's word; use `isFinishedStatus`. May be a word unknown to us. */
  readonly status: string;
  /** `SyncRule` is already normalised to `SynchronisationRule`. May be a word unknown to us. */
  readonly targetType: string;
  /** `targetOperationType`. */
  readonly operation: string;
  readonly targetName: string | null;
  readonly targetContext: string | null;
  /** `connectedSystemRunType`; 'NotSet' for what is no run. */
  readonly runType: string;
  readonly objectsToProcess: number;
  readonly objectsProcessed: number;
  /** Null until finished, and for what never ran. Negative is possible (shifted time zones) and invalid. */
  readonly executionTime: Micros | null;
  /** Null until finished. */
  readonly totalActivityTime: Micros | null;
  readonly outcomes: OutcomeCounts;
  /** `totalErrors`: objects with errors. */
  readonly errors: number;
}

/** A run is an Activity of target type ConnectedSystemRunProfile, operation Execute; the same target type with Create or Update is a configuration change. */
export function isRun(activity: Pick<Activity, 'targetType' | 'operation'>): boolean {
  return activity.targetType === 'ConnectedSystemRunProfile' && activity.operation === 'Execute';
}

/** created + totalActivityTime, since JIM sends no end time; null while unfinished or where that time is missing or negative. */
export function endOf(activity: Pick<Activity, 'created' | 'totalActivityTime'>): Instant | null {
  const total = activity.totalActivityTime;
  return total === null || total < 0 ? null : instant(activity.created + total);
}

/** Never picked up: ≤ 0.7 ms between created and executed; picked up: ≥ 62 ms (seen on running servers). */
const PICKED_UP_AFTER = 10 * MICROS_PER_MILLI;

/** Whether a worker has begun the Activity, by its own times alone. */
export function wasPickedUp(activity: Pick<Activity, 'created' | 'executed'>): boolean {
  return activity.executed !== null && activity.executed - activity.created >= PICKED_UP_AFTER;
}

/**
 * How long the run executed and how long it waited. A run that never ran (no execution time, or Cancelled
 * while queued) waited all its time and has no duration. Unusable times count as nothing.
 */
export function timesOf(
  activity: Pick<
    Activity,
    'created' | 'executed' | 'status' | 'executionTime' | 'totalActivityTime'
  >,
): { readonly duration: Micros | null; readonly queue: Micros } {
  const total =
    activity.totalActivityTime !== null && activity.totalActivityTime >= 0
      ? activity.totalActivityTime
      : null;
  const execution =
    activity.executionTime !== null && activity.executionTime >= 0 ? activity.executionTime : null;
  const neverRan =
    execution === null || (activity.status === 'Cancelled' && !wasPickedUp(activity));
  if (neverRan) return { duration: null, queue: total ?? micros(0) };
  return {
    duration: execution,
    queue: micros(total === null ? 0 : Math.max(0, total - execution)),
  };
}

/**
 * The connected system an Activity belongs to, by its target type (jim-api, section 8); '' where none follows.
 */
export function connectedSystemOf(
  activity: Pick<Activity, 'targetType' | 'operation' | 'targetName' | 'targetContext'>,
): string {
  switch (activity.targetType) {
    case 'ConnectedSystemRunProfile':
      return activity.targetContext ?? '';
    case 'ConnectedSystem':
      return activity.targetName ?? '';
    case 'SynchronisationRule':
      return isRuleMapping(activity.targetName) ? '' : (activity.targetContext ?? '');
    case 'PasswordSynchronisation':
      return activity.targetContext ?? '';
    default:
      return '';
  }
}

/** A mapping's context is its rule's name, a priority order has none: neither names a connected system. */
function isRuleMapping(targetName: string | null): boolean {
  return (
    targetName !== null &&
    (targetName.startsWith('Mapping to ') || targetName.startsWith('Attribute priority order for '))
  );
}

/** What decides whether a finished row was altered after it was counted: status, times and totals. 53-bit FNV-like hash in base 36. */
export function fingerprintOf(activity: Activity): string {
  const { status, executed, executionTime, totalActivityTime, objectsProcessed, errors } = activity;
  let text = `${status}|${executed}|${executionTime}|${totalActivityTime}|${objectsProcessed}|${errors}`;
  for (const outcome of OUTCOMES) text += `|${activity.outcomes[outcome]}`;
  return hash(text);
}

/** cyrb53: 53 bits, no cryptography; a collision only hides one altered row from one counter. */
function hash(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return inBase36(4294967296 * (2097151 & low) + (high >>> 0));
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** As `toString(36)`, of which half the time of a fingerprint went into V8's care for fractions. */
function inBase36(whole: number): string {
  let text = '';
  let rest = whole;
  do {
    // Exact below 2^53: the quotient is further from the next whole number than its rounding reaches.
    const higher = Math.floor(rest / 36);
    text = (DIGITS[rest - higher * 36] ?? '') + text;
    rest = higher;
  } while (rest > 0);
  return text;
}

/** JIM's page of an Activity, the same route in all versions, behind sign-in. */
export function activityUrl(externalUrl: string, id: string): string {
  const base = new URL(externalUrl);
  return `${base.origin}${base.pathname.replace(/\/+$/, '')}/activity/${encodeURIComponent(id)}`;
}
