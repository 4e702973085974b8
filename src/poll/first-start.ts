/**
 * The first complete observation (design, section 2, rule 6; counting.md, rule 13): what is unfinished is
 * found by its status first, then the last `lookback` of the list is read as history.
 */
import type { ActivityId, Instant, Micros } from '../jim/activity.ts';
import { before, earlier, isFinishedStatus } from '../jim/activity.ts';
import type { Observation, Sighting } from '../ledger/account.ts';
import type { HeadRead } from '../ledger/reading.ts';
import type { ListReader, Slice } from './walk.ts';
import { PAGE_SIZE, WalkVoid, descend, isLastPage } from './walk.ts';

/** Pages of unfinished rows read at the first start; more stay to be adopted when they are met. */
const MAX_STATUS_PAGES = 100;
/** Sweeps over the status pages of versions whose ties come in any order. */
const MAX_SWEEPS = 5;

export interface FirstLook {
  readonly observation: Observation;
  readonly head: HeadRead;
  readonly enumerated: boolean;
}

export interface Lookback {
  readonly lookback: Micros;
  readonly pages: number;
}

export async function firstLook(
  reader: ListReader,
  lookback: Lookback,
  nowMs: number,
): Promise<FirstLook> {
  const unfinished = await listUnfinished(reader);
  const slices = await readLookback(reader, lookback);
  const first = slices[0];
  const last = slices.at(-1);
  if (first === undefined || last === undefined)
    throw new WalkVoid('JIM answered without a first page.');
  const sightings = [...unfinished.sightings, ...slices.flatMap((slice) => slice.sightings)];
  return {
    observation: {
      nowMs,
      pollMs: nowMs,
      sightings,
      rejected: [],
      gone: [],
      lookedUp: [],
      first: true,
    },
    head: {
      newest: first.first,
      deepest: last.last,
      deepestFromOldest: last.lastFromOldest,
      ended: last.ended,
      date: slices.map(({ date }) => date).reduce(earlier),
      totalCount: first.totalCount,
      newRows: 0,
    },
    enumerated: unfinished.complete,
  };
}

/** Unfinished rows, and whether these are certainly all. */
async function listUnfinished(
  reader: ListReader,
): Promise<{ sightings: readonly Sighting[]; complete: boolean }> {
  const firstPage = await readStatusPage(reader, 1);
  if (isConclusive(firstPage)) return { sightings: unfinishedOf(firstPage), complete: true };
  return reader.filters ? pageThroughInProgress(reader) : sweep(reader);
}

/** One page of the list sorted by status: what is in progress comes first. */
export interface StatusPage {
  readonly sightings: readonly Sighting[];
  readonly ended: boolean;
}

export async function readStatusPage(reader: ListReader, number: number): Promise<StatusPage> {
  const page = await reader.list({
    sortBy: 'status',
    direction: 'asc',
    page: number,
    pageSize: PAGE_SIZE,
  });
  return {
    sightings: page.activities.map((activity) => ({ activity, date: page.date, fromOldest: null })),
    ended: isLastPage(page),
  };
}

/** The page shows where the unfinished rows end: what is not on it is not among them. */
export function isConclusive(page: StatusPage): boolean {
  return page.ended || page.sightings.some(({ activity }) => isFinishedStatus(activity.status));
}

function unfinishedOf(page: StatusPage): readonly Sighting[] {
  return page.sightings.filter(({ activity }) => !isFinishedStatus(activity.status));
}

/** Where the server filters: unfinished rows by `created`, each page from the last row of the one before. */
async function pageThroughInProgress(
  reader: ListReader,
): Promise<{ sightings: readonly Sighting[]; complete: boolean }> {
  const found = new Map<ActivityId, Sighting>();
  let createdTo: Instant | null = null;
  let number = 1;
  for (let pages = 0; pages < MAX_STATUS_PAGES; pages += 1) {
    const page = await readInProgress(reader, createdTo, number);
    for (const sighting of page.sightings) found.set(sighting.activity.id, sighting);
    if (page.ended) return { sightings: [...found.values()], complete: true };
    const last = page.sightings.at(-1)?.activity.created ?? null;
    number = last === createdTo ? number + 1 : 1;
    createdTo = last;
  }
  return { sightings: [...found.values()], complete: false };
}

/** One page of rows InProgress at or before an instant, newest first; only where the server filters. */
export async function readInProgress(
  reader: ListReader,
  createdTo: Instant | null,
  number: number,
): Promise<StatusPage> {
  const page = await reader.list({
    sortBy: 'created',
    direction: 'desc',
    page: number,
    pageSize: PAGE_SIZE,
    status: 'InProgress',
    ...(createdTo === null ? {} : { createdTo }),
  });
  return {
    sightings: page.activities.map((activity) => ({ activity, date: page.date, fromOldest: null })),
    ended: isLastPage(page),
  };
}

/** Ties on status come in any order: sweeps go on until the distinct ids are as many as the rank of the first finished row. */
async function sweep(
  reader: ListReader,
): Promise<{ sightings: readonly Sighting[]; complete: boolean }> {
  const found = new Map<ActivityId, Sighting>();
  for (let sweeps = 0; sweeps < MAX_SWEEPS; sweeps += 1) {
    let unfinished: number | null = null;
    for (let number = 1; number <= MAX_STATUS_PAGES && unfinished === null; number += 1) {
      const page = await readStatusPage(reader, number);
      const rows = unfinishedOf(page);
      for (const sighting of rows) found.set(sighting.activity.id, sighting);
      if (isConclusive(page)) unfinished = (number - 1) * PAGE_SIZE + rows.length;
    }
    if (unfinished !== null && found.size >= unfinished)
      return { sightings: [...found.values()], complete: true };
  }
  return { sightings: [...found.values()], complete: false };
}

async function readLookback(
  reader: ListReader,
  { lookback, pages }: Lookback,
): Promise<readonly Slice[]> {
  const slices: Slice[] = [];
  for await (const slice of descend(reader, null)) {
    slices.push(slice);
    const reachedBack = slice.last !== null && slice.last < before(slice.date, lookback);
    if (reachedBack || slices.length >= pages) break;
  }
  return slices;
}
