/**
 * JIM's answers about Activities, from unknown JSON to exact values. Unknown fields are ignored and unknown
 * enum words kept; what is missing or of another type is a fault of the whole answer, but for list rows,
 * which are rejected alone. Messages and people's names come out only as `ActivityText` and `ItemText`.
 */
import * as z from 'zod';
import type { Activity, ActivityId, Instant, Micros, OutcomeCounts } from './activity.ts';
import { type Fields, impersonal, isFields, laterName, parseRow, type RejectedRow } from './row.ts';
import {
  count,
  id,
  idOrNull,
  moment,
  momentOrNull,
  number,
  read,
  readEnvelope,
  type Reading,
  readPageOf,
  text,
  timespan,
  word,
} from './wire-schema.ts';

/** The rows of a list or of children, read one by one. */
export function readRows(rows: readonly unknown[]): {
  readonly activities: readonly Activity[];
  readonly rejected: readonly RejectedRow[];
} {
  const activities: Activity[] = [];
  const rejected: RejectedRow[] = [];
  for (const value of rows) {
    const row = parseRow(value);
    if (row.ok) activities.push(row.activity);
    else rejected.push(row.rejected);
  }
  return { activities, rejected };
}

/** `/children`: a plain array before 0.13, an envelope since. Unreadable rows are left out. */
export function readChildren(value: unknown): Reading<readonly Activity[]> {
  if (Array.isArray(value)) return { ok: true, value: readRows(value).activities };
  const page = readEnvelope(value);
  return page.ok ? { ok: true, value: readRows(page.value.rows).activities } : page;
}

/** Free text of one Activity: people's names, messages, error texts. Only for the terminal client, and for an alert's message where that is configured. */
export interface ActivityText {
  /** Names of the target, a person's too. */
  readonly targetName: string | null;
  readonly targetContext: string | null;
  readonly message: string | null;
  readonly initiatedByType: string | null;
  readonly initiatedByName: string | null;
  /** The following two only in a detail. */
  readonly warningMessage: string | null;
  readonly errorMessage: string | null;
}

/** The texts of a list row or a detail; what is no text is left out. */
export function readText(value: unknown): ActivityText {
  const fields: Fields = isFields(value) ? value : {};
  const textOf = (name: string): string | null => {
    const field = fields[name];
    return typeof field === 'string' ? field : null;
  };
  return {
    targetName: textOf('targetName'),
    targetContext: textOf('targetContext'),
    message: textOf('message'),
    initiatedByType: textOf('initiatedByType'),
    initiatedByName: textOf('initiatedByName'),
    warningMessage: textOf('warningMessage'),
    errorMessage: textOf('errorMessage'),
  };
}

/** `/stats` and a detail's executionStats, under the words that the list has for the same things (jim-api, 2.4). */
export interface RunStats {
  readonly processed: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly errors: number;
  readonly objectTypes: number;
  readonly outcomes: OutcomeCounts;
  readonly exportsConfirmed: number;
  readonly exportsRetrying: number;
  readonly exportsFailed: number;
}

const stats = z
  .object({
    totalObjectsProcessed: count,
    totalObjectChangeCount: count,
    totalUnchanged: count,
    totalObjectErrors: count,
    totalObjectTypes: count,
    totalCsoAdds: count,
    totalCsoUpdates: count,
    totalCsoDeletes: count,
    totalProjections: count,
    totalJoins: count,
    totalAttributeFlows: count,
    totalDisconnections: count,
    totalDisconnectedOutOfScope: count,
    totalOutOfScopeRetainJoin: count,
    totalDriftCorrections: count,
    totalProvisioned: count,
    totalExported: count,
    totalDeprovisioned: count,
    totalPendingExports: count,
    totalPendingExportsConfirmed: count,
    totalPendingExportsRetrying: count,
    totalPendingExportsFailed: count,
    totalCreated: count,
  })
  .transform((row): RunStats => ({
    processed: row.totalObjectsProcessed,
    changed: row.totalObjectChangeCount,
    unchanged: row.totalUnchanged,
    errors: row.totalObjectErrors,
    objectTypes: row.totalObjectTypes,
    outcomes: {
      Added: row.totalCsoAdds,
      Updated: row.totalCsoUpdates,
      Deleted: row.totalCsoDeletes,
      Projected: row.totalProjections,
      Joined: row.totalJoins,
      AttributeFlows: row.totalAttributeFlows,
      Disconnected: row.totalDisconnections,
      DisconnectedOutOfScope: row.totalDisconnectedOutOfScope,
      OutOfScopeRetainJoin: row.totalOutOfScopeRetainJoin,
      DriftCorrections: row.totalDriftCorrections,
      Provisioned: row.totalProvisioned,
      Exported: row.totalExported,
      Deprovisioned: row.totalDeprovisioned,
      Created: row.totalCreated,
      PendingExports: row.totalPendingExports,
    },
    exportsConfirmed: row.totalPendingExportsConfirmed,
    exportsRetrying: row.totalPendingExportsRetrying,
    exportsFailed: row.totalPendingExportsFailed,
  }));

export function readStats(value: unknown): Reading<RunStats> {
  return read(stats, value);
}

/** One Activity by its id. It has no totals in any version, only a run's `stats` (jim-api, 2.3). */
export interface ActivityDetail {
  readonly id: ActivityId;
  readonly parentId: ActivityId | null;
  readonly created: Instant;
  readonly executed: Instant | null;
  readonly status: string;
  readonly targetType: string;
  readonly operation: string;
  readonly targetName: string | null;
  readonly targetContext: string | null;
  readonly runType: string;
  readonly objectsToProcess: number;
  readonly objectsProcessed: number;
  readonly executionTime: Micros | null;
  readonly totalActivityTime: Micros | null;
  readonly connectedSystemId: number | null;
  readonly runProfileId: number | null;
  /** Null for what has no run profile as its target. */
  readonly stats: RunStats | null;
  /** Why it did not succeed; null while it is unfinished, and where it did. */
  readonly failureCause: FailureCause | null;
  /** The following three only on main; null elsewhere, and for what no schedule started. */
  readonly scheduleExecutionId: string | null;
  readonly scheduleStepIndex: number | null;
  readonly scheduleName: string | null;
}

export type FailureCause =
  'worker_crash' | 'previous_step_failed' | 'cancelled' | 'object_errors' | 'exception';

const detail = z
  .object({
    id,
    parentActivityId: idOrNull,
    created: moment,
    executed: momentOrNull,
    status: word,
    targetType: word,
    targetOperationType: word,
    targetName: text,
    targetContext: text,
    connectedSystemRunType: word.nullish(),
    objectsToProcess: count,
    objectsProcessed: count,
    executionTime: timespan,
    totalActivityTime: timespan,
    connectedSystemId: number,
    connectedSystemRunProfileId: number,
    executionStats: stats.nullish(),
    errorMessage: text,
    errorStackTrace: text,
    scheduleExecutionId: text,
    scheduleStepIndex: number,
    scheduledByScheduleName: text,
  })
  .transform((row): ActivityDetail => ({
    id: row.id,
    parentId: row.parentActivityId,
    created: row.created,
    executed: row.executed,
    status: row.status,
    targetType: laterName(row.targetType),
    operation: row.targetOperationType,
    ...impersonal(row.targetType, row.targetName, row.targetContext),
    runType: row.connectedSystemRunType ?? 'NotSet',
    objectsToProcess: row.objectsToProcess,
    objectsProcessed: row.objectsProcessed,
    executionTime: row.executionTime,
    totalActivityTime: row.totalActivityTime,
    connectedSystemId: row.connectedSystemId,
    runProfileId: row.connectedSystemRunProfileId,
    stats: row.executionStats ?? null,
    failureCause: failureCauseOf(row),
    scheduleExecutionId: row.scheduleExecutionId,
    scheduleStepIndex: row.scheduleStepIndex,
    scheduleName: row.scheduledByScheduleName,
  }));

export function readDetail(value: unknown): Reading<ActivityDetail> {
  return read(detail, value);
}

/** JIM's fixed text for a run that its worker left behind (jim-api, 5.5). */
const WORKER_CRASH = /worker crash/i;

/** What JIM's fields say about a failure, so that its message need not leave this file. */
function failureCauseOf(row: {
  readonly status: string;
  readonly executionTime: Micros | null;
  readonly errorMessage: string | null;
  readonly errorStackTrace: string | null;
  readonly executionStats?: RunStats | null | undefined;
}): FailureCause | null {
  switch (row.status) {
    // Only a step whose turn never came has no execution time; one cancelled while queued has its wait.
    case 'Cancelled':
      return row.executionTime === null ? 'previous_step_failed' : 'cancelled';
    case 'CompleteWithError':
      return 'object_errors';
    case 'FailedWithError':
      if (WORKER_CRASH.test(row.errorMessage ?? '')) return 'worker_crash';
      // All objects failed: no exception, hence no stack trace, but errors.
      return row.errorStackTrace === null && (row.executionStats?.errors ?? 0) > 0
        ? 'object_errors'
        : 'exception';
    default:
      return null;
  }
}

/** One changed or failed object of a run. Its names are personal data and stay behind. */
export interface RunItem {
  readonly id: string;
  readonly objectType: string | null;
  /** Null where there was no error (`NotSet` on the wire). */
  readonly errorType: string | null;
}

const item = z
  .object({
    id: z.string(),
    connectedSystemObjectType: text,
    errorType: text,
  })
  .transform((row): RunItem => ({
    id: row.id,
    objectType: row.connectedSystemObjectType,
    errorType: row.errorType === 'NotSet' ? null : row.errorType,
  }));

export const readItems = readPageOf(item);

/** What names the object of an item: personal data, only for the terminal client. */
export interface ItemText {
  readonly externalId: string | null;
  readonly displayName: string | null;
}

export function readItemText(value: unknown): ItemText {
  const fields: Fields = isFields(value) ? value : {};
  const { externalIdValue, displayName } = fields;
  return {
    externalId: typeof externalIdValue === 'string' ? externalIdValue : null,
    displayName: typeof displayName === 'string' ? displayName : null,
  };
}

/** `/progress` of any Activity, 0.14 and later. Counters begin anew with each phase. */
export interface Progress {
  readonly id: ActivityId;
  readonly status: string;
  readonly objectsProcessed: number;
  /** 0 where it is not known. */
  readonly objectsToProcess: number;
  readonly percentComplete: number | null;
  /** Keeps growing after the end. */
  readonly elapsedSeconds: number;
  readonly objectsPerSecond: number | null;
  readonly estimatedSecondsRemaining: number | null;
  readonly errors: number;
  /** The phase's name (main); JIM's own words, never a person's. */
  readonly phase: string | null;
}

const progress = z
  .object({
    id,
    status: word,
    objectsProcessed: count,
    objectsToProcess: count,
    percentComplete: number,
    elapsedSeconds: z.number(),
    objectsPerSecond: number,
    estimatedSecondsRemaining: number,
    totalErrors: count,
    currentPhase: z.object({ name: text }).nullish().catch(null),
  })
  .transform(({ totalErrors, currentPhase, ...row }): Progress => ({
    ...row,
    errors: totalErrors,
    phase: currentPhase?.name ?? null,
  }));

export function readProgress(value: unknown): Reading<Progress> {
  return read(progress, value);
}

const errorEnvelope = z.object({ code: z.string() });

/** JIM's own error envelope names a code; other servers' and frameworks' errors do not (jim-api, 9.4). */
export function readErrorCode(value: unknown): string | null {
  const result = read(errorEnvelope, value);
  return result.ok ? result.value.code : null;
}
