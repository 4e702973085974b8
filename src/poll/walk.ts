/**
 * Reading JIM's list downwards, from the newest row or from where a reading stopped, so that no row is
 * skipped: pages shift while they are read, older versions have no tie-break, and some refuse deep pages.
 * counting.md, rules 8, 10 and 11.
 */
import type { ActivityId, Instant } from '../jim/activity.ts';
import type { ActivityPage, ListQuery } from '../jim/client.ts';
import type { RejectedRow } from '../jim/row.ts';
import type { Sighting } from '../ledger/account.ts';

/** JIM clamps larger pages silently. */
export const PAGE_SIZE = 100;
/** Attempts at reading rows of one instant in one page. */
const MAX_SEAM_READS = 3;

export interface ListReader {
  /** The server honours createdFrom and createdTo (probed, never assumed). */
  readonly filters: boolean;
  /** Pages beyond it are refused; null without such a limit. */
  readonly maxPage: number | null;
  list(query: ListQuery): Promise<ActivityPage>;
}

/** The list changed under the walk in a way that may have hidden rows: nothing of it may be used. */
export class WalkVoid extends Error {
  override readonly name = 'WalkVoid';
}

/** JIM refuses to show this part of its list at all. */
export class BeyondCeiling extends Error {
  override readonly name = 'BeyondCeiling';
}

/** One page, its rows newest first. */
export interface Slice {
  readonly sightings: readonly Sighting[];
  readonly rejected: readonly (RejectedRow & { readonly fromOldest: number })[];
  /** `created` of its first and last readable row; null without any. */
  readonly first: Instant | null;
  readonly last: Instant | null;
  /** Position of the last row, counted from the oldest. */
  readonly lastFromOldest: number;
  /** No older rows follow. */
  readonly ended: boolean;
  /** JIM said that older rows follow. */
  readonly promisesMore: boolean;
  readonly totalCount: number;
  readonly date: Instant;
}

/** Where to begin below the newest row: everything newer than `high` is known. */
export interface Start {
  readonly high: Instant;
  readonly fromOldest: number;
  /** Rows in the whole list, as this poll saw it. */
  readonly totalCount: number;
}

/** Yields slices from the newest row (`start` null) or from `start` downwards, without a hole between them. */
export function descend(
  reader: ListReader,
  start: Start | null,
): AsyncGenerator<Slice, void, undefined> {
  if (reader.filters) return descendByInstant(reader, start?.high ?? null);
  return start === null
    ? descendByPage(reader, { from: 'newest', number: 1, size: PAGE_SIZE })
    : descendFrom(reader, start);
}

/** Where the server filters: each request asks for what is at or before the last row read. */
async function* descendByInstant(
  reader: ListReader,
  high: Instant | null,
): AsyncGenerator<Slice, void, undefined> {
  let createdTo = high;
  let number = 1;
  let promised = false;
  for (;;) {
    const page = await reader.list({
      sortBy: 'created',
      direction: 'desc',
      page: number,
      pageSize: PAGE_SIZE,
      ...(createdTo === null ? {} : { createdTo }),
    });
    if (page.rowCount === 0 && promised) throw emptyPage();
    const slice = sliceOf(page, 'newest');
    yield slice;
    if (slice.ended) return;
    promised = slice.promisesMore;
    // Only more than a page of equal instants needs page numbers: main orders those by id.
    if (slice.last === null || slice.last === createdTo) {
      number += 1;
    } else {
      createdTo = slice.last;
      number = 1;
    }
  }
}

async function* descendFrom(
  reader: ListReader,
  start: Start,
): AsyncGenerator<Slice, void, undefined> {
  const { ref, slice } = await locate(reader, start);
  yield slice;
  if (!slice.ended) yield* continueBelow(reader, ref, slice);
}

/** A page by its number from one end of the list. */
interface PageRef {
  readonly from: 'newest' | 'oldest';
  readonly number: number;
  readonly size: number;
}

async function* descendByPage(
  reader: ListReader,
  ref: PageRef,
): AsyncGenerator<Slice, void, undefined> {
  const slice = await readPage(reader, ref);
  yield slice;
  if (!slice.ended) yield* continueBelow(reader, ref, slice);
}

async function* continueBelow(
  reader: ListReader,
  above: PageRef,
  aboveSlice: Slice,
): AsyncGenerator<Slice, void, undefined> {
  let ref = above;
  let previous = aboveSlice;
  for (;;) {
    const next = below(reader, ref, previous);
    let slice = await readPage(reader, next, previous.promisesMore);
    if (isEmpty(slice) && !previous.promisesMore) {
      // It says nothing of how many rows there are.
      yield { ...slice, totalCount: previous.totalCount };
      return;
    }
    if (next.from === 'newest' && ref.from === 'newest' && slice.totalCount < previous.totalCount) {
      // Rows left meanwhile: if they lay above, the list moved up and hid rows between the two pages.
      const again = await readPage(reader, ref);
      if (again.first !== null && previous.last !== null && again.first < previous.last) {
        throw new WalkVoid("Rows of JIM's list vanished while it was read.");
      }
      yield again;
      slice = await readPage(reader, next);
      previous = again;
    }
    if (previous.last !== null && previous.last === slice.first) {
      const seam = await readSeam(reader, next.from, previous, slice);
      if (seam !== null) yield seam;
    }
    yield slice;
    if (slice.ended) return;
    ref = next;
    previous = slice;
  }
}

/** The page of older rows; past the ceiling, the same rows are reached from the oldest end. */
function below(reader: ListReader, ref: PageRef, slice: Slice): PageRef {
  if (ref.from === 'oldest') return { ...ref, number: ref.number - 1 };
  const next = ref.number + 1;
  if (reader.maxPage === null || next <= reader.maxPage) return { ...ref, number: next };
  // Larger pages reach a little deeper.
  const larger = Math.floor((ref.number * ref.size - 1) / PAGE_SIZE) + 1;
  if (ref.size < PAGE_SIZE && larger <= reader.maxPage)
    return { from: 'newest', number: larger, size: PAGE_SIZE };
  return fromOldestEnd(reader, slice.lastFromOldest);
}

function fromOldestEnd(reader: ListReader, fromOldest: number): PageRef {
  const number = Math.floor(Math.max(0, fromOldest) / PAGE_SIZE) + 1;
  if (reader.maxPage !== null && number > reader.maxPage) {
    throw new BeyondCeiling('JIM refuses pages this deep from either end of its list.');
  }
  return { from: 'oldest', number, size: PAGE_SIZE };
}

/** The newest rows that a server with a page ceiling shows from the oldest end. */
export async function readNewestFromOldest(reader: ListReader): Promise<Slice> {
  return readPage(reader, { from: 'oldest', number: reader.maxPage ?? 1, size: PAGE_SIZE });
}

/** A page past the last row, which is no error where JIM's count had promised none. */
async function readPage(reader: ListReader, ref: PageRef, isPromised = true): Promise<Slice> {
  const page = await reader.list({
    sortBy: 'created',
    direction: ref.from === 'newest' ? 'desc' : 'asc',
    page: ref.number,
    pageSize: ref.size,
  });
  if (page.rowCount === 0 && ref.number > 1 && isPromised) throw emptyPage();
  return sliceOf(page, ref.from);
}

/**
 * Whether no rows follow a page. JIM counts in one statement and reads the page in another, so a row inserted between
 * them may lie below a full page that is called the last (counting.md, rule 16); a page with room left shows it.
 */
export function isLastPage({ hasNextPage, rowCount, pageSize }: ActivityPage): boolean {
  return !hasNextPage && rowCount < pageSize;
}

function isEmpty({ sightings, rejected }: Slice): boolean {
  return sightings.length + rejected.length === 0;
}

function emptyPage(): WalkVoid {
  return new WalkVoid("JIM's list ended where its own count had promised more rows.");
}

function sliceOf(page: ActivityPage, from: PageRef['from']): Slice {
  const offset = (page.page - 1) * page.pageSize;
  const position = (index: number): number =>
    from === 'oldest' ? offset + index : Math.max(0, page.totalCount - 1 - offset - index);
  const ascending = page.activities.map((activity, index) => ({
    activity,
    date: page.date,
    fromOldest: position(index),
  }));
  const sightings = from === 'oldest' ? ascending.toReversed() : ascending;
  const rejected = page.rejected.map((row) => ({ ...row, fromOldest: position(0) }));
  return {
    sightings,
    rejected,
    first: sightings[0]?.activity.created ?? null,
    last: sightings.at(-1)?.activity.created ?? null,
    lastFromOldest: from === 'oldest' ? position(0) : position(Math.max(0, page.rowCount - 1)),
    ended: from === 'oldest' ? page.page === 1 : isLastPage(page),
    promisesMore: from === 'oldest' ? page.page > 1 : page.hasNextPage,
    totalCount: page.totalCount,
    date: page.date,
  };
}

/**
 * A page boundary inside rows of one instant hides rows where ties come in any order: the whole group is
 * read in one page of another size, with other rows at both ends. Null where it is too large for that.
 */
async function readSeam(
  reader: ListReader,
  from: PageRef['from'],
  above: Slice,
  belowSlice: Slice,
): Promise<Slice | null> {
  const at = above.last;
  const total = belowSlice.totalCount;
  const rank = (sighting: Sighting): number =>
    from === 'newest' ? total - 1 - (sighting.fromOldest ?? 0) : (sighting.fromOldest ?? 0);
  const group = [...above.sightings, ...belowSlice.sightings]
    .filter(({ activity }) => activity.created === at)
    .map(rank);
  const start = Math.max(0, Math.min(...group) - 1);
  const end = Math.max(...group) + 1;
  let reads = 0;
  for (let size = PAGE_SIZE - 1; size > end - start && reads < MAX_SEAM_READS; size -= 1) {
    if (Math.floor(start / size) !== Math.floor(end / size)) continue;
    reads += 1;
    const slice = await readPage(reader, { from, number: Math.floor(start / size) + 1, size });
    const wholeAbove = slice.first !== null && at !== null && (slice.first > at || start === 0);
    const wholeBelow = slice.last !== null && at !== null && (slice.last < at || slice.ended);
    if (wholeAbove && wholeBelow) return slice;
  }
  if (reads >= MAX_SEAM_READS)
    throw new WalkVoid("Rows of one instant kept moving between pages of JIM's list.");
  return null;
}

/** Smaller pages than this are not worth a request. */
const MIN_COVER = 60;

/** The page that shows the row above a position and as many as possible from it on. */
function cover(rank: number, maxPage: number): PageRef {
  let best: PageRef = {
    from: 'newest',
    number: Math.floor(Math.max(0, rank - 1) / PAGE_SIZE) + 1,
    size: PAGE_SIZE,
  };
  for (let size = PAGE_SIZE; size >= MIN_COVER; size -= 1) {
    const number = Math.floor(Math.max(0, rank - 1) / size) + 1;
    if (number <= maxPage && number * size > best.number * best.size)
      best = { from: 'newest', number, size };
  }
  return best;
}

/**
 * The page in which the rows at or before `high` begin: it shows a newer one above them, or is the first. Tried at
 * its last known position, then beside it, then by halving: O(log N) requests.
 */
async function locate(
  reader: ListReader,
  { high, fromOldest, totalCount }: Start,
): Promise<{ ref: PageRef; slice: Slice }> {
  const from = endToSearchFrom(reader, fromOldest, totalCount);
  if (from === 'newest') {
    const rank = Math.max(0, totalCount - 1 - fromOldest);
    const ref = cover(rank, reader.maxPage ?? Number.POSITIVE_INFINITY);
    const slice = await readPage(reader, ref);
    if (sideOf(slice, high, ref.number === 1) === 'here' && (slice.ended || slice.last !== high))
      return { ref, slice };
  }
  const pages = Math.max(1, Math.ceil(totalCount / PAGE_SIZE));
  // Numbers are counted downwards from here on, whichever end they are asked from.
  const toRef = (depth: number): PageRef =>
    from === 'newest'
      ? { from, number: depth, size: PAGE_SIZE }
      : { from, number: pages - depth + 1, size: PAGE_SIZE };
  const rank = Math.max(0, totalCount - 1 - fromOldest);
  const ceiling = reader.maxPage ?? pages;
  // Past the ceiling nothing can be seen: from the oldest end the topmost page to be had counts as the first.
  const first = from === 'newest' ? 1 : Math.max(1, pages - ceiling + 1);
  let low = first;
  let top = from === 'newest' ? Math.min(pages, ceiling) : pages;
  let depth =
    from === 'newest'
      ? Math.min(top, Math.floor(Math.max(0, rank - 1) / PAGE_SIZE) + 1)
      : Math.max(first, pages - Math.floor((fromOldest + 1) / PAGE_SIZE));
  let beside = true;
  for (;;) {
    const ref = toRef(depth);
    const slice = await readPage(reader, ref);
    const side = sideOf(slice, high, depth === first);
    if (side === 'here') return { ref, slice };
    if (side === 'above') top = depth - 1;
    else low = depth + 1;
    // The boundary lies exactly between two pages: the lower one was or will be read whole.
    if (low > top) {
      if (side === 'above') return { ref, slice };
      if (slice.ended) return { ref, slice };
      const next = toRef(depth + 1);
      return { ref: next, slice: await readPage(reader, next, slice.promisesMore) };
    }
    const neighbour = side === 'above' ? depth - 1 : depth + 1;
    depth = beside ? neighbour : Math.floor((low + top) / 2);
    beside = false;
  }
}

function endToSearchFrom(
  reader: ListReader,
  fromOldest: number,
  totalCount: number,
): PageRef['from'] {
  const rank = Math.max(0, totalCount - 1 - fromOldest);
  if (reader.maxPage === null || Math.floor(rank / PAGE_SIZE) + 2 <= reader.maxPage)
    return 'newest';
  return fromOldestEnd(reader, fromOldest).from;
}

/** Where the first row at or before `high` lies, seen from a page. */
function sideOf(slice: Slice, high: Instant, isFirst: boolean): 'here' | 'above' | 'below' {
  if (slice.first === null || slice.last === null) return 'here';
  if (slice.first <= high) return isFirst ? 'here' : 'above';
  if (slice.last <= high || slice.ended) return 'here';
  return 'below';
}

/** The row of an id, by its `created`: one request where the server filters, else a search from its last position. */
export async function lookUp(
  reader: ListReader,
  id: ActivityId,
  start: Start,
  seen: (slice: Slice) => void,
): Promise<boolean> {
  const slices = reader.filters ? equalInstant(reader, start.high) : descend(reader, start);
  for await (const slice of slices) {
    seen(slice);
    if (slice.sightings.some(({ activity }) => activity.id === id)) return true;
    // Rows of that very instant may continue on the next page.
    if (slice.last === null || slice.last < start.high) return false;
  }
  return false;
}

async function* equalInstant(
  reader: ListReader,
  at: Instant,
): AsyncGenerator<Slice, void, undefined> {
  for (let number = 1; ; number += 1) {
    const page = await reader.list({
      sortBy: 'created',
      direction: 'desc',
      page: number,
      pageSize: PAGE_SIZE,
      createdFrom: at,
      createdTo: at,
    });
    // Positions in a list of one instant say nothing about the whole list.
    const slice = sliceOf(page, 'newest');
    yield {
      ...slice,
      sightings: slice.sightings.map((sighting) => ({ ...sighting, fromOldest: null })),
    };
    if (slice.ended || page.rowCount === 0) return;
  }
}
