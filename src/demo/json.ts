/** How JIM writes its values as JSON: dates, timespans, rows, statistics (jim-api, section 2). */
import type { Dialect } from './dialects.ts';
import { permuted } from './random.ts';
import {
  MICROS_PER_SECOND,
  TOTALS,
  type RowPhase,
  type TotalName,
  type Totals,
  type WorldRow,
} from './row.ts';

/** `offset`: +00:00, as containers in UTC write; `z`: as JIM's own documentation shows; else minutes east. */
export type DateStyle = 'offset' | 'z' | number;

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A date from the database: microseconds, trailing zeros trimmed, none when zero. */
export function writeDate(micros: number, style: DateStyle = 'offset'): string {
  const offsetMinutes = typeof style === 'number' ? style : 0;
  const local = micros + offsetMinutes * 60 * MICROS_PER_SECOND;
  const seconds = Math.floor(local / MICROS_PER_SECOND);
  const fraction = local - seconds * MICROS_PER_SECOND;
  const text = writeSeconds(seconds);
  const digits = fraction === 0 ? '' : `.${trimZeros(String(fraction).padStart(6, '0'))}`;
  return `${text}${digits}${style === 'z' ? 'Z' : writeOffset(offsetMinutes)}`;
}

const DAY_SECONDS = 86_400;
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));
/** Of the last date written: most are of the same day, and months of simulated work write millions. */
let lastDay = { day: Number.NaN, text: '' };

/** `2026-03-02T00:02:00`. */
function writeSeconds(seconds: number): string {
  const day = Math.floor(seconds / DAY_SECONDS);
  if (day !== lastDay.day)
    lastDay = { day, text: new Date(day * DAY_SECONDS * 1_000).toISOString().slice(0, 11) };
  const rest = seconds - day * DAY_SECONDS;
  const [hour, minute] = [Math.floor(rest / 3_600), Math.floor(rest / 60) % 60];
  return `${lastDay.text}${TWO_DIGITS[hour]}:${TWO_DIGITS[minute]}:${TWO_DIGITS[rest % 60]}`;
}

/** A date made in process: UTC, Z, 100-nanosecond ticks, trailing zeros trimmed. */
export function writeTimestamp(micros: number): string {
  const seconds = Math.floor(micros / MICROS_PER_SECOND);
  const ticks = (micros - seconds * MICROS_PER_SECOND) * 10 + (Math.floor(micros / 10) % 9) + 1;
  const text = writeSeconds(seconds);
  return `${text}.${trimZeros(String(ticks).padStart(7, '0'))}Z`;
}

/** .NET's "c" format: `[-][d.]hh:mm:ss[.fffffff]`, seven digits or none. */
export function writeTimespan(micros: number): string {
  const sign = micros < 0 ? '-' : '';
  const whole = Math.floor(Math.abs(micros) / MICROS_PER_SECOND);
  const fraction = Math.abs(micros) % MICROS_PER_SECOND;
  const days = Math.floor(whole / 86_400);
  const time = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  const digits = fraction === 0 ? '' : `.${String(fraction).padStart(6, '0')}0`;
  return `${sign}${days === 0 ? '' : `${days}.`}${time}${digits}`;
}

function writeOffset(minutes: number): string {
  const size = Math.abs(minutes);
  const hours = String(Math.floor(size / 60)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${hours}:${String(size % 60).padStart(2, '0')}`;
}

function trimZeros(digits: string): string {
  return digits.replace(/0+$/, '');
}

export type Fields = Readonly<Record<string, Json>>;

/** What stands in rows of the list and in the detail alike, in JIM's order, up to totalActivityTime. */
function commonFields(row: WorldRow, dates: DateStyle): Fields {
  return {
    created: writeDate(row.created, dates),
    executed: writeDate(row.executed, dates),
    status: row.status,
    targetType: row.targetType,
    targetOperationType: row.targetOperationType,
    targetName: row.targetName,
    targetContext: row.targetContext,
    message: row.message,
    initiatedByType: row.initiatedByType,
    initiatedById: row.initiatedById,
    initiatedByName: row.initiatedByName,
    objectsToProcess: row.objectsToProcess,
    objectsProcessed: row.objectsProcessed,
    executionTime: row.executionTime === null ? null : writeTimespan(row.executionTime),
    totalActivityTime: row.totalActivityTime === null ? null : writeTimespan(row.totalActivityTime),
  };
}

function scheduleFields(row: WorldRow): Fields {
  return {
    scheduleExecutionId: row.scheduleExecutionId,
    scheduleStepIndex: row.scheduleStepIndex,
    scheduledByScheduleId: row.scheduleId,
    scheduledByScheduleName: row.scheduleName,
  };
}

/** Names that a dialect does not know yet are called by the older ones. */
function named(row: WorldRow, dialect: Dialect): WorldRow {
  return !dialect.laterNames && row.targetType === 'SynchronisationRule'
    ? { ...row, targetType: 'SyncRule' }
    : row;
}

/** A row of the list or of `/children`: 34 fields, 38 on main. childActivityCount is 0 in every version. */
export function listItem(row: WorldRow, dialect: Dialect, dates: DateStyle): Fields {
  return {
    id: row.id,
    ...commonFields(named(row, dialect), dates),
    connectedSystemRunType: row.runType,
    ...totalFields(row.totals),
    childActivityCount: 0,
    ...(dialect.scheduleFields ? scheduleFields(row) : {}),
  };
}

/** Spelt out rather than made of names: hundreds of thousands of rows are written so. */
function totalFields(totals: Totals): Fields & Readonly<Record<`total${TotalName}`, number>> {
  return {
    totalAdded: totals.Added,
    totalUpdated: totals.Updated,
    totalDeleted: totals.Deleted,
    totalProjected: totals.Projected,
    totalJoined: totals.Joined,
    totalAttributeFlows: totals.AttributeFlows,
    totalDisconnected: totals.Disconnected,
    totalDisconnectedOutOfScope: totals.DisconnectedOutOfScope,
    totalOutOfScopeRetainJoin: totals.OutOfScopeRetainJoin,
    totalDriftCorrections: totals.DriftCorrections,
    totalProvisioned: totals.Provisioned,
    totalExported: totals.Exported,
    totalDeprovisioned: totals.Deprovisioned,
    totalCreated: totals.Created,
    totalPendingExports: totals.PendingExports,
    totalErrors: totals.Errors,
  };
}

/** `/activities/{id}`: no totals but as executionStats, and those for run profiles only. */
export function detail(row: WorldRow, dialect: Dialect, dates: DateStyle): Fields {
  const isRunProfile = row.targetType === 'ConnectedSystemRunProfile';
  return {
    id: row.id,
    parentActivityId: row.parentActivityId,
    ...commonFields(named(row, dialect), dates),
    warningMessage: row.warningMessage,
    errorMessage: row.errorMessage,
    errorStackTrace: null,
    ...(dialect.scheduleFields ? { errorDetail: null } : {}),
    connectedSystemRunType: row.runType,
    connectedSystemId: row.connectedSystemId,
    connectedSystemRunProfileId: row.connectedSystemRunProfileId,
    syncRuleId: row.syncRuleId,
    metaverseObjectId: null,
    exampleDataTemplateId: null,
    executionStats: isRunProfile ? stats(row, dialect) : null,
    ...(dialect.scheduleFields
      ? { phases: row.phases.map((phase) => writePhase(phase, dates)), ...scheduleFields(row) }
      : {}),
    ...(dialect.configurationHistory
      ? {
          changeReason: null,
          configurationChangeVersion: row.configurationChangeVersion,
          configurationChangeSnapshot: snapshotOf(row),
        }
      : {}),
  };
}

/** A little of what JIM keeps of the changed object; exporters have no use for it. */
function snapshotOf(row: WorldRow): Json {
  if (row.configurationChangeVersion === null) return null;
  return {
    schemaVersion: 1,
    objectType: row.targetType,
    objectId: row.connectedSystemId,
    objectGuidId: null,
    objectKey: null,
    objectName: row.targetName,
    root: {
      key: row.targetType,
      label: row.targetType,
      nodeType: 'Object',
      value: null,
      displayValue: null,
      isSecret: false,
      itemId: null,
      itemGuidId: null,
      children: [],
    },
  };
}

function writePhase(phase: RowPhase, dates: DateStyle): Fields {
  const { started, ended } = phase;
  return {
    key: phase.key,
    name: phase.name,
    parentKey: phase.parentKey,
    order: phase.order,
    status: phase.status,
    started: started === null ? null : writeDate(started, dates),
    ended: ended === null ? null : writeDate(ended, dates),
    durationSeconds:
      started === null || ended === null ? null : (ended - started) / MICROS_PER_SECOND,
  };
}

/** `/stats` and executionStats. What the row processed is its objectsProcessed, whatever that counts. */
export function stats(row: WorldRow, dialect: Dialect): Fields {
  const { totals } = row;
  return {
    totalObjectsProcessed: row.objectsProcessed,
    totalObjectChangeCount: row.stats.changes,
    totalUnchanged: Math.max(0, row.objectsProcessed - row.stats.changes),
    totalObjectErrors: totals.Errors,
    totalObjectTypes: row.stats.objectTypes,
    totalCsoAdds: totals.Added,
    totalCsoUpdates: totals.Updated,
    totalCsoDeletes: totals.Deleted - row.stats.metaverseDeleted,
    totalProjections: totals.Projected,
    totalJoins: totals.Joined,
    totalAttributeFlows: totals.AttributeFlows,
    totalDisconnections: totals.Disconnected,
    totalDisconnectedOutOfScope: totals.DisconnectedOutOfScope,
    totalOutOfScopeRetainJoin: totals.OutOfScopeRetainJoin,
    totalDriftCorrections: totals.DriftCorrections,
    totalProvisioned: totals.Provisioned,
    totalExported: totals.Exported,
    totalDeprovisioned: totals.Deprovisioned,
    totalPendingExports: totals.PendingExports,
    totalPendingExportsConfirmed: row.stats.confirmed,
    totalPendingExportsRetrying: row.stats.retrying,
    totalPendingExportsFailed: row.stats.failed,
    totalCreated: totals.Created,
    ...(dialect.scheduleFields
      ? { entriesDiscardedByExcludedContainer: {}, totalEntriesDiscardedByExclusion: 0 }
      : {}),
  };
}

/** The `index`th of a row's items by id; every kind of item is spread over all of them. */
export function item(row: WorldRow, index: number, count: number): Fields {
  const seed = Number.parseInt(row.id.slice(-8), 16);
  let place = permuted(index, count, seed);
  for (const group of row.items) {
    if (place < group.count) {
      return {
        id: itemId(row, index, count),
        externalIdValue: group.errorType === 'UnhandledError' ? null : `E${1000 + place}`,
        displayName: null,
        connectedSystemObjectType: group.connectedSystemObjectType,
        objectChangeType: group.objectChangeType,
        errorType: group.errorType,
        outcomeSummary: group.outcomeSummary,
      };
    }
    place -= group.count;
  }
  throw new RangeError(`row ${row.id} has no item ${index}`);
}

/** JIM sorts items by their random ids: ids that rise with the index look the same. */
function itemId(row: WorldRow, index: number, count: number): string {
  const head = Math.floor(((index + 0.5) / count) * 2 ** 32);
  const tail = String(index).padStart(12, '0');
  return `${head.toString(16).padStart(8, '0')}-${row.id.slice(9, 13)}-4${row.id.slice(15, 18)}-8${row.id.slice(20, 23)}-${tail}`;
}

/** The envelope of a page. Past the last page JIM says that nothing at all was found. */
export function pageOf(
  items: readonly Json[],
  found: { readonly total: number; readonly page: number; readonly pageSize: number },
): Fields {
  const { page, pageSize } = found;
  const isPastTheEnd = page > 1 && page > Math.ceil(found.total / pageSize);
  const totalCount = isPastTheEnd ? 0 : found.total;
  const totalPages = Math.ceil(totalCount / pageSize);
  return {
    items: isPastTheEnd ? [] : items,
    totalCount,
    page,
    pageSize,
    totalPages,
    hasNextPage: page < totalPages,
    hasPreviousPage: page > 1,
  };
}

/** `/progress`, which keeps counting the seconds after the end. */
export function progress(
  row: WorldRow,
  dialect: Dialect,
  at: { readonly nowMicros: number; readonly objectsPerSecond: number | null },
  dates: DateStyle,
): Fields {
  const remaining = row.objectsToProcess - row.objectsProcessed;
  const rate = at.objectsPerSecond;
  const current = row.phases.find((phase) => phase.status === 'Active' && phase.parentKey === null);
  const topLevel = row.phases.filter((phase) => phase.parentKey === null);
  return {
    id: row.id,
    status: row.status,
    message: row.message,
    objectsProcessed: row.objectsProcessed,
    objectsToProcess: row.objectsToProcess,
    percentComplete:
      row.objectsToProcess === 0
        ? null
        : Math.min(100, Math.round((row.objectsProcessed / row.objectsToProcess) * 1000) / 10),
    elapsedSeconds: (at.nowMicros - row.executed) / MICROS_PER_SECOND,
    objectsPerSecond: rate,
    estimatedSecondsRemaining: rate === null || rate === 0 ? null : Math.round(remaining / rate),
    targetType: named(row, dialect).targetType,
    runType: row.runType,
    operationCounts: operationCounts(row),
    totalErrors: row.totals.Errors,
    retrievedAt: writeTimestamp(at.nowMicros),
    ...(dialect.scheduleFields
      ? {
          phases: row.phases.map((phase) => writePhase(phase, dates)),
          currentPhase: current === undefined ? null : writePhase(current, dates),
          currentPhaseNumber: current === undefined ? null : topLevel.indexOf(current) + 1,
          totalPhases: topLevel.length,
        }
      : {}),
  };
}

const CHANGE_TYPES: Readonly<Partial<Record<(typeof TOTALS)[number], string>>> = {
  Added: 'Added',
  Updated: 'Updated',
  Deleted: 'Deleted',
  Projected: 'Projected',
  Joined: 'Joined',
  AttributeFlows: 'AttributeFlow',
  Disconnected: 'Disconnected',
  Exported: 'Exported',
  Deprovisioned: 'Deprovisioned',
};

function operationCounts(row: WorldRow): Fields {
  const counts: Record<string, Json> = {};
  for (const total of TOTALS) {
    const change = CHANGE_TYPES[total];
    if (change !== undefined && row.totals[total] > 0) counts[change] = row.totals[total];
  }
  return counts;
}
