/** Final statuses that do not stay: what writes a row again after its end (jim-api, 5.4). */
import type { Random } from './random.ts';
import { NO_TOTALS, timesAt, type WorldRow } from './row.ts';
import type { RunPlan } from './run-plan.ts';
import type { World } from './world.ts';

/** `reopens` leaves a cancelled row InProgress for ever, `ends` finishes it after all. */
export type AfterCancelling = 'stays' | 'reopens' | 'ends';

/** Ends a run as failed, and then as something else: milliseconds later, or half a minute. */
export function endTwice(
  world: World,
  random: Random,
  rowId: string,
  written: Partial<WorldRow>,
  afterwards: NonNullable<RunPlan['afterwards']>,
): void {
  world.update(rowId, {
    ...written,
    status: 'FailedWithError',
    errorMessage: 'The connector does not support this operation.',
  });
  if (afterwards === 'failed_then_complete') {
    completeAfterAll(world, random, rowId, written);
  } else {
    cancelLeftOver(world, random, rowId);
  }
}

/** An export by a connector that cannot: the common completion knows of no failed item, and keeps the message. */
function completeAfterAll(
  world: World,
  random: Random,
  rowId: string,
  written: Partial<WorldRow>,
): void {
  world.afterInEpoch(random.int(3, 40), () => {
    const row = world.row(rowId);
    if (row === undefined) return;
    const times = timesAt(row, world.jimNow);
    world.update(rowId, { ...written, errorMessage: row.errorMessage, ...times });
  });
}

/** An operator cancels the task that a database conflict left behind; its stale copy of the row is written. */
function cancelLeftOver(world: World, random: Random, rowId: string): void {
  world.afterInEpoch(random.int(33_000, 37_000), () => {
    const row = world.row(rowId);
    if (row === undefined) return;
    const executed = row.created + random.int(4, 12);
    world.update(rowId, {
      executed,
      status: 'Cancelled',
      message: null,
      errorMessage: null,
      objectsToProcess: 0,
      objectsProcessed: 0,
      totals: NO_TOTALS,
      ...timesAt({ created: row.created, executed }, world.jimNow),
    });
  });
}

/**
 * The processor of a cancelled run is still at work, and its copy of the row is InProgress: a later write puts
 * that back. 0.8 always finished the run, as if it had not been cancelled.
 */
export function writeBack(
  world: World,
  random: Random,
  rowId: string,
  final: () => Partial<WorldRow>,
  afterwards: AfterCancelling,
): void {
  const end = (): void => {
    const row = world.row(rowId);
    if (row !== undefined) world.update(rowId, { ...final(), ...timesAt(row, world.jimNow) });
  };
  if (world.dialect.name === '0.8') {
    world.afterInEpoch(random.int(500, 4000), end);
    return;
  }
  if (afterwards === 'stays') return;
  world.afterInEpoch(random.int(800, 3000), () => {
    world.update(rowId, { status: 'InProgress', executionTime: null, totalActivityTime: null });
    if (afterwards === 'ends') world.afterInEpoch(random.int(5000, 20_000), end);
  });
}
