/** When rows may have been deleted before they were seen: counting.md, rule 15. */
import type { Instant } from '../jim/activity.ts';
import { MICROS_PER_SECOND } from '../jim/activity.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { HeadRead } from '../ledger/reading.ts';
import { headStop, windowEnd } from '../ledger/reading.ts';
import { knownInWindow } from './observe.ts';
import type { Turn } from './turn.ts';
import type { Slice } from './walk.ts';

/** JIM's default retention of the rows we count (jim-api, section 7): a longer outage may have lost some unseen. */
const RETENTION = 90 * 86_400 * MICROS_PER_SECOND;

const OUTLIVED =
  'JIM was not read for longer than it keeps Activities: some may have been deleted unseen';
export const NO_KNOWN_ROW =
  "JIM's list holds none of the Activities known before (factory reset, restored backup, or long outage): some may have been deleted unseen";
export const TOO_DEEP =
  'JIM refuses pages this deep, so some Activities of this gap cannot be counted';

/** The sentence to log, or null where the head continues the history we know. */
export function historyGap(
  ledger: Ledger,
  slices: readonly Slice[],
  read: HeadRead,
  { settings }: Turn,
): string | null {
  const { reading } = ledger;
  if (reading.lastDate !== null && read.date - reading.lastDate > RETENTION) return OUTLIVED;
  const from = windowEnd(reading, read.date, settings.overlap);
  const stop = headStop(reading, read.date);
  if (from === null || stop === null || reading.top === null) return null;
  const reached = read.ended || (read.deepest !== null && read.deepest < stop);
  if (!reached) return null;
  // Nearly every poll meets one at once; all that is known is only looked through where none is met.
  if (meetsKnown(ledger, slices, from, reading.top)) return null;
  return knownInWindow(ledger, from, reading.top).size > 0 ? NO_KNOWN_ROW : null;
}

/** As `meets` of `knownInWindow`, by asking for the ids that were seen. */
function meetsKnown(
  { counted, open }: Ledger,
  slices: readonly Slice[],
  from: Instant,
  to: Instant,
): boolean {
  return slices.some(({ sightings }) =>
    sightings.some(({ activity: { id } }) => {
      const created = (counted.get(id) ?? open.get(id))?.created;
      return created !== undefined && created >= from && created <= to;
    }),
  );
}

export function meets(slices: readonly Slice[], known: ReadonlySet<string>): boolean {
  return slices.some(({ sightings }) => sightings.some(({ activity }) => known.has(activity.id)));
}
