/** Binds a query string as ASP.NET does, per version of JIM: clamped, ignored or refused (jim-api, 1.1). */
import type { Dialect } from './dialects.ts';
import {
  INITIATOR_TYPES,
  OPERATIONS,
  STATUSES,
  TARGET_TYPES,
  type TotalName,
  type WorldRow,
} from './row.ts';
import type { RowFilter, RowQuery } from './table.ts';

export interface Paging {
  readonly page: number;
  readonly pageSize: number;
}

export interface ListRequest extends Paging {
  readonly sortBy: RowQuery['sortBy'];
  readonly descending: boolean;
  readonly filter: RowFilter | null;
}

/** Messages by field, as they stand in the answer. */
export type BindingErrors = Readonly<Record<string, readonly string[]>>;
export type Bound<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: BindingErrors };

const MAX_PAGE_SIZE = 100;
const DEFAULT_PAGE_SIZE = 25;
const MAX_PAGE = 1000;
const MAX_ROWS_DEEP = 1_000_000;
const MAX_INT = 2_147_483_647;

/** Names of parameters do not depend on case, and repeat for lists. */
export type Parameters = ReadonlyMap<string, readonly string[]>;

export function parametersOf(search: URLSearchParams): Parameters {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of search) {
    const key = name.toLowerCase();
    const known = parameters.get(key);
    if (known === undefined) parameters.set(key, [value]);
    else known.push(value);
  }
  return parameters;
}

/** `page` and `pageSize` of the endpoints that share JIM's PaginationRequest. */
export function bindPaging(parameters: Parameters, dialect: Dialect): Bound<Paging> {
  const faults = new Faults();
  const paging = readPaging(parameters, dialect, faults);
  return faults.orElse(paging);
}

/** `page` and `pageSize` of the endpoints that clamp on their own and know no depth limit. */
export function bindPlainPaging(parameters: Parameters, defaultSize: number): Bound<Paging> {
  const faults = new Faults();
  const page = readInteger(parameters, 'page', 1, faults);
  const pageSize = readInteger(parameters, 'pageSize', defaultSize, faults);
  return faults.orElse({
    page: Math.max(1, page),
    pageSize: pageSize < 1 ? defaultSize : Math.min(pageSize, MAX_PAGE_SIZE),
  });
}

/** Everything that the list of Activities understands in this version; the rest is ignored. */
export function bindList(
  parameters: Parameters,
  dialect: Dialect,
  hasChildren: (row: WorldRow) => boolean,
): Bound<ListRequest> {
  const faults = new Faults();
  const paging = readPaging(parameters, dialect, faults);
  const direction = parameters.get('sortdirection')?.[0] ?? 'asc';
  if (direction !== 'asc' && direction !== 'desc') {
    faults.add('SortDirection', "Sort direction must be 'asc' or 'desc'.");
  }
  const sortBy = parameters.get('sortby')?.[0] ?? '';
  if (sortBy.length > 100) {
    faults.add('SortBy', 'The field SortBy must be a string with a maximum length of 100.');
  }
  return faults.orElse({
    ...paging,
    sortBy: SORTS.get(sortBy.toLowerCase()) ?? 'created',
    descending: direction === 'desc',
    filter: readFilter(parameters, dialect, hasChildren, faults),
  });
}

/** `executed` is accepted, and sorts by created: the repository has no branch for it. */
const SORTS: ReadonlyMap<string, RowQuery['sortBy']> = new Map([
  ['created', 'created'],
  ['executed', 'created'],
  ['status', 'status'],
  ['targettype', 'targetType'],
  ['target_type', 'targetType'],
  ['type', 'targetType'],
  ['targetname', 'targetName'],
  ['target_name', 'targetName'],
  ['target', 'targetName'],
]);

function readPaging(parameters: Parameters, dialect: Dialect, faults: Faults): Paging {
  const page = Math.max(1, readInteger(parameters, 'Page', 1, faults));
  const asked = readInteger(parameters, 'PageSize', DEFAULT_PAGE_SIZE, faults);
  const pageSize = asked < 1 ? DEFAULT_PAGE_SIZE : Math.min(asked, MAX_PAGE_SIZE);
  if (dialect.pageCeiling === 'page_1000' && page > MAX_PAGE) {
    faults.add(
      'Page',
      'Page must not exceed 1000. Requests beyond this depth are rejected to protect database performance at scale; narrow the result set with a filter or search rather than paging so deep.',
    );
  }
  if (dialect.pageCeiling === 'rows_1000000' && (page - 1) * pageSize > MAX_ROWS_DEEP) {
    faults.add(
      'Page',
      'The requested page is more than 1000000 rows deep; narrow the result set with a filter or search rather than paging so deep.',
    );
  }
  return { page, pageSize };
}

function readFilter(
  parameters: Parameters,
  dialect: Dialect,
  hasChildren: (row: WorldRow) => boolean,
  faults: Faults,
): RowFilter | null {
  const tests: Array<(row: WorldRow) => boolean> = [];
  const text = (name: string): string => (parameters.get(name)?.[0] ?? '').toLowerCase().trim();

  const search = text('search');
  if (search !== '') {
    tests.push((row) =>
      [row.targetName, row.targetContext, row.initiatedByName].some(
        (value) => value?.toLowerCase().includes(search) === true,
      ),
    );
  }
  if (dialect.filters !== 'none') {
    const known = dialect.filters === 'all' ? TARGET_TYPES : TARGET_TYPES.slice(0, 24);
    const types = readEnums(parameters, 'targetType', known, faults);
    if (types !== null) tests.push((row) => types.has(row.targetType));
    const initiators = readEnums(parameters, 'initiatorType', INITIATOR_TYPES, faults);
    if (initiators !== null) tests.push((row) => initiators.has(row.initiatedByType));
  }
  const range: { createdFrom?: number; createdTo?: number; statuses?: ReadonlySet<string> } = {};
  if (dialect.filters === 'all') {
    const statuses = readEnums(parameters, 'status', STATUSES, faults);
    if (statuses !== null) range.statuses = statuses;
    const from = readDate(parameters, 'createdFrom', faults);
    if (from !== null) range.createdFrom = from;
    const to = readDate(parameters, 'createdTo', faults);
    if (to !== null) range.createdTo = to;
    tests.push(...mainTests(parameters, hasChildren, faults));
  }
  if (tests.length === 0) return Object.keys(range).length === 0 ? null : range;
  return { ...range, matches: (row) => tests.every((test) => test(row)) };
}

/** The filters that only main has, but for status and created, which the table finds by itself. */
function mainTests(
  parameters: Parameters,
  hasChildren: (row: WorldRow) => boolean,
  faults: Faults,
): Array<(row: WorldRow) => boolean> {
  const tests: Array<(row: WorldRow) => boolean> = [];
  const operations = readEnums(parameters, 'operation', OPERATIONS, faults);
  if (operations !== null) tests.push((row) => operations.has(row.targetOperationType));
  const outcomes = readEnums(parameters, 'outcome', OUTCOME_FILTERS, faults);
  if (outcomes !== null) {
    tests.push((row) => OUTCOME_FILTERS.some((name) => outcomes.has(name) && row.totals[name] > 0));
  }
  const initiator = readGuids(parameters, 'initiatedById', faults);
  if (initiator !== null) tests.push((row) => initiator.has(row.initiatedById ?? ''));
  const schedules = readGuids(parameters, 'scheduleId', faults);
  if (schedules !== null) tests.push((row) => schedules.has(row.scheduleId ?? ''));
  const systems = parameters.get('connectedsystem');
  if (systems !== undefined) tests.push((row) => systems.includes(row.targetContext ?? ''));
  const profiles = parameters.get('runprofile');
  if (profiles !== undefined) tests.push((row) => profiles.includes(row.targetName ?? ''));
  const person = (parameters.get('initiatedby')?.[0] ?? '').toLowerCase().trim();
  if (person !== '') {
    tests.push((row) => row.initiatedByName?.toLowerCase().includes(person) === true);
  }
  const withChildren = readBoolean(parameters, 'hasChildActivities', faults);
  if (withChildren !== null) tests.push((row) => hasChildren(row) === withChildren);
  const scheduled = readBoolean(parameters, 'scheduledOnly', faults);
  if (scheduled !== null) tests.push((row) => (row.scheduleId !== null) === scheduled);
  return tests;
}

/** JIM's outcome filter has no member for the out-of-scope counters. */
const OUTCOME_FILTERS: readonly TotalName[] = [
  'Added',
  'Updated',
  'Deleted',
  'Projected',
  'Joined',
  'AttributeFlows',
  'Disconnected',
  'DriftCorrections',
  'Provisioned',
  'Exported',
  'Deprovisioned',
  'Created',
  'PendingExports',
  'Errors',
];

function readInteger(
  parameters: Parameters,
  name: string,
  fallback: number,
  faults: Faults,
): number {
  const text = parameters.get(name.toLowerCase())?.[0];
  if (text === undefined) return fallback;
  const value = /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (Math.abs(value) <= MAX_INT) return value;
  faults.add(name, `The value '${text}' is not valid for ${name}.`);
  return fallback;
}

/**
 * Names in any case, numbers too. .NET ORs the numbers of a comma-separated list, which finds a third
 * member's rows or, where there is no such member, is refused.
 */
function readEnums(
  parameters: Parameters,
  name: string,
  members: readonly string[],
  faults: Faults,
): ReadonlySet<string> | null {
  const values = parameters.get(name.toLowerCase());
  if (values === undefined) return null;
  const found = new Set<string>();
  for (const value of values) {
    const member = members[enumNumber(value, members)];
    if (member === undefined) faults.add(name, `The value '${value}' is not valid.`);
    else found.add(member);
  }
  return found;
}

function enumNumber(value: string, members: readonly string[]): number {
  const lower = members.map((member) => member.toLowerCase());
  let combined = 0;
  for (const part of value.split(',')) {
    const word = part.trim().toLowerCase();
    const number = /^\d+$/.test(word) ? Number(word) : lower.indexOf(word);
    if (number < 0) return -1;
    combined |= number;
  }
  return combined;
}

function readGuids(
  parameters: Parameters,
  name: string,
  faults: Faults,
): ReadonlySet<string> | null {
  const values = parameters.get(name.toLowerCase());
  if (values === undefined) return null;
  for (const value of values) {
    if (!isGuid(value)) faults.add(name, `The value '${value}' is not valid.`);
  }
  return new Set(values.map((value) => value.toLowerCase()));
}

function readBoolean(parameters: Parameters, name: string, faults: Faults): boolean | null {
  const value = parameters.get(name.toLowerCase())?.[0];
  if (value === undefined) return null;
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
  faults.add(name, `The value '${value}' is not valid.`);
  return null;
}

/** A `+` that was not encoded arrives as a space, and no date has one before its offset. */
function readDate(parameters: Parameters, name: string, faults: Faults): number | null {
  const value = parameters.get(name.toLowerCase())?.[0];
  if (value === undefined) return null;
  const parts =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,7}))?)?(Z|[+-]\d\d:\d\d)?$/.exec(value);
  const [, day, time, fraction, zone] = parts ?? [];
  const ms = parts === null ? Number.NaN : Date.parse(`${day}T${time ?? '00:00:00'}${zone ?? 'Z'}`);
  if (Number.isNaN(ms)) {
    faults.add(name, `The value '${value}' is not valid.`);
    return null;
  }
  return ms * 1000 + Number((fraction ?? '').padEnd(6, '0').slice(0, 6));
}

function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}

/** Binding goes on after a fault: the answer names all of them. */
class Faults {
  readonly #errors: Record<string, string[]> = {};

  add(field: string, message: string): void {
    (this.#errors[field] ??= []).push(message);
  }

  orElse<T>(value: T): Bound<T> {
    const isClean = Object.keys(this.#errors).length === 0;
    return isClean ? { ok: true, value } : { ok: false, errors: this.#errors };
  }
}
