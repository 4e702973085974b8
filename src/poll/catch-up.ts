/**
 * Reads what the head of a poll left unread: at once and in committed batches what lies between the newest rows and
 * those known before (a gap), and a page now and then of the window that is looked at a second time.
 */
import type { Instant } from '../jim/activity.ts';
import type { Accounted } from '../ledger/account.ts';
import { account } from '../ledger/account.ts';
import type { Ledger, Unread } from '../ledger/ledger.ts';
import { isCaughtUp, readPart, skipTo } from '../ledger/reading.ts';
import { NO_KNOWN_ROW, TOO_DEEP, meets } from './history-gap.ts';
import { knownInWindow, partReadOf, readPartSlices } from './observe.ts';
import type { PollLog } from './report.ts';
import type { Turn } from './turn.ts';
import { limitsOf, observationOf } from './turn.ts';
import type { Slice } from './walk.ts';
import { BeyondCeiling, readNewestFromOldest } from './walk.ts';

/** Pages of a gap read and committed together. */
const BATCH_PAGES = 10;
/** Pages of gaps read in one poll, so that newer rows are not kept waiting. */
const MAX_GAP_PAGES = 100;
/** People are told how far it is this often. */
const TELL_EVERY_MS = 15_000;
/** Pages beyond its turn that a reading may take to get past rows of one instant. */
const MAX_EXTRA_PAGES = 3;

/** How far a catch-up over several polls is; JIM's clock in `from`, ours in the rest. */
interface Progress {
  readonly sinceMs: number;
  readonly from: Instant;
  rows: number;
  toldMs: number | null;
}

export interface CatchUpOptions {
  readonly current: () => Ledger;
  /** Moves the ledger durably, and reports what it decided. */
  readonly move: (step: (ledger: Ledger) => Accounted) => Promise<void>;
  readonly see: (turn: Turn, slices: readonly Slice[]) => void;
  readonly publish: () => Promise<void>;
  readonly nowMs: () => number;
  readonly log: PollLog;
}

export interface CatchUp {
  /** Reads gaps, at most so many pages a poll. */
  gaps(turn: Turn): Promise<void>;
  /** One page of the window; resolves with the requests it took. */
  windowPage(turn: Turn): Promise<number>;
}

export function createCatchUp(options: CatchUpOptions): CatchUp {
  const { current, move, nowMs, log } = options;
  let progress: Progress | null = null;

  async function gaps(turn: Turn): Promise<void> {
    let pages = MAX_GAP_PAGES;
    for (let part = firstGap(current()); part !== null && pages > 0; part = firstGap(current())) {
      progress ??= { sinceMs: turn.pollMs, from: part.high, rows: 0, toldMs: null };
      tellProgress(turn);
      const { low } = part;
      pages -= await readDown(turn, part, pages, (ledger) => firstGap(ledger)?.low !== low);
    }
    if (progress === null || !isCaughtUp(current().reading)) return;
    log.info('caught up with JIM', {
      rows: progress.rows,
      seconds: (nowMs() - progress.sinceMs) / 1_000,
    });
    progress = null;
  }

  /** From the first page on, so that nobody wonders for minutes what is going on. */
  function tellProgress(turn: Turn): void {
    const part = firstGap(current());
    if (progress === null || part === null) return;
    const now = nowMs();
    const { sinceMs, from, rows, toldMs } = progress;
    if (toldMs !== null && now >= toldMs && now - toldMs < TELL_EVERY_MS) return;
    progress.toldMs = now;
    log.info('catching up with JIM', {
      rows_read: rows,
      reached: new Date(part.high / 1_000).toISOString(),
      until: new Date(part.low / 1_000).toISOString(),
      percent: Math.floor((100 * (from - part.high)) / Math.max(1, from - part.low)),
      seconds: Math.max(0, now - sinceMs) / 1_000,
      rows_in_jim: turn.totalCount,
    });
  }

  async function windowPage(turn: Turn): Promise<number> {
    const [part] = current().reading.unread;
    return part === undefined ? 0 : readDown(turn, part, 1, () => false);
  }

  /** Reads down a part, at most so many pages, and commits every few; resolves with the pages read. */
  async function readDown(
    turn: Turn,
    part: Unread,
    maxPages: number,
    enough: (ledger: Ledger) => boolean,
  ): Promise<number> {
    const known = knownInWindow(current(), part.low, part.knownBelow);
    let pages = 0;
    let met = false;
    let batch: Slice[] = [];
    const commit = async (): Promise<void> => {
      const slices = batch;
      batch = [];
      if (slices.length === 0) return;
      met ||= meets(slices, known);
      await commitBatch(turn, slices);
    };
    try {
      for await (const slice of readPartSlices(turn.reader, part, turn.totalCount)) {
        batch.push(slice);
        pages += 1;
        const ahead = batch.reduce(readOn, current());
        // A page that ends where the part begins brought nothing: the next one does.
        const progressed = ahead.reading.unread[0]?.high !== part.high;
        if (
          enough(ahead) ||
          (pages >= maxPages && progressed) ||
          pages >= maxPages + MAX_EXTRA_PAGES
        )
          break;
        if (batch.length < BATCH_PAGES) continue;
        await commit();
        tellProgress(turn);
        await options.publish();
      }
      await commit();
    } catch (error) {
      if (!(error instanceof BeyondCeiling)) throw error;
      await commit();
      await skip(turn);
      return pages + 1;
    }
    const closed = progress !== null && isCaughtUp(current().reading);
    if (closed && !met && !known.isEmpty()) await noteHistoryGap(NO_KNOWN_ROW);
    return Math.max(1, pages);
  }

  async function commitBatch(turn: Turn, slices: readonly Slice[]): Promise<void> {
    options.see(turn, slices);
    if (progress !== null)
      progress.rows += slices.reduce((rows, { sightings }) => rows + sightings.length, 0);
    // All slices in one step: each step copies the map of counted ids, which a slice alone does not repay.
    await move((ledger) => {
      const step = account(ledger, observationOf(turn, slices, nowMs()), limitsOf(turn));
      return { ledger: slices.reduce(readOn, step.ledger), events: step.events };
    });
  }

  /** What lies past JIM's page ceiling from either end is reported, never silently missed; the rest is read on. */
  async function skip(turn: Turn): Promise<void> {
    await noteHistoryGap(TOO_DEEP);
    const { first, sightings } = await readNewestFromOldest(turn.reader);
    const fromOldest = sightings[0]?.fromOldest ?? 0;
    await move((ledger) => ({
      ledger: { ...ledger, reading: skipTo(ledger.reading, first, fromOldest) },
      events: [],
    }));
  }

  async function noteHistoryGap(sentence: string): Promise<void> {
    log.warn(sentence);
    await move((ledger) => ({ ledger: { ...ledger, lastHistoryGapMs: nowMs() }, events: [] }));
  }

  return { gaps, windowPage };
}

/** The newest unread part, if rows in it were never known. */
function firstGap({ reading }: Ledger): Unread | null {
  const [part] = reading.unread;
  return part === undefined || part.high < part.knownBelow ? null : part;
}

function readOn(ledger: Ledger, slice: Slice): Ledger {
  return { ...ledger, reading: readPart(ledger.reading, partReadOf(slice)) };
}
