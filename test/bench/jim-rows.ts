/** Rows of JIM's list as JIM 0.14 writes them, encoded once: serving them then costs no more than joining them. */
import { dialectNamed } from '../../src/demo/dialects.ts';
import { listItem, pageOf } from '../../src/demo/json.ts';
import { createRandom } from '../../src/demo/random.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { BLANK_ROW, NO_TOTALS } from '../../src/demo/row.ts';

const DIALECT = dialectNamed('0.14');
const SECOND = 1_000_000;

export interface RowOptions {
  /** `created` of the newest row, our clock. */
  readonly newestMs: number;
  readonly secondsApart: number;
  /** Names as those of `largeLedger`, in turn. */
  readonly runProfiles: number;
}

/** Finished runs, oldest first. Each has some outcomes; one in twenty ended with errors. */
export function finishedRows(count: number, options: RowOptions): readonly string[] {
  return runs(count, options, 'done').map(encoded);
}

/** Runs in progress, oldest first. */
export function openRows(count: number, options: RowOptions): readonly string[] {
  return runs(count, options, 'open').map((row) =>
    encoded({
      ...row,
      status: 'InProgress',
      executionTime: null,
      totalActivityTime: null,
      totals: NO_TOTALS,
    }),
  );
}

function runs(count: number, options: RowOptions, kind: string): readonly WorldRow[] {
  const { newestMs, secondsApart, runProfiles } = options;
  const random = createRandom(`bench ${kind} ${newestMs}`);
  return Array.from({ length: count }, (_, index) => {
    const created = newestMs * 1_000 - Math.round((count - 1 - index) * secondsApart * SECOND);
    return run(index, index % runProfiles, created, random.timeOrderedGuid(created / 1_000));
  });
}

function run(index: number, profile: number, created: number, id: string): WorldRow {
  const failed = index % 20 === 19;
  return {
    ...BLANK_ROW,
    id,
    created,
    executed: created + 70_000,
    status: failed ? 'CompleteWithError' : 'Complete',
    targetType: 'ConnectedSystemRunProfile',
    targetOperationType: 'Execute',
    targetName: `Profile ${profile}`,
    targetContext: `System ${Math.floor(profile / 5)}`,
    runType: 'FullImport',
    objectsToProcess: 1_000,
    objectsProcessed: 1_000,
    executionTime: 5 * SECOND + index,
    totalActivityTime: 6 * SECOND + index,
    totals: { ...NO_TOTALS, Added: index % 7, Updated: 3, Errors: failed ? 2 : 0 },
  };
}

function encoded(row: WorldRow): string {
  return JSON.stringify(listItem(row, DIALECT, 'offset'));
}

/** One page as JIM sends it, of rows that are given oldest first. */
export function encodedPage(
  rows: readonly string[],
  query: { readonly page: number; readonly pageSize: number; readonly descending: boolean },
  total: number,
): string {
  const { page, pageSize, descending } = query;
  const start = (page - 1) * pageSize;
  const end = Math.max(0, rows.length - start);
  const shown = descending
    ? rows.slice(Math.max(0, end - pageSize), end).toReversed()
    : rows.slice(start, start + pageSize);
  const envelope = JSON.stringify(pageOf([], { total, page, pageSize }));
  return envelope.replace('"items":[]', () => `"items":[${shown.join(',')}]`);
}
