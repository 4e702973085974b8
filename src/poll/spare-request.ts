/**
 * The second of the two requests that an idle poll may cost. It asks which open Activities are still in progress,
 * or takes one turn of what is only looked at now and then: a page of the window, a row that has not been seen for
 * long, an orphan, a tombstone. The two alternate where both are due, and so do the kinds of turns: hundreds of
 * tombstones must not keep a row waiting that has ended (counting.md, rules 1 and 12).
 */
import type { ActivityId, Instant } from '../jim/activity.ts';
import type { Observation } from '../ledger/account.ts';
import { RECHECK_MS } from '../ledger/account.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { isCaughtUp } from '../ledger/reading.ts';
import { isListedByStatus, lookAtInProgress, lookAtStatus } from './observe.ts';
import type { SeenMemory, Turn } from './turn.ts';

export interface Spare {
  readonly sightings: Observation['sightings'];
  /** Open ids that must have ended: the page would have shown them. */
  readonly absent: readonly ActivityId[];
  /** What else this poll may do with its request: nothing, a page of the window, or one row to look up. */
  readonly turn: 'none' | 'window' | { readonly lookUp: ActivityId };
  /** One page showed every unfinished row there is. */
  readonly sawAllUnfinished: boolean;
}

const NOTHING: Spare = { sightings: [], absent: [], turn: 'none', sawAllUnfinished: false };

/** `missing`: vanished and unreadable rows. */
type TurnKind = 'window' | 'unseen' | 'orphan' | 'missing';

export interface SpareRequest {
  /** Spends the request, or says what it is left for. `turn.seen` holds what the head showed. */
  spend(turn: Turn, ledger: Ledger): Promise<Spare>;
  /** A turn took more than its one request: later polls do without theirs. */
  owe(requests: number): void;
}

export function createSpareRequest(memory: SeenMemory): SpareRequest {
  let debt = 0;
  let isTurnNext = false;
  /** That which had no turn for longest comes first. */
  let kinds: readonly TurnKind[] = ['window', 'unseen', 'orphan', 'missing'];
  /** Unfinished rows did not fit into one page. */
  let isStatusFull = false;
  let cursor: Instant | null = null;

  function chooseTurn(turn: Turn, ledger: Ledger): Spare['turn'] {
    for (const kind of kinds) {
      const due = dueOf(kind, turn, ledger);
      if (due === 'none') continue;
      kinds = [...kinds.filter((other) => other !== kind), kind];
      return due;
    }
    return 'none';
  }

  function dueOf(kind: TurnKind, turn: Turn, { open, missing, reading }: Ledger): Spare['turn'] {
    switch (kind) {
      case 'window':
        return reading.unread.length > 0 && isCaughtUp(reading) ? 'window' : 'none';
      case 'unseen':
        return turnFor(followsRows(turn, open) ? memory.longestUnseen(turn, open) : null);
      case 'orphan': {
        const orphans = [...open].filter(([id, { orphaned }]) => orphaned && !turn.seen.has(id));
        return turnFor(longestDue(orphans, turn.pollMs));
      }
      case 'missing':
        return turnFor(longestDue(missing, turn.pollMs));
    }
  }

  /** Whether open rows must be followed one by one: the status page cannot tell of them all. */
  function followsRows(turn: Turn, open: Ledger['open']): boolean {
    if (isStatusFull && !turn.reader.filters) return true;
    return [...open].some(([id, row]) => !turn.seen.has(id) && !isListedByStatus(row));
  }

  async function askStatus(turn: Turn, ledger: Ledger): Promise<Spare> {
    if (isStatusFull && turn.reader.filters) {
      const look = await lookAtInProgress(turn.reader, ledger, cursor);
      isStatusFull = !(look.conclusive && cursor === null);
      cursor = look.next;
      return { ...look, turn: 'none', sawAllUnfinished: false };
    }
    const look = await lookAtStatus(turn.reader, ledger);
    isStatusFull = !look.conclusive;
    cursor = null;
    return { ...look, turn: 'none', sawAllUnfinished: look.conclusive };
  }

  return {
    spend: async (turn, ledger) => {
      if (debt > 0) {
        debt -= 1;
        return NOTHING;
      }
      const isStatusWanted =
        !ledger.reading.enumerated ||
        [...ledger.open].some(([id, open]) => !turn.seen.has(id) && isListedByStatus(open));
      const choice = isTurnNext || !isStatusWanted ? chooseTurn(turn, ledger) : 'none';
      isTurnNext = choice === 'none';
      if (choice !== 'none') return { ...NOTHING, turn: choice };
      return isStatusWanted ? askStatus(turn, ledger) : NOTHING;
    },
    owe: (requests) => {
      debt += Math.max(0, requests);
    },
  };
}

function turnFor(id: ActivityId | null): Spare['turn'] {
  return id === null ? 'none' : { lookUp: id };
}

/**
 * Vanished, unreadable and orphaned rows are looked at once an hour. Of more than there are turns for, the one that
 * is due for longest: the first of them would be due again before the last had a turn.
 */
function longestDue(
  rows: Iterable<readonly [ActivityId, { readonly nextCheckMs: number }]>,
  nowMs: number,
): ActivityId | null {
  let longest: ActivityId | null = null;
  let longestMs = Number.POSITIVE_INFINITY;
  for (const [id, { nextCheckMs }] of rows) {
    const sinceMs = dueSince(nextCheckMs, nowMs);
    if (sinceMs > nowMs || sinceMs >= longestMs) continue;
    longest = id;
    longestMs = sinceMs;
  }
  return longest;
}

/** A clock set back must not put a check off for longer than it was to take: since when, nobody knows. */
function dueSince(nextCheckMs: number, nowMs: number): number {
  return nextCheckMs - nowMs > 2 * RECHECK_MS ? Number.NEGATIVE_INFINITY : nextCheckMs;
}
