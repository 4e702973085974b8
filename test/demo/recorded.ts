/** Reads JIM's recorded answers, and turns recorded rows back into rows of a world. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  BLANK_ROW,
  NO_STATS,
  TOTALS,
  type RowPhase,
  type Totals,
  type WorldRow,
} from '../../src/demo/row.ts';

const FOLDER = new URL('../recordings/', import.meta.url);

export type RecordedDialect = '0.12' | '0.14' | 'main';
export const RECORDED_DIALECTS: readonly RecordedDialect[] = ['0.12', '0.14', 'main'];

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/** Names of a dialect's recordings, without `.json`. */
export function recordingsOf(dialect: RecordedDialect): readonly string[] {
  return readdirSync(new URL(`${dialect}/`, FOLDER))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length));
}

export function recording(dialect: RecordedDialect, name: string): JsonValue {
  return JSON.parse(readFileSync(new URL(`${dialect}/${name}.json`, FOLDER), 'utf8')) as JsonValue;
}

export function recordedObject(dialect: RecordedDialect, name: string): JsonObject {
  return object(recording(dialect, name));
}

export interface RecordedHttp {
  readonly status: string;
  /** Names in lower case. */
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: string;
}

/** An answer of 0.14 with its head. */
export function recordedHttp(name: string): RecordedHttp {
  const text = readFileSync(fileURLToPath(new URL(`http/${name}.http`, FOLDER)), 'utf8');
  const [head = '', ...bodies] = text.split(/\r?\n\r?\n/);
  const [status = '', ...lines] = head.split(/\r?\n/);
  return {
    status,
    headers: lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
    body: bodies.join('\n\n').replace(/\n$/, ''),
  };
}

function object(value: JsonValue | undefined): JsonObject {
  if (typeof value === 'object' && value !== null && !isArray(value)) return value;
  throw new TypeError(`not an object: ${JSON.stringify(value)}`);
}

export function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function itemsOf(page: JsonValue): readonly JsonObject[] {
  const items = object(page)['items'];
  return isArray(items) ? items.map(object) : [];
}

/** A list row or a detail as a row of a world; what it does not tell is blank. */
export function rowFrom(recorded: JsonObject): WorldRow {
  const text = (name: string): string | null => textOf(recorded, name);
  const number = (name: string): number | null => numberOf(recorded, name);
  const created = micros(text('created') ?? '');
  const stats = recorded['executionStats'];
  const targetType = text('targetType') ?? '';
  return {
    ...BLANK_ROW,
    id: text('id') ?? '',
    created,
    executed: micros(text('executed') ?? ''),
    status: text('status') ?? '',
    targetType: targetType === 'SyncRule' ? 'SynchronisationRule' : targetType,
    targetOperationType: text('targetOperationType') ?? '',
    targetName: text('targetName'),
    targetContext: text('targetContext'),
    message: text('message'),
    initiatedByType: text('initiatedByType') ?? '',
    initiatedById: text('initiatedById'),
    initiatedByName: text('initiatedByName'),
    objectsToProcess: number('objectsToProcess') ?? 0,
    objectsProcessed: number('objectsProcessed') ?? 0,
    executionTime: span(text('executionTime')),
    totalActivityTime: span(text('totalActivityTime')),
    runType: text('connectedSystemRunType') ?? '',
    totals: totalsFrom(recorded),
    parentActivityId: text('parentActivityId'),
    connectedSystemId: number('connectedSystemId'),
    connectedSystemRunProfileId: number('connectedSystemRunProfileId'),
    syncRuleId: number('syncRuleId'),
    warningMessage: text('warningMessage'),
    errorMessage: text('errorMessage'),
    stats:
      stats === undefined || stats === null
        ? NO_STATS
        : {
            ...NO_STATS,
            changes: count(object(stats), 'totalObjectChangeCount'),
            objectTypes: count(object(stats), 'totalObjectTypes'),
          },
    phases: isArray(recorded['phases']) ? recorded['phases'].map(object).map(phaseFrom) : [],
    scheduleExecutionId: text('scheduleExecutionId'),
    scheduleStepIndex: number('scheduleStepIndex'),
    scheduleId: text('scheduledByScheduleId'),
    scheduleName: text('scheduledByScheduleName'),
    configurationChangeVersion: number('configurationChangeVersion'),
  };
}

/** List rows have totals by their own names; details have them as executionStats, by others. */
const STATS_NAMES: Readonly<Partial<Record<keyof Totals, string>>> = {
  Added: 'totalCsoAdds',
  Updated: 'totalCsoUpdates',
  Deleted: 'totalCsoDeletes',
  Projected: 'totalProjections',
  Joined: 'totalJoins',
  Disconnected: 'totalDisconnections',
  Errors: 'totalObjectErrors',
};

function totalsFrom(recorded: JsonObject): Totals {
  const stats = recorded['executionStats'];
  const totals: Record<keyof Totals, number> = { ...BLANK_ROW.totals };
  for (const total of TOTALS) {
    totals[total] =
      stats === undefined || stats === null
        ? count(recorded, `total${total}`)
        : count(object(stats), STATS_NAMES[total] ?? `total${total}`);
  }
  return totals;
}

function phaseFrom(recorded: JsonObject): RowPhase {
  const started = textOf(recorded, 'started');
  const ended = textOf(recorded, 'ended');
  return {
    key: textOf(recorded, 'key') ?? '',
    name: textOf(recorded, 'name') ?? '',
    parentKey: textOf(recorded, 'parentKey'),
    order: count(recorded, 'order'),
    status: PHASE_STATUSES.find((word) => word === recorded['status']) ?? 'Pending',
    started: started === null ? null : micros(started),
    ended: ended === null ? null : micros(ended),
  };
}

const PHASE_STATUSES: ReadonlyArray<RowPhase['status']> = [
  'Pending',
  'Active',
  'Completed',
  'Skipped',
  'Failed',
];

function count(recorded: JsonObject, name: string): number {
  return numberOf(recorded, name) ?? 0;
}

export function textOf(recorded: JsonObject, name: string): string | null {
  const value = recorded[name];
  return typeof value === 'string' ? value : null;
}

function numberOf(recorded: JsonObject, name: string): number | null {
  const value = recorded[name];
  return typeof value === 'number' ? value : null;
}

/** Written apart from the exporter's own reading, which is to be tested with these recordings. */
function micros(date: string): number {
  const [, seconds = '', fraction = '', zone = ''] =
    /^(.{19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(date) ?? [];
  return Date.parse(seconds + zone) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

function span(timespan: string | null): number | null {
  if (timespan === null) return null;
  const [, days = '0', hours, minutes, seconds, fraction = ''] =
    /^(?:(\d+)\.)?(\d\d):(\d\d):(\d\d)(?:\.(\d{7}))?$/.exec(timespan) ?? [];
  const whole = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
  return whole * 1_000_000 + Number(fraction.padEnd(7, '0')) / 10;
}
