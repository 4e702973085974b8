/** JIM's queue: tasks in a world, oldest first. A task that has ended is deleted. */
import type { WorkerTask } from './inventory.ts';
import type { Random } from './random.ts';
import { MICROS_PER_MS } from './row.ts';
import type { World } from './world.ts';

/** A task for an Activity; returns its id. `of` names the execution and step that it belongs to. */
export function addTask(
  world: World,
  random: Random,
  activityId: string,
  status: WorkerTask['status'],
  of: { readonly executionId: string; readonly stepIndex: number } | null,
): string {
  const row = world.row(activityId);
  const timestamp = world.jimNow;
  const id = random.timeOrderedGuid(timestamp / MICROS_PER_MS);
  const isRun = row?.connectedSystemId !== null;
  const task: WorkerTask = {
    id,
    name: isRun ? `${row?.targetContext} - ${row?.targetName}` : (row?.targetName ?? ''),
    type: isRun ? 'Synchronisation Worker Task' : 'Temporal Scope Reconciliation Worker Task',
    timestamp,
    status,
    activityId,
    executionId: of?.executionId ?? null,
    stepIndex: of?.stepIndex ?? null,
  };
  world.tasks = [...world.tasks, task];
  return id;
}

export function setTaskStatus(world: World, id: string, status: WorkerTask['status']): void {
  world.tasks = world.tasks.map((task) => (task.id === id ? { ...task, status } : task));
}

export function removeTask(world: World, id: string): void {
  world.tasks = world.tasks.filter((task) => task.id !== id);
}
