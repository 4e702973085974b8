/** What really happened, for tests: every finished state that a request could have seen, and when. */
import { isFinished, isRun, type Totals, type WorldRow } from './row.ts';

export interface TruthRow {
  readonly id: string;
  /** Microseconds of JIM's clock. */
  readonly created: number;
  /** In the list; children are not. */
  readonly listed: boolean;
  /** Our clock when the row was deleted; null while it is there. */
  readonly goneAtMs: number | null;
  /** In order; more than one where a final status was changed afterwards. Never empty. */
  readonly endings: readonly Ending[];
}

/** One finished state of a row, and how long it could be seen. */
export interface Ending {
  /** Our clock. */
  readonly fromMs: number;
  /** Our clock when the row changed, was opened again or was deleted; null while it still shows this. */
  readonly toMs: number | null;
  readonly status: string;
  readonly targetType: string;
  readonly operation: string;
  /** '' where none follows from the row. */
  readonly connectedSystem: string;
  /** Null for what is no run. */
  readonly run: {
    readonly connectedSystem: string;
    readonly runProfile: string;
    readonly runType: string;
  } | null;
  readonly executed: number;
  /** Microseconds. */
  readonly executionTime: number | null;
  /** Microseconds. */
  readonly totalActivityTime: number | null;
  readonly objectsProcessed: number;
  readonly totals: Totals;
}

export interface TruthBook {
  /** A visible row is, or has become, this. */
  saw(row: WorldRow, atMs: number): void;
  /** A row was deleted. */
  lost(id: string, atMs: number): void;
  rows(): readonly TruthRow[];
}

interface Entry {
  readonly row: WorldRow;
  readonly fromMs: number;
  toMs: number | null;
}

export function createTruth(): TruthBook {
  const entries = new Map<string, Entry[]>();
  const gone = new Map<string, number>();

  const close = (id: string, atMs: number): void => {
    const last = entries.get(id)?.at(-1);
    if (last !== undefined && last.toMs === null) last.toMs = atMs;
  };

  return {
    saw(row, atMs) {
      gone.delete(row.id);
      const known = entries.get(row.id);
      const last = known?.at(-1);
      if (last?.toMs === null && looksTheSame(last.row, row)) return;
      close(row.id, atMs);
      if (!isFinished(row.status)) return;
      const entry: Entry = { row, fromMs: atMs, toMs: null };
      if (known === undefined) entries.set(row.id, [entry]);
      else known.push(entry);
    },
    lost(id, atMs) {
      close(id, atMs);
      gone.set(id, atMs);
    },
    rows() {
      return [...entries].map(([id, states]) => ({
        id,
        created: states[0]?.row.created ?? 0,
        listed: states[0]?.row.parentActivityId === null,
        goneAtMs: gone.get(id) ?? null,
        endings: states.map(endingOf),
      }));
    },
  };
}

/** Remembers nothing. */
export const NO_TRUTH: TruthBook = {
  saw: () => undefined,
  lost: () => undefined,
  rows: () => [],
};

/** Nothing that an exporter counts or shows has changed. */
function looksTheSame(a: WorldRow, b: WorldRow): boolean {
  return (
    a.status === b.status &&
    a.executed === b.executed &&
    a.executionTime === b.executionTime &&
    a.totalActivityTime === b.totalActivityTime &&
    a.objectsProcessed === b.objectsProcessed &&
    a.targetType === b.targetType &&
    a.targetName === b.targetName &&
    a.targetContext === b.targetContext &&
    a.totals === b.totals
  );
}

function endingOf(entry: Entry): Ending {
  const { row } = entry;
  return {
    fromMs: entry.fromMs,
    toMs: entry.toMs,
    status: row.status,
    targetType: row.targetType,
    operation: row.targetOperationType,
    connectedSystem: connectedSystemOf(row),
    run: isRun(row)
      ? {
          connectedSystem: row.targetContext ?? '',
          runProfile: row.targetName ?? '',
          runType: row.runType,
        }
      : null,
    executed: row.executed,
    executionTime: row.executionTime,
    totalActivityTime: row.totalActivityTime,
    objectsProcessed: row.objectsProcessed,
    totals: row.totals,
  };
}

/** jim-api, section 8: the world knows which of its rows name a system; only the table there decides. */
const SYSTEM_IS_THE_CONTEXT: ReadonlySet<string> = new Set([
  'ConnectedSystemRunProfile',
  'PasswordSynchronisation',
]);

function connectedSystemOf(row: WorldRow): string {
  if (SYSTEM_IS_THE_CONTEXT.has(row.targetType)) return row.targetContext ?? '';
  if (row.targetType === 'ConnectedSystem') return row.targetName ?? '';
  if (row.targetType !== 'SynchronisationRule') return '';
  const name = row.targetName ?? '';
  const isPartOfARule = /^(Mapping to |Attribute priority order for )/.test(name);
  return isPartOfARule ? '' : (row.targetContext ?? '');
}
