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

/** When each open Activity was last seen: whoever was not seen for longest is looked at next. */
export interface SeenMemory {
  note(turn: Turn, open: Ledger['open'], sightings: Observation['sightings']): void;
  /** The open Activity, no orphan, that this poll did not see and that was not seen for longest. */
  longestUnseen(turn: Turn, open: Ledger['open']): ActivityId | null;
  /** Looked for, found or not: others come first next time. */
  lookedFor(turn: Turn, ids: readonly ActivityId[]): void;
}

export function createSeenMemory(): SeenMemory {
  const lastMs = new Map<ActivityId, number>();
  return {
    note(turn, open, sightings) {
      for (const { activity } of sightings) {
        turn.seen.add(activity.id);
        if (open.has(activity.id)) lastMs.set(activity.id, turn.pollMs);
      }
      if (lastMs.size <= 2 * open.size + PAGE_SIZE) return;
      for (const id of lastMs.keys()) if (!open.has(id)) lastMs.delete(id);
    },
    longestUnseen(turn, open) {
      let longest: ActivityId | null = null;
      for (const [id, { orphaned }] of open) {
        if (turn.seen.has(id) || orphaned) continue;
        if (longest === null || (lastMs.get(id) ?? 0) < (lastMs.get(longest) ?? 0)) longest = id;
      }
      return longest;
    },
    lookedFor(turn, ids) {
      for (const id of ids) lastMs.set(id, turn.pollMs);
    },
  };
}
