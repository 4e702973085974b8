/**
 * The part of JIM's scheduler that an execution passes through: all its rows are born at once, its groups of
 * parallel steps are queued in turn, and a failure cancels what still waits (jim-api, 5.1 and 5.5).
 */
import { bearReconciliation, bearRun, type Initiator } from './births.ts';
import type { ExecutionStep, Schedule, ScheduleExecution, WorkerTask } from './inventory.ts';
import type { Random } from './random.ts';
import { MICROS_PER_MS, type WorldRow } from './row.ts';
import { addTask, removeTask, setTaskStatus } from './tasks.ts';
import type { World } from './world.ts';

export interface StartedExecution {
  readonly executionId: string;
  readonly activityIds: readonly string[];
}

/** Seen: all rows of a schedule were created within 40 ms. */
const BORN_WITHIN_MICROS = 36_000;

/** The first group is queued, the rest wait; whoever looks after the queue picks it up. */
export function startExecution(
  world: World,
  random: Random,
  schedule: Schedule,
  initiator: Initiator,
): StartedExecution {
  const { jimNow } = world;
  const executionId = random.timeOrderedGuid(jimNow / MICROS_PER_MS);
  const steps = bearSteps(world, random, schedule, executionId, initiator);
  const first = Math.min(...steps.map(({ step }) => step.index));
  world.executions = [
    ...world.executions,
    {
      id: executionId,
      scheduleId: schedule.id,
      scheduleName: schedule.name,
      status: 'InProgress',
      currentStepIndex: first,
      queuedAt: jimNow,
      startedAt: jimNow + random.int(80, 200),
      completedAt: null,
      errorMessage: null,
      steps,
    },
  ];
  for (const { step, taskId } of steps) {
    if (step.index === first) setTaskStatus(world, taskId, 'Queued');
  }
  return { executionId, activityIds: steps.map((step) => step.activityId) };
}

function bearSteps(
  world: World,
  random: Random,
  schedule: Schedule,
  executionId: string,
  initiator: Initiator,
): ExecutionStep[] {
  let created = world.jimNow;
  return schedule.steps.map((step): ExecutionStep => {
    created += random.int(400, Math.floor(BORN_WITHIN_MICROS / schedule.steps.length));
    const fields: Partial<WorldRow> = {
      created,
      executed: created + random.int(4, 690),
      scheduleExecutionId: executionId,
      scheduleStepIndex: step.index,
      scheduleId: schedule.id,
      scheduleName: schedule.name,
    };
    const activityId =
      step.connectedSystemId === null || step.runProfileId === null
        ? bearReconciliation(world, initiator, fields)
        : bearRun(world, step.connectedSystemId, step.runProfileId, initiator, fields);
    const of = { executionId, stepIndex: step.index };
    const taskId = addTask(world, random, activityId, 'WaitingForPreviousStep', of);
    return { step, activityId, taskId };
  });
}

/** A task is gone. If it was a step, the next group is queued once its own is through, or the execution ends. */
export function stepEnded(world: World, task: WorkerTask): void {
  const execution = world.executions.findLast((other) => other.id === task.executionId);
  if (execution?.status !== 'InProgress') return;
  const left = world.tasks.filter((other) => other.executionId === execution.id);
  if (left.some((other) => other.stepIndex === task.stepIndex)) return;
  const group = execution.steps.filter(({ step }) => step.index === task.stepIndex);
  if (group.some((entry) => stops(world, entry))) {
    fail(world, execution, left, task.stepIndex ?? 0);
    return;
  }
  if (left.length === 0) {
    setExecution(world, execution.id, { status: 'Complete', completedAt: world.jimNow });
    return;
  }
  const next = Math.min(...left.map((other) => other.stepIndex ?? 0));
  for (const other of left) {
    if (other.stepIndex === next) setTaskStatus(world, other.id, 'Queued');
  }
  setExecution(world, execution.id, { currentStepIndex: next });
}

/** What stops a schedule: a warning does not. */
function stops(world: World, { step, activityId }: ExecutionStep): boolean {
  const status = world.row(activityId)?.status ?? 'Cancelled';
  const isBad = status !== 'Complete' && status !== 'CompleteWithWarning';
  return isBad && !step.continueOnFailure;
}

/** What still waits is cancelled without an execution time, since it never ran. */
function fail(
  world: World,
  execution: ScheduleExecution,
  waiting: readonly WorkerTask[],
  stepIndex: number,
): void {
  for (const task of waiting) {
    const row = world.row(task.activityId);
    removeTask(world, task.id);
    if (row === undefined) continue;
    world.update(row.id, {
      status: 'Cancelled',
      message: 'Cancelled: previous step failed or execution was cancelled.',
      executionTime: null,
      totalActivityTime: world.jimNow - row.created,
    });
  }
  setExecution(world, execution.id, {
    status: 'Failed',
    completedAt: world.jimNow,
    errorMessage: `Step 'Step ${stepIndex}' failed and ContinueOnFailure is false.`,
  });
}

function setExecution(world: World, id: string, changes: Partial<ScheduleExecution>): void {
  world.executions = world.executions.map((execution) =>
    execution.id === id ? { ...execution, ...changes } : execution,
  );
}
