/** Rows by the thousand, for tests of size. */
import type { ConnectedSystem } from '../../src/demo/inventory.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { BLANK_ROW } from '../../src/demo/row.ts';
import type { World } from '../../src/demo/world.ts';

export const RUN = {
  targetType: 'ConnectedSystemRunProfile',
  targetOperationType: 'Execute',
  targetName: 'Full Import',
  targetContext: 'HR System',
  runType: 'FullImport',
} as const;

/**
 * Of `RUN`, for a JIM that the whole program watches: every ten minutes it reads the inventory, and run profiles that
 * are not there leave.
 */
export const HR_SYSTEM: ConnectedSystem = {
  id: 1,
  name: RUN.targetContext,
  created: 0,
  connectorName: 'JIM SQL Connector',
  connectorId: 1,
  objectCount: 100,
  joinedCount: 100,
  pendingExports: 0,
  runProfiles: ['Full Import', 'Delta Import', 'Export'].map((name, index) => ({
    id: index + 1,
    name,
    runType: RUN.runType,
  })),
};

const SECOND = 1e6;

/** Whole, so that each of 200,000 rows is one copy of it. */
const FINISHED_RUN: WorldRow = {
  ...BLANK_ROW,
  ...RUN,
  id: '',
  created: 0,
  executed: 0,
  status: 'Complete',
  executionTime: SECOND,
  totalActivityTime: 2 * SECOND,
};

/** Finished runs, one every `everySeconds`, the newest `endsAgoSeconds` before JIM's now. */
export function loadFinished(
  world: World,
  count: number,
  {
    everySeconds = 60,
    endsAgoSeconds = 30,
  }: { readonly everySeconds?: number; readonly endsAgoSeconds?: number } = {},
): void {
  const newest = world.jimNow - (endsAgoSeconds + 5) * SECOND;
  const rows = Array.from({ length: count }, (_, index): WorldRow => {
    const created = newest - (count - 1 - index) * everySeconds * SECOND;
    const id = world.random.timeOrderedGuid(created / 1_000);
    return { ...FINISHED_RUN, id, created, executed: created + 70_000 };
  });
  world.load(rows);
}

/** Runs that are in progress, one a minute; returns their ids, oldest first. */
export function insertOpen(
  world: World,
  count: number,
  oldestAgoSeconds: number,
): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const created = world.jimNow - (oldestAgoSeconds - index) * SECOND;
    return world.insert({ ...RUN, created, executed: created + 100 });
  });
}
