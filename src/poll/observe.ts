/**
 * What one poll asks JIM, once the first start is done (counting.md, "One poll"). Each function is one
 * observation: it reads, and returns what was seen and how far; nothing here moves the ledger.
 */
import type { ActivityId, Instant } from '../jim/activity.ts';
import { earlier, isKnownStatus } from '../jim/activity.ts';
import type { Sighting } from '../ledger/account.ts';
import type { Ledger, Open, Unread } from '../ledger/ledger.ts';
import type { HeadRead, PartRead } from '../ledger/reading.ts';
import { headStop } from '../ledger/reading.ts';
import type { StatusPage } from './first-start.ts';
import { isConclusive, readInProgress, readStatusPage } from './first-start.ts';
import type { ListReader, Slice, Start } from './walk.ts';
import { WalkVoid, descend, lookUp } from './walk.ts';

/** Pages the head of one poll reads before the rest becomes a gap that is caught up in batches. */
const MAX_HEAD_PAGES = 10;
/** List requests that lookups of finished rows may cost in one poll; the rest follow in the next. */
const MAX_LOOKUP_REQUESTS = 60;

export interface JimReader extends ListReader {
  /** Whether JIM still has the row, by its detail. */
  hasActivity(id: ActivityId): Promise<boolean>;
}

export interface HeadLook {
  readonly slices: readonly Slice[];
  readonly head: HeadRead;
}

/** The newest page, and further ones until the last row read was known before. */
export async function lookAtHead(reader: ListReader, ledger: Ledger): Promise<HeadLook> {
  const slices: Slice[] = [];
  let date: Instant | null = null;
  for await (const slice of descend(reader, null)) {
    slices.push(slice);
    date = date === null ? slice.date : earlier(date, slice.date);
    const stop = headStop(ledger.reading, date);
    const reached = stop !== null && slice.last !== null && slice.last < stop;
    if (reached || slices.length >= MAX_HEAD_PAGES) break;
  }
  const first = slices[0];
  const last = slices.at(-1);
  if (first === undefined || last === undefined || date === null)
    throw new WalkVoid('JIM answered without a first page.');
  const head: HeadRead = {
    newest: first.first,
    deepest: deepestOf(slices),
    deepestFromOldest: last.lastFromOldest,
    ended: last.ended,
    date,
    totalCount: first.totalCount,
    newRows: 0,
  };
  return { slices, head };
}

function deepestOf(slices: readonly Slice[]): Instant | null {
  return slices.reduce<Instant | null>(
    (deepest, { last }) =>
      last === null ? deepest : deepest === null ? last : earlier(deepest, last),
    null,
  );
}

export interface StatusLook {
  readonly sightings: readonly Sighting[];
  /** Open ids that must have ended, since the page would have shown them. */
  readonly absent: readonly ActivityId[];
  readonly conclusive: boolean;
}

/** The list sorted by status: one request tells which open Activities are still in progress. */
export async function lookAtStatus(reader: ListReader, ledger: Ledger): Promise<StatusLook> {
  const page = await readStatusPage(reader, 1);
  const conclusive = isConclusive(page);
  return {
    sightings: page.sightings,
    conclusive,
    absent: conclusive ? absentFrom(page, ledger, () => true) : [],
  };
}

/** Unknown status words sort last and are followed by their own rows instead. */
export function isListedByStatus(open: Open): boolean {
  return isKnownStatus(open.status);
}

function absentFrom(
  page: StatusPage,
  ledger: Ledger,
  covered: (open: Open) => boolean,
): readonly ActivityId[] {
  const shown = new Set(page.sightings.map(({ activity }) => activity.id));
  return [...ledger.open].flatMap(([id, open]) =>
    !shown.has(id) && isListedByStatus(open) && covered(open) ? [id] : [],
  );
}

export interface InProgressLook extends StatusLook {
  /** Where the next turn goes on; null when the oldest was reached. */
  readonly next: Instant | null;
}

/** Where the server filters: one page of the rows InProgress, from `createdTo` downwards. */
export async function lookAtInProgress(
  reader: ListReader,
  ledger: Ledger,
  createdTo: Instant | null,
): Promise<InProgressLook> {
  const page = await readInProgress(reader, createdTo, 1);
  const last = page.sightings.at(-1)?.activity.created ?? null;
  const covered = (open: Open): boolean =>
    open.status === 'InProgress' &&
    (createdTo === null || open.created <= createdTo) &&
    (page.ended || (last !== null && open.created > last));
  return {
    sightings: page.sightings,
    conclusive: page.ended,
    absent: absentFrom(page, ledger, covered),
    next: page.ended || last === createdTo ? null : last,
  };
}

export interface LookUps {
  readonly slices: readonly Slice[];
  /** Ids whose rows are gone, by JIM's own word. */
  readonly gone: readonly ActivityId[];
  /** Ids that were looked for, found or not; the rest must wait for the next poll. */
  readonly lookedUp: readonly ActivityId[];
}

/** A row to be found: its id, and where it was last. */
export interface Wanted {
  readonly id: ActivityId;
  readonly created: Instant;
  readonly fromOldest: number;
}

/**
 * Finds rows by id. A page that shows several of them answers for all, and where one of them is gone, its page tells
 * which other open rows went with it: a restored backup or retention takes many, and each would need a turn of its own.
 */
export async function lookUpAll(
  reader: JimReader,
  wanted: readonly Wanted[],
  { totalCount, open }: { readonly totalCount: number; readonly open: Ledger['open'] },
): Promise<LookUps> {
  const slices: Slice[] = [];
  const gone = new Set<ActivityId>();
  const lookedUp = new Set<ActivityId>();
  const found = new Set<ActivityId>();
  const see = (slice: Slice): void => {
    slices.push(slice);
    for (const { activity } of slice.sightings) found.add(activity.id);
  };
  const isSpent = (): boolean => slices.length + gone.size >= MAX_LOOKUP_REQUESTS;
  /** Absence from a list proves nothing: only JIM's own 404 for the id does. */
  const isGone = async (id: ActivityId): Promise<boolean> => {
    if (await reader.hasActivity(id)) return false;
    gone.add(id);
    return true;
  };
  for (const { id, created, fromOldest } of wanted) {
    if (found.has(id)) lookedUp.add(id);
    if (lookedUp.has(id)) continue;
    if (isSpent()) break;
    lookedUp.add(id);
    const start: Start = { high: created, fromOldest, totalCount };
    const before = slices.length;
    if (await lookUp(reader, id, start, see)) continue;
    if (!(await isGone(id)) || reader.filters) continue;
    for (const other of lackedBy(slices.slice(before), open)) {
      if (found.has(other) || lookedUp.has(other)) continue;
      if (isSpent()) break;
      lookedUp.add(other);
      if (!(await isGone(other))) break;
    }
  }
  return { slices, gone: [...gone], lookedUp: [...lookedUp] };
}

/** Open rows that a page of the whole list would show by their `created`, and does not. */
function lackedBy(slices: readonly Slice[], open: Ledger['open']): readonly ActivityId[] {
  const isWithin = (created: Instant, slice: Slice): boolean => {
    const { first, last, ended, sightings, totalCount } = slice;
    if (first === null || last === null) return false;
    const begins = sightings[0]?.fromOldest === totalCount - 1;
    return (begins || created < first) && (ended || created > last);
  };
  return [...open].flatMap(([id, { created }]) =>
    slices.some((slice) => isWithin(created, slice)) ? [id] : [],
  );
}

/** Slices of the newest unread part, downwards; nothing is skipped between two of them. */
export function readPartSlices(
  reader: ListReader,
  part: Unread,
  totalCount: number,
): AsyncGenerator<Slice, void, undefined> {
  return descend(reader, { high: part.high, fromOldest: part.fromOldest, totalCount });
}

export function partReadOf(slice: Slice): PartRead {
  return { deepest: slice.last, deepestFromOldest: slice.lastFromOldest, ended: slice.ended };
}

/** What is known inside a window: a walk that reaches it and meets none of it reads another history than ours. */
export interface KnownWindow {
  has(id: ActivityId): boolean;
  /** Looks through all that is known. */
  isEmpty(): boolean;
}

export function knownInWindow({ counted, open }: Ledger, from: Instant, to: Instant): KnownWindow {
  const isWithin = ({ created }: { readonly created: Instant }): boolean =>
    created >= from && created <= to;
  return {
    has: (id) => {
      const known = counted.get(id) ?? open.get(id);
      return known !== undefined && isWithin(known);
    },
    isEmpty: () => ![...counted.values(), ...open.values()].some(isWithin),
  };
}
