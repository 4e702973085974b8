/**
 * How far JIM's list has been read (counting.md, rules 6 to 9 and 16). A *pass* reads from the newest row
 * down to `overlap` behind the watermark of the pass before, because rows become visible late; whatever of
 * it did not fit into one poll stays in `unread`, newest first.
 */
import type { ActivityId, Instant, Micros } from '../jim/activity.ts';
import { MICROS_PER_SECOND, before, earlier, instant, later } from '../jim/activity.ts';
import { ChunkedMap } from './chunked-map.ts';
import type { Counted, Ledger, Reading, TotalHint, Unread } from './ledger.ts';
import { onceEach } from './once-each.ts';

/** Counted ids remembered beyond those that the window and unread parts need; pruning sorts and copies, so a few more may wait. */
const REMEMBERED = { ids: 10_000, slack: 1_000 };
/** Polls in a row in which `totalCount` must disagree before it is believed. */
const TOTAL_DISAGREEMENTS = 2;

/** A complete look at the head of the list, as far as one poll went. */
export interface HeadRead {
  /** `created` of the newest row; null when the list is empty. */
  readonly newest: Instant | null;
  /** `created` of the last row read; rows at that very instant may continue below. */
  readonly deepest: Instant | null;
  /** Position of that last row, counted from the oldest. */
  readonly deepestFromOldest: number;
  /** The list ended there. */
  readonly ended: boolean;
  /** Lowest Date of the answers. */
  readonly date: Instant;
  readonly totalCount: number;
  /** Rows of this look that nobody had seen before. */
  readonly newRows: number;
}

/** JIM's Date says whole seconds: a row may be this much newer. */
const DATE_PRECISION = MICROS_PER_SECOND;

/** Rows strictly older than this need not be read by the head of a poll: they were known before. Null: read all. */
export function headStop(reading: Reading, date: Instant): Instant | null {
  if (reading.top === null) return null;
  return earlier(reading.top, earlier(reading.lowestDate ?? date, date));
}

/** Where the next pass must read down to. */
export function windowEnd(reading: Reading, date: Instant, overlap: Micros): Instant | null {
  if (reading.base === null) return null;
  const lowest = earlier(reading.lowestDate ?? date, date);
  return before(earlier(reading.base, lowest), overlap);
}

/** Moves on by a look at the head: the watermark rises, and what lies between it and the rows known before becomes unread. */
export function readHead(reading: Reading, head: HeadRead, overlap: Micros): Reading {
  const stop = headStop(reading, head.date);
  const end = windowEnd(reading, head.date, overlap) ?? stop;
  const top = raisedTop(reading, head);
  const trimmed = head.ended ? [] : trimAbove(reading.unread, head.deepest, head.deepestFromOldest);
  const seen: Reading = {
    ...reading,
    top,
    lowestDate: earlier(reading.lowestDate ?? head.date, head.date),
    lastDate: head.date,
    unread: trimmed,
  };
  const begun = seen.passBase === null ? beginPass(seen, head, end, stop) : seen;
  return completePass({
    ...begun,
    unread: addUnread(begun.unread, restBelow(head, stop, reading, stop)),
  });
}

function raisedTop(reading: Reading, head: HeadRead): Instant | null {
  if (head.newest === null) return reading.top;
  const capped = earlier(head.newest, instant(head.date + DATE_PRECISION));
  return reading.top === null ? capped : later(reading.top, capped);
}

/** A new pass: what the head did not reach of the window is left unread, but was known before. */
function beginPass(
  reading: Reading,
  head: HeadRead,
  end: Instant | null,
  stop: Instant | null,
): Reading {
  const begun: Reading = { ...reading, passBase: reading.top, passEnd: end, lowestDate: head.date };
  if (end === null) return begun;
  return { ...begun, unread: addUnread(begun.unread, restBelow(head, end, reading, stop)) };
}

/** What a look at the head left unread down to `low`; null where it reached that far. */
function restBelow(
  { deepest, deepestFromOldest, ended }: HeadRead,
  low: Instant | null,
  { horizon }: Reading,
  stop: Instant | null,
): Unread | null {
  if (ended || deepest === null || (low !== null && deepest < low)) return null;
  return aboveHorizon(horizon, {
    low: low === null ? instant(0) : earlier(low, deepest),
    high: deepest,
    fromOldest: deepestFromOldest,
    knownBelow: stop ?? deepest,
  });
}

/** Unread parts end above the horizon: unknown rows at or before it are history, or were counted and forgotten. */
function aboveHorizon(horizon: Instant | null, part: Unread): Unread | null {
  if (horizon === null || part.low > horizon) return part;
  return part.high > horizon ? { ...part, low: instant(horizon + 1) } : null;
}

function completePass(reading: Reading): Reading {
  if (reading.unread.length > 0 || reading.passBase === null) return reading;
  return { ...reading, base: reading.passBase, passBase: null, passEnd: null };
}

/** Takes away what was read at or above `deepest`. */
function trimAbove(
  unread: readonly Unread[],
  deepest: Instant | null,
  fromOldest: number,
): readonly Unread[] {
  if (deepest === null || unread.length === 0) return unread;
  return unread.flatMap((part) => {
    if (part.low > deepest) return [];
    if (part.high > deepest) return [{ ...part, high: deepest, fromOldest }];
    return [part];
  });
}

/** Adds a part, joining those that meet: the newer one says where to read on. */
function addUnread(unread: readonly Unread[], part: Unread | null): readonly Unread[] {
  if (part === null) return unread;
  const joined: Unread[] = [];
  for (const next of [...unread, part].toSorted((a, b) => b.high - a.high)) {
    const last = joined.at(-1);
    if (last !== undefined && next.high >= last.low) {
      joined[joined.length - 1] = {
        ...last,
        low: earlier(last.low, next.low),
        knownBelow: later(last.knownBelow, next.knownBelow),
      };
    } else {
      joined.push(next);
    }
  }
  return joined;
}

/** A page read at the top of the newest unread part. */
export interface PartRead {
  /** `created` of its last row; null when nothing is left at or below the part's high. */
  readonly deepest: Instant | null;
  readonly deepestFromOldest: number;
  readonly ended: boolean;
}

/** Shrinks the newest unread part from above by one page. */
export function readPart(reading: Reading, read: PartRead): Reading {
  const [part, ...rest] = reading.unread;
  if (part === undefined) return reading;
  const { deepest } = read;
  if (read.ended || deepest === null) return completePass({ ...reading, unread: [] });
  if (deepest < part.low) {
    return completePass({ ...reading, unread: trimAbove(rest, deepest, read.deepestFromOldest) });
  }
  const shrunk: Unread = {
    ...part,
    high: earlier(part.high, deepest),
    fromOldest: read.deepestFromOldest,
  };
  return { ...reading, unread: [shrunk, ...rest] };
}

/** Gives up what JIM refuses to show of a part: it is read on from `high`, if that still lies in it. The caller reports a history gap. */
export function skipTo(reading: Reading, high: Instant | null, fromOldest: number): Reading {
  const [part, ...rest] = reading.unread;
  if (part === undefined) return reading;
  if (high === null || high < part.low || high >= part.high)
    return completePass({ ...reading, unread: rest });
  return { ...reading, unread: [{ ...part, high, fromOldest }, ...rest] };
}

/** Whether finished rows are known to wait unread. */
export function isCaughtUp(reading: Reading): boolean {
  return reading.unread.every(({ high, knownBelow }) => high < knownBelow);
}

/** Where ids must be remembered from: the next pass will show these rows again. */
function keepFrom(reading: Reading, overlap: Micros): Instant | null {
  const base = reading.passBase ?? reading.base;
  if (base === null) return null;
  return before(earlier(base, reading.lowestDate ?? base), overlap);
}

/** Forgets the oldest counted ids beyond what is needed, and raises the horizon to the newest forgotten. */
export function prune(ledger: Ledger, overlap: Micros, { ids, slack } = REMEMBERED): Ledger {
  if (ledger.counted.size <= ids + slack) return ledger;
  const floor = keepFrom(ledger.reading, overlap);
  if (floor === null) return ledger;
  const { unread } = ledger.reading;
  const remembered = ChunkedMap.of(ledger.counted);
  const newestMany = newestCreated(remembered, ids);
  let horizon = ledger.reading.horizon;
  const counted = remembered.filter(
    ({ created }) => {
      const needed =
        created >= newestMany ||
        created >= floor ||
        unread.some(({ low, high }) => created >= low && created <= high);
      if (!needed) horizon = horizon === null ? created : later(horizon, created);
      return needed;
    },
    (chunk) => (createdIn(chunk)[0] ?? 0) >= newestMany,
  );
  if (counted === ledger.counted) return ledger;
  return { ...ledger, counted, reading: { ...ledger.reading, horizon } };
}

/** `created` of a chunk's rows, lowest first. */
const createdIn = onceEach((chunk: ReadonlyMap<ActivityId, Counted>) =>
  Float64Array.from(chunk.values(), ({ created }) => created).toSorted(),
);

/** The lowest `created` of the newest so many; of equal ones all belong to them. */
function newestCreated(counted: ChunkedMap<ActivityId, Counted>, many: number): number {
  const chunks = counted.chunks.map(createdIn);
  let low = Math.min(...chunks.map((sorted) => sorted[0] ?? 0));
  let high = Math.max(...chunks.map((sorted) => sorted.at(-1) ?? 0));
  // The highest moment at or after which there are as many: halved, as chunks overlap in time.
  while (low < high) {
    const middle = low + Math.ceil((high - low) / 2);
    const asLate = chunks.reduce((count, sorted) => count + countFrom(sorted, middle), 0);
    if (asLate >= many) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** How many of the sorted numbers are `from` or more. */
function countFrom(sorted: Float64Array, from: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return sorted.length - low;
}

/**
 * Compares `totalCount` with what is known. It is only a hint: the count and the page are two statements in
 * JIM. More rows than were seen, twice in a row, start one reading down to the horizon, in turns.
 */
export function noteTotal(
  reading: Reading,
  head: Pick<HeadRead, 'totalCount' | 'newRows' | 'newest'>,
): Reading {
  const hint: TotalHint = reading.total ?? { base: head.totalCount, newRows: 0, disagreed: 0 };
  const newRows = reading.total === null ? 0 : hint.newRows + head.newRows;
  const surplus = head.totalCount - (hint.base + newRows);
  const fresh: TotalHint = { base: head.totalCount, newRows: 0, disagreed: 0 };
  // While parts are unread, rows are expected that nobody has seen yet.
  if (reading.unread.length > 0) return { ...reading, total: null };
  if (surplus === 0) return { ...reading, total: fresh };
  const disagreed = hint.disagreed + 1;
  if (disagreed < TOTAL_DISAGREEMENTS)
    return { ...reading, total: { ...hint, newRows, disagreed } };
  if (surplus < 0 || head.newest === null) return { ...reading, total: fresh };
  const everything = aboveHorizon(reading.horizon, {
    low: instant(0),
    high: head.newest,
    fromOldest: Math.max(0, head.totalCount - 1),
    knownBelow: instant(head.newest + 1),
  });
  if (everything === null) return { ...reading, total: fresh };
  return {
    ...reading,
    total: fresh,
    passBase: reading.passBase ?? reading.top,
    passEnd: reading.passEnd ?? everything.low,
    unread: addUnread(reading.unread, everything),
  };
}

/** The reading after the first complete observation: what it showed is known, what lies below is history. */
export function firstReading(head: HeadRead, enumerated: boolean): Reading {
  const top =
    head.newest === null ? null : earlier(head.newest, instant(head.date + DATE_PRECISION));
  const horizon = head.ended ? null : head.deepest;
  return {
    top,
    base: top,
    passBase: null,
    passEnd: null,
    lowestDate: head.date,
    horizon,
    unread: [],
    total: { base: head.totalCount, newRows: 0, disagreed: 0 },
    lastDate: head.date,
    enumerated,
    firstHorizon: horizon,
  };
}
