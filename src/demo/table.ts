/**
 * The Activities table: rows kept in order, so that any page of 200,000 rows is answered without sorting.
 * It knows nothing of HTTP or of time; the world writes it, the simulator reads pages from it.
 */
import { permuted } from './random.ts';
import { STATUSES, TARGET_TYPES, type WorldRow } from './row.ts';

export interface RowFilter {
  /** Inclusive, microseconds. */
  readonly createdFrom?: number;
  /** Inclusive, microseconds. */
  readonly createdTo?: number;
  readonly statuses?: ReadonlySet<string>;
  /** Everything else. */
  readonly matches?: (row: WorldRow) => boolean;
}

export interface RowQuery {
  readonly sortBy: 'created' | 'status' | 'targetType' | 'targetName';
  readonly descending: boolean;
  /**
   * How rows with equal sort keys are ordered: by id, as main does; as they happen to lie, as one
   * PostgreSQL usually does before; or shuffled by a seed, as it may.
   */
  readonly ties: 'id' | 'unspecified' | { readonly shuffledBy: number };
  readonly filter: RowFilter | null;
  readonly offset: number;
  readonly limit: number;
}

export interface RowPage {
  readonly rows: readonly WorldRow[];
  readonly total: number;
}

/** A part of a sorted array. */
interface Stretch {
  readonly rows: readonly WorldRow[];
  readonly start: number;
  readonly end: number;
}

/** Rows of one status (type, name), sorted by id. */
type Groups = Map<string, WorldRow[]>;

export class ActivityTable {
  readonly #byId = new Map<string, WorldRow>();
  /** Rows without a parent, by created, then id. */
  #byCreated: WorldRow[] = [];
  #byStatus: Groups = new Map();
  #byTargetType: Groups = new Map();
  #byTargetName: Groups = new Map();
  /** Rows with a parent, by created, then id. */
  readonly #children = new Map<string, WorldRow[]>();

  /** Rows in the list: those without a parent. */
  get listed(): number {
    return this.#byCreated.length;
  }

  /** Rows in the list, oldest first. */
  get rows(): readonly WorldRow[] {
    return this.#byCreated;
  }

  get(id: string): WorldRow | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<WorldRow> {
    return this.#byId.values();
  }

  children(parentId: string): readonly WorldRow[] {
    return this.#children.get(parentId) ?? [];
  }

  insert(row: WorldRow): void {
    if (this.#byId.has(row.id)) throw new Error(`row ${row.id} exists already`);
    this.#byId.set(row.id, row);
    if (row.parentActivityId !== null) {
      insertSorted(groupOf(this.#children, row.parentActivityId), row, compareCreated);
      return;
    }
    insertSorted(this.#byCreated, row, compareCreated);
    insertSorted(groupOf(this.#byStatus, row.status), row, compareId);
    insertSorted(groupOf(this.#byTargetType, row.targetType), row, compareId);
    insertSorted(groupOf(this.#byTargetName, nameKey(row)), row, compareId);
  }

  /** Many rows at once: one sort instead of one insertion each. */
  load(rows: Iterable<WorldRow>): void {
    for (const row of rows) {
      if (this.#byId.has(row.id)) throw new Error(`row ${row.id} exists already`);
      this.#byId.set(row.id, row);
      if (row.parentActivityId === null) {
        this.#byCreated.push(row);
        groupOf(this.#byStatus, row.status).push(row);
        groupOf(this.#byTargetType, row.targetType).push(row);
        groupOf(this.#byTargetName, nameKey(row)).push(row);
      } else {
        groupOf(this.#children, row.parentActivityId).push(row);
      }
    }
    this.#byCreated.sort(compareCreated);
    for (const groups of [this.#byStatus, this.#byTargetType, this.#byTargetName]) {
      for (const group of groups.values()) group.sort(compareId);
    }
    for (const group of this.#children.values()) group.sort(compareCreated);
  }

  /** The row with the same id gives way to this one. */
  replace(row: WorldRow): void {
    this.remove(row.id);
    this.insert(row);
  }

  remove(id: string): WorldRow | undefined {
    const row = this.#byId.get(id);
    if (row === undefined) return undefined;
    this.#byId.delete(id);
    if (row.parentActivityId !== null) {
      removeSorted(groupOf(this.#children, row.parentActivityId), row, compareCreated);
      return row;
    }
    removeSorted(this.#byCreated, row, compareCreated);
    removeSorted(groupOf(this.#byStatus, row.status), row, compareId);
    removeSorted(groupOf(this.#byTargetType, row.targetType), row, compareId);
    removeSorted(groupOf(this.#byTargetName, nameKey(row)), row, compareId);
    return row;
  }

  /** Many rows at once: one walk instead of one removal each. Returns those that were there. */
  removeAll(ids: ReadonlySet<string>): readonly WorldRow[] {
    const removed = [...ids].flatMap((id) => this.#byId.get(id) ?? []);
    const areFew = removed.length * 8 < this.#byId.size;
    if (areFew) {
      for (const { id } of removed) this.remove(id);
      return removed;
    }
    const isKept = (row: WorldRow): boolean => !ids.has(row.id);
    for (const id of ids) this.#byId.delete(id);
    this.#byCreated = this.#byCreated.filter(isKept);
    for (const groups of [this.#byStatus, this.#byTargetType, this.#byTargetName, this.#children]) {
      for (const [key, group] of groups) groups.set(key, group.filter(isKept));
    }
    return removed;
  }

  clear(): void {
    this.#byId.clear();
    this.#byCreated = [];
    this.#byStatus = new Map();
    this.#byTargetType = new Map();
    this.#byTargetName = new Map();
    this.#children.clear();
  }

  page(query: RowQuery): RowPage {
    const matching = query.filter === null ? whole(this.#byCreated) : this.#matching(query.filter);
    const total = matching.end - matching.start;
    if (query.sortBy === 'created') return { rows: createdPage(matching, query), total };
    const groups =
      query.filter === null
        ? this.#groupsFor(query.sortBy)
        : groupsOf(matching, keyFor(query.sortBy));
    return { rows: groupedPage(groups, query), total };
  }

  /** The rows a filter lets through, by created, then id. */
  #matching(filter: RowFilter): Stretch {
    const range: Stretch = {
      rows: this.#byCreated,
      start: lowerBound(this.#byCreated, filter.createdFrom ?? -Infinity),
      end: lowerBound(this.#byCreated, nextInstant(filter.createdTo)),
    };
    if (range.end <= range.start) return whole([]);
    const { statuses, matches } = filter;
    if (statuses === undefined && matches === undefined) return range;

    const candidates = this.#candidates(range, statuses);
    const kept: WorldRow[] = [];
    for (let index = candidates.start; index < candidates.end; index += 1) {
      const row = candidates.rows[index];
      if (row === undefined) continue;
      if (statuses !== undefined && !statuses.has(row.status)) continue;
      if (matches === undefined || matches(row)) kept.push(row);
    }
    return whole(kept);
  }

  /** A few rows of a rare status are found by status; else the range of created is walked. */
  #candidates(range: Stretch, statuses: ReadonlySet<string> | undefined): Stretch {
    if (statuses === undefined) return range;
    const groups = [...statuses].map((status) => this.#byStatus.get(status) ?? []);
    const size = groups.reduce((sum, group) => sum + group.length, 0);
    if (size * 8 > range.end - range.start) return range;
    const first = range.rows[range.start]?.created ?? 0;
    const last = range.rows[range.end - 1]?.created ?? 0;
    const rows = groups.flat().filter((row) => row.created >= first && row.created <= last);
    return whole(rows.toSorted(compareCreated));
  }

  #groupsFor(sortBy: Exclude<RowQuery['sortBy'], 'created'>): Groups {
    if (sortBy === 'status') return this.#byStatus;
    return sortBy === 'targetType' ? this.#byTargetType : this.#byTargetName;
  }
}

/** One page by created. Every run of equal `created` is put in the order that the query asks for. */
function createdPage(stretch: Stretch, query: RowQuery): WorldRow[] {
  const page: WorldRow[] = [];
  const end = Math.min(query.offset + query.limit, stretch.end - stretch.start);
  let tie: Stretch | null = null;
  for (let position = query.offset; position < end; position += 1) {
    const index = query.descending ? stretch.end - 1 - position : stretch.start + position;
    if (tie === null || index < tie.start || index >= tie.end) tie = tieAround(index, stretch);
    const row = stretch.rows[placeInTie(index, tie.start, tie.end, query)];
    if (row !== undefined) page.push(row);
  }
  return page;
}

/** The rows created at the same instant as the one at `index`. */
function tieAround(index: number, { rows, start, end }: Stretch): Stretch {
  const created = rows[index]?.created ?? 0;
  const isAlone = rows[index - 1]?.created !== created && rows[index + 1]?.created !== created;
  if (isAlone) return { rows, start: index, end: index + 1 };
  return {
    rows,
    start: Math.max(start, lowerBound(rows, created)),
    end: Math.min(end, lowerBound(rows, created + 1)),
  };
}

/** Which row of a tie (sorted by id, from `start` to `end`) stands where `index` would stand naturally. */
function placeInTie(index: number, start: number, end: number, query: RowQuery): number {
  if (query.ties === 'unspecified' || end - start === 1) return index;
  const rank = query.descending ? end - 1 - index : index - start;
  if (query.ties === 'id') return start + rank;
  return start + permuted(rank, end - start, query.ties.shuffledBy);
}

/** One page by a key with few values: whole groups are skipped, not walked. */
function groupedPage(groups: Groups, query: RowQuery): WorldRow[] {
  const ordinal = ordinalFor(query.sortBy);
  const keys = [...groups.keys()].toSorted((a, b) => ordinal(a, b));
  if (query.descending) keys.reverse();
  const page: WorldRow[] = [];
  let skip = query.offset;
  for (const key of keys) {
    const group = groups.get(key) ?? [];
    if (skip >= group.length) {
      skip -= group.length;
      continue;
    }
    for (let rank = skip; rank < group.length && page.length < query.limit; rank += 1) {
      const place =
        typeof query.ties === 'object' ? permuted(rank, group.length, query.ties.shuffledBy) : rank;
      const row = group[place];
      if (row !== undefined) page.push(row);
    }
    skip = 0;
    if (page.length >= query.limit) break;
  }
  return page;
}

function groupsOf(stretch: Stretch, key: (row: WorldRow) => string): Groups {
  const groups: Groups = new Map();
  for (let index = stretch.start; index < stretch.end; index += 1) {
    const row = stretch.rows[index];
    if (row !== undefined) groupOf(groups, key(row)).push(row);
  }
  for (const group of groups.values()) group.sort(compareId);
  return groups;
}

function keyFor(sortBy: Exclude<RowQuery['sortBy'], 'created'>): (row: WorldRow) => string {
  if (sortBy === 'status') return (row) => row.status;
  return sortBy === 'targetType' ? (row) => row.targetType : nameKey;
}

/** Enums sort by their stored number, words of a JIM yet to come last; names sort as text, null last. */
function ordinalFor(sortBy: RowQuery['sortBy']): (a: string, b: string) => number {
  if (sortBy === 'targetName') return (a, b) => (a < b ? -1 : 1);
  const words: readonly string[] = sortBy === 'status' ? STATUSES : TARGET_TYPES;
  const rank = (word: string): number => {
    const place = words.indexOf(word);
    return place === -1 ? words.length : place;
  };
  return (a, b) => rank(a) - rank(b) || (a < b ? -1 : 1);
}

/** U+FFFF sorts after every name: PostgreSQL puts nulls last when ascending. */
function nameKey(row: WorldRow): string {
  return row.targetName ?? '\uffff';
}

function groupOf<T>(groups: Map<string, T[]>, key: string): T[] {
  let group = groups.get(key);
  if (group === undefined) {
    group = [];
    groups.set(key, group);
  }
  return group;
}

function whole(rows: readonly WorldRow[]): Stretch {
  return { rows, start: 0, end: rows.length };
}

function compareId(a: WorldRow, b: WorldRow): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function compareCreated(a: WorldRow, b: WorldRow): number {
  return a.created - b.created || compareId(a, b);
}

type Compare = (a: WorldRow, b: WorldRow) => number;

function insertSorted(rows: WorldRow[], row: WorldRow, compare: Compare): void {
  rows.splice(placeOf(rows, row, compare), 0, row);
}

function removeSorted(rows: WorldRow[], row: WorldRow, compare: Compare): void {
  const place = placeOf(rows, row, compare);
  if (rows[place]?.id === row.id) rows.splice(place, 1);
}

/** Index of the first row that does not come before `row`. */
function placeOf(rows: readonly WorldRow[], row: WorldRow, compare: Compare): number {
  return firstIndex(rows, (other) => compare(other, row) >= 0);
}

/** Index of the first row created at `instant` or later. */
function lowerBound(rows: readonly WorldRow[], instant: number): number {
  return firstIndex(rows, (row) => row.created >= instant);
}

/** Index of the first row for which `reached` holds, in an array where it holds from some row on. */
function firstIndex(rows: readonly WorldRow[], reached: (row: WorldRow) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = rows[middle];
    if (row !== undefined && !reached(row)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bounds of `created` are inclusive and instants are whole, but a filter may carry a fraction. */
function nextInstant(createdTo: number | undefined): number {
  return createdTo === undefined ? Infinity : Math.floor(createdTo) + 1;
}
