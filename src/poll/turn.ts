/** One poll's own facts, and what polls remember of each other: nothing that a crash may not forget. */
import type { ActivityId, Micros } from '../jim/activity.ts';
import type { Dialect } from '../jim/dialect.ts';
import type { CountingLimits, Observation } from '../ledger/account.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { JimReader } from './observe.ts';
import type { Slice } from './walk.ts';
import { PAGE_SIZE } from './walk.ts';

export interface PollSettings {
  readonly settle: Micros;
  readonly overlap: Micros;
  readonly lookback: Micros;
  readonly lookbackPages: number;
  readonly openLimitMs: number;
  readonly zeroHoldMs: number;
  readonly seriesRetentionMs: number;
  readonly runStats: 'auto' | 'always' | 'never';
}

/** One poll under way. */
export interface Turn {
  /** Our clock when it began. */
  readonly pollMs: number;
  readonly reader: JimReader;
  readonly dialect: Dialect;
  readonly settings: PollSettings;
  /** Rows in JIM's whole list, as its head said. */
  totalCount: number;
  /** Ids that any answer of this poll showed. */
  readonly seen: Set<ActivityId>;
}

export function limitsOf({ settings, dialect }: Turn): CountingLimits {
  const { settle, openLimitMs, runStats } = settings;
  const wanted = runStats === 'always' || (runStats === 'auto' && dialect.hasRunStats);
  return { settleMicros: settle, openLimitMs, runStats: wanted };
}

/** What slices showed, as an observation of this turn. */
export function observationOf(turn: Turn, slices: readonly Slice[], nowMs: number): Observation {
  return {
    nowMs,
    pollMs: turn.pollMs,
    sightings: slices.flatMap((slice) => slice.sightings),
    rejected: slices
      .flatMap((slice) => slice.rejected)
      .flatMap(({ id, created, fromOldest }) =>
        id === null || created === null ? [] : [{ id, created, fromOldest }],
      ),
    gone: [],
    lookedUp: [],
    first: false,
  };
}

/** In which order open Activities were last seen: whoever was not seen for longest is looked at next. */
export interface SeenMemory {
  note(turn: Turn, open: Ledger['open'], sightings: Observation['sightings']): void;
  /** The open Activity, no orphan, that this poll did not see and that was not seen for longest. */
  longestUnseen(turn: Turn, open: Ledger['open']): ActivityId | null;
  /** Looked for, found or not: others come first next time. */
  lookedFor(ids: readonly ActivityId[]): void;
}

export function createSeenMemory(): SeenMemory {
  // Looks are counted, not timed: our clock may be set back, and whoever was seen before would wait for hours.
  let looks = 0;
  const lastLook = new Map<ActivityId, number>();
  return {
    note(turn, open, sightings) {
      looks += 1;
      for (const { activity } of sightings) {
        turn.seen.add(activity.id);
        if (open.has(activity.id)) lastLook.set(activity.id, looks);
      }
      if (lastLook.size <= 2 * open.size + PAGE_SIZE) return;
      for (const id of lastLook.keys()) if (!open.has(id)) lastLook.delete(id);
    },
    longestUnseen(turn, open) {
      let longest: ActivityId | null = null;
      let longestLook = Number.POSITIVE_INFINITY;
      for (const [id, { orphaned }] of open) {
        const look = lastLook.get(id) ?? 0;
        if (turn.seen.has(id) || orphaned || look >= longestLook) continue;
        longest = id;
        longestLook = look;
      }
      return longest;
    },
    lookedFor(ids) {
      looks += 1;
      for (const id of ids) lastLook.set(id, looks);
    },
  };
}
