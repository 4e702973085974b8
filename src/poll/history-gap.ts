/** When rows may have been deleted before they were seen: counting.md, rule 15. */
import { MICROS_PER_SECOND } from '../jim/activity.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { HeadRead } from '../ledger/reading.ts';
import { headStop, windowEnd } from '../ledger/reading.ts';
import type { KnownWindow } from './observe.ts';
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
  const known = knownInWindow(ledger, from, reading.top);
  return !meets(slices, known) && !known.isEmpty() ? NO_KNOWN_ROW : null;
}

export function meets(slices: readonly Slice[], known: Pick<KnownWindow, 'has'>): boolean {
  return slices.some(({ sightings }) => sightings.some(({ activity }) => known.has(activity.id)));
}
