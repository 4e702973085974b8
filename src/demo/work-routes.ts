/** The routes of what JIM is doing: worker tasks, schedules and their executions (jim-api, section 10). */
import { envelope, ok, type Answer } from './answers.ts';
import { GUID, pageAnswer, type Call, type RouteEntry } from './call.ts';
import type { Schedule, ScheduleExecution, ScheduleStep, WorkerTask } from './inventory.ts';
import { writeDate, type Fields, type Json } from './json.ts';
import { bindPlainPaging } from './query.ts';
import { isFinished, type WorldRow } from './row.ts';

/** Worker tasks come fifty a page, newest first. */
const TASKS_PER_PAGE = 50;
const SCHEDULES_PER_PAGE = 20;

const dateOrNull = (micros: number | null, call: Call): string | null =>
  micros === null ? null : writeDate(micros, call.dates);

function workerTasks(call: Call): Answer {
  const paging = bindPlainPaging(call.parameters, TASKS_PER_PAGE);
  return pageAnswer(call, paging, call.world.tasks.toReversed(), workerTask);
}

function workerTask(task: WorkerTask, call: Call): Fields {
  const row = call.world.row(task.activityId);
  const execution = call.world.executions.find((other) => other.id === task.executionId);
  const isMain = call.dialect.scheduleFields;
  return {
    id: task.id,
    name: task.name,
    type: task.type,
    timestamp: writeDate(task.timestamp, call.dates),
    status: task.status,
    initiatedByType: row?.initiatedByType ?? 'NotSet',
    initiatedById: row?.initiatedById ?? null,
    initiatedByName: row?.initiatedByName ?? null,
    activityId: task.activityId,
    objectsToProcess: row?.objectsToProcess ?? 0,
    objectsProcessed: row?.objectsProcessed ?? 0,
    progressMessage: task.status === 'Processing' ? (row?.message ?? null) : null,
    ...(isMain ? { steps: row === undefined ? null : taskSteps(row) } : {}),
    scheduleExecutionId: task.executionId,
    scheduleExecutionName: execution?.scheduleName ?? null,
    scheduleStepIndex: task.stepIndex,
    ...(isMain
      ? {
          scheduleTotalSteps: execution === undefined ? null : stepGroups(execution),
          scheduleCurrentStepIndex: execution?.currentStepIndex ?? null,
        }
      : {}),
  };
}

/** Main tells the phases of a running task as steps. */
function taskSteps(row: WorldRow): Json {
  const phases = row.phases.filter((phase) => phase.parentKey === null);
  const active = phases.findIndex((phase) => phase.status === 'Active');
  if (active === -1) return null;
  return {
    currentStepName: phases[active]?.name ?? null,
    currentStepNumber: active + 1,
    totalSteps: phases.length,
    steps: phases.map(({ order, name, status }) => ({ order, name, status })),
  };
}

function schedules(call: Call): Answer {
  const paging = bindPlainPaging(call.parameters, SCHEDULES_PER_PAGE);
  return pageAnswer(call, paging, call.world.schedules, schedule);
}

function schedule(value: Schedule, call: Call): Fields {
  return { ...scheduleFields(value, call), ...lastExecution(value, call) };
}

function scheduleFields(value: Schedule, call: Call): Fields {
  const isInterval = value.pattern === 'Interval';
  return {
    id: value.id,
    name: value.name,
    description: value.description,
    triggerType: value.cronExpression === null ? 'Manual' : 'Cron',
    cronExpression: value.cronExpression,
    patternType: value.pattern,
    daysOfWeek: isInterval ? '0,1,2,3,4,5,6' : null,
    runTimes: null,
    intervalValue: isInterval ? 1 : null,
    intervalUnit: isInterval ? 'Hours' : null,
    intervalWindowStart: null,
    intervalWindowEnd: null,
    isEnabled: value.isEnabled,
    lastRunTime: dateOrNull(value.lastRunTime, call),
    nextRunTime: dateOrNull(value.nextRunTime, call),
    stepCount: value.steps.length,
    created: writeDate(value.created, call.dates),
    lastUpdated: writeDate(value.lastUpdated, call.dates),
  };
}

/** Main tells in the list how each schedule went last. */
function lastExecution(value: Schedule, call: Call): Fields {
  if (!call.dialect.scheduleFields) return {};
  const last = call.world.executions.findLast((execution) => execution.scheduleId === value.id);
  return {
    lastExecutionId: last?.id ?? null,
    lastExecutionStatus: last === undefined ? null : statusWord(last, call),
    lastExecutionCurrentStepIndex: last?.currentStepIndex ?? null,
    lastExecutionTotalSteps: last === undefined ? null : stepGroups(last),
    lastExecutionCompletedAt: dateOrNull(last?.completedAt ?? null, call),
    lastExecutionErrorMessage: last?.errorMessage ?? null,
  };
}

/** A schedule with its steps, which stand before what the list says. */
function scheduleDetail(call: Call): Answer {
  const id = call.param('id').toLowerCase();
  const found = call.world.schedules.find((candidate) => candidate.id === id);
  if (found === undefined) {
    return envelope(404, '', `Schedule not found: ${id}`, call.world.jimNow);
  }
  const fields = scheduleFields(found, call);
  const unknown = call.dialect.scheduleFields
    ? Object.fromEntries(LAST_EXECUTION_FIELDS.map((name) => [name, null]))
    : {};
  return ok({ steps: found.steps.map(scheduleStep), ...fields, ...unknown });
}

const LAST_EXECUTION_FIELDS = [
  'lastExecutionId',
  'lastExecutionStatus',
  'lastExecutionCurrentStepIndex',
  'lastExecutionTotalSteps',
  'lastExecutionCompletedAt',
  'lastExecutionErrorMessage',
] as const;

function scheduleStep(step: ScheduleStep, place: number, steps: readonly ScheduleStep[]): Fields {
  return {
    id: step.id,
    stepIndex: step.index,
    name: null,
    executionMode: executionMode(step, place, steps),
    stepType: stepType(step),
    continueOnFailure: step.continueOnFailure,
    timeoutSeconds: null,
    connectedSystemId: step.connectedSystemId,
    runProfileId: step.runProfileId,
    scriptPath: null,
    executablePath: null,
    workingDirectory: null,
    arguments: null,
    sqlConnectionString: null,
    sqlScriptPath: null,
  };
}

function stepType(step: ScheduleStep): string {
  return step.runProfileId === null ? 'TemporalScopeReconciliation' : 'RunProfile';
}

function executionMode(
  step: ScheduleStep,
  place: number,
  steps: readonly Pick<ScheduleStep, 'index'>[],
): string {
  return steps[place - 1]?.index === step.index ? 'ParallelWithPrevious' : 'Sequential';
}

function scheduleExecutions(call: Call): Answer {
  const wanted = call.parameters.get('scheduleid')?.[0]?.toLowerCase();
  const oldestFirst = call.parameters.get('sortdescending')?.[0]?.toLowerCase() === 'false';
  const matching = call.world.executions.filter(
    (execution) => wanted === undefined || execution.scheduleId === wanted,
  );
  const sorted = oldestFirst ? matching : matching.toReversed();
  const paging = bindPlainPaging(call.parameters, SCHEDULES_PER_PAGE);
  return pageAnswer(call, paging, sorted, scheduleExecution);
}

function activeExecutions(call: Call): Answer {
  const active = call.world.executions.filter(
    ({ status }) => status === 'Queued' || status === 'InProgress' || status === 'Paused',
  );
  return ok(active.map((execution) => scheduleExecution(execution, call)));
}

function scheduleExecution(execution: ScheduleExecution, call: Call): Fields {
  const first = call.world.row(execution.steps[0]?.activityId ?? '');
  return {
    id: execution.id,
    scheduleId: execution.scheduleId,
    scheduleName: execution.scheduleName,
    status: statusWord(execution, call),
    currentStepIndex: execution.currentStepIndex,
    totalSteps: call.dialect.scheduleFields ? stepGroups(execution) : execution.steps.length,
    queuedAt: writeDate(execution.queuedAt, call.dates),
    startedAt: dateOrNull(execution.startedAt, call),
    completedAt: dateOrNull(execution.completedAt, call),
    initiatedByType: first?.initiatedByType ?? 'System',
    initiatedById: first?.initiatedById ?? null,
    initiatedByName: first?.initiatedByName ?? 'System',
    errorMessage: execution.errorMessage,
  };
}

function executionDetail(call: Call): Answer {
  const id = call.param('id').toLowerCase();
  const execution = call.world.executions.find((candidate) => candidate.id === id);
  if (execution === undefined) {
    return envelope(404, '', `Schedule execution not found: ${id}`, call.world.jimNow);
  }
  return ok({
    steps: execution.steps.map((_, place) => executionStep(execution, place, call)),
    ...(call.dialect.scheduleFields ? { progress: executionProgress(execution, call) } : {}),
    ...scheduleExecution(execution, call),
  });
}

function executionStep(execution: ScheduleExecution, place: number, call: Call): Json {
  const entry = execution.steps[place];
  if (entry === undefined) return null;
  const { step } = entry;
  const row = call.world.row(entry.activityId);
  const task = call.world.tasks.find((candidate) => candidate.id === entry.taskId);
  const system = call.world.systems.find((candidate) => candidate.id === step.connectedSystemId);
  const profile = system?.runProfiles.find((candidate) => candidate.id === step.runProfileId);
  const steps = execution.steps.map((other) => other.step);
  const ended = row === undefined || !isFinished(row.status) ? null : endOf(row);
  return {
    stepIndex: step.index,
    name: `Step ${step.index + 1}`,
    stepType: stepType(step),
    executionMode: executionMode(step, place, steps),
    connectedSystemId: step.connectedSystemId,
    status: stepStatus(row, task),
    taskId: task?.id ?? null,
    startedAt:
      row === undefined || task?.status === 'WaitingForPreviousStep'
        ? null
        : writeDate(row.executed, call.dates),
    completedAt: dateOrNull(ended, call),
    errorMessage: row?.errorMessage ?? null,
    activityId: entry.activityId,
    activityStatus: row?.status ?? null,
    ...(call.dialect.scheduleFields
      ? {
          connectedSystemName: system?.name ?? null,
          runProfileId: step.runProfileId,
          runProfileName: profile?.name ?? null,
          continueOnFailure: step.continueOnFailure,
        }
      : {}),
  };
}

function endOf(row: WorldRow): number | null {
  return row.totalActivityTime === null ? null : row.created + row.totalActivityTime;
}

/** Free text in JIM, spelled as its pages show it. */
const STEP_STATUS: Readonly<Record<string, string>> = {
  Complete: 'Completed',
  CompleteWithWarning: 'Completed with Warning',
  CompleteWithError: 'Completed with Error',
  FailedWithError: 'Failed',
  Cancelled: 'Cancelled',
};

function stepStatus(row: WorldRow | undefined, task: WorkerTask | undefined): string {
  if (task?.status === 'WaitingForPreviousStep') return 'Waiting';
  if (task !== undefined) return task.status;
  return STEP_STATUS[row?.status ?? ''] ?? 'Pending';
}

/** Main's account of an execution in groups of parallel steps. */
function executionProgress(execution: ScheduleExecution, call: Call): Json {
  const indices = [...new Set(execution.steps.map(({ step }) => step.index))];
  return {
    currentStepNumber: execution.currentStepIndex + 1,
    totalSteps: indices.length,
    steps: indices.map((index) => {
      const group = execution.steps.filter(({ step }) => step.index === index);
      const statuses = group.map(({ activityId, taskId }) => {
        const task = call.world.tasks.find((candidate) => candidate.id === taskId);
        return stepStatus(call.world.row(activityId), task).replaceAll(' with ', 'With');
      });
      return {
        stepIndex: index,
        name: group.length > 1 ? `${group.length} in parallel` : `Step ${index + 1}`,
        status: statuses.find((status) => status !== 'Completed') ?? 'Completed',
        taskStatuses: statuses,
        isParallel: group.length > 1,
      };
    }),
  };
}

function statusWord(execution: ScheduleExecution, call: Call): string {
  return execution.status === 'Complete' ? call.dialect.completedWord : execution.status;
}

function stepGroups(execution: ScheduleExecution): number {
  return new Set(execution.steps.map(({ step }) => step.index)).size;
}

export const workRoutes: readonly RouteEntry[] = [
  { path: '/worker-tasks', answer: workerTasks, isKnown: (dialect) => dialect.workerTasks },
  { path: '/schedules', answer: schedules },
  { path: `/schedules/${GUID}`, answer: scheduleDetail },
  { path: '/schedule-executions', answer: scheduleExecutions },
  { path: '/schedule-executions/active', answer: activeExecutions },
  { path: `/schedule-executions/${GUID}`, answer: executionDetail },
];
