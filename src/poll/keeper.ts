/**
 * The one holder of the ledger. Every move is pure, made durable, and only then seen: by the next move, by
 * the publication, by the bridge. Moves queue up, so that polls and collectors never lose each other's.
 */
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerStore } from '../ledger/state-file.ts';

/** The disk refused. The ledger did not move; the same Activities will be met again. */
export class StorageFailure extends Error {
  override readonly name = 'StorageFailure';
}

export interface Keeper {
  /** The last committed ledger. */
  current(): Ledger;
  /** Moves the ledger; resolves with it once it is durable. Rejects with StorageFailure. */
  move(step: (ledger: Ledger) => Ledger): Promise<Ledger>;
  /** Commits what was not worth a commit of its own, after all moves under way. */
  flush(): Promise<void>;
}

export interface KeeperOptions {
  readonly store: LedgerStore;
  readonly initial: Ledger;
  readonly committed: (result: 'success' | 'failure') => void;
}

export function createKeeper({ store, initial, committed }: KeeperOptions): Keeper {
  let durable = initial;
  let current = initial;
  let queue: Promise<unknown> = Promise.resolve();

  async function commit(next: Ledger): Promise<void> {
    try {
      await store.commit(next);
    } catch (error) {
      committed('failure');
      const why = error instanceof Error ? error.message : String(error);
      throw new StorageFailure(`The ledger could not be written, so nothing was counted: ${why}`, {
        cause: error,
      });
    }
    committed('success');
    durable = next;
  }

  async function run(step: (ledger: Ledger) => Ledger): Promise<Ledger> {
    const next = step(current);
    if (isMaterial(durable, next)) await commit(next);
    current = next;
    return next;
  }

  function enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  }

  return {
    current: () => current,
    move: (step) => enqueue(() => run(step)),
    flush: () =>
      enqueue(async () => {
        if (current !== durable) await commit(current);
      }),
  };
}

/** An hour of JIM's time, in microseconds: how stale the remembered Date may get on disk. */
const DATE_WORTH_KEEPING = 3_600_000_000;

/**
 * Whether a move must be durable. JIM's Date and row count change with every idle poll, and so does how far a second
 * look has come: a crash that loses them loses nothing but the reading again, unless JIM's clock went back.
 */
function isMaterial(durable: Ledger, next: Ledger): boolean {
  if (durable === next) return false;
  const { reading: a, ...before } = durable;
  const { reading: b, ...after } = next;
  const moved = Object.entries(after).some(([key, value]) => Reflect.get(before, key) !== value);
  if (moved) return true;
  const lower = b.lowestDate !== null && a.lowestDate !== null && b.lowestDate < a.lowestDate;
  const stale =
    b.lastDate !== null && (a.lastDate === null || b.lastDate - a.lastDate > DATE_WORTH_KEEPING);
  return (
    lower ||
    stale ||
    a.top !== b.top ||
    a.horizon !== b.horizon ||
    a.enumerated !== b.enumerated ||
    a.firstHorizon !== b.firstHorizon ||
    JSON.stringify(gapsOf(a)) !== JSON.stringify(gapsOf(b))
  );
}

/** Parts with rows that were never known; the others are second looks. */
function gapsOf({ unread }: Ledger['reading']): Ledger['reading']['unread'] {
  return unread.filter(({ high, knownBelow }) => high >= knownBelow);
}
