/**
 * A row of JIM's lists, from unknown JSON to an Activity. A row that cannot be read is rejected alone, with a
 * closed reason. Written by hand, not with schemas: catching up reads hundreds of thousands of rows.
 */
import {
  type Activity,
  type ActivityId,
  activityId,
  type Instant,
  type Micros,
  type OutcomeCounts,
} from './activity.ts';
import { TARGET_TYPES } from './words.ts';
import { isEndlessDate, parseInstant, parseTimespan } from './moments.ts';

/** A row that could not be read. `created` and `id` where that much could be read. */
export interface RejectedRow {
  readonly id: ActivityId | null;
  readonly created: Instant | null;
  readonly reason: RejectReason;
}
export const REJECT_REASONS = [
  'not_an_object',
  'id',
  'created',
  'status',
  'times',
  'totals',
  'other',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

export type Row =
  | { readonly ok: true; readonly activity: Activity }
  | { readonly ok: false; readonly rejected: RejectedRow };

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One element of a list's `items`. Fields and enum words unknown to us are tolerated; never throws. */
export function parseRow(value: unknown): Row {
  if (!isFields(value)) return reject('not_an_object', null, null);
  const id = readId(value['id']);
  const created = readInstant(value['created']);
  if (id === null) return reject('id', null, created);
  if (created === null) return reject('created', id, null);

  const status = value['status'];
  if (!isWord(status)) return reject('status', id, created);

  const executed = readInstantOrNull(value['executed']);
  const executionTime = readTimespan(value['executionTime']);
  const totalActivityTime = readTimespan(value['totalActivityTime']);
  if (executed === undefined || executionTime === undefined || totalActivityTime === undefined) {
    return reject('times', id, created);
  }

  const objectsToProcess = value['objectsToProcess'];
  const objectsProcessed = value['objectsProcessed'];
  const errors = value['totalErrors'];
  const outcomes = readOutcomes(value);
  if (
    !isCount(objectsToProcess) ||
    !isCount(objectsProcessed) ||
    !isCount(errors) ||
    outcomes === null
  ) {
    return reject('totals', id, created);
  }

  const targetType = value['targetType'];
  const operation = value['targetOperationType'];
  const runType = value['connectedSystemRunType'] ?? 'NotSet';
  const targetName = value['targetName'] ?? null;
  const targetContext = value['targetContext'] ?? null;
  if (
    !isWord(targetType) ||
    !isWord(operation) ||
    !isWord(runType) ||
    !isTextOrNull(targetName) ||
    !isTextOrNull(targetContext)
  ) {
    return reject('other', id, created);
  }

  // Field by field: to spread them in costs as much as to read a date.
  const names = impersonal(targetType, targetName, targetContext);
  return {
    ok: true,
    activity: {
      id,
      created,
      executed,
      status,
      targetType: laterName(targetType),
      operation,
      targetName: names.targetName,
      targetContext: names.targetContext,
      runType,
      objectsToProcess,
      objectsProcessed,
      executionTime,
      totalActivityTime,
      outcomes,
      errors,
    },
  };
}

function reject(reason: RejectReason, id: ActivityId | null, created: Instant | null): Row {
  return { ok: false, rejected: { id, created, reason } };
}

/** SyncRule was renamed in 0.13; rows written before keep the old word on older servers. */
export function laterName(targetType: string): string {
  return targetType === 'SyncRule' ? 'SynchronisationRule' : targetType;
}

/** Target types whose name is a person's or an account's (jim-api, section 8). */
const PERSONAL_TARGETS: ReadonlySet<string> = new Set([
  'MetaverseObject',
  'ConnectedSystemObject',
  'PasswordSynchronisation',
]);

/**
 * A target's names as far as they may be shown anywhere: not where they name a person, nor where the target
 * type is unknown to us and might. `wire.ts` has them for the terminal client.
 */
export function impersonal(
  targetType: string,
  targetName: string | null,
  targetContext: string | null,
): Pick<Activity, 'targetName' | 'targetContext'> {
  if (PERSONAL_TARGETS.has(targetType)) return { targetName: null, targetContext };
  if (!TARGET_TYPES.has(laterName(targetType))) return { targetName: null, targetContext: null };
  return { targetName, targetContext };
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function readId(value: unknown): ActivityId | null {
  return typeof value === 'string' && value.length === 36 && GUID.test(value)
    ? activityId(value)
    : null;
}

export function readInstant(value: unknown): Instant | null {
  return typeof value === 'string' ? parseInstant(value) : null;
}

/** Undefined where unreadable. Null for null and for .NET's zero date, a database default and never a time. */
export function readInstantOrNull(value: unknown): Instant | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return undefined;
  return parseInstant(value) ?? (isEndlessDate(value) ? null : undefined);
}

/** Undefined where unreadable. */
export function readTimespan(value: unknown): Micros | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return undefined;
  return parseTimespan(value) ?? undefined;
}

/** An enum member, known to us or not. */
function isWord(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

/** JIM's counters are .NET ints; one that is not a whole number from 0 would ruin a counter for ever. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readOutcomes(row: Fields): OutcomeCounts | null {
  const outcomes = {
    Added: row['totalAdded'],
    Updated: row['totalUpdated'],
    Deleted: row['totalDeleted'],
    Projected: row['totalProjected'],
    Joined: row['totalJoined'],
    AttributeFlows: row['totalAttributeFlows'],
    Disconnected: row['totalDisconnected'],
    DisconnectedOutOfScope: row['totalDisconnectedOutOfScope'],
    OutOfScopeRetainJoin: row['totalOutOfScopeRetainJoin'],
    DriftCorrections: row['totalDriftCorrections'],
    Provisioned: row['totalProvisioned'],
    Exported: row['totalExported'],
    Deprovisioned: row['totalDeprovisioned'],
    Created: row['totalCreated'],
    PendingExports: row['totalPendingExports'],
  } satisfies Record<keyof OutcomeCounts, unknown>;
  for (const name in outcomes) {
    if (!isCount(outcomes[name as keyof OutcomeCounts])) return null;
  }
  return outcomes as OutcomeCounts;
}
